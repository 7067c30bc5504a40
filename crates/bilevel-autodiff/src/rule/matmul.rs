//! The matrix product.

use super::{expect_dtype, shape_fault, sum_of};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};

/// The flags, and (m, k) of the left and (k, n) of the right operand as they are multiplied.
fn flags(op: &Op) -> (bool, bool) {
    match op {
        Op::MatMul { left, right } => (*left, *right),
        _ => (false, false),
    }
}

pub(super) fn infer(op: &Op, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
    let (a, b) = (operands[0], operands[1]);
    expect_dtype(a, DType::Real)?;
    expect_dtype(b, DType::Real)?;
    let rank = a.shape.len();
    if rank < 2 || b.shape.len() != rank || a.shape[..rank - 2] != b.shape[..rank - 2] {
        return Err(shape_fault("two matrices, or two batches of as many"));
    }
    let (left, right) = flags(op);
    let sides = |shape: &[usize], transposed: bool| {
        let (rows, columns) = (shape[rank - 2], shape[rank - 1]);
        if transposed {
            (columns, rows)
        } else {
            (rows, columns)
        }
    };
    let ((m, k), (inner, n)) = (sides(&a.shape, left), sides(&b.shape, right));
    if k != inner {
        let transposed = |flag| if flag { " (transposed)" } else { "" };
        return Err(shape_fault(format!(
            "as many columns on the left{} as rows on the right{}, found {k} and {inner}",
            transposed(left),
            transposed(right)
        )));
    }
    let mut shape = a.shape[..rank - 2].to_vec();
    shape.extend([m, n]);
    Ok((shape, DType::Real))
}

pub(super) fn jvp(
    graph: &mut Graph,
    node: &Node,
    tangents: &[Option<NodeId>],
) -> Result<Option<NodeId>> {
    let (a, b) = (node.operands[0], node.operands[1]);
    let left = tangents[0]
        .map(|da| graph.push(node.op.clone(), &[da, b]))
        .transpose()?;
    let right = tangents[1]
        .map(|db| graph.push(node.op.clone(), &[a, db]))
        .transpose()?;
    sum_of(graph, left, right)
}

/// C = A·B: Ā = C̄·Bᵀ and B̄ = Aᵀ·C̄, each transposed where the operand is.
pub(super) fn vjp(graph: &mut Graph, node: &Node, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
    let (a, b) = (node.operands[0], node.operands[1]);
    let (left, right) = flags(&node.op);
    let mut product = |a, b, left, right| graph.push(Op::MatMul { left, right }, &[a, b]);
    let a_bar = if left {
        product(b, bar, right, true)?
    } else {
        product(bar, b, false, !right)?
    };
    let b_bar = if right {
        product(bar, a, true, left)?
    } else {
        product(a, bar, !left, false)?
    };
    Ok(vec![Some(a_bar), Some(b_bar)])
}
