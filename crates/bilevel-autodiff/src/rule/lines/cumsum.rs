//! The cumulative sum along an axis, from the start or from the end.

use super::*;

pub(super) struct CumSum {
    pub(super) axis: usize,
    pub(super) reverse: bool,
}

impl Line for CumSum {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }
}

impl Primitive for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let a = operands[0];
        expect_axis(a, self.axis)?;
        expect_dtype(a, DType::Real)?;
        Ok((a.shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        linear(graph, at, tangents)
    }

    fn vjp(&self, graph: &mut Graph, _: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let back = Op::Lines(Lines::CumSum {
            axis: self.axis,
            reverse: !self.reverse,
        });
        Ok(vec![Some(graph.push(back, &[bar])?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let a = operands[0].value.real();
        let sums = all(node).map(|at| {
            let (own, size) = (at[self.axis], node.shape[self.axis]);
            let added: Vec<usize> = if self.reverse {
                (own..size).rev().collect()
            } else {
                (0..=own).collect()
            };
            let mut from = at;
            added.into_iter().fold(T::zero(), |sum, i| {
                from[self.axis] = i;
                sum + a[place(&from, &node.shape)]
            })
        });
        Ok(Value::Real(sums.collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }
}

/// A case with any numbers.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let reverse = draw.chance();
    let op = Op::Lines(Lines::CumSum { axis, reverse });
    Some(Sample::of(op, vec![(shape, Numbers::Any)]))
}
