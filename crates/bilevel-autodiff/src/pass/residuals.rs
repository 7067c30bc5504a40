//! What to keep of a first sweep for a second one: the minimum cut through the graph, in numbers kept.
//!
//! Cheap nodes may be recomputed from the kept ones and the inputs; others, such as matrix products, may not. Sums are
//! between the two: they are short, and computing one again reads all that it sums.

use std::collections::VecDeque;

use crate::graph::{DType, Graph, NodeId, Op};
use crate::rule::{self, Recompute};

/// Reading so many numbers again costs as much as keeping one: what is kept takes memory for as long as a tape.
const READ_FOR_ONE_KEPT: u64 = 32;

/// The residuals: nodes that do not depend on `second` (the inputs that come later). From them and the other
/// inputs, `outputs` can be computed without repeating a matrix product that does not depend on `second`.
pub(crate) fn residuals(graph: &Graph, outputs: &[NodeId], second: &[NodeId]) -> Vec<NodeId> {
    let late = graph.depends_on(second);
    let needed = graph.needed_for(outputs);
    let early = |id: NodeId| needed[id.index()] && !late[id.index()];
    // Two vertices per node, before and after it. The capacity of the edge between them is the cost of keeping the
    // node.
    let count = graph.nodes().len();
    let (source, sink) = (2 * count, 2 * count + 1);
    let (before, after) = (|id: NodeId| 2 * id.index(), |id: NodeId| 2 * id.index() + 1);
    let mut network = Network::new(2 * count + 2);
    for id in graph.ids().filter(|&id| early(id)) {
        let node = graph.node(id);
        let keepable = node.dtype == DType::Real && !matches!(node.op, Op::Input(_));
        let price = if keepable {
            node.len() as u64
        } else {
            Network::INFINITE
        };
        network.edge(before(id), after(id), price);
        for &operand in &node.operands {
            network.edge(after(operand), before(id), Network::INFINITE);
        }
        let again = match (rule::recompute(&node.op), &node.op) {
            (Recompute::Never, _) => Network::INFINITE,
            (Recompute::Cheap, Op::Sum(_) | Op::Max(_)) => {
                graph.node(node.operands[0]).len() as u64 / READ_FOR_ONE_KEPT
            }
            (Recompute::Cheap, _) => 0,
        };
        if again > 0 {
            network.edge(source, before(id), again);
        }
    }
    // The nodes that the second sweep reads.
    for id in graph
        .ids()
        .filter(|id| needed[id.index()] && late[id.index()])
    {
        for &operand in graph.node(id).operands.iter().filter(|&&o| early(o)) {
            network.edge(after(operand), sink, Network::INFINITE);
        }
    }
    for &id in outputs.iter().filter(|&&id| early(id)) {
        network.edge(after(id), sink, Network::INFINITE);
    }
    let reaches_sink = network.cut(source, sink);
    graph
        .ids()
        .filter(|&id| early(id) && !reaches_sink[before(id)] && reaches_sink[after(id)])
        .collect()
}

/// A flow network, for the minimum cut by shortest augmenting paths (Edmonds and Karp, 1972).
struct Network {
    /// Target and residual capacity; the reverse edge has the number with the last bit flipped.
    edges: Vec<(usize, u64)>,
    from: Vec<Vec<usize>>,
}

impl Network {
    const INFINITE: u64 = u64::MAX / 4;

    fn new(vertices: usize) -> Self {
        Self {
            edges: Vec::new(),
            from: vec![Vec::new(); vertices],
        }
    }

    fn edge(&mut self, a: usize, b: usize, capacity: u64) {
        self.from[a].push(self.edges.len());
        self.edges.push((b, capacity));
        self.from[b].push(self.edges.len());
        self.edges.push((a, 0));
    }

    /// Which vertices still reach the sink at maximum flow: the cut closest to the sink.
    fn cut(&mut self, source: usize, sink: usize) -> Vec<bool> {
        while let Some(path) = self.path(source, sink) {
            let least = path
                .iter()
                .map(|&edge| self.edges[edge].1)
                .min()
                .unwrap_or(0);
            if least >= Self::INFINITE / 2 {
                // No set of nodes that may be kept separates the two.
                break;
            }
            for edge in path {
                self.edges[edge].1 -= least;
                self.edges[edge ^ 1].1 += least;
            }
        }
        let mut reaches = vec![false; self.from.len()];
        reaches[sink] = true;
        let mut queue = VecDeque::from([sink]);
        while let Some(vertex) = queue.pop_front() {
            for &edge in &self.from[vertex] {
                // The edge into this vertex is the reverse of the edge out of it.
                let (neighbour, left) = (self.edges[edge].0, self.edges[edge ^ 1].1);
                if left > 0 && !reaches[neighbour] {
                    reaches[neighbour] = true;
                    queue.push_back(neighbour);
                }
            }
        }
        reaches
    }

    fn path(&self, source: usize, sink: usize) -> Option<Vec<usize>> {
        let mut by: Vec<Option<usize>> = vec![None; self.from.len()];
        let mut queue = VecDeque::from([source]);
        while let Some(vertex) = queue.pop_front() {
            for &edge in &self.from[vertex] {
                let (to, left) = self.edges[edge];
                if left > 0 && to != source && by[to].is_none() {
                    by[to] = Some(edge);
                    queue.push_back(to);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = sink;
        while at != source {
            let edge = by[at]?;
            path.push(edge);
            at = self.edges[edge ^ 1].0;
        }
        Some(path)
    }
}
