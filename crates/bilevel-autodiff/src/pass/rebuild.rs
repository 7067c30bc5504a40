//! Rebuilds a graph node by node.

use crate::error::Result;
use crate::graph::{Graph, Node, NodeId, Op};

/// A new graph. `build` adds each node of `graph` to it, given the node and its operands in
/// the new graph. Inputs keep their numbers.
pub(super) fn rebuild(
    graph: &Graph,
    mut build: impl FnMut(&mut Graph, NodeId, &Node, &[NodeId]) -> Result<NodeId>,
) -> Result<Graph> {
    let mut new = Graph::new();
    let mut placed: Vec<NodeId> = Vec::with_capacity(graph.nodes().len());
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let operands: Vec<NodeId> = node.operands.iter().map(|id| placed[id.index()]).collect();
        let at = match node.op {
            Op::Input(_) => new.input(node.shape.clone(), node.dtype),
            _ => build(&mut new, id, node, &operands)?,
        };
        placed.push(at);
    }
    new.outputs = graph.outputs.iter().map(|id| placed[id.index()]).collect();
    Ok(new)
}

/// Copies the node unchanged.
pub(super) fn keep(new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<NodeId> {
    match node.op {
        Op::Constant(bits) => Ok(new.constant(f64::from_bits(bits))),
        _ => new.push(node.op.clone(), operands),
    }
}
