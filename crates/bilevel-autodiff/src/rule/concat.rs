//! Concatenates two operands along an axis.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Primitive, Recompute, Site, expect_axis, expect_dtype, expect_no_indices, shape_fault,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

pub(super) struct Concat(pub(super) usize);

impl Primitive for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, b, axis) = (operands[0], operands[1], self.0);
        expect_no_indices(a)?;
        expect_axis(a, axis)?;
        expect_dtype(b, a.dtype)?;
        let fits = a.shape.len() == b.shape.len()
            && (0..a.shape.len()).all(|i| i == axis || a.shape[i] == b.shape[i]);
        if !fits {
            return Err(shape_fault(format!(
                "shapes that differ on axis {axis} alone"
            )));
        }
        let mut shape = a.shape.clone();
        shape[axis] = shape[axis].saturating_add(b.shape[axis]);
        Ok((shape, a.dtype))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let mut parts = [at.operand(0), at.operand(1)];
        for (part, tangent) in parts.iter_mut().zip(tangents) {
            *part = match *tangent {
                Some(tangent) => tangent,
                None => graph.constant_like(0.0, *part)?,
            };
        }
        graph.push(at.node.op.clone(), &parts).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let split = graph.shape(at.operand(0))[self.0];
        let mut part = |start: usize, len: usize| {
            let axis = self.0;
            graph.push(Op::Slice { axis, start, len }, &[bar]).map(Some)
        };
        Ok(vec![
            part(0, split)?,
            part(split, at.node.shape[self.0] - split)?,
        ])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::but(node.shape.len(), 2, &[self.0])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let [first, second] = [operands[0], operands[1]];
        let split = first.node.shape[self.0];
        let places = all(node).map(|mut at| {
            if at[self.0] < split {
                place(&at, &first.node.shape)
            } else {
                at[self.0] -= split;
                first.node.len() + place(&at, &second.node.shape)
            }
        });
        // The elements of both, the second after the first.
        let both = match first.value.clone() {
            Value::Real(mut values) => {
                values.extend(second.value.real());
                Value::Real(values)
            }
            Value::Mask(mut values) => {
                values.extend(second.value.mask());
                Value::Mask(values)
            }
            Value::Index(mut values) => {
                values.extend(second.value.index());
                Value::Index(values)
            }
        };
        Ok(both.select(places))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    let axis = draw.below(shape.len());
    let mut other = shape.clone();
    other[axis] = draw.size();
    let operands = vec![(shape, Numbers::Any), (other, Numbers::Any)];
    Sample::of(Op::Concat(axis), operands)
}
