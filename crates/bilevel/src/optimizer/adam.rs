//! Adam on x.

use super::{Optimizer, Update};
use crate::error::require;
use crate::{Memory, Result, Scalar};

/// Adam (arXiv 1412.6980), bias-corrected, as in PyTorch:
///
/// m ← β₁ m + (1−β₁) G;  v ← β₂ v + (1−β₂) G²;
/// x ← x − rate · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε).
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `rate` | 0.05 | positive | about how far each number moves in a step |
/// | `beta1` | 0.9 | \[0, 1) | memory of the gradient |
/// | `beta2` | 0.999 | \[0, 1) | memory of its square |
/// | `epsilon` | 1e-8 | positive | keeps the quotient finite |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adam {
    /// Step size.
    pub rate: f64,
    /// β₁.
    pub beta1: f64,
    /// β₂.
    pub beta2: f64,
    /// ε.
    pub epsilon: f64,
}

impl Adam {
    /// This rate, with the usual other settings.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new(0.05)
    }
}

impl<T: Scalar> Optimizer<T> for Adam {
    fn state_len(&self, x_len: usize) -> usize {
        2 * x_len
    }

    fn update(&self, at: &Update<'_, T>, _: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        let (first, second) = state.split_at_mut(x.len());
        let power = at.step as f64 + 1.0;
        let rate = T::from_f64(self.rate / (1.0 - self.beta1.powf(power)));
        let root = T::from_f64((1.0 - self.beta2.powf(power)).sqrt());
        let (beta1, beta2) = (T::from_f64(self.beta1), T::from_f64(self.beta2));
        let epsilon = T::from_f64(self.epsilon);
        for (((x, &g), m), v) in x.iter_mut().zip(at.gradient).zip(first).zip(second) {
            *m = beta1 * *m + (T::one() - beta1) * g;
            *v = beta2 * *v + (T::one() - beta2) * g * g;
            *x -= rate * *m / (v.sqrt() / root + epsilon);
        }
    }

    fn validate(&self, _: usize) -> Result<()> {
        require(
            self.rate > 0.0 && self.rate.is_finite(),
            "rate",
            "a positive number",
            self.rate,
        )?;
        for (field, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            require(
                (0.0..1.0).contains(&value),
                field,
                "at least 0 and below 1",
                value,
            )?;
        }
        require(
            self.epsilon > 0.0 && self.epsilon.is_finite(),
            "epsilon",
            "a positive number",
            self.epsilon,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps by hand: after the first, m̂ = G and v̂ = G², whatever the betas.
    #[test]
    fn the_first_steps_by_hand() {
        let optimizer = Adam::new(0.1);
        let (mut x, mut state) = ([1.0_f64], [0.0; 2]);
        let mut update = |step, gradient: f64| {
            let at = Update {
                step,
                value: 0.0,
                gradient: &[gradient],
            };
            optimizer.update(&at, &mut Memory::default(), &mut state, &mut x);
            x[0]
        };
        let first = update(0, 4.0);
        assert!((first - (1.0 - 0.1 * 4.0 / (4.0 + 1e-8))).abs() < 1e-15);
        let second = update(1, -2.0);
        let m = (0.9 * 0.1 * 4.0 + 0.1 * -2.0) / (1.0 - 0.81);
        let v: f64 = (0.999 * 0.001 * 16.0 + 0.001 * 4.0) / (1.0 - 0.999 * 0.999);
        let expected = 1.0 - 0.1 * 4.0 / (4.0 + 1e-8) - 0.1 * m / (v.sqrt() + 1e-8);
        assert!((second - expected).abs() < 1e-12);
    }
}
