//! Test problems with known answers: small, closed-form, each from a paper.
//!
//! | name | what it shows | dimension |
//! |---|---|---|
//! | `non-unique` | many inner solutions, of which the outer objective prefers one | length of x, any |
//! | `ufo-counterexample` | first-order gradients end at a point that is not stationary | 1 |
//! | `truncation-counterexample` | truncated gradients end at a point that is not stationary | 1 |
//! | `quadratic` | every hypergradient in closed form | length of x and of y, any |
//! | `ridge` | the strength of a penalty, tuned on held-out rows | features, up to 200 |
//! | `sine` | a non-convex inner problem, an outer objective that jumps | 1 |
//! | `pbgd-toy` | a non-convex inner problem with one solution | 1 |
//! | `bvfsm-toy` | a non-convex inner problem with many solutions | length of y, any |
//! | `penalty-trap` | penalties on the inner gradient's norm get stuck | 1 |
//! | `simple-bilevel` | no outer variable: f is minimised over the minimisers of g | 2 |
//!
//! ```
//! use bilevel_tasks::problem::{ProblemOptions, test_problem};
//! let problem = test_problem("truncation-counterexample", &ProblemOptions::default())?;
//! assert_eq!(problem.true_gradient(&[1.5])?, [0.0]);
//! assert_eq!(problem.optimum.unwrap().x, [1.5]);
//! # Ok::<(), bilevel_tasks::Error>(())
//! ```

mod bvfsm_toy;
mod expected;
mod list;
mod minimum;
mod non_unique;
mod options;
mod pbgd_toy;
mod penalty_trap;
mod quadratic;
mod ridge;
mod separable;
mod simple_bilevel;
mod sine;
mod truncation_counterexample;
mod ufo_counterexample;

pub use list::{names, test_problem};
pub use options::ProblemOptions;

use std::sync::Arc;

use bilevel::simple::Moduli;
use bilevel::{Adam, Bounds, Optimizer, Set, Sgd, TaskFamily};

use crate::Error;
use expected::expect_length;

/// A problem with a known answer, and the settings to solve it with.
pub struct TestProblem {
    /// Its name, see [`names`].
    pub name: &'static str,
    /// What it is and what it shows, in one sentence.
    pub summary: &'static str,
    /// Its source.
    pub reference: &'static str,
    /// The problem, or the tasks, one of which is drawn for each outer step.
    pub family: Arc<dyn TaskFamily<f64>>,
    /// The box constraint on x, if any.
    pub x_bounds: Option<Bounds<f64>>,
    /// The feasible set of y.
    pub y_set: Set<f64>,
    /// x_0.
    pub start: Vec<f64>,
    /// y_0; empty if training starts at x.
    pub inner_start: Vec<f64>,
    /// The usual settings.
    pub defaults: Defaults,
    /// The optimal x and y, if known.
    pub optimum: Option<Optimum>,
    /// Constants for BiG-SAM, if there is no outer variable.
    pub moduli: Option<Moduli>,
    truth: Truth,
}

/// The usual settings for a test problem.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Defaults {
    /// K, inner steps.
    pub steps: usize,
    /// s, the step size of training.
    pub step_size: f64,
    /// Outer steps.
    pub outer_steps: usize,
    /// The update rule of x.
    pub outer_optimizer: Outer,
}

/// The update rule of x, as a setting.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outer {
    /// Gradient descent with the steps rate/(1 + decay·t).
    Sgd {
        /// The first step size.
        rate: f64,
        /// The decay of the step size; with 1 the steps are rate/1, rate/2, rate/3, …
        decay: f64,
    },
    /// Adam.
    Adam {
        /// Its step size.
        rate: f64,
    },
}

impl Outer {
    /// The update rule.
    #[must_use]
    pub fn optimizer(self) -> Box<dyn Optimizer<f64>> {
        match self {
            Self::Sgd { rate, decay } => Box::new(Sgd { rate, decay }),
            Self::Adam { rate } => Box::new(Adam::new(rate)),
        }
    }
}

/// The solution of a test problem.
#[derive(Clone, PartialEq, Debug)]
pub struct Optimum {
    /// The optimal x.
    pub x: Vec<f64>,
    /// The inner solution at x that the outer objective prefers; empty if each task has its own.
    pub y: Vec<f64>,
    /// The outer objective at the optimum.
    pub f: f64,
}

type Value = dyn Fn(&[f64]) -> f64 + Send + Sync;
type Gradient = dyn Fn(&[f64]) -> Vec<f64> + Send + Sync;

/// The true outer objective φ and its gradient.
struct Truth {
    objective: Box<Value>,
    gradient: Box<Gradient>,
}

impl Truth {
    fn new(
        objective: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
        gradient: impl Fn(&[f64]) -> Vec<f64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            objective: Box::new(objective),
            gradient: Box::new(gradient),
        }
    }
}

impl TestProblem {
    /// φ(x): the least f(x, y) among the minimisers y of g(x, ·). For `ufo-counterexample`, the
    /// mean of f over its tasks after K steps of training, which is its objective.
    ///
    /// # Errors
    /// [`Error::ProblemLength`] if x has the wrong length.
    pub fn true_objective(&self, x: &[f64]) -> Result<f64, Error> {
        self.check_x(x)?;
        Ok((self.truth.objective)(x))
    }

    /// ∇φ(x), see [`TestProblem::true_objective`].
    ///
    /// # Errors
    /// As [`TestProblem::true_objective`].
    pub fn true_gradient(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.check_x(x)?;
        Ok((self.truth.gradient)(x))
    }

    /// ‖(x, y) − (x*, y*)‖, if the optimum is known; ‖x − x*‖ if each task has its own y.
    #[must_use]
    pub fn distance(&self, x: &[f64], y: &[f64]) -> Option<f64> {
        let optimum = self.optimum.as_ref()?;
        let squares =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
        Some((squares(x, &optimum.x) + squares(y, &optimum.y)).sqrt())
    }

    fn check_x(&self, x: &[f64]) -> Result<(), Error> {
        expect_length(self.name, "x", self.start.len(), x)
    }
}
