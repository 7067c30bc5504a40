//! When a run ends before its last step.

use super::{Iterate, Observer, Why};
use crate::{Result, Scalar};

/// A stop rule: ends the run when ‖hypergradient‖ ≤ `tolerance`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GradientNorm {
    /// The norm that is small enough.
    pub tolerance: f64,
}

impl<T: Scalar> Observer<T> for GradientNorm {
    fn observe(&mut self, iterate: &Iterate<'_, T>) -> Result<Option<Why>> {
        Ok((iterate.hypergradient_norm() <= self.tolerance).then_some(Why::Stationary))
    }
}

/// Counts how long a figure has not improved, for stop rules that watch one.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Patience {
    /// How many iterates in a row may pass without improvement.
    pub limit: usize,
    /// The best figure so far, and its step.
    pub best: Option<(f64, usize)>,
    /// How many iterates have passed since.
    pub waited: usize,
}

impl Patience {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            best: None,
            waited: 0,
        }
    }

    /// Takes the next figure (smaller is better, any number is better than NaN) and returns whether it is
    /// the best so far.
    pub fn improved(&mut self, figure: f64, outer_step: usize) -> bool {
        let better = |best: f64| figure < best || (best.is_nan() && !figure.is_nan());
        let better = self.best.is_none_or(|(best, _)| better(best));
        if better {
            self.best = Some((figure, outer_step));
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        better
    }

    /// Whether the patience is exhausted.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.waited >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_is_no_number_is_improved_upon() {
        let mut patience = Patience::new(2);
        let seen = [f64::NAN, f64::NAN, 3.0, f64::NAN, 2.0, 2.0];
        let better = seen.map(|figure| patience.improved(figure, 0));
        assert_eq!(better, [true, false, true, false, true, false]);
        assert_eq!(patience.waited, 1);
    }
}
