//! Reverse mode.

use super::shapes::expect_same_shapes;
use crate::error::{Error, Result};
use crate::graph::{Binary, Graph, NodeId, Op, Unary};
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
    let mut conditions: Vec<Option<Vec<Condition>>> = vec![None; count];
    for &(output, bar) in outputs {
        conditions[output.index()] = Some(Vec::new());
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
        let of_result = conditions[id.index()].take().unwrap_or_default();
        let has_factor = has_factor(&graph.node(id).op);
        let cotangents = rule::vjp(graph, id, bar)?;
        for (place, (operand, mut cotangent)) in operands.into_iter().zip(cotangents).enumerate() {
            if !depends[operand.index()] {
                continue;
            }
            if has_factor {
                cotangent = where_taken(graph, cotangent, &of_result)?;
            }
            let summed = sum_of(graph, bars[operand.index()], cotangent)?;
            bars[operand.index()] = summed;
            if cotangent.is_some() {
                let mut new = of_operand(graph, id, place, &of_result)?;
                if let Some(old) = &conditions[operand.index()] {
                    // What comes from elsewhere may differ from zero elsewhere.
                    new.retain(|condition| old.contains(condition));
                }
                conditions[operand.index()] = Some(new);
            }
        }
    }
    Ok(wrt.iter().map(|id| bars[id.index()]).collect())
}

/// A cotangent is zero where the mask is not `taken`: a `select` has not taken the operand there.
///
/// The cotangent of its operands is then zero as well, even if their value or derivative is not finite, where a product
/// with zero would give NaN. The test is the mask, not whether the cotangent is zero: where it happens to be zero for
/// another reason, its own derivative need not be.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Condition {
    mask: NodeId,
    taken: bool,
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

/// The cotangent where all conditions hold, else 0.
fn where_taken(
    graph: &mut Graph,
    cotangent: Option<NodeId>,
    conditions: &[Condition],
) -> Result<Option<NodeId>> {
    let Some(mut cotangent) = cotangent else {
        return Ok(None);
    };
    for &Condition { mask, taken } in conditions {
        let zero = graph.constant_like(0.0, cotangent)?;
        let [yes, no] = if taken {
            [cotangent, zero]
        } else {
            [zero, cotangent]
        };
        cotangent = graph.push(Op::Select, &[mask, yes, no])?;
    }
    Ok(Some(cotangent))
}

/// The conditions of an operand of `id`, from those of the result. Where its elements are not those of the result, they
/// are unknown, except after a change of shape or a sum.
fn of_operand(
    graph: &mut Graph,
    id: NodeId,
    place: usize,
    of_result: &[Condition],
) -> Result<Vec<Condition>> {
    match &graph.node(id).op {
        Op::Select => {
            let mask = graph.node(id).operands[0];
            let taken = place == 1;
            let mut conditions = of_result.to_vec();
            conditions.push(Condition { mask, taken });
            Ok(conditions)
        }
        op if op.is_elementwise() => Ok(of_result.to_vec()),
        // They move cotangents without changing them, and masks in the same way.
        Op::Reshape(_) | Op::Transpose(_) | Op::Sum(_) => {
            let mut conditions = Vec::new();
            for &Condition { mask, taken } in of_result {
                let moved = rule::vjp(graph, id, mask)?.into_iter().flatten();
                conditions.extend(moved.map(|mask| Condition { mask, taken }));
            }
            Ok(conditions)
        }
        _ => Ok(Vec::new()),
    }
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
