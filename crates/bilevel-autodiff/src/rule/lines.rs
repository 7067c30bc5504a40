//! Primitives along some axes, for each index of the other axes. All operands and the result have the same
//! number of axes.

mod argsort;
mod cholesky;
mod cumsum;
mod gather;
mod log_sum_exp;
mod product;
mod scatter;
mod softmax;
mod solve;
mod triangle;

use bilevel::Scalar;

use super::sample::{Draw, Numbers, Sample};
use super::{
    Axes, Below, Binary, Compare, Primitive, Recompute, Site, Unary, checked, expect_axis,
    expect_dtype, linear, reduced, shape_fault, sum_of,
};
use crate::error::{Fault, Result};
use crate::graph::{DType, Graph, Node, NodeId, Op, Shape};
use crate::rule::value::{Operand, Value, all, coordinates, place};

/// The properties of such a primitive in addition to its record.
trait Line: Primitive {
    /// The axes along which it is computed.
    fn along(&self, rank: usize) -> Vec<usize>;

    /// The length of the kernel's scratch buffer, for this first operand.
    fn scratch(&self, _first: &Node) -> usize {
        0
    }

    /// A rough number of operations per element of the result.
    fn work(&self, _first: &Node) -> usize {
        1
    }
}

/// A primitive along some axes, for each index of the other axes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Lines {
    /// The cumulative sum along an axis.
    CumSum {
        /// The axis.
        axis: usize,
        /// From the end: sums from each element on.
        reverse: bool,
    },
    /// The product over an axis, which is kept with size 1.
    Product {
        /// The axis.
        axis: usize,
    },
    /// The softmax over an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// ln Σ eᵃ over an axis, which is kept with size 1.
    LogSumExp {
        /// The axis.
        axis: usize,
    },
    /// (data, index): the elements `index[…]` of an axis.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// (values, index): adds values at the positions `index[…]` of an axis of zeros.
    Scatter {
        /// The axis.
        axis: usize,
        /// Its size.
        size: usize,
    },
    /// The indices that sort an axis in ascending order (stable), NaN last.
    ArgSort {
        /// The axis.
        axis: usize,
    },
    /// The lower Cholesky factor L with L·Lᵀ = A over the last two axes. Only the lower triangle of A is read; L is
    /// NaN if A is not positive definite.
    Cholesky,
    /// (L, B): L⁻¹·B over the last two axes for a lower triangle L; only that triangle is read.
    Solve {
        /// L⁻ᵀ·B instead.
        transposed: bool,
    },
}

/// Runs an expression with the record of a primitive.
macro_rules! line {
    ($line:expr, $record:ident => $run:expr) => {
        match $line {
            Lines::CumSum { axis, reverse } => {
                let $record = cumsum::CumSum { axis, reverse };
                $run
            }
            Lines::Product { axis } => {
                let $record = product::Product { axis };
                $run
            }
            Lines::Softmax { axis } => {
                let $record = softmax::Softmax { axis };
                $run
            }
            Lines::LogSumExp { axis } => {
                let $record = log_sum_exp::LogSumExp { axis };
                $run
            }
            Lines::Gather { axis } => {
                let $record = gather::Gather { axis };
                $run
            }
            Lines::Scatter { axis, size } => {
                let $record = scatter::Scatter { axis, size };
                $run
            }
            Lines::ArgSort { axis } => {
                let $record = argsort::ArgSort { axis };
                $run
            }
            Lines::Cholesky => {
                let $record = cholesky::Cholesky;
                $run
            }
            Lines::Solve { transposed } => {
                let $record = solve::Solve { transposed };
                $run
            }
        }
    };
}

impl Lines {
    /// All of them, without their parameters.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let first = Self::CumSum {
            axis: 0,
            reverse: false,
        };
        std::iter::successors(Some(first), |line| line.next()).collect()
    }

    /// The next one. The match is exhaustive: a new primitive does not compile without its line here.
    fn next(self) -> Option<Self> {
        match self {
            Self::CumSum { .. } => Some(Self::Gather { axis: 0 }),
            Self::Gather { .. } => Some(Self::Scatter { axis: 0, size: 0 }),
            Self::Scatter { .. } => Some(Self::ArgSort { axis: 0 }),
            Self::ArgSort { .. } => Some(Self::Product { axis: 0 }),
            Self::Product { .. } => Some(Self::Softmax { axis: 0 }),
            Self::Softmax { .. } => Some(Self::LogSumExp { axis: 0 }),
            Self::LogSumExp { .. } => Some(Self::Solve { transposed: false }),
            Self::Solve { .. } => Some(Self::Cholesky),
            Self::Cholesky => None,
        }
    }

    /// The same primitive without its parameters.
    #[must_use]
    pub fn kind(self) -> Self {
        let same = |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(&self);
        Self::all().into_iter().find(same).unwrap_or(self)
    }

    /// The axes along which it is computed.
    pub(crate) fn along(self, rank: usize) -> Vec<usize> {
        line!(self, record => record.along(rank))
    }

    /// The length of the kernel's scratch buffer, for this first operand.
    pub(crate) fn scratch(self, first: &Node) -> usize {
        line!(self, record => record.scratch(first))
    }

    /// A rough number of operations per element of the result.
    pub(crate) fn work(self, first: &Node) -> usize {
        line!(self, record => record.work(first))
    }

    /// A random case; `shape`, if given, is the shape of the first operand. None if it does not fit.
    pub fn sample(self, draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
        match self {
            Self::CumSum { .. } => cumsum::sample(draw, shape),
            Self::Product { .. } => product::sample(draw, shape),
            Self::Softmax { .. } => softmax::sample(draw, shape),
            Self::LogSumExp { .. } => log_sum_exp::sample(draw, shape),
            Self::Gather { .. } => gather::sample(draw, shape),
            Self::Scatter { .. } => scatter::sample(draw, shape),
            Self::ArgSort { .. } => argsort::sample(draw, shape),
            Self::Cholesky => cholesky::sample(draw, shape),
            Self::Solve { .. } => solve::sample(draw, shape),
        }
    }
}

impl Primitive for Lines {
    fn name(&self) -> &'static str {
        line!(*self, record => record.name())
    }

    fn arity(&self) -> usize {
        line!(*self, record => record.arity())
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        line!(*self, record => record.infer(operands))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        line!(*self, record => record.jvp(graph, at, tangents))
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        line!(*self, record => record.vjp(graph, at, bar))
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        line!(*self, record => record.axes(node, operands))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        line!(*self, record => record.define(node, operands))
    }

    fn recompute(&self) -> Recompute {
        line!(*self, record => record.recompute())
    }

    fn selects(&self, operands: &[&Node]) -> Option<usize> {
        line!(*self, record => record.selects(operands))
    }

    fn below(&self, operands: &[&Node]) -> Below {
        line!(*self, record => record.below(operands))
    }

    fn simpler(&self, new: &mut Graph, node: &Node, operands: &[NodeId]) -> Result<Option<NodeId>> {
        line!(*self, record => record.simpler(new, node, operands))
    }
}

/// The shape of a first operand (the given one, or a random one) and a random axis of it; None for a scalar.
fn drawn(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<(Shape, usize)> {
    let shape = match shape {
        Some(shape) => shape.to_vec(),
        None => draw.shape(1, 4),
    };
    let axis = (!shape.is_empty()).then(|| draw.below(shape.len()))?;
    Some((shape, axis))
}

/// A batch of square matrices.
fn square(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Shape> {
    match shape {
        Some(shape) => {
            let (&last, rest) = shape.split_last()?;
            (rest.last() == Some(&last)).then(|| shape.to_vec())
        }
        None => {
            let (batch, size) = (draw.shape(0, 2), draw.size());
            Some([batch, vec![size; 2]].concat())
        }
    }
}

/// Fails unless the node is a batch of square matrices of real numbers.
fn expect_square(a: &Node) -> Result<(), Fault> {
    expect_dtype(a, DType::Real)?;
    match a.shape[..] {
        [.., rows, columns] if rows == columns => Ok(()),
        _ => Err(shape_fault("a square matrix, or a batch of them")),
    }
}
