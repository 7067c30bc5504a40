//! The two floating-point types that every method works in.

use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

/// `f32` or `f64`: the element type of every variable, gradient and state.
///
/// [`num_traits::Float`] and what else the methods need. The trait is sealed: no other type can
/// implement it.
pub trait Scalar:
    sealed::Sealed
    + Float
    + NumAssign
    + Sum
    + Default
    + Debug
    + Display
    + LowerExp
    + Send
    + Sync
    + 'static
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;

    /// The same value in double precision (exact).
    fn to_double(self) -> f64;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Scalar for f32 {
    const NAME: &'static str = "f32";

    #[inline]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline]
    fn to_double(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "f64";

    #[inline]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline]
    fn to_double(self) -> f64 {
        self
    }
}
