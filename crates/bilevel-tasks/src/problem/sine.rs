//! A non-convex inner problem whose best solution jumps as x grows.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::Arc;

use bilevel::{Bounds, FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "sine";

/// Tolerance for rounding at a jump.
const ROUNDING: f64 = 1e-12;

/// f = x + xy,  g = −sin(xy),  x in [1, 10],  y in [−2, 2].
///
/// The inner solutions are xy = π/2 + 2πk, and f prefers the smallest one with y ≥ −2:
/// φ(x) = x + π/2 + 2π ⌈(−2x − π/2)/2π⌉ rises with slope 1 and falls by 2π wherever another
/// solution enters. φ is least at the last of these jumps, x = 11π/4, y = −2. It is not
/// stationary there, and not even continuous.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 1, 1, 1)?;
    let inner_start = options.inner_start(NAME, vec![2.0])?;
    let outer = separable(1, 1, true, |_, x, y| Jet {
        value: x + x * y,
        x: 1.0 + y,
        y: x,
        xy: 1.0,
        yy: 0.0,
    });
    let inner = separable(1, 1, true, |_, x, y| {
        let (sin, cos) = (x * y).sin_cos();
        Jet {
            value: -sin,
            x: -y * cos,
            y: -x * cos,
            xy: x * y * sin - cos,
            yy: x * x * sin,
        }
    });
    let x = 11.0 * PI / 4.0;
    Ok(TestProblem {
        name: NAME,
        summary: "a non-convex inner problem: the solution that the outer objective prefers jumps as x grows",
        reference: "Liu et al., IAPTT-GM, arXiv 2110.00455",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: Some(Bounds::uniform(1.0, 10.0)?),
        y_set: Set::Box(Bounds::uniform(-2.0, 2.0)?),
        start: options.start(NAME, vec![1.0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 40,
            step_size: 0.0005,
            outer_steps: 500,
            outer_optimizer: Outer::Sgd {
                rate: 0.1,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![x],
            y: vec![-2.0],
            f: -x,
        }),
        moduli: None,
        truth: Truth::new(
            |x| {
                let k = ((-2.0 * x[0] - FRAC_PI_2) / TAU - ROUNDING).ceil();
                x[0] + FRAC_PI_2 + TAU * k
            },
            |_| vec![1.0],
        ),
    })
}
