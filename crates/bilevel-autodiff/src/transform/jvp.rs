//! Forward mode.

use super::shapes::expect_same_shapes;
use crate::error::Result;
use crate::graph::{Graph, NodeId};
use crate::rule;

/// Appends ∂outputs/∂(inputs)·tangents: the tangent of each output, None if it is zero.
/// `inputs` are pairs of a node and its tangent.
///
/// Applied to a gradient, this is mixed mode (MixFlow-MG, arXiv 2505.00793): the directional
/// derivative of ∇_(x,y) h along (0, v) is (∇²_xy h·v, ∇²_yy h·v), by the symmetry of second
/// derivatives, without a second tape.
///
/// # Errors
/// [`Error::Operation`](crate::Error::Operation) if a tangent does not have the shape of its node.
pub fn jvp(
    graph: &mut Graph,
    inputs: &[(NodeId, NodeId)],
    outputs: &[NodeId],
) -> Result<Vec<Option<NodeId>>> {
    expect_same_shapes(graph, "jvp", inputs)?;
    let roots: Vec<NodeId> = inputs.iter().map(|&(id, _)| id).collect();
    let depends = graph.depends_on(&roots);
    let needed = graph.needed_for(outputs);
    let count = graph.nodes().len();
    let mut tangents: Vec<Option<NodeId>> = vec![None; count];
    for &(id, tangent) in inputs {
        tangents[id.index()] = Some(tangent);
    }
    for id in graph.ids().take(count) {
        let index = id.index();
        if !depends[index] || !needed[index] || tangents[index].is_some() {
            continue;
        }
        let from: Vec<Option<NodeId>> = graph
            .node(id)
            .operands
            .iter()
            .map(|operand| tangents[operand.index()])
            .collect();
        tangents[index] = rule::jvp(graph, id, &from)?;
    }
    Ok(outputs.iter().map(|id| tangents[id.index()]).collect())
}
