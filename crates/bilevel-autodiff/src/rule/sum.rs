//! The sum over axes, which are kept with size 1.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Link, Primitive, Recompute, Site, Summed, Unary, expect_dtype, fill, linear, reduced,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, coordinates, place};

pub(super) struct Sum<'a>(pub(super) &'a [usize]);

impl Primitive for Sum<'_> {
    fn name(&self) -> &'static str {
        "sum"
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
        linear(graph, at, tangents)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let shape = graph.shape(at.operand(0)).to_vec();
        Ok(vec![Some(graph.push(Op::Broadcast(shape), &[bar])?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let summed = self.0.iter().map(|&axis| Summed {
            axes: vec![axis],
            in_parts: true,
        });
        Axes {
            summed: summed.collect(),
            ..Axes::where_equal(&node.shape, &operands[0].shape, Link::Mixed)
        }
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let mut sums = vec![T::zero(); node.len()];
        for (i, &v) in value.real().iter().enumerate() {
            sums[place(&coordinates(i, &a.shape), &node.shape)] += v;
        }
        Ok(Value::Real(sums))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let (axes, a) = (self.0, operands[0]);
        let inner = new.node(a).clone();
        if axes.iter().all(|&axis| inner.shape[axis] == 1) {
            return Ok(Some(a));
        }
        let count: usize = axes.iter().map(|&axis| inner.shape[axis]).product();
        if let Some(value) = new.uniform(a) {
            return fill(new, value * count as f64, &node.shape).map(Some);
        }
        if inner.op == Op::Unary(Unary::Neg) {
            let sum = new.push(Op::Sum(axes.to_vec()), &inner.operands)?;
            return new.unary(Unary::Neg, sum).map(Some);
        }
        if let Op::Sum(first) = &inner.op {
            let mut all = first.clone();
            all.extend(axes.iter().filter(|axis| !first.contains(axis)));
            return new.push(Op::Sum(all), &inner.operands).map(Some);
        }
        let Op::Broadcast(to) = &inner.op else {
            return Ok(None);
        };
        // The sum over a repeated axis is a multiple of the element.
        let from = new.shape(inner.operands[0]).to_vec();
        let repeated = |axis: &usize| from[*axis] != to[*axis];
        if !axes.iter().any(repeated) {
            return Ok(None);
        }
        let times: usize = axes
            .iter()
            .filter(|a| repeated(a))
            .map(|&a| to[a])
            .product();
        let rest: Vec<usize> = axes.iter().copied().filter(|a| !repeated(a)).collect();
        let sum = if rest.is_empty() {
            inner.operands[0]
        } else {
            new.push(Op::Sum(rest), &inner.operands)?
        };
        let sum = new.scale(times as f64, sum)?;
        new.expand(sum, &node.shape).map(Some)
    }
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let shape = draw.shape(0, 4);
    let axes = draw.subset(shape.len());
    Sample::of(Op::Sum(axes), vec![(shape, Numbers::Any)])
}
