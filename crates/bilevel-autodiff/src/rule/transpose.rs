//! Permutes axes.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Link, Primitive, Recompute, Site, expect_axis, expect_no_indices, linear, shape_fault,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

/// Axis i of the result is axis `self.0[i]` of the operand.
pub(super) struct Transpose<'a>(pub(super) &'a [usize]);

impl Primitive for Transpose<'_> {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let a = operands[0];
        expect_no_indices(a)?;
        let mut seen = vec![false; a.shape.len()];
        for &axis in self.0 {
            expect_axis(a, axis)?;
            if std::mem::replace(&mut seen[axis], true) {
                return Err(Fault::Axis { axis });
            }
        }
        if self.0.len() != a.shape.len() {
            return Err(shape_fault("every axis exactly once"));
        }
        let shape = self.0.iter().map(|&axis| a.shape[axis]).collect();
        Ok((shape, a.dtype))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        linear(graph, at, tangents)
    }

    fn vjp(&self, graph: &mut Graph, _: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let mut inverse = vec![0; self.0.len()];
        for (place, &axis) in self.0.iter().enumerate() {
            inverse[axis] = place;
        }
        Ok(vec![Some(graph.push(Op::Transpose(inverse), &[bar])?)])
    }

    fn axes(&self, _: &Node, _: &[&Node]) -> Axes {
        Axes::of(vec![self.0.iter().map(|&axis| Link::Same(axis)).collect()])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        Ok(value.select(all(node).map(|at| {
            let mut from = vec![0; at.len()];
            for (axis, &of) in self.0.iter().enumerate() {
                from[of] = at[axis];
            }
            place(&from, &a.shape)
        })))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        simpler(new, self.0, operands[0])
    }
}

fn simpler(new: &mut Graph, permutation: &[usize], a: NodeId) -> Result<Option<NodeId>> {
    if permutation.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Ok(Some(a));
    }
    let inner = new.node(a).clone();
    if let Op::Transpose(first) = inner.op {
        let both: Vec<usize> = permutation.iter().map(|&axis| first[axis]).collect();
        return simpler(new, &both, inner.operands[0])?.map_or_else(
            || {
                new.push(Op::Transpose(both.clone()), &inner.operands)
                    .map(Some)
            },
            |id| Ok(Some(id)),
        );
    }
    // If only axes of size 1 move, the elements stay in order.
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

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let order = draw.permutation(shape.len());
    Sample::of(Op::Transpose(order), vec![(shape, Numbers::Any)])
}
