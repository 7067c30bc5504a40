//! The smallest complete case: an inner and an outer objective by hand, the hypergradient, a check of it.
#![allow(clippy::print_stdout)]

use bilevel::{At, Closures, FixedStart, HyperGradient, Key, Problem, Unrolled, check};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // g = (y − 3)²/2 + eˣ y²/2, f = (y − 2)²/2.
    let g = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - 3.0).powi(2) / 2.0 + x[0].exp() * y[0].powi(2) / 2.0,
        |x, y, _, out| out[0] += y[0] - 3.0 + x[0].exp() * y[0],
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0].exp() * y[0].powi(2) / 2.0)
    .with_second_order(
        |x, y, _, v, y_bar, x_bar| {
            y_bar[0] += (1.0 + x[0].exp()) * v[0];
            x_bar[0] += x[0].exp() * y[0] * v[0];
        },
        |x, y, _, dx, dy, out| out[0] += (1.0 + x[0].exp()) * dy[0] + x[0].exp() * y[0] * dx[0],
    );
    let f = Closures::<f64>::new(
        1,
        1,
        |_, y, _| (y[0] - 2.0).powi(2) / 2.0,
        |_, y, _, out| out[0] += y[0] - 2.0,
    );
    let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
    let (method, key) = (Unrolled::default(), Key::from_seed(0));
    let (hypergradient, report) = method.gradient(&problem, &[0.0], key)?;
    let check = check::gradient_check(&method, &At::new(&problem, &[0.0], key), 1, 1e-7)?;
    println!(
        "y_K = {:.6}, f = {:.6}, hypergradient = {:.6}, differs from central differences by {:.1e}",
        report.y[0], report.value, hypergradient[0], check.relative_error
    );
    assert!(check.passed() && (hypergradient[0] - 0.375).abs() < 1e-6);
    Ok(())
}
