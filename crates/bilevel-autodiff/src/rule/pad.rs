//! Zeros before and after the elements of an axis.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Primitive, Recompute, Site, expect_axis, expect_dtype, linear};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

pub(super) struct Pad {
    pub(super) axis: usize,
    pub(super) before: usize,
    pub(super) after: usize,
}

impl Primitive for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, axis) = (operands[0], self.axis);
        expect_axis(a, axis)?;
        expect_dtype(a, DType::Real)?;
        let mut shape = a.shape.clone();
        shape[axis] = shape[axis]
            .saturating_add(self.before)
            .saturating_add(self.after);
        Ok((shape, DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        linear(graph, at, tangents)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let slice = Op::Slice {
            axis: self.axis,
            start: self.before,
            len: graph.shape(at.operand(0))[self.axis],
        };
        Ok(vec![Some(graph.push(slice, &[bar])?)])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::but(node.shape.len(), 1, &[self.axis])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let inside = self.before..self.before + a.shape[self.axis];
        let padded = all(node).map(|mut at| {
            if inside.contains(&at[self.axis]) {
                at[self.axis] -= self.before;
                value.real()[place(&at, &a.shape)]
            } else {
                T::zero()
            }
        });
        Ok(Value::Real(padded.collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        Ok((new.shape(operands[0]) == node.shape).then_some(operands[0]))
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    let op = Op::Pad {
        axis: draw.below(shape.len()),
        before: draw.below(3),
        after: draw.below(3),
    };
    Sample::of(op, vec![(shape, Numbers::Any)])
}
