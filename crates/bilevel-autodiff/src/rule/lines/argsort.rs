//! The indices that sort an axis in ascending order (stable), NaN last.

use super::*;

pub(super) struct ArgSort {
    pub(super) axis: usize,
}

impl Line for ArgSort {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }

    fn scratch(&self, first: &Node) -> usize {
        first.shape[self.axis]
    }

    fn work(&self, first: &Node) -> usize {
        2 * first.shape[self.axis].max(2).ilog2() as usize
    }
}

impl Primitive for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let a = operands[0];
        expect_axis(a, self.axis)?;
        expect_dtype(a, DType::Real)?;
        if u32::try_from(a.shape[self.axis]).is_err() {
            return Err(shape_fault("no more elements than indices"));
        }
        Ok((a.shape.clone(), DType::Index))
    }

    fn jvp(&self, _: &mut Graph, _: Site<'_>, _: &[Option<NodeId>]) -> Result<Option<NodeId>> {
        Ok(None)
    }

    fn vjp(&self, _: &mut Graph, _: Site<'_>, _: NodeId) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![None])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let a = operands[0].value.real();
        // The rank of each element: how many come before it.
        let ranks = all(node).map(|at| {
            let own = a[place(&at, &node.shape)];
            let mut from = at.clone();
            let before = (0..node.shape[self.axis]).filter(|&i| {
                from[self.axis] = i;
                let other = a[place(&from, &node.shape)];
                let equal = other == own || (other.is_nan() && own.is_nan());
                other < own || (own.is_nan() && !other.is_nan()) || (equal && i < at[self.axis])
            });
            before.count()
        });
        let mut order = vec![0; node.len()];
        for (mut at, rank) in all(node).zip(ranks) {
            let index = at[self.axis] as u32;
            at[self.axis] = rank;
            order[place(&at, &node.shape)] = index;
        }
        Ok(Value::Index(order))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn below(&self, operands: &[&Node]) -> Below {
        Below::This(operands[0].shape[self.axis])
    }
}

/// A case with numbers that are not near each other.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let op = Op::Lines(Lines::ArgSort { axis });
    Some(Sample::of(op, vec![(shape, Numbers::Distinct)]))
}
