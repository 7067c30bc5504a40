//! The same elements in row-major order in another shape.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Below, Link, Primitive, Recompute, Site, linear, matching_axes, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape, element_count};
use crate::rule::value::{Operand, Value};

pub(super) struct Reshape<'a>(pub(super) &'a [usize]);

impl Primitive for Reshape<'_> {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, shape) = (operands[0], self.0);
        if element_count(shape) != Some(a.len()) {
            return Err(shape_fault(format!(
                "a shape of {} elements, not {shape:?}",
                a.len()
            )));
        }
        Ok((shape.to_vec(), a.dtype))
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
        let own = graph.shape(at.operand(0)).to_vec();
        Ok(vec![Some(graph.reshape(bar, &own)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let mut links = vec![Link::Mixed; node.shape.len()];
        for (from, to) in matching_axes(&operands[0].shape, &node.shape) {
            links[to] = match node.dtype {
                DType::Real | DType::Mask => Link::Same(from),
                // A view of the argument: indices are never copied, neither in blocks nor as a whole.
                DType::Index => Link::Linked(from),
            };
        }
        Axes::of(vec![links])
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

    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        if new.shape(operands[0]) == self.0 {
            return Ok(Some(operands[0]));
        }
        let inner = new.node(operands[0]).clone();
        if matches!(inner.op, Op::Reshape(_)) {
            return new.reshape(inner.operands[0], self.0).map(Some);
        }
        Ok(None)
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let order = draw.permutation(shape.len());
    let mut other: Shape = order.iter().map(|&axis| shape[axis]).collect();
    for _ in 0..draw.below(3) {
        other.insert(draw.below(other.len() + 1), 1);
    }
    Sample::of(Op::Reshape(other), vec![(shape, Numbers::Any)])
}
