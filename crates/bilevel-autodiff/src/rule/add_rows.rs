//! Adds row i to row `index[i]` of a tensor of zeros. Shapes (b, …), (b) → (n, …).

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Link, Primitive, Recompute, Site, Summed, checked, expect_dtype, linear, shape_fault,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, coordinates, place};

/// The number of rows of the result.
pub(super) struct AddRows(pub(super) usize);

impl Primitive for AddRows {
    fn name(&self) -> &'static str {
        "add_rows"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        if index.shape.len() != 1 || a.shape.first() != index.shape.first() {
            return Err(shape_fault("one index for each row"));
        }
        let mut shape = a.shape.clone();
        shape[0] = self.0;
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
        let transposed = Op::TakeRows;
        let cotangent = graph.push(transposed, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        let rank = node.shape.len();
        let mut from: Vec<Link> = (0..rank).map(Link::Linked).collect();
        from[0] = Link::Mixed;
        Axes {
            links: vec![from, vec![Link::Mixed; rank]],
            summed: vec![Summed {
                axes: vec![0, 0],
                in_parts: false,
            }],
        }
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let index = checked(operands[1].value.index(), self.0)?;
        let mut sums = vec![T::zero(); node.len()];
        for (i, &v) in value.real().iter().enumerate() {
            let mut at = coordinates(i, &a.shape);
            at[0] = index[at[0]] as usize;
            sums[place(&at, &node.shape)] += v;
        }
        Ok(Value::Real(sums))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, _: &[&Node]) -> Option<usize> {
        Some(self.0)
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    let rows = usize::from(shape[0] > 0) + draw.below(4);
    let index = (vec![shape[0]], Numbers::Index(rows));
    Sample::of(Op::AddRows(rows), vec![(shape, Numbers::Any), index])
}
