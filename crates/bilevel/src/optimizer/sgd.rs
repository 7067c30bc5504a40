//! Gradient descent on x.

use super::{Optimizer, Update};
use crate::error::require;
use crate::vector::axpy;
use crate::{Memory, Result, Scalar};

/// x ← x − rate · (1 + decay · step)⁻¹ · gradient.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `rate` | 0.1 | positive | the first step size |
/// | `decay` | 0 | at least 0 | 1 makes the steps rate, rate/2, rate/3, … (Robbins–Monro) |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sgd {
    /// The first step size.
    pub rate: f64,
    /// How fast the steps shrink.
    pub decay: f64,
}

impl Sgd {
    /// A constant rate.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self { rate, decay: 0.0 }
    }
}

impl Default for Sgd {
    fn default() -> Self {
        Self::new(0.1)
    }
}

impl<T: Scalar> Optimizer<T> for Sgd {
    fn state_len(&self, _: usize) -> usize {
        0
    }

    fn update(&self, at: &Update<'_, T>, _: &mut Memory<T>, _: &mut [T], x: &mut [T]) {
        let rate = self.rate / (1.0 + self.decay * at.step as f64);
        axpy(T::from_f64(-rate), at.gradient, x);
    }

    fn validate(&self, _: usize) -> Result<()> {
        require(
            self.rate > 0.0 && self.rate.is_finite(),
            "rate",
            "a positive number",
            self.rate,
        )?;
        require(
            self.decay >= 0.0 && self.decay.is_finite(),
            "decay",
            "a number of at least 0",
            self.decay,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decaying_steps_are_rate_over_k() {
        let optimizer = Sgd {
            rate: 6.0,
            decay: 1.0,
        };
        let mut x = [0.0];
        for step in 0..3 {
            let at = Update {
                step,
                value: 0.0,
                gradient: &[1.0],
            };
            optimizer.update(&at, &mut Memory::default(), &mut [], &mut x);
        }
        assert_eq!(x, [-(6.0 + 3.0 + 2.0)]);
    }
}
