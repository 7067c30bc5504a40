//! Truncated hypergradients that end at a point that is not stationary.

use std::sync::Arc;

use bilevel::{FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "truncation-counterexample";

/// f = y²/2 + (x − 3)²/2,  g = (y − x)²/2.
///
/// φ(x) = x²/2 + (x − 3)²/2, least at x = 1.5. With step size 1/2 the hypergradient truncated to
/// the last step is x − 3 + x/2: −0.75 at x = 1.5, and zero at x = 2, where φ' = 1.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 1, 1, 1)?;
    let inner_start = options.inner_start(NAME, vec![0.0])?;
    let outer = separable(1, 1, true, |_, x, y| Jet {
        value: y * y / 2.0 + (x - 3.0).powi(2) / 2.0,
        x: x - 3.0,
        y,
        xy: 0.0,
        yy: 1.0,
    });
    let inner = separable(1, 1, true, |_, x, y| Jet {
        value: (y - x).powi(2) / 2.0,
        x: x - y,
        y: y - x,
        xy: -1.0,
        yy: 1.0,
    });
    Ok(TestProblem {
        name: NAME,
        summary: "the gradient of only the last step leads to x = 2, the true gradient to x = 1.5",
        reference: "Shaban et al., truncated back-propagation, arXiv 1810.10667",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![0.0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 200,
            step_size: 0.5,
            outer_steps: 200,
            outer_optimizer: Outer::Sgd {
                rate: 0.2,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![1.5],
            y: vec![1.5],
            f: 2.25,
        }),
        moduli: None,
        truth: Truth::new(
            |x| x[0].powi(2) / 2.0 + (x[0] - 3.0).powi(2) / 2.0,
            |x| vec![2.0 * x[0] - 3.0],
        ),
    })
}
