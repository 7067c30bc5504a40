//! Problems small enough to check by hand: what the examples of this documentation run on.
//!
//! x and y are one number each.
//!
//! ```
//! use bilevel::{HyperGradient, Key, Unrolled, toys};
//! let problem = toys::following(toys::towards(1.0))?;
//! let method = Unrolled { steps: 200, ..Unrolled::default() };
//! // y ends at x = 3: f = (3 − 1)²/2, and df/dx = 3 − 1.
//! let (gradient, report) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
//! assert!((report.value - 2.0).abs() < 1e-7 && (gradient[0] - 2.0).abs() < 1e-7);
//! # Ok::<(), bilevel::Error>(())
//! ```

use crate::{Closures, FixedStart, Problem, Result};

/// g(x, y) = (y − x)²/2, with all second-order products: the inner variable follows x.
#[must_use]
pub fn follower() -> Closures<f64> {
    let difference = |x: &[f64], y: &[f64]| y[0] - x[0];
    Closures::<f64>::new(
        1,
        1,
        move |x, y, _| difference(x, y).powi(2) / 2.0,
        move |x, y, _, out| out[0] += difference(x, y),
    )
    .with_grad_x(move |x, y, _, out| out[0] -= difference(x, y))
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    )
}

/// f(x, y) = (y − `target`)²/2.
#[must_use]
pub fn towards(target: f64) -> Closures<f64> {
    Closures::<f64>::new(
        1,
        1,
        move |_, y, _| (y[0] - target).powi(2) / 2.0,
        move |_, y, _, out| out[0] += y[0] - target,
    )
}

/// f(x, y) = y.
#[must_use]
pub fn linear() -> Closures<f64> {
    Closures::<f64>::new(1, 1, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0)
}

/// Minimise `outer` over x, where y is trained on [`follower`] from 0.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `outer` has another x or y than one number.
pub fn following(outer: Closures<f64>) -> Result<Problem<f64>> {
    Problem::new(follower(), outer, FixedStart(vec![0.0]))
}
