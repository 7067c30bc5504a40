//! The step size and the momentum of training are part of x, learned with the rest.
#![allow(clippy::print_stdout)]

use bilevel::dynamics::{Momentum, Transform};
use bilevel::{
    Adam, At, Closures, Driver, FixedStart, Hyper, HyperGradient, Key, Problem, RunState, Unrolled,
    check,
};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // g is a long valley; ten steps of training are all that there is. f = g.
    let valley = || {
        Closures::<f64>::new(
            2,
            2,
            |_, y, _| (y[0] - 1.0).powi(2) / 2.0 + 0.02 * (y[1] - 1.0).powi(2),
            |_, y, _, out| {
                out[0] += y[0] - 1.0;
                out[1] += 0.04 * (y[1] - 1.0);
            },
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| {
                y_bar[0] += v[0];
                y_bar[1] += 0.04 * v[1];
            },
            |_, _, _, _, dy, out| {
                out[0] += dy[0];
                out[1] += 0.04 * dy[1];
            },
        )
    };
    let problem = Problem::new(valley(), valley(), FixedStart(vec![0.0; 2]))?;
    let from_x = |index, transform| Hyper::FromX { index, transform };
    let method = Unrolled {
        dynamics: Box::new(Momentum {
            step_size: from_x(0, Transform::Exp),
            momentum: from_x(1, Transform::Sigmoid),
            ..Momentum::default()
        }),
        steps: 10,
        ..Unrolled::default()
    };
    let key = Key::from_seed(0);
    let start = vec![-2.0, -2.0];
    assert!(check::gradient_check(&method, &At::new(&problem, &start, key), 2, 1e-7)?.passed());
    let before = method.gradient(&problem, &start, key)?.1.value;
    let optimizer = Adam::new(0.05);
    let mut state = RunState::new(start, &optimizer);
    Driver::new(&problem, &method, &optimizer, key)
        .outer_steps(300)
        .run(&mut state)?;
    let after = method.gradient(&problem, &state.x, key)?.1.value;
    println!(
        "after ten steps of training: {before:.5} -> {after:.5}, step size {:.3}, momentum {:.3}",
        state.x[0].exp(),
        1.0 / (1.0 + (-state.x[1]).exp())
    );
    assert!(after < before / 10.0);
    Ok(())
}
