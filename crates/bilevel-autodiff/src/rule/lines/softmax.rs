//! The softmax over an axis.

use super::*;

pub(super) struct Softmax {
    pub(super) axis: usize,
}

impl Softmax {
    fn op(&self) -> Op {
        Op::Lines(Lines::Softmax { axis: self.axis })
    }

    /// (diag(p) − p pᵀ)·v at p, the derivative of the softmax, which is symmetric: p (v − p·v).
    ///
    /// Where one probability is nearly 1, v − p·v is a small difference of large numbers, and p·v is known to rounding.
    /// A common offset of v changes nothing, so that p·v as rounded is subtracted from v first, and the formula then
    /// applied to these distances: no digit is lost, however small the other probabilities are.
    fn derivative(&self, graph: &mut Graph, p: NodeId, v: NodeId) -> Result<NodeId> {
        let first = self.without_mean(graph, p, v)?;
        let second = self.without_mean(graph, p, first)?;
        graph.mul(p, second)
    }

    /// v − p·v.
    fn without_mean(&self, graph: &mut Graph, p: NodeId, v: NodeId) -> Result<NodeId> {
        let shape = graph.shape(p).to_vec();
        let products = graph.mul(p, v)?;
        let mean = graph.push(Op::Sum(vec![self.axis]), &[products])?;
        let mean = graph.expand(mean, &shape)?;
        graph.binary(Binary::Sub, v, mean)
    }
}

/// The largest element, which is None if it is known to be 0, and e to the distance of each element from it; equal
/// elements are 0 apart, also infinite ones.
pub(super) fn powers(
    graph: &mut Graph,
    a: NodeId,
    axis: usize,
) -> Result<(Option<NodeId>, NodeId)> {
    if is_above_its_top(graph, a, axis) {
        return Ok((None, graph.unary(Unary::Exp, a)?));
    }
    let shape = graph.shape(a).to_vec();
    let top = graph.push(Op::Max(vec![axis]), &[a])?;
    let wide = graph.expand(top, &shape)?;
    let above = graph.binary(Binary::Above, a, wide)?;
    Ok((Some(top), graph.unary(Unary::Exp, above)?))
}

/// Whether these are distances from the largest element along this axis.
fn is_above_its_top(graph: &Graph, a: NodeId, axis: usize) -> bool {
    let node = graph.node(a);
    if node.op != Op::Binary(Binary::Above) {
        return false;
    }
    let (from, mut top) = (node.operands[0], graph.node(node.operands[1]));
    while matches!(top.op, Op::Broadcast(_) | Op::StopGradient) {
        top = graph.node(top.operands[0]);
    }
    top.op == Op::Max(vec![axis]) && top.operands[0] == from
}

/// For each place of the other axes: its elements along `axis`.
pub(super) fn lines_of<T: Scalar>(
    a: &Operand<'_, T>,
    axis: usize,
) -> impl Iterator<Item = (Vec<usize>, Vec<T>)> {
    let (node, values) = (a.node, a.value.real());
    let size = node.shape[axis];
    all(node)
        .filter(move |at| at[axis] == 0)
        .map(move |mut at| {
            let elements = (0..size).map(|i| {
                at[axis] = i;
                values[place(&at, &node.shape)]
            });
            let elements = elements.collect();
            at[axis] = 0;
            (at, elements)
        })
}

/// The same of one line.
pub(super) fn powers_of<T: Scalar>(line: &[T]) -> (T, Vec<T>) {
    let top = line.iter().fold(T::neg_infinity(), |top, &a| {
        if a > top || a.is_nan() { a } else { top }
    });
    let above = |&a: &T| if a == top { T::zero() } else { a - top };
    (top, line.iter().map(|a| above(a).exp()).collect())
}

impl Line for Softmax {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }

    fn work(&self, _: &Node) -> usize {
        4
    }
}

impl Primitive for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
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
        let Some(tangent) = tangents[0] else {
            return Ok(None);
        };
        self.derivative(graph, at.id, tangent).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        Ok(vec![Some(self.derivative(graph, at.id, bar)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let mut out = vec![T::zero(); node.len()];
        for (mut at, line) in lines_of(&operands[0], self.axis) {
            let (_, powers) = powers_of(&line);
            let sum: T = powers.iter().fold(T::zero(), |sum, &power| sum + power);
            for (i, &power) in powers.iter().enumerate() {
                at[self.axis] = i;
                out[place(&at, &node.shape)] = power / sum;
            }
        }
        Ok(Value::Real(out))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }

    /// Elementwise functions and sums, which are fused with what is around them.
    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let (_, powers) = powers(new, operands[0], self.axis)?;
        let sum = new.push(Op::Sum(vec![self.axis]), &[powers])?;
        let scale = new.unary(Unary::Recip, sum)?;
        let scale = new.expand(scale, &node.shape)?;
        new.mul(powers, scale).map(Some)
    }
}

/// The softmax of an operand along an axis.
pub(super) fn of(graph: &mut Graph, a: NodeId, axis: usize) -> Result<NodeId> {
    graph.push(Softmax { axis }.op(), &[a])
}

/// A case with any numbers.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let op = Softmax { axis }.op();
    Some(Sample::of(op, vec![(shape, Numbers::Any)]))
}
