//! Ferris and Mangasarian's finite perturbation: one weight that is small enough is exact.

use super::accelerated::minimise;
use super::pair::Pair;
use super::{SimpleBilevel, SimpleSolver, Solution, SolutionStatus};
use crate::error::{positive, require};
use crate::{Result, Scalar};

/// Halves σ until argmin { φ + σ ω : y in C } minimises φ, too: the exact perturbation, if there
/// is one.
///
/// For a linear φ on a polyhedron, or a convex φ with the same regularity (it grows at least
/// linearly away from its minimisers), there is a σ̄ > 0 such that for every σ ≤ σ̄ the minimiser
/// of φ + σ ω solves the simple bilevel problem exactly. A smooth φ that is flat at its minimisers
/// has none, unless ω is stationary there itself: for every σ, the error of the minimiser is about σ.
/// Then the status says so ([`SolutionStatus::NotExact`]); use [`Tikhonov`](super::Tikhonov)
/// instead.
///
/// σ is taken as exact if the residual ‖P(y − ∇φ) − y‖ at the minimiser y is at most
/// `tolerance` · σ. That is enough: a y that minimises both φ and φ + σ ω has the least ω among
/// the minimisers of φ.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `weight` | 1 | positive | the first σ |
/// | `halvings` | 16 | | largest number of halvings before σ counts as not exact |
/// | `tolerance` | 1e-6 | positive | what counts as exact; each minimum is taken to a tenth of it |
/// | `steps` | 100 000 | at least 1 | largest number of steps for one σ |
///
/// Cost of a step: two gradients of each objective; memory: nine vectors like y.
///
/// Reference: Ferris and Mangasarian, Finite perturbation of convex programs, Appl. Math. Optim.
/// 23 (1991), 263–273.
///
/// ```
/// use bilevel::simple::{FerrisMangasarian, SimpleBilevel, SimpleSolver, SolutionStatus};
/// use bilevel::{Closures, Set};
/// // φ = y₁ on the simplex y₁ + y₂ + y₃ = 1 is least where y₁ = 0; of these, ω wants the one next to (1, 1, 0).
/// let phi = Closures::<f64>::new(0, 3, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0);
/// let omega = Closures::<f64>::new(0, 3, |_, y, _| ((y[0] - 1.0).powi(2) + (y[1] - 1.0).powi(2) + y[2] * y[2]) / 2.0,
///     |_, y, _, out| { out[0] += y[0] - 1.0; out[1] += y[1] - 1.0; out[2] += y[2]; });
/// let problem = SimpleBilevel::new(&phi, &omega, &[], Set::Simplex { total: 1.0 })?;
/// let solution = FerrisMangasarian::default().solve(&problem, &[1.0, 0.0, 0.0])?;
/// assert_eq!(solution.status, SolutionStatus::Good);
/// assert!(solution.y[0] == 0.0 && (solution.y[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FerrisMangasarian {
    /// The first σ.
    pub weight: f64,
    /// Largest number of halvings of σ.
    pub halvings: usize,
    /// What counts as exact.
    pub tolerance: f64,
    /// Largest number of steps for one σ.
    pub steps: usize,
}

impl Default for FerrisMangasarian {
    fn default() -> Self {
        Self {
            weight: 1.0,
            halvings: 16,
            tolerance: 1e-6,
            steps: 100_000,
        }
    }
}

/// Each minimum is taken to this part of the tolerance.
const ACCURACY: f64 = 0.1;

impl<T: Scalar> SimpleSolver<T> for FerrisMangasarian {
    fn validate(&self) -> Result<()> {
        positive("weight of ferris-mangasarian", self.weight)?;
        positive("tolerance of ferris-mangasarian", self.tolerance)?;
        require(
            self.steps >= 1,
            "steps of ferris-mangasarian",
            "at least 1",
            self.steps,
        )
    }

    fn solve(&self, problem: &SimpleBilevel<'_, T>, start: &[T]) -> Result<Solution<T>> {
        SimpleSolver::<T>::validate(self)?;
        let (mut pair, mut y) = Pair::new(problem, start)?;
        let (mut taken, mut weight) = (0, self.weight);
        let mut residual = f64::INFINITY;
        for halving in 0..=self.halvings {
            weight = self.weight * 0.5_f64.powf(halving as f64);
            let tolerance = ACCURACY * self.tolerance * weight;
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
            residual = pair.inner_residual(&y)?;
            if residual <= self.tolerance * weight {
                return pair.solution(y, taken, weight, SolutionStatus::Good);
            }
        }
        let status = SolutionStatus::NotExact { weight, residual };
        pair.solution(y, taken, weight, status)
    }
}
