//! Element by element: the result at a place depends on the operands at that place.

use super::{expect_dtype, shape_fault, sum_of};
use crate::error::{Fault, Result};
use crate::graph::{Binary, Compare, DType, Graph, Node, NodeId, Op, Shape, Unary};

pub(super) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let shape = &operands[0].shape;
    if operands.iter().any(|node| node.shape != *shape) {
        return Err(shape_fault("operands of the same shape"));
    }
    for (place, node) in operands.iter().enumerate() {
        let expected = if *op == Op::Select && place == 0 {
            DType::Mask
        } else {
            DType::Real
        };
        expect_dtype(node, expected)?;
    }
    let dtype = match op {
        Op::Compare(_) => DType::Mask,
        _ => DType::Real,
    };
    Ok((shape.clone(), dtype))
}

pub(super) fn jvp(
    graph: &mut Graph,
    id: NodeId,
    node: &Node,
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    if node.op == Op::Select {
        let (mask, a, b) = (node.operands[0], tangents[1], tangents[2]);
        let zero = graph.constant_like(0.0, id)?;
        let (a, b) = (a.unwrap_or(zero), b.unwrap_or(zero));
        return graph.push(Op::Select, &[mask, a, b]).map(Some);
    }
    let mut sum = None;
    for (place, tangent) in tangents.iter().enumerate() {
        if let Some(tangent) = *tangent {
            let term = times_partial(graph, id, node, place, tangent)?;
            sum = sum_of(graph, sum, term)?;
        }
    }
    Ok(sum)
}

pub(super) fn vjp(
    graph: &mut Graph,
    id: NodeId,
    node: &Node,
    bar: NodeId,
) -> Result<Vec<Option<NodeId>>> {
    if node.op == Op::Select {
        let mask = node.operands[0];
        let zero = graph.constant_like(0.0, bar)?;
        let a = graph.push(Op::Select, &[mask, bar, zero])?;
        let b = graph.push(Op::Select, &[mask, zero, bar])?;
        return Ok(vec![None, Some(a), Some(b)]);
    }
    (0..node.operands.len())
        .map(|place| times_partial(graph, id, node, place, bar))
        .collect()
}

/// `v · ∂out/∂operand`, element by element: both derivatives of such a primitive.
fn times_partial(
    graph: &mut Graph,
    out: NodeId,
    node: &Node,
    place: usize,
    v: NodeId,
) -> Result<Option<NodeId>> {
    let a = node.operands[0];
    match node.op {
        Op::Unary(unary) => unary_partial(graph, unary, a, out, v),
        Op::Binary(binary) => binary_partial(graph, binary, (a, node.operands[1]), out, place, v),
        _ => Ok(None),
    }
}

fn unary_partial(
    graph: &mut Graph,
    unary: Unary,
    a: NodeId,
    out: NodeId,
    v: NodeId,
) -> Result<Option<NodeId>> {
    let partial = match unary {
        Unary::Neg => return graph.unary(Unary::Neg, v).map(Some),
        Unary::Exp => out,
        Unary::Ln => return graph.binary(Binary::Div, v, a).map(Some),
        Unary::Sqrt => {
            let half = graph.scale(0.5, v)?;
            return graph.binary(Binary::Div, half, out).map(Some);
        }
        Unary::Recip => {
            let square = graph.mul(out, out)?;
            graph.unary(Unary::Neg, square)?
        }
        Unary::Tanh => {
            let square = graph.mul(out, out)?;
            let one = graph.constant_like(1.0, a)?;
            graph.binary(Binary::Sub, one, square)?
        }
        Unary::Sigmoid => {
            let one = graph.constant_like(1.0, a)?;
            let rest = graph.binary(Binary::Sub, one, out)?;
            graph.mul(out, rest)?
        }
        Unary::Softplus => graph.unary(Unary::Sigmoid, a)?,
        Unary::Relu => {
            // The derivative at 0 is taken for 0, as everywhere. The result tells where it is 1, so that its argument
            // need not be kept.
            let zero = graph.constant_like(0.0, a)?;
            let positive = graph.push(Op::Compare(Compare::Less), &[zero, out])?;
            return graph.push(Op::Select, &[positive, v, zero]).map(Some);
        }
        Unary::Abs => graph.unary(Unary::Sign, a)?,
        Unary::Sign => return Ok(None),
        Unary::Sin => graph.unary(Unary::Cos, a)?,
        Unary::Cos => {
            let sine = graph.unary(Unary::Sin, a)?;
            graph.unary(Unary::Neg, sine)?
        }
    };
    graph.mul(v, partial).map(Some)
}

fn binary_partial(
    graph: &mut Graph,
    binary: Binary,
    (a, b): (NodeId, NodeId),
    out: NodeId,
    place: usize,
    v: NodeId,
) -> Result<Option<NodeId>> {
    let first = place == 0;
    let result = match (binary, first) {
        (Binary::Add, _) | (Binary::Sub, true) => v,
        (Binary::Sub, false) => graph.unary(Unary::Neg, v)?,
        (Binary::Mul, true) => graph.mul(v, b)?,
        (Binary::Mul, false) => graph.mul(v, a)?,
        (Binary::Div, true) => graph.binary(Binary::Div, v, b)?,
        (Binary::Div, false) => {
            let ratio = graph.binary(Binary::Div, out, b)?;
            let ratio = graph.unary(Unary::Neg, ratio)?;
            graph.mul(v, ratio)?
        }
        (Binary::Pow, true) => match graph.uniform(b) {
            // Step by step down to a constant: b·aᵇ⁻¹ alone is 0·0⁻¹ at a = 0 after a few derivatives.
            Some(0.0) => return Ok(None),
            Some(1.0) => v,
            Some(exponent) => {
                let power = if exponent == 2.0 {
                    a
                } else {
                    let less = graph.constant_like(exponent - 1.0, a)?;
                    graph.binary(Binary::Pow, a, less)?
                };
                let partial = graph.scale(exponent, power)?;
                graph.mul(v, partial)?
            }
            None => {
                let one = graph.constant_like(1.0, b)?;
                let less = graph.binary(Binary::Sub, b, one)?;
                let power = graph.binary(Binary::Pow, a, less)?;
                let partial = graph.mul(b, power)?;
                graph.mul(v, partial)?
            }
        },
        (Binary::Pow, false) if graph.uniform(b).is_some() => return Ok(None),
        (Binary::Pow, false) => {
            let ln = graph.unary(Unary::Ln, a)?;
            let partial = graph.mul(out, ln)?;
            graph.mul(v, partial)?
        }
        (Binary::Max | Binary::Min, _) => {
            // The first operand where both are equal.
            let (small, large) = if binary == Binary::Max {
                (b, a)
            } else {
                (a, b)
            };
            let mask = graph.push(Op::Compare(Compare::LessEqual), &[small, large])?;
            let zero = graph.constant_like(0.0, v)?;
            let operands = if first {
                [mask, v, zero]
            } else {
                [mask, zero, v]
            };
            graph.push(Op::Select, &operands)?
        }
    };
    Ok(Some(result))
}
