//! ln Σ eᵃ over an axis, which is kept with size 1, without overflow.

use super::*;

pub(super) struct LogSumExp {
    pub(super) axis: usize,
}

impl Line for LogSumExp {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }

    fn work(&self, first: &Node) -> usize {
        3 * first.shape[self.axis]
    }
}

impl Primitive for LogSumExp {
    fn name(&self) -> &'static str {
        "log-sum-exp"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let a = operands[0];
        expect_dtype(a, DType::Real)?;
        Ok((reduced(a, &[self.axis])?, DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let Some(tangent) = tangents[0] else {
            return Ok(None);
        };
        let p = softmax::of(graph, at.operand(0), self.axis)?;
        let products = graph.mul(p, tangent)?;
        graph.push(Op::Sum(vec![self.axis]), &[products]).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let p = softmax::of(graph, at.operand(0), self.axis)?;
        let shape = graph.shape(p).to_vec();
        let bar = graph.expand(bar, &shape)?;
        Ok(vec![Some(graph.mul(bar, p)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        // Of nothing.
        let mut out = vec![T::neg_infinity(); node.len()];
        for (at, line) in softmax::lines_of(&operands[0], self.axis) {
            let (top, powers) = softmax::powers_of(&line);
            let sum: T = powers.iter().fold(T::zero(), |sum, &power| sum + power);
            out[place(&at, &node.shape)] = sum.ln() + top;
        }
        Ok(Value::Real(out))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }

    /// Elementwise functions and sums, which are fused with what is around them.
    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let (top, powers) = softmax::powers(new, operands[0], self.axis)?;
        let sum = new.push(Op::Sum(vec![self.axis]), &[powers])?;
        let above = new.unary(Unary::Ln, sum)?;
        match top {
            Some(top) => new.add(above, top).map(Some),
            None => Ok(Some(above)),
        }
    }
}

/// A case with any numbers; none without numbers, where the result is infinite.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let given = shape.is_some();
    let (mut shape, axis) = drawn(draw, shape)?;
    if shape[axis] == 0 {
        if given {
            return None;
        }
        shape[axis] = 1;
    }
    let op = Op::Lines(Lines::LogSumExp { axis });
    Some(Sample::of(op, vec![(shape, Numbers::Any)]))
}
