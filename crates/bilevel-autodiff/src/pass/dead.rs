//! Dead code elimination: removes nodes that no output needs, but keeps all inputs.

use crate::error::Result;
use crate::graph::{Graph, NodeId, Op};

use super::rebuild::keep;

pub(crate) fn dead(graph: &Graph) -> Result<Graph> {
    let needed = graph.needed_for(&graph.outputs);
    let mut new = Graph::new();
    let mut placed: Vec<Option<NodeId>> = Vec::with_capacity(graph.nodes().len());
    for (node, needed) in graph.nodes().iter().zip(needed) {
        let operands: Vec<NodeId> = node
            .operands
            .iter()
            .filter_map(|id| placed[id.index()])
            .collect();
        placed.push(match node.op {
            Op::Input(_) => Some(new.input(node.shape.clone(), node.dtype)),
            _ if needed => Some(keep(&mut new, node, &operands)?),
            _ => None,
        });
    }
    new.outputs = graph
        .outputs
        .iter()
        .filter_map(|id| placed[id.index()])
        .collect();
    Ok(new)
}
