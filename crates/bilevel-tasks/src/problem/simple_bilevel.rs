//! A simple bilevel problem: no outer variable.

use std::sync::Arc;

use bilevel::simple::Moduli;
use bilevel::{FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "simple-bilevel";

/// The x at which `non-unique` has this inner problem.
const X: f64 = 3.0;

/// minimise f = (3 − y₂)²/2 + (y₁ − 1)²/2 over the minimisers of g = y₁²/2 − 3y₁: the problem
/// `non-unique` at x = 3.
///
/// The minimisers are (3, y₂); the solution is (3, 3) with f = 2. f is strongly convex with
/// constant 1, and both gradients are Lipschitz with constant 1.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 2, 2, 2)?;
    let inner_start = options.inner_start(NAME, vec![0.0; 2])?;
    let outer = separable(0, 2, false, |j, _, y| {
        let target = if j == 0 { 1.0 } else { X };
        Jet {
            value: (y - target).powi(2) / 2.0,
            y: y - target,
            yy: 1.0,
            ..Jet::default()
        }
    });
    let inner = separable(0, 2, false, |j, _, y| {
        if j == 0 {
            Jet {
                value: y * y / 2.0 - X * y,
                y: y - X,
                yy: 1.0,
                ..Jet::default()
            }
        } else {
            Jet::default()
        }
    });
    Ok(TestProblem {
        name: NAME,
        summary: "no outer variable: the outer objective is minimised over the minimisers of the inner one",
        reference: "Sabach and Shtern, BiG-SAM, doi 10.1137/16M105592X; the objectives: arXiv 2006.04045",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 10_000,
            step_size: 0.5,
            outer_steps: 0,
            outer_optimizer: Outer::Sgd {
                rate: 0.1,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![],
            y: vec![X; 2],
            f: (X - 1.0).powi(2) / 2.0,
        }),
        moduli: Some(Moduli {
            inner_smoothness: 1.0,
            outer_smoothness: 1.0,
            outer_convexity: 1.0,
        }),
        truth: Truth::new(|_| (X - 1.0).powi(2) / 2.0, |_| vec![]),
    })
}
