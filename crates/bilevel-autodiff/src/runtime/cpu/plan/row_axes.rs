//! Chooses the axis that is cut into blocks of rows.
//!
//! Axes that must be walked together form a class, for example those of the operands and the result
//! of an elementwise primitive. The class that many nodes have, and that is long, is the row axis
//! (the samples of a data set). Nodes that are computed row by row run block by block, while a
//! block is in cache.

use std::collections::HashMap;

use crate::graph::{Graph, Node, NodeId, Op};
use crate::rule::{self, Link};

/// For each node, its row axis, if it has exactly one; and the number of rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RowAxes {
    pub(crate) count: usize,
    pub(crate) axis: Vec<Option<usize>>,
}

impl RowAxes {
    /// No node has rows.
    pub(crate) fn none(graph: &Graph) -> Self {
        Self {
            count: 1,
            axis: vec![None; graph.nodes().len()],
        }
    }

    /// Chooses the class of axes that is best cut into rows; none if no axis is long enough.
    ///
    /// Convolutions need whole pictures with the channels innermost, and cut their work themselves: with them, all nodes
    /// are computed as a whole.
    pub(crate) fn find(graph: &Graph) -> Self {
        if graph
            .nodes()
            .iter()
            .any(|node| matches!(node.op, Op::Conv { .. }))
        {
            return Self::none(graph);
        }
        let classes = Classes::of(graph);
        // The number of computed nodes with an axis of the class, and the size of the axis.
        let mut votes: HashMap<usize, (usize, usize, usize)> = HashMap::new();
        for (index, node) in graph.nodes().iter().enumerate() {
            for axis in 0..node.shape.len() {
                let (class, size) = (classes.class(index, axis), node.shape[axis]);
                let vote = votes.entry(class).or_insert((0, size, class));
                vote.1 = vote.1.max(size);
                if !matches!(node.op, Op::Input(_) | Op::Constant(_)) {
                    vote.0 += 1;
                }
            }
        }
        let best = votes
            .into_values()
            .filter(|&(count, size, _)| count > 0 && size >= Self::FEWEST)
            .max_by(|&(a, size_a, class_a), &(b, size_b, class_b)| {
                let scores = Self::score(a, size_a).total_cmp(&Self::score(b, size_b));
                scores.then(size_a.cmp(&size_b)).then(class_b.cmp(&class_a))
            });
        let Some((_, count, class)) = best else {
            return Self::none(graph);
        };
        let axis = graph
            .nodes()
            .iter()
            .enumerate()
            .map(|(index, node)| {
                let mut axes = (0..node.shape.len()).filter(|&axis| {
                    node.shape[axis] == count && classes.class(index, axis) == class
                });
                match (axes.next(), axes.next()) {
                    (Some(axis), None) => Some(axis),
                    _ => None,
                }
            })
            .collect();
        Self { count, axis }
    }

    /// Shorter axes are not worth cutting.
    const FEWEST: usize = 2;

    /// What cutting an axis is worth: how many nodes are computed in blocks, and how often each is halved. By their number
    /// alone, a few nodes of classes × columns would make the ten classes of a data set its rows.
    fn score(nodes: usize, size: usize) -> f64 {
        nodes as f64 * (size as f64).ln()
    }

    pub(crate) fn of(&self, id: NodeId) -> Option<usize> {
        self.axis[id.index()]
    }
}

/// Union-find over (node, axis).
struct Classes {
    first: Vec<usize>,
    parent: Vec<usize>,
}

impl Classes {
    fn of(graph: &Graph) -> Self {
        let mut first = Vec::with_capacity(graph.nodes().len());
        let mut axes = 0;
        for node in graph.nodes() {
            first.push(axes);
            axes += node.shape.len();
        }
        let mut classes = Self {
            first,
            parent: (0..axes).collect(),
        };
        for (index, node) in graph.nodes().iter().enumerate() {
            classes.connect(graph, index, node);
        }
        for axis in 0..axes {
            classes.parent[axis] = classes.root(axis);
        }
        classes
    }

    fn class(&self, node: usize, axis: usize) -> usize {
        self.parent[self.first[node] + axis]
    }

    fn root(&self, mut axis: usize) -> usize {
        while self.parent[axis] != axis {
            axis = self.parent[axis];
        }
        axis
    }

    fn unite(&mut self, (a, i): (usize, usize), (b, j): (usize, usize)) {
        let (a, b) = (self.root(self.first[a] + i), self.root(self.first[b] + j));
        self.parent[a.max(b)] = a.min(b);
    }

    /// Unites the axes of a node with the axes of its operands that are walked with them.
    fn connect(&mut self, graph: &Graph, index: usize, node: &Node) {
        let axes = rule::axes(graph, node);
        for (operand, links) in node.operands.iter().zip(&axes.links) {
            for (axis, link) in links.iter().enumerate() {
                match *link {
                    Link::Same(of) | Link::Linked(of) => {
                        self.unite((index, axis), (operand.index(), of));
                    }
                    Link::Repeated | Link::Mixed => {}
                }
            }
        }
        for summed in &axes.summed {
            let mut parts = node.operands.iter().zip(&summed.axes);
            if let Some((first, &axis)) = parts.next() {
                for (other, &of) in parts {
                    self.unite((first.index(), axis), (other.index(), of));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DType, Unary};

    /// Nodes of rows × classes have both axes; those of the model have the classes alone.
    #[test]
    fn many_rows_are_cut_and_not_a_few_classes() {
        let rows_of = |rows: usize, classes: usize| {
            let mut graph = Graph::new();
            let logits = graph.input(vec![rows, classes], DType::Real);
            let mut bias = graph.input(vec![classes], DType::Real);
            for _ in 0..3 {
                bias = graph.unary(Unary::Exp, bias).unwrap();
            }
            let all = graph.expand(bias, &[rows, classes]).unwrap();
            let mut sum = graph.add(logits, all).unwrap();
            for _ in 0..3 {
                sum = graph.unary(Unary::Exp, sum).unwrap();
            }
            let found = RowAxes::find(&graph);
            (found.count, found.of(sum), found.of(bias))
        };
        assert_eq!(rows_of(1000, 10), (1000, Some(0), None));
        // One row of a picture: there is nothing to cut but the other axis.
        assert_eq!(rows_of(1, 10), (10, Some(1), Some(0)));
    }
}
