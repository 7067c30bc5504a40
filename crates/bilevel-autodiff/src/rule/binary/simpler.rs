//! Algebra of two numbers: neutral elements, constants, signs.
//!
//! As usual in such compilers, 0·x is 0 even for an infinite x.

use super::super::fill;
use super::{Binary, Unary};
use crate::error::Result;
use crate::graph::{Graph, NodeId, Op};

/// The value for two constants, for functions whose result does not depend on the precision.
fn constant(binary: Binary, x: f64, y: f64) -> Option<f64> {
    let values = [
        (Binary::Add, x + y),
        (Binary::Sub, x - y),
        (Binary::Mul, x * y),
        (Binary::Div, x / y),
    ];
    let known = values.into_iter().find(|&(function, _)| function == binary);
    known.map(|(_, value)| value)
}

fn negated(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let node = graph.node(id);
    (node.op == Op::Unary(Unary::Neg)).then(|| node.operands[0])
}

pub(super) fn simpler(
    new: &mut Graph,
    binary: Binary,
    [a, b]: [NodeId; 2],
    shape: &[usize],
) -> Result<Option<NodeId>> {
    let (left, right) = (new.uniform(a), new.uniform(b));
    if let (Some(x), Some(y)) = (left, right)
        && let Some(value) = constant(binary, x, y)
    {
        return fill(new, value, shape).map(Some);
    }
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
            (None, None) if binary == Binary::Mul => repeated_factors(new, a, b, shape),
            (None, None) => Ok(None),
        },
        // Functions without an identity here stay unchanged.
        (_, _, _) => Ok(None),
    }
}

/// value · (other · a) as a single product.
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

/// s · (x · t), where s and t are repeated along the same axes, as x · (s · t): one product of all elements less.
fn repeated_factors(
    new: &mut Graph,
    a: NodeId,
    b: NodeId,
    shape: &[usize],
) -> Result<Option<NodeId>> {
    let repeated = |graph: &Graph, id: NodeId| {
        let node = graph.node(id);
        matches!(node.op, Op::Broadcast(_)).then(|| node.operands[0])
    };
    for (factor, product) in [(a, b), (b, a)] {
        let Some(s) = repeated(new, factor) else {
            continue;
        };
        let inner = new.node(product).clone();
        if inner.op != Op::Binary(Binary::Mul) {
            continue;
        }
        for (place, &operand) in inner.operands.iter().enumerate() {
            if let Some(t) = repeated(new, operand)
                && new.shape(s) == new.shape(t)
            {
                let factor = new.mul(s, t)?;
                let factor = new.expand(factor, shape)?;
                return new.mul(inner.operands[1 - place], factor).map(Some);
            }
        }
    }
    Ok(None)
}
