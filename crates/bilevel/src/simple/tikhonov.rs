//! Tikhonov regularisation: minimises φ + σ ω for smaller and smaller σ.

use super::accelerated::minimise;
use super::pair::Pair;
use super::{SimpleBilevel, SimpleSolver, Solution, SolutionStatus};
use crate::error::{positive, require};
use crate::{Result, Scalar};

/// y ← argmin { φ + σ ω : y in C } for σ = `weight`, `weight`·`ratio`, `weight`·`ratio`², …, each
/// from the last minimiser, to a residual of `tolerance` · σ.
///
/// The minimisers converge to the solution as σ → 0 if ω is strongly convex. The result is the
/// minimiser for the last σ, with an error of order σ: 1e-5 with the defaults. Needs no constants
/// of the problem. Each σ takes about √(L_φ/σ) steps, so a small last σ is expensive, but less
/// than with [`BigSam`](super::BigSam), whose error after k steps is 1/k.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `weight` | 1 | positive | the first σ |
/// | `ratio` | 0.1 | (0, 1) | of successive σ |
/// | `stages` | 6 | at least 1 | how many σ |
/// | `tolerance` | 1e-5 | positive | accuracy of each minimiser, relative to its distance from the solution |
/// | `steps` | 100 000 | at least 1 | largest number of steps for one σ |
///
/// Cost of a step: two gradients of each objective; memory: nine vectors like y. Not for an ω
/// that is not convex.
///
/// Reference: Tikhonov and Arsenin, Solutions of Ill-Posed Problems (1977); for this use Solodov,
/// J. Convex Analysis 14 (2007).
///
/// ```
/// use bilevel::simple::{SimpleBilevel, SimpleSolver, Tikhonov};
/// use bilevel::{Closures, Set};
/// // The least norm on the line y₁ + y₂ = 2: (1, 1).
/// let phi = Closures::<f64>::new(0, 2, |_, y, _| (y[0] + y[1] - 2.0).powi(2) / 2.0, |_, y, _, out| out.iter_mut().for_each(|o| *o += y[0] + y[1] - 2.0));
/// let omega = Closures::<f64>::new(0, 2, |_, y, _| (y[0] * y[0] + y[1] * y[1]) / 2.0, |_, y, _, out| { out[0] += y[0]; out[1] += y[1]; });
/// let solution = Tikhonov::default().solve(&SimpleBilevel::new(&phi, &omega, &[], Set::All)?, &[5.0, 0.0])?;
/// assert!((solution.y[0] - 1.0).abs() < 1e-4 && (solution.y[1] - 1.0).abs() < 1e-4);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tikhonov {
    /// The first σ.
    pub weight: f64,
    /// The ratio of successive σ.
    pub ratio: f64,
    /// How many σ.
    pub stages: usize,
    /// Accuracy of each minimiser, relative to σ.
    pub tolerance: f64,
    /// Largest number of steps for one σ.
    pub steps: usize,
}

impl Default for Tikhonov {
    fn default() -> Self {
        Self {
            weight: 1.0,
            ratio: 0.1,
            stages: 6,
            tolerance: 1e-5,
            steps: 100_000,
        }
    }
}

impl<T: Scalar> SimpleSolver<T> for Tikhonov {
    fn validate(&self) -> Result<()> {
        positive("weight of tikhonov", self.weight)?;
        positive("tolerance of tikhonov", self.tolerance)?;
        require(
            self.ratio > 0.0 && self.ratio < 1.0,
            "ratio of tikhonov",
            "above 0 and below 1",
            self.ratio,
        )?;
        require(
            self.stages >= 1,
            "stages of tikhonov",
            "at least 1",
            self.stages,
        )?;
        require(
            self.steps >= 1,
            "steps of tikhonov",
            "at least 1",
            self.steps,
        )
    }

    fn solve(&self, problem: &SimpleBilevel<'_, T>, start: &[T]) -> Result<Solution<T>> {
        SimpleSolver::<T>::validate(self)?;
        let (mut pair, mut y) = Pair::new(problem, start)?;
        let (mut taken, mut weight) = (0, self.weight);
        for stage in 0..self.stages {
            weight = self.weight * self.ratio.powf(stage as f64);
            let tolerance = self.tolerance * weight;
            let ended = minimise(&mut pair, weight, tolerance, self.steps, &mut y)?;
            taken += ended.steps;
            if !ended.solved {
                let status = SolutionStatus::NotSolved {
                    weight,
                    residual: ended.residual,
                    tolerance,
                };
                return pair.solution(y, taken, weight, status);
            }
        }
        pair.solution(y, taken, weight, SolutionStatus::Good)
    }
}
