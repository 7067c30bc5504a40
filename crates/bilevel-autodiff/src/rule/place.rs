//! A new last axis with the value at position `index[…]` and zeros elsewhere. Shapes (…), (…) → (…, c).

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Primitive, Recompute, Site, checked, expect_dtype, linear, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

/// The size of the new axis.
pub(super) struct Place(pub(super) usize);

impl Primitive for Place {
    fn name(&self) -> &'static str {
        "place"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        if a.shape != index.shape {
            return Err(shape_fault("one index for each value"));
        }
        let mut shape = a.shape.clone();
        shape.push(self.0);
        expect_dtype(a, DType::Real)?;
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
        let transposed = Op::Pick;
        let cotangent = graph.push(transposed, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, 2, &[rank - 1])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let index = checked(operands[1].value.index(), self.0)?;
        let mut placed = vec![T::zero(); node.len()];
        for (i, (&class, &v)) in index.iter().zip(operands[0].value.real()).enumerate() {
            placed[i * self.0 + class as usize] = v;
        }
        Ok(Value::Real(placed))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, _: &[&Node]) -> Option<usize> {
        Some(self.0)
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 3);
    let size = 1 + draw.below(3);
    let index = (shape.clone(), Numbers::Index(size));
    Sample::of(Op::Place(size), vec![(shape, Numbers::Any), index])
}
