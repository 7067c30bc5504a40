//! Functions along some axes, for each index of the other axes.

use std::panic::Location;

use super::Var;
use crate::graph::{Lines, Op};

impl Var<'_> {
    /// The cumulative sum along an axis: element i is the sum of the elements up to and including i.
    #[track_caller]
    #[must_use]
    pub fn cumsum(self, axis: usize) -> Self {
        let op = Lines::CumSum {
            axis,
            reverse: false,
        };
        self.push(Location::caller(), Op::Lines(op), &[])
    }

    /// The product over these axes, which are kept with size 1; 1 if there are no elements. All derivatives are also
    /// right where elements are 0.
    #[track_caller]
    #[must_use]
    pub fn product(self, axes: &[usize]) -> Self {
        let place = Location::caller();
        axes.iter().fold(self, |product, &axis| {
            product.push(place, Op::Lines(Lines::Product { axis }), &[])
        })
    }

    /// The elements `index[…]` of an axis. The indices have the shape of the result, which may differ from the
    /// operand's only in that axis.
    #[track_caller]
    #[must_use]
    pub fn gather(self, axis: usize, index: Self) -> Self {
        let op = Op::Lines(Lines::Gather { axis });
        self.push(Location::caller(), op, &[index])
    }

    /// Adds values at the positions `index[…]` of an axis of zeros of this size: the transpose of [`Var::gather`].
    #[track_caller]
    #[must_use]
    pub fn scatter(self, axis: usize, index: Self, size: usize) -> Self {
        let op = Op::Lines(Lines::Scatter { axis, size });
        self.push(Location::caller(), op, &[index])
    }

    /// The indices that sort an axis in ascending order, for [`Var::gather`]: −0 equals 0, NaN comes last, and the
    /// sort is stable. Indices have no derivative.
    #[track_caller]
    #[must_use]
    pub fn argsort(self, axis: usize) -> Self {
        self.push(Location::caller(), Op::Lines(Lines::ArgSort { axis }), &[])
    }

    /// The elements of an axis in ascending order, as with [`Var::argsort`]. Each cotangent goes back to the element's
    /// original position.
    #[track_caller]
    #[must_use]
    pub fn sort(self, axis: usize) -> Self {
        self.gather(axis, self.argsort(axis))
    }

    /// The lower Cholesky factor L with L·Lᵀ = A, for the symmetric part A = (self + selfᵀ)/2 over the last two axes.
    /// Its lower triangle is NaN if A is not positive definite. About n³/3 operations, not blocked: for matrices of up
    /// to a few hundred rows.
    #[track_caller]
    #[must_use]
    pub fn cholesky(self) -> Self {
        let symmetric = (self + self.t()) * 0.5;
        symmetric.push(Location::caller(), Op::Lines(Lines::Cholesky), &[])
    }

    /// L⁻¹·`right` over the last two axes, where L is the lower triangle of self; the upper triangle is not read. A
    /// zero on the diagonal gives infinities or NaN.
    #[track_caller]
    #[must_use]
    pub fn solve_triangular(self, right: Self) -> Self {
        let op = Op::Lines(Lines::Solve { transposed: false });
        self.push(Location::caller(), op, &[right])
    }

    /// L⁻ᵀ·`right`, as [`Var::solve_triangular`].
    #[track_caller]
    #[must_use]
    pub fn solve_triangular_transposed(self, right: Self) -> Self {
        let op = Op::Lines(Lines::Solve { transposed: true });
        self.push(Location::caller(), op, &[right])
    }
}
