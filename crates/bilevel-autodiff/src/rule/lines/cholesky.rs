//! The lower Cholesky factor L with L·Lᵀ = A.

use super::*;

pub(super) struct Cholesky;

impl Line for Cholesky {
    fn along(&self, rank: usize) -> Vec<usize> {
        vec![rank - 2, rank - 1]
    }

    fn work(&self, first: &Node) -> usize {
        first.shape[first.shape.len() - 1]
    }
}

impl Primitive for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        expect_square(operands[0])?;
        Ok((operands[0].shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        // dL = L·Φ(L⁻¹·dA·L⁻ᵀ), where Φ takes the lower triangle with half the diagonal (Murray, arXiv 1602.07527).
        let Some(tangent) = tangents[0] else {
            return Ok(None);
        };
        let below = triangle::lower(graph, tangent, 0.0)?;
        let lower = triangle::lower(graph, tangent, 1.0)?;
        let above = triangle::transposed(graph, below)?;
        let whole = graph.add(lower, above)?;
        let half = triangle::solve(graph, at.id, whole, false)?;
        let half = triangle::transposed(graph, half)?;
        let inner = triangle::solve(graph, at.id, half, false)?;
        let inner = triangle::lower(graph, inner, 0.5)?;
        triangle::product(graph, at.id, inner, [false, false]).map(Some)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        // With P = Φ(Lᵀ·L̄) and S = L⁻ᵀ·P·L⁻¹: Ā = Φ(S + Sᵀ), because only the lower triangle is read.
        let inner = triangle::product(graph, at.id, bar, [true, false])?;
        let inner = triangle::lower(graph, inner, 0.5)?;
        let half = triangle::solve(graph, at.id, inner, true)?;
        let half = triangle::transposed(graph, half)?;
        let other = triangle::solve(graph, at.id, half, true)?;
        let own = triangle::transposed(graph, other)?;
        let both = graph.add(own, other)?;
        Ok(vec![Some(triangle::lower(graph, both, 0.5)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let a = operands[0].value.real();
        let n = node.shape[node.shape.len() - 1];
        let mut l = vec![T::zero(); node.len()];
        for batch in 0..node.len() / (n * n).max(1) {
            let at = |i: usize, j: usize| (batch * n + i) * n + j;
            let mut definite = true;
            for i in 0..n {
                for j in 0..=i {
                    let sum: T = (0..j).map(|k| l[at(i, k)] * l[at(j, k)]).sum();
                    let rest = a[at(i, j)] - sum;
                    l[at(i, j)] = if i == j {
                        definite &= rest > T::zero();
                        rest.sqrt()
                    } else {
                        rest / l[at(j, j)]
                    };
                }
            }
            if !definite {
                for i in 0..n {
                    l[at(i, 0)..=at(i, i)].fill(T::nan());
                }
            }
        }
        Ok(Value::Real(l))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }
}

/// A case with positive definite matrices.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let shape = square(draw, shape)?;
    let op = Op::Lines(Lines::Cholesky);
    Some(Sample::of(op, vec![(shape, Numbers::Definite)]))
}
