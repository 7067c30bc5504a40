//! Element `index[…]` of the last axis. Shapes (…, c), (…) → (…).

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Primitive, Recompute, Site, checked, expect_dtype, linear, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

pub(super) struct Pick;

impl Primitive for Pick {
    fn name(&self) -> &'static str {
        "pick"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        if a.shape
            .split_last()
            .is_none_or(|(_, rest)| rest != index.shape)
        {
            return Err(shape_fault("one index for each place but the last axis"));
        }
        let shape = index.shape.clone();
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
        let own = graph.shape(at.operand(0));
        let transposed = Op::Place(own[own.len() - 1]);
        let cotangent = graph.push(transposed, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        Axes::elementwise(node.shape.len(), 2)
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let classes = a.shape[a.shape.len() - 1];
        let index = checked(operands[1].value.index(), classes)?;
        let picked = index.iter().enumerate();
        Ok(value.select(picked.map(|(i, &class)| i * classes + class as usize)))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, operands: &[&Node]) -> Option<usize> {
        operands[0].shape.last().copied()
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 3);
    let classes = 1 + draw.below(3);
    let index = (shape.clone(), Numbers::Index(classes));
    let data = [shape, vec![classes]].concat();
    Sample::of(Op::Pick, vec![(data, Numbers::Any), index])
}
