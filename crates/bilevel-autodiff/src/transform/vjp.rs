//! Reverse mode.

use super::shapes::expect_same_shapes;
use crate::error::{Error, Result};
use crate::graph::{Binary, Compare, Graph, NodeId, Op, Unary};
use crate::rule::{self, sum_of};

/// Appends (∂outputs/∂wrt)ᵀ·bars: the cotangent of each of `wrt`, None if no output
/// depends on it. `outputs` are pairs of a node and its cotangent.
///
/// # Errors
/// [`Error::Operation`] if a cotangent does not have the shape of its output.
pub fn vjp(
    graph: &mut Graph,
    outputs: &[(NodeId, NodeId)],
    wrt: &[NodeId],
) -> Result<Vec<Option<NodeId>>> {
    expect_same_shapes(graph, "vjp", outputs)?;
    let depends = graph.depends_on(wrt);
    let count = graph.nodes().len();
    let mut bars: Vec<Option<NodeId>> = vec![None; count];
    // Whether the cotangent of a node is 0 where a `select` did not take it.
    let mut masked = vec![false; count];
    for &(output, bar) in outputs {
        let summed = sum_of(graph, bars[output.index()], Some(bar))?;
        bars[output.index()] = summed;
    }
    for id in graph.ids().take(count).rev() {
        let (true, Some(bar)) = (depends[id.index()], bars[id.index()]) else {
            continue;
        };
        let operands = graph.node(id).operands.clone();
        if !operands.iter().any(|operand| depends[operand.index()]) {
            continue;
        }
        let op = graph.node(id).op.clone();
        let cotangents = rule::vjp(graph, id, bar)?;
        for (operand, mut cotangent) in operands.into_iter().zip(cotangents) {
            if depends[operand.index()] {
                if masked[id.index()] && has_factor(&op) {
                    cotangent = zero_where_zero(graph, bar, cotangent)?;
                }
                masked[operand.index()] |= masked[id.index()] || op == Op::Select;
                let summed = sum_of(graph, bars[operand.index()], cotangent)?;
                bars[operand.index()] = summed;
            }
        }
    }
    Ok(wrt.iter().map(|id| bars[id.index()]).collect())
}

/// Whether the cotangent of an operand is the cotangent of the result times numbers that may not be finite.
fn has_factor(op: &Op) -> bool {
    op.is_elementwise()
        && !matches!(
            op,
            Op::Unary(Unary::Neg)
                | Op::Binary(Binary::Add | Binary::Sub | Binary::Above)
                | Op::Select
        )
}

/// 0 where `bar` is 0, even times an infinite derivative: what a `select` did not take has no effect.
fn zero_where_zero(
    graph: &mut Graph,
    bar: NodeId,
    cotangent: Option<NodeId>,
) -> Result<Option<NodeId>> {
    let Some(cotangent) = cotangent else {
        return Ok(None);
    };
    let zero = graph.constant_like(0.0, bar)?;
    let mask = graph.push(Op::Compare(Compare::Equal), &[bar, zero])?;
    graph.push(Op::Select, &[mask, zero, cotangent]).map(Some)
}

/// Appends the gradient of the scalar `output` with respect to each of `wrt`; zeros if it
/// does not depend on one.
///
/// # Errors
/// [`Error::NotScalar`] if the output does not have exactly one element.
pub fn grad(graph: &mut Graph, output: NodeId, wrt: &[NodeId]) -> Result<Vec<NodeId>> {
    if graph.node(output).len() != 1 {
        return Err(Error::NotScalar {
            shape: graph.shape(output).to_vec(),
        });
    }
    let one = graph.constant_like(1.0, output)?;
    vjp(graph, &[(output, one)], wrt)?
        .into_iter()
        .zip(wrt)
        .map(|(bar, &id)| bar.map_or_else(|| graph.constant_like(0.0, id), Ok))
        .collect()
}
