//! (values, index): adds values at the positions `index[…]` of an axis of zeros.

use super::*;

pub(super) struct Scatter {
    pub(super) axis: usize,
    pub(super) size: usize,
}

impl Line for Scatter {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }
}

impl Primitive for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        expect_axis(a, self.axis)?;
        expect_dtype(a, DType::Real)?;
        let fits = a.shape.len() == index.shape.len()
            && (0..a.shape.len()).all(|i| a.shape[i] == index.shape[i]);
        if !fits {
            return Err(shape_fault("one index for each value"));
        }
        let mut shape = a.shape.clone();
        shape[self.axis] = self.size;
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
        let back = Op::Lines(Lines::Gather { axis: self.axis });
        let cotangent = graph.push(back, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let index = checked(operands[1].value.index(), self.size)?;
        let mut sums = vec![T::zero(); node.len()];
        for (i, (&v, &to)) in value.real().iter().zip(index).enumerate() {
            let mut at = coordinates(i, &a.shape);
            at[self.axis] = to as usize;
            sums[place(&at, &node.shape)] += v;
        }
        Ok(Value::Real(sums))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, _: &[&Node]) -> Option<usize> {
        Some(self.size)
    }
}

/// A case with any numbers.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let size = usize::from(shape[axis] > 0) + draw.below(4);
    let index = (shape.clone(), Numbers::Index(size));
    let op = Op::Lines(Lines::Scatter { axis, size });
    Some(Sample::of(op, vec![(shape, Numbers::Any), index]))
}
