//! The primitives: of each, the shape of its result and its two derivatives, side by side.
//!
//! A derivative is written in primitives, so that derivatives of any order are right by
//! construction. `None` stands for a tangent or a cotangent that is zero.

mod elementwise;
mod index;
mod matmul;
mod reduce;
mod shape;

use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, MOST_AXES, Node, NodeId, Op, Shape, element_count};

/// The shape and kind of the result.
pub(crate) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let count = operand_count(op);
    if operands.len() != count {
        return Err(shape_fault(format!("{count} operands")));
    }
    let (shape, dtype) = match op {
        Op::Input(_) | Op::Constant(_) => Err(shape_fault(
            "an input or a constant, which bring their shapes",
        )),
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select => {
            elementwise::infer(op, operands)
        }
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Broadcast(_)
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Concat(_)
        | Op::StopGradient => shape::infer(op, operands),
        Op::Sum(_) | Op::Max(_) => reduce::infer(op, operands),
        Op::TakeRows | Op::AddRows(_) | Op::Pick | Op::Place(_) => index::infer(op, operands),
        Op::MatMul { .. } => matmul::infer(op, operands),
    }?;
    expect_addressable(&shape)?;
    Ok((shape, dtype))
}

fn operand_count(op: &Op) -> usize {
    match op {
        Op::Input(_) | Op::Constant(_) => 0,
        Op::Unary(_)
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Broadcast(_)
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Sum(_)
        | Op::Max(_)
        | Op::StopGradient => 1,
        Op::Binary(_)
        | Op::Compare(_)
        | Op::Concat(_)
        | Op::TakeRows
        | Op::AddRows(_)
        | Op::Pick
        | Op::Place(_)
        | Op::MatMul { .. } => 2,
        Op::Select => 3,
    }
}

/// Fails if a tensor has more axes than kernels walk, or if no memory could hold it.
pub(crate) fn expect_addressable(shape: &[usize]) -> Result<(), Fault> {
    match element_count(shape) {
        Some(_) if shape.len() > MOST_AXES => Err(shape_fault(format!(
            "at most {MOST_AXES} axes, found a shape {shape:?}"
        ))),
        Some(_) => Ok(()),
        None => Err(shape_fault(format!(
            "no more elements than can be addressed, found a shape {shape:?}"
        ))),
    }
}

/// The tangent of node `id` from those of its operands.
pub(crate) fn jvp(
    graph: &mut Graph,
    id: NodeId,
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    if tangents.iter().all(Option::is_none) {
        return Ok(None);
    }
    let node = graph.node(id).clone();
    match &node.op {
        Op::Input(_) | Op::Constant(_) | Op::Compare(_) | Op::StopGradient => Ok(None),
        Op::Unary(_) | Op::Binary(_) | Op::Select => elementwise::jvp(graph, id, &node, tangents),
        Op::Concat(_) => shape::concat_jvp(graph, &node, tangents),
        Op::Max(axes) => reduce::max_jvp(graph, id, &node, axes, tangents),
        Op::MatMul { .. } => matmul::jvp(graph, &node, tangents),
        // Linear in the first operand; the second, if any, holds indices.
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Broadcast(_)
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Sum(_)
        | Op::TakeRows
        | Op::AddRows(_)
        | Op::Pick
        | Op::Place(_) => {
            let Some(tangent) = tangents[0] else {
                return Ok(None);
            };
            let mut operands = node.operands.clone();
            operands[0] = tangent;
            graph.push(node.op.clone(), &operands).map(Some)
        }
    }
}

/// The cotangents of the operands of node `id` from its own, `bar`.
pub(crate) fn vjp(graph: &mut Graph, id: NodeId, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
    let node = graph.node(id).clone();
    match &node.op {
        Op::Input(_) | Op::Constant(_) => Ok(Vec::new()),
        Op::Compare(_) => Ok(vec![None; 2]),
        Op::StopGradient => Ok(vec![None]),
        Op::Unary(_) | Op::Binary(_) | Op::Select => elementwise::vjp(graph, id, &node, bar),
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Broadcast(_)
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Concat(_) => shape::vjp(graph, &node, bar),
        Op::Sum(_) | Op::Max(_) => reduce::vjp(graph, id, &node, bar),
        Op::TakeRows | Op::AddRows(_) | Op::Pick | Op::Place(_) => index::vjp(graph, &node, bar),
        Op::MatMul { .. } => matmul::vjp(graph, &node, bar),
    }
}

/// Fails unless the node holds `expected`.
fn expect_dtype(node: &Node, expected: DType) -> Result<(), Fault> {
    if node.dtype == expected {
        Ok(())
    } else {
        Err(Fault::DType {
            expected,
            found: node.dtype,
        })
    }
}

/// Fails unless `axis` is one of the node's.
fn expect_axis(node: &Node, axis: usize) -> Result<(), Fault> {
    if axis < node.shape.len() {
        Ok(())
    } else {
        Err(Fault::Axis { axis })
    }
}

fn shape_fault(expected: impl Into<String>) -> Fault {
    Fault::Shape {
        expected: expected.into(),
    }
}

/// a + b, either of which may be zero.
pub(crate) fn sum_of(
    graph: &mut Graph,
    a: Option<NodeId>,
    b: Option<NodeId>,
) -> Result<Option<NodeId>> {
    match (a, b) {
        (Some(a), Some(b)) => graph.add(a, b).map(Some),
        (one, None) | (None, one) => Ok(one),
    }
}
