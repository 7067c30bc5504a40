//! A point at which penalties on the norm of the inner gradient get stuck.

use std::f64::consts::FRAC_PI_3;
use std::sync::Arc;

use bilevel::{FixedStart, Problem, Set};

use super::separable::{Jet, separable};
use super::{Defaults, Optimum, Outer, ProblemOptions, TestProblem, Truth};
use crate::Error;

pub(super) const NAME: &str = "penalty-trap";

/// The y at which f is least and the second derivative of g is zero.
const TRAP: f64 = 2.0 * FRAC_PI_3;

/// f = sin²(y − 2π/3) + x²/2,  g = y² + 2 sin²y.
///
/// The only inner solution is y = 0. At y = 2π/3 both f_y and g_yy vanish, so this point is
/// stationary for f + ν g_y² with every ν: a trap. Training starts there. The paper's example
/// has no outer variable; we add x²/2 to have one.
pub(super) fn problem(options: &ProblemOptions) -> Result<TestProblem, Error> {
    options.dimension(NAME, 1, 1, 1)?;
    let inner_start = options.inner_start(NAME, vec![TRAP])?;
    let outer = separable(1, 1, true, |_, x, y| {
        let z = y - TRAP;
        Jet {
            value: z.sin().powi(2) + x * x / 2.0,
            x,
            y: (2.0 * z).sin(),
            xy: 0.0,
            yy: 2.0 * (2.0 * z).cos(),
        }
    });
    let inner = separable(1, 1, false, |_, _, y| Jet {
        value: y * y + 2.0 * y.sin().powi(2),
        y: 2.0 * y + 2.0 * (2.0 * y).sin(),
        yy: 2.0 + 4.0 * (2.0 * y).cos(),
        ..Jet::default()
    });
    let at_solution = TRAP.sin().powi(2);
    Ok(TestProblem {
        name: NAME,
        summary: "penalties on the norm of the inner gradient get stuck at y = 2π/3; the solution is y = 0",
        reference: "Shen and Chen, V-PBGD, arXiv 2302.05185",
        family: Arc::new(Problem::new(inner, outer, FixedStart(inner_start.clone()))?),
        x_bounds: None,
        y_set: Set::All,
        start: options.start(NAME, vec![1.0])?,
        inner_start,
        defaults: options.training(Defaults {
            steps: 50,
            step_size: 0.1,
            outer_steps: 100,
            outer_optimizer: Outer::Sgd {
                rate: 0.2,
                decay: 0.0,
            },
        })?,
        optimum: Some(Optimum {
            x: vec![0.0],
            y: vec![0.0],
            f: at_solution,
        }),
        moduli: None,
        truth: Truth::new(move |x| at_solution + x[0] * x[0] / 2.0, |x| vec![x[0]]),
    })
}
