//! Inner hyperparameters: fixed, or learned as part of x.

use crate::error::require;
use crate::{Result, Scalar};

/// A hyperparameter of the inner training, such as its step size.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Hyper {
    /// The same for every x.
    Fixed(f64),
    /// `transform(x[index])`: learned as part of x.
    FromX {
        /// Which number of x.
        index: usize,
        /// Turns that number into the hyperparameter.
        transform: Transform,
    },
}

/// How a number of x becomes a hyperparameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transform {
    /// The number itself; use a box on x to keep it in range, see [`Projected`](crate::optimizer::Projected).
    Identity,
    /// exp: always positive.
    Exp,
    /// 1/(1 + exp(−·)): always between 0 and 1.
    Sigmoid,
}

impl Hyper {
    /// Its value at x.
    #[must_use]
    pub fn value<T: Scalar>(self, x: &[T]) -> T {
        match self {
            Self::Fixed(value) => T::from_f64(value),
            Self::FromX { index, transform } => match transform {
                Transform::Identity => x[index],
                Transform::Exp => x[index].exp(),
                Transform::Sigmoid => sigmoid(x[index]),
            },
        }
    }

    /// Where it is part of x: which number, and its derivative there.
    #[must_use]
    pub fn derivative<T: Scalar>(self, x: &[T]) -> Option<(usize, T)> {
        match self {
            Self::Fixed(_) => None,
            Self::FromX { index, transform } => Some((
                index,
                match transform {
                    Transform::Identity => T::one(),
                    Transform::Exp => x[index].exp(),
                    Transform::Sigmoid => {
                        let value = sigmoid(x[index]);
                        value * (T::one() - value)
                    }
                },
            )),
        }
    }

    /// Its value at x in double precision: exact where it is fixed, whatever `T` is.
    #[must_use]
    pub fn value_f64<T: Scalar>(self, x: &[T]) -> f64 {
        match self {
            Self::Fixed(value) => value,
            Self::FromX { .. } => self.value(x).to_double(),
        }
    }

    /// Its tangent along dx.
    #[must_use]
    pub fn tangent<T: Scalar>(self, x: &[T], dx: &[T]) -> T {
        self.derivative(x)
            .map_or(T::zero(), |(index, derivative)| derivative * dx[index])
    }

    /// Carries its cotangent `bar` back to x and adds it to `x_bar`; adds nothing if it is fixed.
    pub fn collect<T: Scalar>(self, x: &[T], bar: f64, x_bar: &mut [T]) {
        if let Some((index, derivative)) = self.derivative(x) {
            x_bar[index] += derivative * T::from_f64(bar);
        }
    }

    /// Whether it is part of x.
    #[must_use]
    pub fn depends_on_x(self) -> bool {
        matches!(self, Self::FromX { .. })
    }

    pub(crate) fn validate(self, field: &'static str, x_len: usize) -> Result<()> {
        self.validate_in(field, |value| value > 0.0, "a positive number", x_len)
    }

    /// Checks a fixed value against its range, and that one of x lies inside x.
    pub(crate) fn validate_in(
        self,
        field: &'static str,
        contains: impl FnOnce(f64) -> bool,
        range: &'static str,
        x_len: usize,
    ) -> Result<()> {
        match self {
            Self::Fixed(value) => {
                require(value.is_finite() && contains(value), field, range, value)
            }
            Self::FromX { index, .. } => require(index < x_len, field, "an index inside x", index),
        }
    }
}

pub(super) fn sigmoid<T: Scalar>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}
