//! Repeats axes of size 1.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Link, Primitive, Recompute, Site, expect_no_indices, linear, shape_fault};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

/// The shape of the result, which has the same rank.
pub(super) struct Broadcast<'a>(pub(super) &'a [usize]);

impl Primitive for Broadcast<'_> {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, shape) = (operands[0], self.0);
        expect_no_indices(a)?;
        let fits = shape.len() == a.shape.len()
            && shape
                .iter()
                .zip(&a.shape)
                .all(|(&to, &from)| from == to || from == 1);
        if !fits {
            return Err(shape_fault(format!("axes that are 1 or fit {shape:?}")));
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
        let own = graph.shape(at.operand(0));
        let axes = (0..own.len()).filter(|&i| own[i] != self.0[i]).collect();
        Ok(vec![Some(graph.push(Op::Sum(axes), &[bar])?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        Axes::where_equal(&node.shape, &operands[0].shape, Link::Repeated)
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        Ok(value.select(all(node).map(|at| place(&at, &a.shape))))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        if new.shape(operands[0]) == self.0 {
            return Ok(Some(operands[0]));
        }
        let inner = new.node(operands[0]).clone();
        if matches!(inner.op, Op::Broadcast(_)) {
            return new.push(node.op.clone(), &inner.operands).map(Some);
        }
        Ok(None)
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(1, 4);
    let mut own = shape.clone();
    for axis in draw.subset(shape.len()) {
        own[axis] = 1;
    }
    Sample::of(Op::Broadcast(shape), vec![(own, Numbers::Any)])
}
