//! Which axis is cut into blocks of rows.
//!
//! Axes that have to be walked together form a class: those of the operands and the result of an
//! elementwise primitive, say. The class that most nodes have is that of the rows (the samples of
//! a data set), and what is computed row by row runs block by block while a block is in cache.

use std::collections::HashMap;

use crate::graph::{Graph, Node, NodeId, Op};

/// For each node its row axis, if it has exactly one; and how many rows there are.
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

    /// The class of axes that is best cut into rows; none if no axis is long enough to be worth it.
    pub(crate) fn find(graph: &Graph) -> Self {
        let classes = Classes::of(graph);
        // How many computed nodes have an axis of the class, and the size of the axis.
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
            .max_by_key(|&(count, size, class)| (count, size, usize::MAX - class));
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

    /// Unites the axes of a node with those of its operands that are walked together.
    fn connect(&mut self, graph: &Graph, index: usize, node: &Node) {
        let operand = |place: usize| {
            let id = node.operands[place];
            (id.index(), graph.node(id))
        };
        let rank = node.shape.len();
        match &node.op {
            Op::Input(_) | Op::Constant(_) => {}
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::StopGradient => {
                for &id in &node.operands {
                    for axis in 0..rank {
                        self.unite((index, axis), (id.index(), axis));
                    }
                }
            }
            Op::Reshape(_) => {
                let (from, a) = operand(0);
                for (i, j) in matching_axes(&a.shape, &node.shape) {
                    self.unite((from, i), (index, j));
                }
            }
            Op::Transpose(permutation) => {
                let (from, _) = operand(0);
                for (axis, &of) in permutation.iter().enumerate() {
                    self.unite((index, axis), (from, of));
                }
            }
            Op::Broadcast(_)
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Sum(_)
            | Op::Max(_)
            | Op::Concat(_) => {
                for &id in &node.operands {
                    for axis in 0..rank {
                        let cut = match &node.op {
                            Op::Concat(along) => axis == *along,
                            Op::Slice { axis: along, .. } | Op::Pad { axis: along, .. } => {
                                axis == *along
                            }
                            _ => false,
                        };
                        if !cut && graph.shape(id)[axis] == node.shape[axis] {
                            self.unite((index, axis), (id.index(), axis));
                        }
                    }
                }
            }
            Op::TakeRows => {
                let ((from, _), (by, _)) = (operand(0), operand(1));
                self.unite((index, 0), (by, 0));
                for axis in 1..rank {
                    self.unite((index, axis), (from, axis));
                }
            }
            Op::AddRows(_) => {
                let ((from, _), (by, _)) = (operand(0), operand(1));
                self.unite((from, 0), (by, 0));
                for axis in 1..rank {
                    self.unite((index, axis), (from, axis));
                }
            }
            Op::Pick | Op::Place(_) => {
                let ((from, a), (by, classes)) = (operand(0), operand(1));
                for axis in 0..classes.shape.len() {
                    self.unite((from, axis), (by, axis));
                    if axis < rank && axis < a.shape.len() {
                        self.unite((index, axis), (by, axis));
                    }
                }
            }
            Op::MatMul { left, right } => {
                let ((from_a, a), (from_b, _)) = (operand(0), operand(1));
                let end = a.shape.len();
                for axis in 0..end - 2 {
                    self.unite((index, axis), (from_a, axis));
                    self.unite((index, axis), (from_b, axis));
                }
                let (m, k) = if *left {
                    (end - 1, end - 2)
                } else {
                    (end - 2, end - 1)
                };
                let (l, n) = if *right {
                    (end - 1, end - 2)
                } else {
                    (end - 2, end - 1)
                };
                self.unite((index, end - 2), (from_a, m));
                self.unite((index, end - 1), (from_b, n));
                self.unite((from_a, k), (from_b, l));
            }
        }
    }
}

/// Pairs of axes of two shapes with the same elements in row-major order that are the same: the same
/// size, with as many elements after each.
pub(crate) fn matching_axes(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let after = |shape: &[usize], axis: usize| shape[axis + 1..].iter().product::<usize>();
    let mut pairs = Vec::new();
    for (i, &size) in a.iter().enumerate() {
        if size <= 1 {
            continue;
        }
        let same = (0..b.len()).find(|&j| b[j] == size && after(a, i) == after(b, j));
        if let Some(j) = same {
            pairs.push((i, j));
        }
    }
    pairs
}
