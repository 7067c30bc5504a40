//! A non-convex inner problem with many solutions.

use std::f64::consts::{FRAC_PI_2, TAU};
use std::sync::Arc;

use bilevel::{FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "bvfsm-toy";

/// a.
const CENTRE: f64 = 2.0;
/// c_i.
const SHIFT: f64 = 2.0;

/// The minimiser −π/2 + 2πk of the sine that is nearest to z.
fn valley(z: f64) -> f64 {
    TAU * ((z + FRAC_PI_2) / TAU).round() - FRAC_PI_2
}

/// f = (x − a)² + Σ (y_i − a − c)²,  g = Σ sin(x + y_i − c), with a = c = 2 and m numbers y_i.
///
/// The inner solutions are x + y_i − c = −π/2 + 2πk. Among these values, f prefers the C nearest
/// to x + a, so φ(x) = (x − a)² + m (C − x − a)². The minimum of φ has the C nearest to 2a, here
/// 3π/2: x = ((1 − m)a + mC)/(1 + m), y_i = C + c − x, φ = m(C − 2a)²/(1 + m).
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    let m = options.dimension(NAME, 1, 1, usize::MAX)?;
    let size = m as f64;
    let inner_start = options.inner_start(NAME, vec![0.0; m])?;
    let outer = separable(1, m, true, move |_, x, y| {
        let (from_centre, from_target) = (x - CENTRE, y - CENTRE - SHIFT);
        Jet {
            value: from_centre.powi(2) / size + from_target.powi(2),
            x: 2.0 * from_centre / size,
            y: 2.0 * from_target,
            xy: 0.0,
            yy: 2.0,
        }
    });
    let inner = separable(1, m, true, |_, x, y| {
        let (sin, cos) = (x + y - SHIFT).sin_cos();
        Jet {
            value: sin,
            x: cos,
            y: cos,
            xy: -sin,
            yy: -sin,
        }
    });
    let best = valley(2.0 * CENTRE);
    let x = ((1.0 - size) * CENTRE + size * best) / (1.0 + size);
    Ok(TestProblem {
        name: NAME,
        summary: "a sine as the inner problem: every valley is a solution, and the outer objective prefers one",
        reference: "Liu et al., BVFSM, arXiv 2110.04974",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![0.0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 50,
            step_size: 0.1,
            outer_steps: 500,
            outer_optimizer: Outer::Sgd {
                rate: 0.01,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![x],
            y: vec![best + SHIFT - x; m],
            f: size * (best - 2.0 * CENTRE).powi(2) / (1.0 + size),
        }),
        moduli: None,
        truth: Truth::new(
            move |x| {
                let miss = valley(x[0] + CENTRE) - x[0] - CENTRE;
                (x[0] - CENTRE).powi(2) + size * miss.powi(2)
            },
            move |x| {
                let miss = valley(x[0] + CENTRE) - x[0] - CENTRE;
                vec![2.0 * (x[0] - CENTRE) - 2.0 * size * miss]
            },
        ),
    })
}
