//! Algebra on single nodes: neutral elements, constants, shapes that undo each other,
//! transposed operands of matrix products.
//!
//! As everywhere in compilers of this kind, 0·x is 0 for an infinite x too.

use crate::error::Result;
use crate::graph::{Binary, Graph, Node, NodeId, Op, Unary};

use super::rebuild::{keep, rebuild};

pub(crate) fn simplify(graph: &Graph) -> Result<Graph> {
    rebuild(graph, |new, _, node, operands| {
        match simpler(new, node, operands)? {
            Some(id) => Ok(id),
            None => keep(new, node, operands),
        }
    })
}

fn fill(new: &mut Graph, value: f64, shape: &[usize]) -> Result<NodeId> {
    let scalar = new.constant(value);
    new.expand(scalar, shape)
}

fn simpler(new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
    let shape = &node.shape;
    match &node.op {
        Op::StopGradient => Ok(Some(operands[0])),
        Op::Unary(unary) => simpler_unary(new, *unary, operands[0], shape),
        Op::Binary(binary) => simpler_binary(new, *binary, operands[0], operands[1], shape),
        Op::Select if operands[1] == operands[2] => Ok(Some(operands[1])),
        Op::Select => match (new.uniform(operands[1]), new.uniform(operands[2])) {
            (Some(a), Some(b)) if a.to_bits() == b.to_bits() => Ok(Some(operands[1])),
            _ => Ok(None),
        },
        Op::Reshape(_) | Op::Broadcast(_) if new.shape(operands[0]) == shape => {
            Ok(Some(operands[0]))
        }
        Op::Reshape(_) => {
            let inner = new.node(operands[0]).clone();
            match inner.op {
                Op::Reshape(_) => new.reshape(inner.operands[0], shape).map(Some),
                _ => Ok(None),
            }
        }
        Op::Broadcast(_) => {
            let inner = new.node(operands[0]).clone();
            match inner.op {
                Op::Broadcast(_) => new.push(node.op.clone(), &inner.operands).map(Some),
                _ => Ok(None),
            }
        }
        Op::Transpose(permutation) => simpler_transpose(new, permutation, operands[0]),
        Op::Slice { .. } | Op::Pad { .. } if new.shape(operands[0]) == shape => {
            Ok(Some(operands[0]))
        }
        Op::Sum(axes) => simpler_sum(new, axes, operands[0], shape),
        Op::Max(axes) if axes.iter().all(|&axis| new.shape(operands[0])[axis] == 1) => {
            Ok(Some(operands[0]))
        }
        Op::MatMul { left, right } => {
            let (a, left) = untransposed(new, operands[0], *left);
            let (b, right) = untransposed(new, operands[1], *right);
            if (a, b) == (operands[0], operands[1]) {
                return Ok(None);
            }
            new.push(Op::MatMul { left, right }, &[a, b]).map(Some)
        }
        _ => Ok(None),
    }
}

fn simpler_unary(
    new: &mut Graph,
    unary: Unary,
    a: NodeId,
    shape: &[usize],
) -> Result<Option<NodeId>> {
    if unary != Unary::Neg {
        return Ok(None);
    }
    if let Some(value) = new.uniform(a) {
        return fill(new, -value, shape).map(Some);
    }
    let inner = new.node(a).clone();
    match inner.op {
        Op::Unary(Unary::Neg) => Ok(Some(inner.operands[0])),
        Op::Binary(Binary::Sub) => new
            .binary(Binary::Sub, inner.operands[1], inner.operands[0])
            .map(Some),
        _ => Ok(None),
    }
}

fn simpler_binary(
    new: &mut Graph,
    binary: Binary,
    a: NodeId,
    b: NodeId,
    shape: &[usize],
) -> Result<Option<NodeId>> {
    let (left, right) = (new.uniform(a), new.uniform(b));
    if let (Some(x), Some(y)) = (left, right) {
        let value = match binary {
            Binary::Add => Some(x + y),
            Binary::Sub => Some(x - y),
            Binary::Mul => Some(x * y),
            Binary::Div => Some(x / y),
            Binary::Pow | Binary::Max | Binary::Min => None,
        };
        if let Some(value) = value {
            return fill(new, value, shape).map(Some);
        }
    }
    let negated = |graph: &Graph, id: NodeId| match graph.node(id).op {
        Op::Unary(Unary::Neg) => Some(graph.node(id).operands[0]),
        _ => None,
    };
    match (binary, left, right) {
        (Binary::Add, Some(0.0), _) => Ok(Some(b)),
        (Binary::Add | Binary::Sub, _, Some(0.0)) => Ok(Some(a)),
        (Binary::Sub, Some(0.0), _) => new.unary(Unary::Neg, b).map(Some),
        (Binary::Mul, Some(1.0), _) => Ok(Some(b)),
        (Binary::Mul | Binary::Div | Binary::Pow, _, Some(1.0)) => Ok(Some(a)),
        (Binary::Mul, Some(0.0), _) | (Binary::Mul, _, Some(0.0)) => {
            fill(new, 0.0, shape).map(Some)
        }
        (Binary::Mul, Some(-1.0), _) => new.unary(Unary::Neg, b).map(Some),
        (Binary::Mul, _, Some(-1.0)) => new.unary(Unary::Neg, a).map(Some),
        (Binary::Pow, _, Some(2.0)) => new.mul(a, a).map(Some),
        (Binary::Pow, _, Some(0.5)) => new.unary(Unary::Sqrt, a).map(Some),
        (Binary::Pow, _, Some(-1.0)) => new.unary(Unary::Recip, a).map(Some),
        (Binary::Pow, _, Some(0.0)) => fill(new, 1.0, shape).map(Some),
        (Binary::Mul, Some(x), _) => scaled_again(new, x, b, shape),
        (Binary::Mul, _, Some(y)) => scaled_again(new, y, a, shape),
        (Binary::Add, ..) => match (negated(new, a), negated(new, b)) {
            (_, Some(b)) => new.binary(Binary::Sub, a, b).map(Some),
            (Some(a), None) => new.binary(Binary::Sub, b, a).map(Some),
            (None, None) => Ok(None),
        },
        (Binary::Sub, ..) => match negated(new, b) {
            Some(b) => new.add(a, b).map(Some),
            None => Ok(None),
        },
        (Binary::Mul | Binary::Div, ..) => match (negated(new, a), negated(new, b)) {
            (Some(a), Some(b)) => new.binary(binary, a, b).map(Some),
            (Some(a), None) => {
                let product = new.binary(binary, a, b)?;
                new.unary(Unary::Neg, product).map(Some)
            }
            (None, Some(b)) => {
                let product = new.binary(binary, a, b)?;
                new.unary(Unary::Neg, product).map(Some)
            }
            (None, None) => Ok(None),
        },
        _ => Ok(None),
    }
}

/// value · (other · a) as one product.
fn scaled_again(new: &mut Graph, value: f64, a: NodeId, shape: &[usize]) -> Result<Option<NodeId>> {
    let inner = new.node(a).clone();
    if inner.op == Op::Unary(Unary::Neg) {
        let factor = fill(new, -value, shape)?;
        return new.mul(factor, inner.operands[0]).map(Some);
    }
    if inner.op != Op::Binary(Binary::Mul) {
        return Ok(None);
    }
    for (place, &operand) in inner.operands.iter().enumerate() {
        if let Some(other) = new.uniform(operand) {
            let factor = fill(new, value * other, shape)?;
            return new.mul(factor, inner.operands[1 - place]).map(Some);
        }
    }
    Ok(None)
}

fn simpler_transpose(new: &mut Graph, permutation: &[usize], a: NodeId) -> Result<Option<NodeId>> {
    if permutation.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Ok(Some(a));
    }
    let inner = new.node(a).clone();
    if let Op::Transpose(first) = inner.op {
        let both: Vec<usize> = permutation.iter().map(|&axis| first[axis]).collect();
        return simpler_transpose(new, &both, inner.operands[0])?.map_or_else(
            || {
                new.push(Op::Transpose(both.clone()), &inner.operands)
                    .map(Some)
            },
            |id| Ok(Some(id)),
        );
    }
    // Only axes of size 1 move: the elements stay in order.
    let long: Vec<usize> = permutation
        .iter()
        .copied()
        .filter(|&axis| inner.shape[axis] != 1)
        .collect();
    if long.is_sorted() {
        let shape: Vec<usize> = permutation.iter().map(|&axis| inner.shape[axis]).collect();
        return new.reshape(a, &shape).map(Some);
    }
    Ok(None)
}

fn simpler_sum(
    new: &mut Graph,
    axes: &[usize],
    a: NodeId,
    shape: &[usize],
) -> Result<Option<NodeId>> {
    let inner = new.node(a).clone();
    if axes.iter().all(|&axis| inner.shape[axis] == 1) {
        return Ok(Some(a));
    }
    let count: usize = axes.iter().map(|&axis| inner.shape[axis]).product();
    if let Some(value) = new.uniform(a) {
        return fill(new, value * count as f64, shape).map(Some);
    }
    match &inner.op {
        Op::Sum(first) => {
            let mut all = first.clone();
            all.extend(axes.iter().filter(|axis| !first.contains(axis)));
            new.push(Op::Sum(all), &inner.operands).map(Some)
        }
        Op::Broadcast(to) => {
            // Each element of an axis that was repeated counts so many times.
            let from = new.shape(inner.operands[0]).to_vec();
            let repeated = |axis: &usize| from[*axis] != to[*axis];
            if !axes.iter().any(repeated) {
                return Ok(None);
            }
            let times: usize = axes
                .iter()
                .filter(|a| repeated(a))
                .map(|&a| to[a])
                .product();
            let rest: Vec<usize> = axes.iter().copied().filter(|a| !repeated(a)).collect();
            let sum = if rest.is_empty() {
                inner.operands[0]
            } else {
                new.push(Op::Sum(rest), &inner.operands)?
            };
            let sum = new.scale(times as f64, sum)?;
            new.expand(sum, shape).map(Some)
        }
        _ => Ok(None),
    }
}

/// The operand of a matrix product without a transposition of its last two axes.
fn untransposed(graph: &Graph, id: NodeId, flag: bool) -> (NodeId, bool) {
    let node = graph.node(id);
    if let Op::Transpose(permutation) = &node.op {
        let rank = permutation.len();
        let swaps = permutation[..rank - 2]
            .iter()
            .enumerate()
            .all(|(i, &axis)| i == axis)
            && permutation[rank - 2] == rank - 1;
        if swaps {
            return (node.operands[0], !flag);
        }
    }
    (id, flag)
}
