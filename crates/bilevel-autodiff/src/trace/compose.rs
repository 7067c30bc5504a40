//! Functions composed of primitives: statistics over axes, layers of networks, shapes.

mod einsum;

use std::panic::Location;

use super::{Place, Var};
use crate::error::{Error, Fault};
use crate::graph::Op;

impl<'t> Var<'t> {
    /// The mean over these axes, which are kept with size 1; NaN if there are no elements.
    #[track_caller]
    #[must_use]
    pub fn mean_over(self, axes: &[usize]) -> Self {
        let count = self.count(axes);
        self.sum(axes) * (1.0 / count)
    }

    /// The mean of (x − mean)² over these axes, which are kept with size 1.
    #[track_caller]
    #[must_use]
    pub fn variance(self, axes: &[usize]) -> Self {
        (self - self.mean_over(axes)).square().mean_over(axes)
    }

    /// The standard deviation √variance over these axes, which are kept with size 1. Its derivative at 0, for equal
    /// elements, is taken as 0.
    #[track_caller]
    #[must_use]
    pub fn standard_deviation(self, axes: &[usize]) -> Self {
        self.variance(axes).root()
    }

    /// The Euclidean norm √Σx² over these axes, which are kept with size 1. Its derivative at 0 is taken as 0. For its
    /// square use the sum of squares, which has all derivatives.
    #[track_caller]
    #[must_use]
    pub fn norm(self, axes: &[usize]) -> Self {
        self.square().sum(axes).root()
    }

    /// √x with the derivative 0 at 0.
    #[track_caller]
    fn root(self) -> Self {
        let (zero, one) = (self.number(0.0), self.number(1.0));
        let positive = zero.less(self);
        // The derivative must not go through the root at 0, where it is infinite. NaN stays NaN.
        let safe = positive.select(self, one);
        positive.select(safe.sqrt(), self.stop_gradient())
    }

    /// Clamps to at least `least` and at most `most`; NaN stays NaN. At the ends the derivative is 1.
    #[track_caller]
    #[must_use]
    pub fn clamp(self, least: f64, most: f64) -> Self {
        let (least, most) = (self.number(least), self.number(most));
        let below = self.less(least).select(least, self);
        most.less(self).select(most, below)
    }

    /// x · Φ(x) with the distribution function Φ of the normal distribution: the exact GELU.
    #[track_caller]
    #[must_use]
    pub fn gelu(self) -> Self {
        // Not 1 + erf, which has no significant digits for a negative x of some size.
        let twice = (self * -std::f64::consts::FRAC_1_SQRT_2).erfc();
        self * twice * 0.5
    }

    /// (x − mean) / √(variance + `epsilon`) over these axes.
    #[track_caller]
    #[must_use]
    pub fn layer_norm(self, axes: &[usize], epsilon: f64) -> Self {
        let centred = self - self.mean_over(axes);
        let variance = centred.square().mean_over(axes);
        centred / (variance + epsilon).sqrt()
    }

    /// Dropout: each element is 0 with probability `rate`, otherwise divided by 1 − `rate`. `uniform` holds numbers in
    /// [0, 1) in the same shape: an argument that is drawn for each step, see [`bilevel::Key::uniforms`].
    #[track_caller]
    #[must_use]
    pub fn dropout(self, uniform: Self, rate: f64) -> Self {
        if !(0.0..1.0).contains(&rate) {
            let place = Location::caller();
            return self.refused(place, "dropout", &[], "a rate of at least 0 and below 1");
        }
        let (least, zero) = (self.number(rate), self.number(0.0));
        let kept = least.less_equal(uniform);
        kept.select(self * (1.0 / (1.0 - rate)), zero)
    }

    /// Stacks `self` and `others`, all of the same shape, along a new axis.
    #[track_caller]
    #[must_use]
    pub fn stack(self, axis: usize, others: &[Self]) -> Self {
        let first = self.unsqueeze(axis);
        let mut all = first;
        for other in others {
            all = all.concat(axis, other.unsqueeze(axis));
        }
        all
    }

    /// Removes an axis of size 1.
    #[track_caller]
    #[must_use]
    pub fn squeeze(self, axis: usize) -> Self {
        let mut shape = self.shape();
        if self.id.is_some() && shape.get(axis) != Some(&1) {
            let place = Location::caller();
            return self.refused(place, "squeeze", &[], "an axis of size 1");
        }
        if self.id.is_some() {
            shape.remove(axis);
        }
        self.push(Location::caller(), Op::Reshape(shape), &[])
    }

    /// Inserts a new axis of size 1 at this position.
    #[track_caller]
    #[must_use]
    pub fn unsqueeze(self, axis: usize) -> Self {
        let mut shape = self.shape();
        if self.id.is_some() && axis > shape.len() {
            let place = Location::caller();
            return self.refused(place, "unsqueeze", &[], "a place between the axes");
        }
        shape.insert(axis.min(shape.len()), 1);
        self.push(Location::caller(), Op::Reshape(shape), &[])
    }

    fn reshaped(self, place: Place, shape: Vec<usize>) -> Self {
        self.push(place, Op::Reshape(shape), &[])
    }

    fn reordered(self, place: Place, axes: &[usize]) -> Self {
        self.push(place, Op::Transpose(axes.to_vec()), &[])
    }

    fn multiplied(self, place: Place, other: Self) -> Self {
        let op = Op::MatMul {
            left: false,
            right: false,
        };
        self.push(place, op, &[other])
    }

    /// The sum over these axes, which are removed.
    fn summed_away(self, place: Place, axes: &[usize]) -> Self {
        let shape = self.shape().into_iter().enumerate();
        let rest = shape.filter(|(axis, _)| !axes.contains(axis));
        let rest = rest.map(|(_, size)| size).collect();
        let sum = self.push(place, Op::Sum(axes.to_vec()), &[]);
        sum.push(place, Op::Reshape(rest), &[])
    }

    /// How many elements these axes have; ignores axes that do not exist.
    fn count(self, axes: &[usize]) -> f64 {
        let shape = self.shape();
        let sizes = axes.iter().filter_map(|&axis| shape.get(axis));
        sizes.product::<usize>() as f64
    }

    /// The error of an invalid operation.
    pub(super) fn refused(
        self,
        place: Place,
        operation: &'static str,
        others: &[Var<'t>],
        expected: &str,
    ) -> Self {
        let operands = std::iter::once(&self).chain(others);
        self.tracer.fail(Error::Operation {
            operation,
            operands: operands.map(|var| var.shape()).collect(),
            fault: Fault::Shape {
                expected: expected.to_owned(),
            },
            location: Some(place),
        })
    }
}
