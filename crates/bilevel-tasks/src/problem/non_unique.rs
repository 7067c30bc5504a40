//! Many inner solutions, of which the outer objective prefers one.

use std::sync::Arc;

use bilevel::{Bounds, FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "non-unique";

/// With y = (u, v), u and v as long as x:
/// f = ‖x − v‖²/2 + ‖u − 1‖²/2,  g = ‖u‖²/2 − xᵀu,  x in [−100, 100]ⁿ.
///
/// S(x) = {(x, v): v any}; the optimum is x = u = v = 1. The inner gradient never moves v, so
/// methods that only follow the inner gradient end at x = (1 + v_0)/2.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    let n = options.dimension(NAME, 1, 1, usize::MAX / 2)?;
    let inner_start = options.inner_start(NAME, vec![0.0; 2 * n])?;
    let outer = separable(n, 2 * n, true, move |j, x, y| {
        if j < n {
            Jet {
                value: (y - 1.0).powi(2) / 2.0,
                y: y - 1.0,
                yy: 1.0,
                ..Jet::default()
            }
        } else {
            Jet {
                value: (x - y).powi(2) / 2.0,
                x: x - y,
                y: y - x,
                xy: -1.0,
                yy: 1.0,
            }
        }
    });
    let inner = separable(n, 2 * n, true, move |j, x, y| {
        if j < n {
            Jet {
                value: y * y / 2.0 - x * y,
                x: -y,
                y: y - x,
                xy: -1.0,
                yy: 1.0,
            }
        } else {
            Jet::default()
        }
    });
    Ok(TestProblem {
        name: NAME,
        summary: "the inner problem leaves half of y free, and the outer objective prefers one value of this half",
        reference: "Liu et al., BDA, arXiv 2006.04045",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: Some(Bounds::uniform(-100.0, 100.0)?),
        y_set: Set::All,
        start: options.start(NAME, vec![0.0; n])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 16,
            step_size: 0.5,
            outer_steps: 2000,
            outer_optimizer: Outer::Sgd {
                rate: 0.1,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![1.0; n],
            y: vec![1.0; 2 * n],
            f: 0.0,
        }),
        moduli: None,
        truth: Truth::new(
            |x| x.iter().map(|x| (x - 1.0).powi(2) / 2.0).sum(),
            |x| x.iter().map(|x| x - 1.0).collect(),
        ),
    })
}
