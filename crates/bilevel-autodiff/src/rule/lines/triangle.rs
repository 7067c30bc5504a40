//! Triangles of matrices for derivatives, written in primitives.

use super::*;

/// The row number (or column number) of each element, in this shape.
fn numbers(graph: &mut Graph, shape: &[usize], axis: usize) -> Result<NodeId> {
    let mut own = vec![1; shape.len()];
    own[axis] = shape[axis];
    let one = graph.constant(1.0);
    let ones = graph.expand(one, &own)?;
    let count = Op::Lines(Lines::CumSum {
        axis,
        reverse: false,
    });
    let numbers = graph.push(count, &[ones])?;
    graph.expand(numbers, shape)
}

/// The lower triangle with the diagonal scaled by `diagonal`, zeros elsewhere.
pub(super) fn lower(graph: &mut Graph, a: NodeId, diagonal: f64) -> Result<NodeId> {
    let shape = graph.shape(a).to_vec();
    let rank = shape.len();
    let rows = numbers(graph, &shape, rank - 2)?;
    let columns = numbers(graph, &shape, rank - 1)?;
    let zero = graph.constant_like(0.0, a)?;
    let below = graph.push(Op::Compare(Compare::Less), &[columns, rows])?;
    let on = graph.push(Op::Compare(Compare::Equal), &[columns, rows])?;
    let scaled = if diagonal == 0.0 {
        zero
    } else {
        graph.scale(diagonal, a)?
    };
    let rest = graph.push(Op::Select, &[on, scaled, zero])?;
    graph.push(Op::Select, &[below, a, rest])
}

/// Swaps the last two axes.
pub(super) fn transposed(graph: &mut Graph, a: NodeId) -> Result<NodeId> {
    let rank = graph.shape(a).len();
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(rank - 2, rank - 1);
    graph.push(Op::Transpose(axes), &[a])
}

/// L⁻¹·b, or L⁻ᵀ·b.
pub(super) fn solve(graph: &mut Graph, l: NodeId, b: NodeId, transposed: bool) -> Result<NodeId> {
    graph.push(Op::Lines(Lines::Solve { transposed }), &[l, b])
}

/// a·b, each optionally transposed.
pub(super) fn product(
    graph: &mut Graph,
    a: NodeId,
    b: NodeId,
    [left, right]: [bool; 2],
) -> Result<NodeId> {
    graph.push(Op::MatMul { left, right }, &[a, b])
}
