//! Functions along some axes, the same for each place of the others.

use std::panic::Location;

use super::Var;
use crate::graph::{Lines, Op};

impl Var<'_> {
    /// The sum of all elements of an axis up to each one.
    #[track_caller]
    #[must_use]
    pub fn cumsum(self, axis: usize) -> Self {
        let op = Lines::CumSum {
            axis,
            reverse: false,
        };
        self.push(Location::caller(), Op::Lines(op), &[])
    }

    /// The product over these axes, which stay with size 1; 1 of none. It has all derivatives where elements are 0.
    #[track_caller]
    #[must_use]
    pub fn product(self, axes: &[usize]) -> Self {
        let place = Location::caller();
        axes.iter().fold(self, |product, &axis| {
            product.push(place, Op::Lines(Lines::Product { axis }), &[])
        })
    }

    /// The elements `index[…]` of an axis. The indices have the shape of the result, which differs on that axis
    /// alone.
    #[track_caller]
    #[must_use]
    pub fn gather(self, axis: usize, index: Self) -> Self {
        let op = Op::Lines(Lines::Gather { axis });
        self.push(Location::caller(), op, &[index])
    }

    /// Values added at the places `index[…]` of an axis of zeros of this size: the transposed of [`Var::gather`].
    #[track_caller]
    #[must_use]
    pub fn scatter(self, axis: usize, index: Self, size: usize) -> Self {
        let op = Op::Lines(Lines::Scatter { axis, size });
        self.push(Location::caller(), op, &[index])
    }

    /// The indices of the elements of an axis in ascending order, for [`Var::gather`]: −0 is 0, a NaN is last, and of
    /// equal ones the first is first. They have no derivative.
    #[track_caller]
    #[must_use]
    pub fn argsort(self, axis: usize) -> Self {
        self.push(Location::caller(), Op::Lines(Lines::ArgSort { axis }), &[])
    }

    /// The elements of an axis in ascending order, as [`Var::argsort`] has them: each passes its derivative on to where
    /// it was.
    #[track_caller]
    #[must_use]
    pub fn sort(self, axis: usize) -> Self {
        self.gather(axis, self.argsort(axis))
    }

    /// The lower triangle L with L·Lᵀ = A, of the symmetric part A = (self + selfᵀ)/2 over the last two axes. Its lower
    /// triangle is NaN where A is not positive definite. About n³/3 operations, not blocked: for matrices of up to a
    /// few hundred rows.
    #[track_caller]
    #[must_use]
    pub fn cholesky(self) -> Self {
        let symmetric = (self + self.t()) * 0.5;
        symmetric.push(Location::caller(), Op::Lines(Lines::Cholesky), &[])
    }

    /// L⁻¹·`right` over the last two axes, of which L is the lower triangle of self; nothing else of it is read. A zero on
    /// its diagonal gives infinities or NaN.
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
