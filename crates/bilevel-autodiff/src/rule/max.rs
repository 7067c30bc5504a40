//! The maximum over axes, which are kept with size 1; −∞ if there are no elements.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Binary, Compare, Link, Primitive, Recompute, Site, expect_dtype, reduced};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, coordinates, place};

pub(super) struct Max<'a>(pub(super) &'a [usize]);

impl Max<'_> {
    /// The share of each element in the maximum: 1 if it is the only one that attains it,
    /// 1/n if n do, else 0. Constant almost everywhere.
    fn share(&self, graph: &mut Graph, at: Site<'_>) -> Result<NodeId> {
        let a = at.operand(0);
        let shape = graph.shape(a).to_vec();
        let top = graph.push(Op::Broadcast(shape.clone()), &[at.id])?;
        let reaches = graph.push(Op::Compare(Compare::Equal), &[a, top])?;
        let (one, zero) = (graph.constant_like(1.0, a)?, graph.constant_like(0.0, a)?);
        let reaches = graph.push(Op::Select, &[reaches, one, zero])?;
        let count = graph.push(Op::Sum(self.0.to_vec()), &[reaches])?;
        let count = graph.push(Op::Broadcast(shape), &[count])?;
        graph.binary(Binary::Div, reaches, count)
    }
}

impl Primitive for Max<'_> {
    fn name(&self) -> &'static str {
        "max"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        expect_dtype(operands[0], DType::Real)?;
        Ok((reduced(operands[0], self.0)?, DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let Some(tangent) = tangents[0] else {
            return Ok(None);
        };
        let share = self.share(graph, at)?;
        let part = graph.mul(share, tangent)?;
        graph.push(Op::Sum(self.0.to_vec()), &[part]).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let shape = graph.shape(at.operand(0)).to_vec();
        let spread = graph.push(Op::Broadcast(shape), &[bar])?;
        let share = self.share(graph, at)?;
        Ok(vec![Some(graph.mul(share, spread)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        Axes::where_equal(&node.shape, &operands[0].shape, Link::Mixed)
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let mut tops = vec![T::neg_infinity(); node.len()];
        for (i, &v) in value.real().iter().enumerate() {
            let top = &mut tops[place(&coordinates(i, &a.shape), &node.shape)];
            // NaN stays NaN.
            if v > *top || v.is_nan() {
                *top = v;
            }
        }
        Ok(Value::Real(tops))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let shape = new.shape(operands[0]);
        let same = self.0.iter().all(|&axis| shape[axis] == 1);
        Ok(same.then_some(operands[0]))
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    // The maximum over no elements is a constant, −∞.
    let mut axes = draw.subset(shape.len());
    axes.retain(|&axis| shape[axis] > 0);
    Sample::of(Op::Max(axes), vec![(shape, Numbers::Distinct)])
}
