//! Small bilevel problems with known solutions, and how to run a method on them.

use bilevel::driver::RunState;
use bilevel::optimizer::Projected;
use bilevel::{
    At, Bounds, Closures, Cost, Driver, FixedStart, HyperGradient, Key, Memory, Optimizer, Problem,
    Report, Scalar, Sgd,
};

/// g = (y − x)²/2, f = (y − 1)²/2 + (x − 3)²/2, from y = `start`: optimum x = y = 2.
pub(crate) fn quadratic<T: Scalar>(start: f64) -> Problem<T> {
    let half = T::from_f64(0.5);
    let (one, three) = (T::one(), T::from_f64(3.0));
    let g = Closures::<T>::new(
        1,
        1,
        move |x, y, _| half * (y[0] - x[0]).powi(2),
        |x, y, _, out| out[0] += y[0] - x[0],
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let f = Closures::<T>::new(
        1,
        1,
        move |x, y, _| half * ((y[0] - one).powi(2) + (x[0] - three).powi(2)),
        move |_, y, _, out| out[0] += y[0] - one,
    )
    .with_grad_x(move |x, _, _, out| out[0] += x[0] - three)
    .with_second_order(
        |_, _, _, v, y_bar, _| y_bar[0] += v[0],
        |_, _, _, _, dy, out| out[0] += dy[0],
    );
    Problem::new(g, f, FixedStart(vec![T::from_f64(start)])).unwrap()
}

/// g = (y − x)²/2 or y²/2, f = (y − 1)²/2 + xy or without the last term, from y = 0.
pub(crate) fn entering(inner: bool, outer: bool) -> Problem<f64> {
    let (a, b) = (f64::from(inner), f64::from(outer));
    let mut g = Closures::<f64>::new(
        1,
        1,
        move |x, y, _| (y[0] - a * x[0]).powi(2) / 2.0,
        move |x, y, _, out| out[0] += y[0] - a * x[0],
    )
    .with_second_order(
        move |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= a * v[0];
        },
        move |_, _, _, dx, dy, out| out[0] += dy[0] - a * dx[0],
    );
    if inner {
        g = g.with_grad_x(|x, y, _, out| out[0] += x[0] - y[0]);
    }
    let mut f = Closures::<f64>::new(
        1,
        1,
        move |x, y, _| (y[0] - 1.0).powi(2) / 2.0 + b * x[0] * y[0],
        move |x, y, _, out| out[0] += y[0] - 1.0 + b * x[0],
    )
    .with_second_order(
        move |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] += b * v[0];
        },
        move |_, _, _, dx, dy, out| out[0] += dy[0] + b * dx[0],
    );
    if outer {
        f = f.with_grad_x(|_, y, _, out| out[0] += y[0]);
    }
    Problem::new(g, f, FixedStart(vec![0.0])).unwrap()
}

/// g = 3(y − 2x)²/2, f = (y − 1)²/2 + xy, from y = 0: every derivative is another number.
///
/// ∇_y g = 3(y − 2x), ∇_x g = −6(y − 2x), ∇_y f = y − 1 + x, ∇_x f = y.
pub(crate) fn lopsided() -> Problem<f64> {
    let g = Closures::<f64>::new(
        1,
        1,
        |x, y, _| 1.5 * (y[0] - 2.0 * x[0]).powi(2),
        |x, y, _, out| out[0] += 3.0 * (y[0] - 2.0 * x[0]),
    )
    .with_grad_x(|x, y, _, out| out[0] -= 6.0 * (y[0] - 2.0 * x[0]))
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += 3.0 * v[0];
            x_bar[0] -= 6.0 * v[0];
        },
        |_, _, _, dx, dy, out| out[0] += 3.0 * dy[0] - 6.0 * dx[0],
    );
    let f = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - 1.0).powi(2) / 2.0 + x[0] * y[0],
        |x, y, _, out| out[0] += y[0] - 1.0 + x[0],
    )
    .with_grad_x(|_, y, _, out| out[0] += y[0])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] += v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] + dx[0],
    );
    Problem::new(g, f, FixedStart(vec![0.0])).unwrap()
}

/// min ‖x − y₂‖²/2 + ‖y₁ − e‖²/2 over y in argmin ‖y₁‖²/2 − ⟨x, y₁⟩ with y₂ free (arXiv 2006.04045),
/// in `dimension` numbers each: optimum all ones. Training starts at y = `start` everywhere.
pub(crate) fn non_unique(dimension: usize, start: f64) -> Problem<f64> {
    let d = dimension;
    let half_square = |z: f64| z * z / 2.0;
    let g = Closures::<f64>::new(
        d,
        2 * d,
        move |x, y, _| (0..d).map(|i| half_square(y[i]) - x[i] * y[i]).sum(),
        move |x, y, _, out| (0..d).for_each(|i| out[i] += y[i] - x[i]),
    )
    .with_grad_x(move |_, y, _, out| (0..d).for_each(|i| out[i] -= y[i]))
    .with_second_order(
        move |_, _, _, v, y_bar, x_bar| {
            for i in 0..d {
                y_bar[i] += v[i];
                x_bar[i] -= v[i];
            }
        },
        move |_, _, _, dx, dy, out| (0..d).for_each(|i| out[i] += dy[i] - dx[i]),
    );
    let f = Closures::<f64>::new(
        d,
        2 * d,
        move |x, y, _| {
            let each = |i: usize| half_square(x[i] - y[d + i]) + half_square(y[i] - 1.0);
            (0..d).map(each).sum()
        },
        move |x, y, _, out| {
            for i in 0..d {
                out[i] += y[i] - 1.0;
                out[d + i] += y[d + i] - x[i];
            }
        },
    )
    .with_grad_x(move |x, y, _, out| (0..d).for_each(|i| out[i] += x[i] - y[d + i]))
    .with_second_order(
        move |_, _, _, v, y_bar, x_bar| {
            for i in 0..d {
                y_bar[i] += v[i];
                y_bar[d + i] += v[d + i];
                x_bar[i] -= v[d + i];
            }
        },
        move |_, _, _, dx, dy, out| {
            for i in 0..d {
                out[i] += dy[i];
                out[d + i] += dy[d + i] - dx[i];
            }
        },
    );
    Problem::new(g, f, FixedStart(vec![start; 2 * d])).unwrap()
}

/// x after `outer_steps` updates, and the report at it.
pub(crate) fn run_with<T: Scalar>(
    method: &dyn HyperGradient<T>,
    problem: &Problem<T>,
    optimizer: &dyn Optimizer<T>,
    x: Vec<T>,
    outer_steps: usize,
) -> (Vec<T>, Report<T>) {
    let key = Key::from_seed(0);
    let mut state = RunState::new(x, optimizer);
    let mut driver = Driver::new(problem, method, optimizer, key).outer_steps(outer_steps);
    driver.run(&mut state).unwrap();
    let report = method
        .evaluate(
            &At::new(problem, &state.x, key).outer_step(state.outer_step),
            &state.memory,
        )
        .unwrap();
    (state.x, report)
}

/// The same with plain gradient descent, x kept between `bounds`.
pub(crate) fn run_in(
    method: &dyn HyperGradient<f64>,
    problem: &Problem<f64>,
    (rate, bounds): (f64, [f64; 2]),
    x: Vec<f64>,
    outer_steps: usize,
) -> (Vec<f64>, Report<f64>) {
    let optimizer = Projected {
        optimizer: Sgd::new(rate),
        bounds: Bounds::uniform(bounds[0], bounds[1]).unwrap(),
    };
    run_with(method, problem, &optimizer, x, outer_steps)
}

/// x and y after `outer_steps` updates of `rate` from x = 0, for one number each.
pub(crate) fn run(
    method: &dyn HyperGradient<f64>,
    problem: &Problem<f64>,
    rate: f64,
    outer_steps: usize,
) -> [f64; 2] {
    let (x, report) = run_in(
        method,
        problem,
        (rate, [-100.0, 100.0]),
        vec![0.0],
        outer_steps,
    );
    [x[0], report.y[0]]
}

/// The first `estimates` at a fixed x: the hypergradients and the reports.
pub(crate) fn estimates<T: Scalar>(
    method: &dyn HyperGradient<T>,
    problem: &Problem<T>,
    x: &[T],
    estimates: usize,
) -> (Vec<Vec<T>>, Vec<Report<T>>) {
    let (mut memory, key) = (Memory::default(), Key::from_seed(0));
    let mut out = vec![T::zero(); x.len()];
    (0..estimates)
        .map(|outer_step| {
            let report = method
                .estimate(
                    &At::new(problem, x, key).outer_step(outer_step),
                    &mut memory,
                    &mut out,
                )
                .unwrap();
            (out.clone(), report)
        })
        .unzip()
}

/// That an estimate made the calls that were predicted.
pub(crate) fn assert_calls(what: &str, report: &Report<f64>, predicted: &Cost) {
    for (calls, predicted) in [
        (report.inner_calls, predicted.inner.untaped()),
        (report.outer_calls, predicted.outer.untaped()),
    ] {
        for (oracle, found) in calls.iter() {
            let name = format!("{what}, {}", oracle.name());
            assert_near(&name, found as f64, predicted[oracle], 1e-9);
        }
    }
}

/// That `found` is `expected` but for `tolerance`.
pub(crate) fn assert_near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not {expected} within {tolerance}"
    );
}
