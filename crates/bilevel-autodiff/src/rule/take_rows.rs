//! Row i of the result is row `index[i]` of data. Shapes (n, …), (b) → (b, …).

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Link, Primitive, Recompute, Site, checked, expect_dtype, linear, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

pub(super) struct TakeRows;

impl Primitive for TakeRows {
    fn name(&self) -> &'static str {
        "take_rows"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        if a.shape.is_empty() || index.shape.len() != 1 {
            return Err(shape_fault("data with rows and a vector of indices"));
        }
        let mut shape = a.shape.clone();
        shape[0] = index.shape[0];
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
        let transposed = Op::AddRows(graph.shape(at.operand(0))[0]);
        let cotangent = graph.push(transposed, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        let rank = node.shape.len();
        let mut data: Vec<Link> = (0..rank).map(Link::Linked).collect();
        let mut index = vec![Link::Mixed; rank];
        (data[0], index[0]) = (Link::Repeated, Link::Same(0));
        Axes::of(vec![data, index])
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let index = checked(operands[1].value.index(), a.shape[0])?;
        Ok(value.select(all(node).map(|mut at| {
            at[0] = index[at[0]] as usize;
            place(&at, &a.shape)
        })))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, operands: &[&Node]) -> Option<usize> {
        Some(operands[0].shape[0])
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    let (rows, count) = (shape[0], if shape[0] == 0 { 0 } else { draw.below(5) });
    let operands = vec![(shape, Numbers::Any), (vec![count], Numbers::Index(rows))];
    Sample::of(Op::TakeRows, operands)
}
