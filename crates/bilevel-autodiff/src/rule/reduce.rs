//! Sums and maxima over axes, which stay with size 1.

use super::{expect_axis, expect_dtype};
use crate::error::{Fault, Result};
use crate::graph::{Binary, Compare, DType, Graph, Node, NodeId, Op, Shape};

pub(super) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let a = operands[0];
    expect_dtype(a, DType::Real)?;
    let mut shape = a.shape.clone();
    if let Op::Sum(axes) | Op::Max(axes) = op {
        for (place, &axis) in axes.iter().enumerate() {
            expect_axis(a, axis)?;
            if axes[..place].contains(&axis) {
                return Err(Fault::Axis { axis });
            }
            shape[axis] = 1;
        }
    }
    Ok((shape, DType::Real))
}

/// The share of each element in the maximum: 1 where it is the only one that reaches it,
/// 1/n where n do, 0 elsewhere. Constant almost everywhere.
fn share(graph: &mut Graph, id: NodeId, a: NodeId, axes: &[usize]) -> Result<NodeId> {
    let shape = graph.shape(a).to_vec();
    let top = graph.push(Op::Broadcast(shape.clone()), &[id])?;
    let reaches = graph.push(Op::Compare(Compare::Equal), &[a, top])?;
    let (one, zero) = (graph.constant_like(1.0, a)?, graph.constant_like(0.0, a)?);
    let reaches = graph.push(Op::Select, &[reaches, one, zero])?;
    let count = graph.push(Op::Sum(axes.to_vec()), &[reaches])?;
    let count = graph.push(Op::Broadcast(shape), &[count])?;
    graph.binary(Binary::Div, reaches, count)
}

pub(super) fn max_jvp(
    graph: &mut Graph,
    id: NodeId,
    node: &Node,
    axes: &[usize],
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    let Some(tangent) = tangents[0] else {
        return Ok(None);
    };
    let share = share(graph, id, node.operands[0], axes)?;
    let part = graph.mul(share, tangent)?;
    graph.push(Op::Sum(axes.to_vec()), &[part]).map(Some)
}

pub(super) fn vjp(
    graph: &mut Graph,
    id: NodeId,
    node: &Node,
    bar: NodeId,
) -> Result<Vec<Option<NodeId>>> {
    let a = node.operands[0];
    let shape = graph.shape(a).to_vec();
    let spread = graph.push(Op::Broadcast(shape), &[bar])?;
    let cotangent = match &node.op {
        Op::Max(axes) => {
            let share = share(graph, id, a, axes)?;
            graph.mul(share, spread)?
        }
        _ => spread,
    };
    Ok(vec![Some(cotangent)])
}
