//! (L, B): L⁻¹·B or L⁻ᵀ·B for a lower triangle L; only that triangle is read.

use super::*;

pub(super) struct Solve {
    pub(super) transposed: bool,
}

impl Line for Solve {
    fn along(&self, rank: usize) -> Vec<usize> {
        vec![rank - 2, rank - 1]
    }

    fn work(&self, first: &Node) -> usize {
        first.shape[first.shape.len() - 1]
    }
}

impl Primitive for Solve {
    fn name(&self) -> &'static str {
        "solve_triangular"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (l, b) = (operands[0], operands[1]);
        expect_square(l)?;
        expect_dtype(b, DType::Real)?;
        let rank = l.shape.len();
        if b.shape.len() != rank || b.shape[..rank - 1] != l.shape[..rank - 1] {
            return Err(shape_fault("right sides with as many rows as the triangle"));
        }
        Ok((b.shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        // X' = L⁻¹·(B' − L'·X).
        let mut right = tangents[1];
        if let Some(tangent) = tangents[0] {
            let tangent = triangle::lower(graph, tangent, 1.0)?;
            let moved = triangle::product(graph, tangent, at.id, [self.transposed, false])?;
            let moved = graph.unary(Unary::Neg, moved)?;
            right = sum_of(graph, right, Some(moved))?;
        }
        match right {
            Some(right) => triangle::solve(graph, at.operand(0), right, self.transposed).map(Some),
            None => Ok(None),
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        // B̄ = L⁻ᵀ·X̄ and L̄ = −B̄·Xᵀ, or its transpose.
        let b_bar = triangle::solve(graph, at.operand(0), bar, !self.transposed)?;
        let l_bar = if self.transposed {
            triangle::product(graph, at.id, b_bar, [false, true])?
        } else {
            triangle::product(graph, b_bar, at.id, [false, true])?
        };
        let l_bar = triangle::lower(graph, l_bar, 1.0)?;
        let l_bar = graph.unary(Unary::Neg, l_bar)?;
        Ok(vec![Some(l_bar), Some(b_bar)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let (l, b) = (operands[0].value.real(), operands[1].value.real());
        let rank = node.shape.len();
        let (n, columns) = (node.shape[rank - 2], node.shape[rank - 1]);
        let mut x = vec![T::zero(); node.len()];
        for batch in 0..node.len() / (n * columns).max(1) {
            let at = |i: usize, column: usize| (batch * n + i) * columns + column;
            let triangle = |i: usize, j: usize| l[(batch * n + i) * n + j];
            for column in 0..columns {
                for step in 0..n {
                    let i = if self.transposed { n - 1 - step } else { step };
                    let known = (0..step).map(|k| {
                        if self.transposed {
                            triangle(n - 1 - k, i) * x[at(n - 1 - k, column)]
                        } else {
                            triangle(i, k) * x[at(k, column)]
                        }
                    });
                    let known: T = known.sum();
                    x[at(i, column)] = (b[at(i, column)] - known) / triangle(i, i);
                }
            }
        }
        Ok(Value::Real(x))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }
}

/// A case with well-conditioned triangles.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let shape = square(draw, shape)?;
    let mut right = shape.clone();
    let columns = right.len() - 1;
    right[columns] = draw.size();
    let op = Op::Lines(Lines::Solve {
        transposed: draw.chance(),
    });
    let operands = vec![(shape, Numbers::Triangle), (right, Numbers::Any)];
    Some(Sample::of(op, operands))
}
