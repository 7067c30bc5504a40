//! A part of an axis.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Primitive, Recompute, Site, expect_axis, expect_no_indices, linear, shape_fault,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

/// `len` elements of an axis, starting at `start`.
pub(super) struct Slice {
    pub(super) axis: usize,
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, axis) = (operands[0], self.axis);
        expect_no_indices(a)?;
        expect_axis(a, axis)?;
        let end = self.start.saturating_add(self.len);
        if end > a.shape[axis] {
            return Err(shape_fault(format!(
                "at least {end} elements on axis {axis}"
            )));
        }
        let mut shape = a.shape.clone();
        shape[axis] = self.len;
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

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let pad = Op::Pad {
            axis: self.axis,
            before: self.start,
            after: graph.shape(at.operand(0))[self.axis] - self.start - self.len,
        };
        Ok(vec![Some(graph.push(pad, &[bar])?)])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::but(node.shape.len(), 1, &[self.axis])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        Ok(value.select(all(node).map(|mut at| {
            at[self.axis] += self.start;
            place(&at, &a.shape)
        })))
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
    let axis = draw.below(shape.len());
    let start = draw.below(shape[axis] + 1);
    let len = draw.below(shape[axis] - start + 1);
    Sample::of(Op::Slice { axis, start, len }, vec![(shape, Numbers::Any)])
}
