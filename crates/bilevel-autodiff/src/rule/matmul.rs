//! The matrix product.

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{Axes, Link, Primitive, Recompute, Site, Summed, expect_dtype, shape_fault, sum_of};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, place};

/// a·b over the last two axes, each optionally transposed.
pub(super) struct MatMul {
    pub(super) left: bool,
    pub(super) right: bool,
}

impl MatMul {
    /// For operands of this `rank`: the axes (m, k) of the left and (k, n) of the right one.
    fn sides(&self, rank: usize) -> [(usize, usize); 2] {
        let of = |transposed| {
            if transposed {
                (rank - 1, rank - 2)
            } else {
                (rank - 2, rank - 1)
            }
        };
        [of(self.left), of(self.right)]
    }
}

impl Primitive for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, b) = (operands[0], operands[1]);
        expect_dtype(a, DType::Real)?;
        expect_dtype(b, DType::Real)?;
        let rank = a.shape.len();
        if rank < 2 || b.shape.len() != rank || a.shape[..rank - 2] != b.shape[..rank - 2] {
            return Err(shape_fault("two matrices, or two batches of as many"));
        }
        let [(m, k), (inner, n)] = self.sides(rank);
        let (k, inner) = (a.shape[k], b.shape[inner]);
        if k != inner {
            let transposed = |flag| if flag { " (transposed)" } else { "" };
            return Err(shape_fault(format!(
                "as many columns on the left{} as rows on the right{}, found {k} and {inner}",
                transposed(self.left),
                transposed(self.right)
            )));
        }
        let mut shape = a.shape[..rank - 2].to_vec();
        shape.extend([a.shape[m], b.shape[n]]);
        Ok((shape, DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let (a, b) = (at.operand(0), at.operand(1));
        let left = tangents[0]
            .map(|da| graph.push(at.node.op.clone(), &[da, b]))
            .transpose()?;
        let right = tangents[1]
            .map(|db| graph.push(at.node.op.clone(), &[a, db]))
            .transpose()?;
        sum_of(graph, left, right)
    }

    /// C = A·B: Ā = C̄·Bᵀ and B̄ = Aᵀ·C̄, each transposed if the operand is.
    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let (a, b) = (at.operand(0), at.operand(1));
        let (left, right) = (self.left, self.right);
        let mut product = |a, b, left, right| graph.push(Op::MatMul { left, right }, &[a, b]);
        let a_bar = if left {
            product(b, bar, right, true)?
        } else {
            product(bar, b, false, !right)?
        };
        let b_bar = if right {
            product(bar, a, true, left)?
        } else {
            product(a, bar, !left, false)?
        };
        Ok(vec![Some(a_bar), Some(b_bar)])
    }

    fn axes(&self, node: &Node, _: &[&Node]) -> Axes {
        let rank = node.shape.len();
        let [(m, k), (inner, n)] = self.sides(rank);
        let mut a: Vec<Link> = (0..rank).map(Link::Linked).collect();
        let mut b = a.clone();
        (a[rank - 2], b[rank - 2]) = (Link::Same(m), Link::Repeated);
        (a[rank - 1], b[rank - 1]) = (Link::Repeated, Link::Same(n));
        Axes {
            links: vec![a, b],
            summed: vec![Summed {
                axes: vec![k, inner],
                in_parts: true,
            }],
        }
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let rank = node.shape.len();
        let [(_, k), _] = self.sides(rank);
        let inner = operands[0].node.shape[k];
        let product = all(node).map(|at| {
            let (batch, i, j) = (&at[..rank - 2], at[rank - 2], at[rank - 1]);
            let read = |operand: Operand<'_, T>, transposed: bool, i, j| {
                let mut at = batch.to_vec();
                at.extend(if transposed { [j, i] } else { [i, j] });
                operand.value.real()[place(&at, &operand.node.shape)]
            };
            (0..inner)
                .map(|l| read(operands[0], self.left, i, l) * read(operands[1], self.right, l, j))
                .sum::<T>()
        });
        Ok(Value::Real(product.collect()))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Never
    }

    fn simpler(&self, new: &mut Graph, _: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        let (a, left) = untransposed(new, operands[0], self.left);
        let (b, right) = untransposed(new, operands[1], self.right);
        if (a, b) == (operands[0], operands[1]) {
            return Ok(None);
        }
        new.push(Op::MatMul { left, right }, &[a, b]).map(Some)
    }
}

/// Removes a transposition of the operand's last two axes, and flips `flag` for it.
fn untransposed(graph: &Graph, id: NodeId, flag: bool) -> (NodeId, bool) {
    let node = graph.node(id);
    if let Op::Transpose(permutation) = &node.op {
        let rank = permutation.len();
        let swaps = permutation[..rank - 2]
            .iter()
            .enumerate()
            .all(|(i, &axis)| i == axis)
            && permutation[rank - 2] == rank - 1;
        if swaps {
            return (node.operands[0], !flag);
        }
    }
    (id, flag)
}

pub(super) fn sample(draw: &mut dyn Draw) -> Sample {
    let batch = draw.shape(0, 2);
    let [m, k, n] = [(); 3].map(|()| draw.size());
    let [left, right] = [(); 2].map(|()| draw.chance());
    let sides = |transposed, rows, columns| {
        let own = if transposed {
            [columns, rows]
        } else {
            [rows, columns]
        };
        ([&batch[..], &own].concat(), Numbers::Any)
    };
    let operands = vec![sides(left, m, k), sides(right, k, n)];
    Sample::of(Op::MatMul { left, right }, operands)
}
