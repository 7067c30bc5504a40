//! Every hypergradient in closed form.

use std::sync::Arc;

use bilevel::{FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "quadratic";

/// The curvature of g along y_j: from 1 down to 1/2, evenly.
fn curvature(j: usize, dimension: usize) -> f64 {
    1.0 - 0.5 * j as f64 / (dimension.max(2) - 1) as f64
}

/// c_j: 1, −1, 1, …
fn target(j: usize) -> f64 {
    if j.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// f = ‖y − c‖²/2 + ‖x‖²/2,  g = (y − x)ᵀ D (y − x)/2, with D diagonal, from 1 down to 1/2, and
/// c = (1, −1, 1, …).
///
/// y*(x) = x, φ = ‖x − c‖²/2 + ‖x‖²/2, least at x = c/2. After K steps of size s,
/// y_K = x + A^K (y_0 − x) with A = I − sD; the hypergradient through the last J of them is
/// x + (I − A^J)(y_K − c), so the error of truncation is (A^J − A^K)(y_K − c).
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    let n = options.dimension(NAME, 2, 1, usize::MAX)?;
    let inner_start = options.inner_start(NAME, vec![0.0; n])?;
    let outer = separable(n, n, true, |j, x, y| Jet {
        value: (y - target(j)).powi(2) / 2.0 + x * x / 2.0,
        x,
        y: y - target(j),
        xy: 0.0,
        yy: 1.0,
    });
    let inner = separable(n, n, true, move |j, x, y| {
        let d = curvature(j, n);
        Jet {
            value: d * (y - x).powi(2) / 2.0,
            x: d * (x - y),
            y: d * (y - x),
            xy: -d,
            yy: d,
        }
    });
    Ok(TestProblem {
        name: NAME,
        summary: "two quadratics: training and every hypergradient have closed forms",
        reference: "the inner problem: Shaban et al., arXiv 1810.10667",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![0.0; n])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 100,
            step_size: 0.5,
            outer_steps: 200,
            outer_optimizer: Outer::Sgd {
                rate: 0.2,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: (0..n).map(|j| target(j) / 2.0).collect(),
            y: (0..n).map(|j| target(j) / 2.0).collect(),
            f: n as f64 / 4.0,
        }),
        moduli: None,
        truth: Truth::new(
            |x| {
                let term = |(j, x): (usize, &f64)| (x - target(j)).powi(2) / 2.0 + x * x / 2.0;
                x.iter().enumerate().map(term).sum()
            },
            |x| {
                let term = |(j, x): (usize, &f64)| 2.0 * x - target(j);
                x.iter().enumerate().map(term).collect()
            },
        ),
    })
}
