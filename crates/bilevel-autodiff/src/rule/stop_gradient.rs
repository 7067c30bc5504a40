//! The operand; every derivative treats it as a constant.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Below, Link, Primitive, Recompute, Site};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value};

pub(super) struct StopGradient;

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        Ok((operands[0].shape.clone(), operands[0].dtype))
    }

    fn jvp(&self, _: &mut Graph, _: Site<'_>, _: &[Option<NodeId>]) -> Result<Option<NodeId>> {
        Ok(None)
    }

    fn vjp(&self, _: &mut Graph, _: Site<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        match node.dtype {
            DType::Real | DType::Mask => Axes::elementwise(node.shape.len(), 1),
            // A view of the argument: indices are never copied, neither in blocks nor as a whole.
            DType::Index => Axes::of(vec![(0..node.shape.len()).map(Link::Linked).collect()]),
        }
    }

    fn define<T: Scalar>(&self, _: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        Ok(operands[0].value.clone())
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn below(&self, _: &[&Node]) -> Below {
        Below::AsOperand
    }

    fn simpler(&self, _: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        Ok(Some(operands[0]))
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    Sample::of(Op::StopGradient, vec![(shape, Numbers::Any)])
}
