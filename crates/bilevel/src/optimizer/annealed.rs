//! Updates that shrink in the course of a run.

use std::fmt;
use std::str::FromStr;

use super::{Optimizer, Update};
use crate::error::require;
use crate::text::expected_one_of;
use crate::{Error, Memory, Result, Scalar};

/// How the updates of x shrink over T outer steps; step t is multiplied by
///
/// | variant | factor |
/// |---|---|
/// | `Constant` | 1 |
/// | `Linear` | 1 − t/T |
/// | `Cosine` | (1 + cos(π t/T))/2 |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Annealing {
    /// Not at all.
    #[default]
    Constant,
    /// In equal steps.
    Linear,
    /// Slowly at both ends (arXiv 1608.03983).
    Cosine,
}

impl Annealing {
    /// The factor of update `step`, from 0, of `steps`.
    #[must_use]
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        let part = step.min(steps) as f64 / steps.max(1) as f64;
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - part,
            Self::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * part).cos()),
        }
    }
}

impl FromStr for Annealing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "constant" => Ok(Self::Constant),
            "linear" => Ok(Self::Linear),
            "cosine" => Ok(Self::Cosine),
            _ => Err(expected_one_of(
                "constant, linear or cosine",
                text,
                &["constant", "linear", "cosine"],
            )),
        }
    }
}

impl fmt::Display for Annealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
        })
    }
}

/// An optimizer whose updates are multiplied by the factors of [`Annealing`]. Its own state sees the gradients as they
/// are.
///
/// ```
/// use bilevel::{Memory, optimizer::{Annealed, Annealing, Optimizer, Sgd, Update}};
/// let optimizer = Annealed { optimizer: Sgd::new(1.0), annealing: Annealing::Linear, steps: 4 };
/// let mut x = [0.0];
/// let at = Update { step: 1, value: 0.0, gradient: &[-4.0] };
/// optimizer.update(&at, &mut Memory::default(), &mut [], &mut x);
/// assert_eq!(x, [3.0]);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Annealed<O> {
    /// The optimizer that moves x.
    pub optimizer: O,
    /// How its updates shrink.
    pub annealing: Annealing,
    /// T, at least 1: later updates are those of step T.
    pub steps: usize,
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Annealed<O> {
    fn state_len(&self, x_len: usize) -> usize {
        self.optimizer.state_len(x_len)
    }

    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        if self.annealing == Annealing::Constant {
            return self.optimizer.update(at, memory, state, x);
        }
        let before = x.to_vec();
        self.optimizer.update(at, memory, state, x);
        let factor = T::from_f64(self.annealing.factor(at.step, self.steps));
        for (x, before) in x.iter_mut().zip(before) {
            *x = before + factor * (*x - before);
        }
    }

    fn validate(&self, x_len: usize) -> Result<()> {
        require(self.steps >= 1, "steps", "at least 1", self.steps)?;
        self.optimizer.validate(x_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_fall_from_one_to_zero() {
        for annealing in [Annealing::Linear, Annealing::Cosine] {
            let factors: Vec<f64> = (0..=10).map(|t| annealing.factor(t, 10)).collect();
            assert_eq!((factors[0], factors[5]), (1.0, 0.5));
            assert!(factors[10].abs() < 1e-15);
            assert!(factors.is_sorted_by(|a, b| a > b));
            assert_eq!(annealing.factor(11, 10), factors[10]);
        }
        for text in ["constant", "linear", "cosine"] {
            assert_eq!(text.parse::<Annealing>().unwrap().to_string(), text);
        }
        "linea".parse::<Annealing>().unwrap_err();
    }
}
