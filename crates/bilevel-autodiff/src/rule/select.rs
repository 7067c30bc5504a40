//! (mask, a, b): a where the mask is true, else b.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Primitive, Recompute, Site, expect_dtype, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

pub(super) struct Select;

impl Primitive for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let shape = &operands[0].shape;
        if operands.iter().any(|node| node.shape != *shape) {
            return Err(shape_fault("operands of the same shape"));
        }
        expect_dtype(operands[0], DType::Mask)?;
        expect_dtype(operands[1], DType::Real)?;
        expect_dtype(operands[2], DType::Real)?;
        Ok((shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let (mask, a, b) = (at.operand(0), tangents[1], tangents[2]);
        let zero = graph.constant_like(0.0, at.id)?;
        let (a, b) = (a.unwrap_or(zero), b.unwrap_or(zero));
        graph.push(Op::Select, &[mask, a, b]).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let mask = at.operand(0);
        let zero = graph.constant_like(0.0, bar)?;
        let a = graph.push(Op::Select, &[mask, bar, zero])?;
        let b = graph.push(Op::Select, &[mask, zero, bar])?;
        Ok(vec![None, Some(a), Some(b)])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::elementwise(node.shape.len(), 3)
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let [mask, a, b] = [0, 1, 2].map(|place: usize| operands[place].value);
        let choices = mask.mask().iter().zip(a.real().iter().zip(b.real()));
        Ok(Value::Real(
            choices
                .map(|(&mask, (&a, &b))| if mask { a } else { b })
                .collect(),
        ))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let same = operands[1] == operands[2]
            || match (new.uniform(operands[1]), new.uniform(operands[2])) {
                (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
                (Some(_), None) | (None, Some(_) | None) => false,
            };
        Ok(same.then_some(operands[1]))
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let operands = [Numbers::Mask, Numbers::Any, Numbers::Any].map(|kind| (shape.clone(), kind));
    Sample::of(Op::Select, operands.to_vec())
}
