//! BiG-SAM: steps on both objectives, averaged with a weight that vanishes.

use super::pair::{Pair, expect_finite};
use super::{SimpleBilevel, SimpleSolver, Solution, SolutionStatus};
use crate::error::require;
use crate::vector::axpy;
use crate::{Draw, Field, Result, Scalar, Schedule};

/// Constants of a simple bilevel problem.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moduli {
    /// L_φ: the Lipschitz constant of ∇φ.
    pub inner_smoothness: f64,
    /// L_ω: the Lipschitz constant of ∇ω.
    pub outer_smoothness: f64,
    /// σ: ω is strongly convex with this constant; at most L_ω.
    pub outer_convexity: f64,
}

/// The bilevel gradient sequential averaging method, for k = 1 … steps:
///
/// ```text
/// y ← α_k (y − s ∇ω(y)) + (1 − α_k) P(y − t ∇φ(y)),   α_k = min(2γ / (k (1 − β)), 1),
/// β = √(1 − 2 s σ L_ω / (σ + L_ω))
/// ```
///
/// It converges to the solution, which is unique, if ω is strongly convex; φ(P(y − t∇φ(y)))
/// converges to its least value like 1/k. If the constants of a problem are unknown, use
/// [`Tikhonov`](super::Tikhonov) or [`Solodov`](super::Solodov). [`Schedule::BigSam`] has the same
/// weights; if C is the whole space, [`Field::Aggregate`] makes the same steps
/// ([`BigSam::field`]).
///
/// | setting | [`BigSam::new`] | range | purpose |
/// |---|---|---|---|
/// | `moduli` | given | positive, σ ≤ L_ω | the constants |
/// | `inner_step` | 1/L_φ | (0, 1/L_φ] | t |
/// | `outer_step` | 2/(L_ω + σ) | (0, 2/(L_ω + σ)] | s |
/// | `gamma` | 1 | (0, 1] | γ |
/// | `steps` | 10 000 | | K |
///
/// Cost of a step: a gradient of each objective; memory: four vectors like y. The last y need not
/// lie in C exactly: its distance from C is of the order of α_K.
///
/// Reference: Sabach and Shtern, A first order method for solving convex bilevel optimization
/// problems, SIAM J. Optim. 27 (2017), doi 10.1137/16M105592X.
///
/// ```
/// use bilevel::simple::{BigSam, Moduli, SimpleBilevel, SimpleSolver};
/// use bilevel::{Closures, Set};
/// // The least norm on the line y₁ + y₂ = 2: (1, 1).
/// let phi = Closures::<f64>::new(0, 2, |_, y, _| (y[0] + y[1] - 2.0).powi(2) / 2.0, |_, y, _, out| out.iter_mut().for_each(|o| *o += y[0] + y[1] - 2.0));
/// let omega = Closures::<f64>::new(0, 2, |_, y, _| (y[0] * y[0] + y[1] * y[1]) / 2.0, |_, y, _, out| { out[0] += y[0]; out[1] += y[1]; });
/// let moduli = Moduli { inner_smoothness: 2.0, outer_smoothness: 1.0, outer_convexity: 1.0 };
/// let solution = BigSam::new(moduli).solve(&SimpleBilevel::new(&phi, &omega, &[], Set::All)?, &[5.0, 0.0])?;
/// assert!((solution.y[0] - 1.0).abs() < 1e-3 && (solution.y[1] - 1.0).abs() < 1e-3);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BigSam {
    /// The constants of the problem.
    pub moduli: Moduli,
    /// t.
    pub inner_step: f64,
    /// s.
    pub outer_step: f64,
    /// γ.
    pub gamma: f64,
    /// K.
    pub steps: usize,
}

impl BigSam {
    /// The longest steps that the theory allows.
    #[must_use]
    pub fn new(moduli: Moduli) -> Self {
        Self {
            moduli,
            inner_step: 1.0 / moduli.inner_smoothness,
            outer_step: 2.0 / (moduli.outer_smoothness + moduli.outer_convexity),
            gamma: 1.0,
            steps: 10_000,
        }
    }

    /// β: how much a step on ω contracts.
    #[must_use]
    pub fn beta(&self) -> f64 {
        let Moduli {
            outer_smoothness,
            outer_convexity,
            ..
        } = self.moduli;
        let harmonic = outer_convexity * outer_smoothness / (outer_convexity + outer_smoothness);
        // Rounding may leave a little less than nothing.
        (1.0 - 2.0 * self.outer_step * harmonic).max(0.0).sqrt()
    }

    /// The weights α_k.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        Schedule::BigSam {
            gamma: self.gamma,
            beta: self.beta(),
            cap: 1.0,
        }
    }

    /// The field with which gradient descent of step size `inner_step` makes the same steps
    /// where there is no constraint.
    #[must_use]
    pub fn field(&self) -> Field {
        Field::Aggregate {
            schedule: self.schedule(),
            outer_scale: self.outer_step / self.inner_step,
        }
    }
}

impl<T: Scalar> SimpleSolver<T> for BigSam {
    fn validate(&self) -> Result<()> {
        let Moduli {
            inner_smoothness,
            outer_smoothness,
            outer_convexity,
        } = self.moduli;
        for (field, value) in [
            ("inner_smoothness", inner_smoothness),
            ("outer_smoothness", outer_smoothness),
        ] {
            let positive = value > 0.0 && value.is_finite();
            require(positive, field, "a positive number", value)?;
        }
        require(
            outer_convexity > 0.0 && outer_convexity <= outer_smoothness,
            "outer_convexity",
            "positive and at most outer_smoothness",
            outer_convexity,
        )?;
        require(
            self.inner_step > 0.0 && self.inner_step <= 1.0 / inner_smoothness,
            "inner_step of big-sam",
            "positive and at most 1/inner_smoothness",
            self.inner_step,
        )?;
        require(
            self.outer_step > 0.0 && self.outer_step <= 2.0 / (outer_smoothness + outer_convexity),
            "outer_step of big-sam",
            "positive and at most 2/(outer_smoothness + outer_convexity)",
            self.outer_step,
        )?;
        // No weight is part of x.
        self.schedule().validate(0)
    }

    fn solve(&self, problem: &SimpleBilevel<'_, T>, start: &[T]) -> Result<Solution<T>> {
        SimpleSolver::<T>::validate(self)?;
        let (mut pair, mut y) = Pair::new(problem, start)?;
        let schedule = self.schedule();
        let (inner_step, outer_step) = (T::from_f64(self.inner_step), T::from_f64(self.outer_step));
        let mut gradient = vec![T::zero(); y.len()];
        let mut inner = y.clone();
        let mut alpha = 0.0;
        for k in 1..=self.steps {
            alpha = schedule.weights::<T>(k, 0, &[]).outer;
            inner.copy_from_slice(&y);
            pair.inner.grad_y(&y, Draw::All, &mut gradient)?;
            axpy(-inner_step, &gradient, &mut inner);
            pair.set.project(&mut inner);
            pair.outer.grad_y(&y, Draw::All, &mut gradient)?;
            axpy(-outer_step, &gradient, &mut y);
            let (outer_weight, inner_weight) = (T::from_f64(alpha), T::from_f64(1.0 - alpha));
            for (y, &inner) in y.iter_mut().zip(&inner) {
                *y = outer_weight * *y + inner_weight * inner;
            }
            expect_finite(&y, k)?;
        }
        pair.solution(y, self.steps, alpha, SolutionStatus::Good)
    }
}
