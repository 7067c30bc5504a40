//! Elementwise functions.

use std::panic::Location;

use super::Var;
use crate::graph::{Binary, Compare, Op, Unary};

impl Var<'_> {
    /// eˣ.
    #[track_caller]
    #[must_use]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// The natural logarithm.
    #[track_caller]
    #[must_use]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// √x. The derivative at 0 is ∞, so that a chain through 0 gives NaN: for √Σx² use [`Var::norm`].
    #[track_caller]
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// 1/x.
    #[track_caller]
    #[must_use]
    pub fn recip(self) -> Self {
        self.unary(Unary::Recip)
    }

    /// The hyperbolic tangent.
    #[track_caller]
    #[must_use]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// σ(x) = 1 / (1 + e⁻ˣ).
    #[track_caller]
    #[must_use]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// ln(1 + eˣ), without overflow.
    #[track_caller]
    #[must_use]
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// max(x, 0); its derivative at 0 is taken as 0. NaN stays NaN.
    #[track_caller]
    #[must_use]
    pub fn relu(self) -> Self {
        self.unary(Unary::Relu)
    }

    /// |x|; its derivative at 0 is taken as 0.
    #[track_caller]
    #[must_use]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// The sign: −1, 0 or 1. NaN stays NaN.
    #[track_caller]
    #[must_use]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// The sine.
    #[track_caller]
    #[must_use]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// The cosine.
    #[track_caller]
    #[must_use]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// The error function, 2/√π · ∫₀ˣ e⁻ᵗ² dt, to within one unit in the last place.
    #[track_caller]
    #[must_use]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// 1 − erf x, accurate also for large x, to within one unit in the last place.
    #[track_caller]
    #[must_use]
    pub fn erfc(self) -> Self {
        self.unary(Unary::Erfc)
    }

    /// ln(1 + x), accurate also for small x.
    #[track_caller]
    #[must_use]
    pub fn log1p(self) -> Self {
        self.unary(Unary::Log1p)
    }

    /// eˣ − 1, accurate also for small x.
    #[track_caller]
    #[must_use]
    pub fn expm1(self) -> Self {
        self.unary(Unary::Expm1)
    }

    /// x · x.
    #[track_caller]
    #[must_use]
    pub fn square(self) -> Self {
        self.binary(Binary::Mul, self)
    }

    /// x to the power of `exponent`, element by element; NaN for a negative x and an exponent that is not an
    /// integer. The derivative in a variable exponent is xᵉ·ln x, taken as 0 at x = 0. For a constant exponent, use
    /// [`Var::powf`].
    #[track_caller]
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        self.binary(Binary::Pow, exponent)
    }

    /// x to the power of a constant. With an integer exponent of at least 0, all derivatives also exist at 0.
    #[track_caller]
    #[must_use]
    pub fn powf(self, exponent: f64) -> Self {
        self.binary(Binary::Pow, self.number(exponent))
    }

    /// The larger of the two. Equal values share the derivative: each gets half of it. NaN if either is NaN.
    #[track_caller]
    #[must_use]
    pub fn maximum(self, other: Self) -> Self {
        self.binary(Binary::Max, other)
    }

    /// The smaller of the two. Equal values share the derivative: each gets half of it. NaN if either is NaN.
    #[track_caller]
    #[must_use]
    pub fn minimum(self, other: Self) -> Self {
        self.binary(Binary::Min, other)
    }

    /// The angle of the point (`x`, self), in (−π, π]. The derivative at (0, 0) is NaN.
    #[track_caller]
    #[must_use]
    pub fn atan2(self, x: Self) -> Self {
        self.binary(Binary::Atan2, x)
    }

    /// The mask of `self < other`.
    #[track_caller]
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        self.elementwise(Location::caller(), Op::Compare(Compare::Less), &[other])
    }

    /// The mask of `self <= other`.
    #[track_caller]
    #[must_use]
    pub fn less_equal(self, other: Self) -> Self {
        self.elementwise(
            Location::caller(),
            Op::Compare(Compare::LessEqual),
            &[other],
        )
    }

    /// The mask of `self == other`.
    #[track_caller]
    #[must_use]
    pub fn equal(self, other: Self) -> Self {
        self.elementwise(Location::caller(), Op::Compare(Compare::Equal), &[other])
    }

    /// For a mask: `a` where it is true, else `b`. The derivative is that of the operand that was taken, also where
    /// the value or the derivative of the other one is not finite.
    #[track_caller]
    #[must_use]
    pub fn select(self, a: Self, b: Self) -> Self {
        self.elementwise(Location::caller(), Op::Select, &[a, b])
    }
}
