//! Simple bilevel problems: minimise ω over the minimisers of φ, with one variable.
//!
//! ```text
//! minimise over y   ω(y)      among   argmin { φ(y) : y in C }
//! ```
//!
//! For a fixed x, the improved inner model of BDA and of the Improved Bilevel Model is such a
//! problem, with φ = g(x, ·) and ω = f(x, ·). φ and ω must be convex and differentiable; C is a [`Set`].
//!
//! | solver | needs | each step | end |
//! |---|---|---|---|
//! | [`BigSam`] | Lipschitz constants, ω strongly convex | a gradient of each | after a given number of steps; error 1/k |
//! | [`Solodov`] | nothing | a gradient and a few values of each | after a given number of steps |
//! | [`Tikhonov`] | nothing | two gradients of each | at a given last weight; the error is of its size |
//! | [`FerrisMangasarian`] | an exact weight, which few problems have | two gradients of each | exact, or reports that it is not |
//!
//! Inside a bilevel problem, the aggregate [`Field`](crate::Field) with
//! [`Schedule::BigSam`](crate::Schedule) makes the steps of [`BigSam`] and differentiates them.

mod accelerated;
mod big_sam;
mod ferris_mangasarian;
mod pair;
mod solodov;
mod tikhonov;

pub use big_sam::{BigSam, Moduli};
pub use ferris_mangasarian::FerrisMangasarian;
pub use solodov::Solodov;
pub use tikhonov::Tikhonov;

use std::fmt;

use crate::error::expect_length;
use crate::objective::Calls;
use crate::{Objective, Problem, Result, Scalar, Set};

/// minimise ω(y) among the minimisers of φ on a set.
#[derive(Clone)]
pub struct SimpleBilevel<'a, T: Scalar> {
    inner: &'a dyn Objective<T>,
    outer: &'a dyn Objective<T>,
    x: &'a [T],
    set: Set<T>,
}

impl<'a, T: Scalar> SimpleBilevel<'a, T> {
    /// φ = `inner` and ω = `outer`, both at the fixed `x`, which is empty if there is no
    /// outer variable; y is kept in `set`.
    ///
    /// # Errors
    /// If lengths differ or the set does not fit.
    pub fn new(
        inner: &'a dyn Objective<T>,
        outer: &'a dyn Objective<T>,
        x: &'a [T],
        set: Set<T>,
    ) -> Result<Self> {
        expect_length("x", inner.x_layout().len(), x.len())?;
        expect_length("x of the outer objective", x.len(), outer.x_layout().len())?;
        let m = inner.y_layout().len();
        expect_length("y of the outer objective", m, outer.y_layout().len())?;
        set.validate(m)?;
        Ok(Self {
            inner,
            outer,
            x,
            set,
        })
    }

    /// The improved inner model of a bilevel problem at `x`: its outer objective minimised
    /// among the minimisers of its inner one.
    ///
    /// # Errors
    /// As [`SimpleBilevel::new`].
    pub fn of(problem: &'a Problem<T>, x: &'a [T], set: Set<T>) -> Result<Self> {
        Self::new(problem.inner(), problem.outer(), x, set)
    }

    /// Length of y.
    #[must_use]
    pub fn y_len(&self) -> usize {
        self.inner.y_layout().len()
    }
}

/// A solver of simple bilevel problems.
pub trait SimpleSolver<T: Scalar>: Send + Sync {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of its range.
    fn validate(&self) -> Result<()>;

    /// Solves the problem from `start`, which is projected onto the set first.
    ///
    /// # Errors
    /// As [`SimpleSolver::validate`]; a start of another length; an objective that fails; a
    /// number that becomes non-finite. Failure to converge is not an error, see [`SolutionStatus`].
    fn solve(&self, problem: &SimpleBilevel<'_, T>, start: &[T]) -> Result<Solution<T>>;
}

/// What a solver of simple bilevel problems found.
#[derive(Clone, PartialEq, Debug)]
pub struct Solution<T> {
    /// y.
    pub y: Vec<T>,
    /// φ(y).
    pub inner_value: T,
    /// ω(y).
    pub outer_value: T,
    /// ‖P(y − ∇φ(y)) − y‖: zero exactly where y minimises φ on the set.
    pub inner_residual: f64,
    /// Steps taken, including steps of inner loops.
    pub steps: usize,
    /// The last weight of ω.
    pub weight: f64,
    /// The calls of φ.
    pub inner_calls: Calls,
    /// The calls of ω.
    pub outer_calls: Calls,
    /// Whether the solver did what it promises, and if not, what to do.
    pub status: SolutionStatus,
}

/// How a solver of simple bilevel problems ended.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum SolutionStatus {
    /// All steps were taken, or the requested accuracy was reached.
    Good,
    /// φ + weight · ω was not minimised to the requested accuracy.
    NotSolved {
        /// The weight.
        weight: f64,
        /// ‖P(y − ∇) − y‖.
        residual: f64,
        /// The requested accuracy.
        tolerance: f64,
    },
    /// For every weight tried, the minimiser of φ + weight · ω is not a minimiser of φ.
    NotExact {
        /// The last weight.
        weight: f64,
        /// ‖P(y − ∇φ) − y‖ there.
        residual: f64,
    },
    /// No step along the negative gradient made φ + weight · ω smaller.
    NoDescent {
        /// At which step, from 1.
        step: usize,
    },
}

impl fmt::Display for SolutionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => formatter.write_str("good"),
            Self::NotSolved {
                weight,
                residual,
                tolerance,
            } => write!(
                formatter,
                "with the weight {weight:.1e} the sum of both objectives was minimised to a residual of {residual:.1e}, not {tolerance:.1e}: allow more steps or a larger tolerance"
            ),
            Self::NotExact { weight, residual } => write!(
                formatter,
                "no weight down to {weight:.1e} is exact: the inner objective is not minimal (residual {residual:.1e}, shrinking with the weight); use big-sam, solodov or tikhonov, which do not need an exact weight"
            ),
            Self::NoDescent { step } => write!(
                formatter,
                "step {step}: no step along the negative gradient makes the sum of both objectives smaller; check the gradients"
            ),
        }
    }
}
