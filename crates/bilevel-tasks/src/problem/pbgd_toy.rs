//! A non-convex inner problem with one solution.

use std::sync::Arc;

use bilevel::{Bounds, FixedStart, Problem, Set};
use rand::RngExt;

use super::minimum::minimum;
use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;
use crate::stream::INSTANCE;

pub(super) const NAME: &str = "pbgd-toy";

const UPPER: f64 = 3.0;

fn outer(x: f64, y: f64) -> Jet {
    let u = 4.0 * x - 2.0;
    let rise = 1.0 / (1.0 + (-u).exp());
    let slope = 4.0 * rise * (1.0 - rise);
    let (sin, cos) = (4.0 * y + 2.0).sin_cos();
    Jet {
        value: cos * rise + (u * u + 1.0).ln() / 2.0,
        x: cos * slope + 4.0 * u / (u * u + 1.0),
        y: -4.0 * sin * rise,
        xy: -4.0 * sin * slope,
        yy: -16.0 * cos * rise,
    }
}

fn inner(x: f64, y: f64) -> Jet {
    let u = x + y;
    let (sin, cos) = (2.0 * u).sin_cos();
    let square = u.sin().powi(2);
    Jet {
        value: u * u + x * square,
        x: 2.0 * u + square + x * sin,
        y: 2.0 * u + x * sin,
        xy: 2.0 + sin + 2.0 * x * cos,
        yy: 2.0 + 2.0 * x * cos,
    }
}

/// f = cos(4y + 2)/(1 + e^{2−4x}) + ln((4x − 2)² + 1)/2,  g = (x + y)² + x sin²(x + y),
/// x in [0, 3].
///
/// S(x) = {−x}, so φ(x) = f(x, −x), a function of one variable with several valleys. The deepest
/// is found on a grid of 140 intervals and refined by bisection of φ'. Both starts are random, as
/// in the paper: x_0 in [0, 3), y_0 in [−3, 0).
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 1, 1, 1)?;
    let mut rng = options.seed.stream(INSTANCE).rng();
    let (x_0, y_0) = (rng.random::<f64>() * UPPER, -rng.random::<f64>() * UPPER);
    let inner_start = options.inner_start(NAME, vec![y_0])?;
    let problem = Problem::new(
        separable(1, 1, true, |_, x, y| inner(x, y)),
        separable(1, 1, true, |_, x, y| outer(x, y)),
        FixedStart(inner_start.clone()),
    )?;
    let value = |x: f64| outer(x, -x).value;
    let slope = |x: f64| {
        let jet = outer(x, -x);
        jet.x - jet.y
    };
    let x = minimum(0.0, UPPER, value, slope);
    Ok(TestProblem {
        name: NAME,
        summary: "a non-convex inner problem with the one solution y = −x, and an outer objective with several valleys",
        reference: "Shen and Chen, V-PBGD, arXiv 2302.05185",
        family: Arc::new(problem),
        x_bounds: Some(Bounds::uniform(0.0, UPPER)?),
        y_set: Set::All,
        start: options.start(NAME, vec![x_0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 50,
            step_size: 0.1,
            outer_steps: 1000,
            outer_optimizer: Outer::Sgd {
                rate: 0.01,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![x],
            y: vec![-x],
            f: value(x),
        }),
        moduli: None,
        truth: Truth::new(move |x| value(x[0]), move |x| vec![slope(x[0])]),
    })
}
