//! No second derivatives: BOME follows the value function of the inner problem.
#![allow(clippy::print_stdout)]

use bilevel::{Bome, Closures, Driver, FixedStart, Key, Problem, RunState, Sgd};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // g = (y − sin x)²/2, f = (y − 0.5)²/2 + x²/100: values and gradients are all there is.
    let g = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - x[0].sin()).powi(2) / 2.0,
        |x, y, _, out| out[0] += y[0] - x[0].sin(),
    )
    .with_grad_x(|x, y, _, out| out[0] += (x[0].sin() - y[0]) * x[0].cos());
    let f = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - 0.5).powi(2) / 2.0 + x[0].powi(2) / 100.0,
        |_, y, _, out| out[0] += y[0] - 0.5,
    )
    .with_grad_x(|x, _, _, out| out[0] += x[0] / 50.0);
    let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
    let (method, optimizer) = (
        Bome {
            steps: 20,
            step_size: 0.5,
            y_step_size: 0.05,
            ..Bome::default()
        },
        Sgd::new(0.05),
    );
    let mut state = RunState::new(vec![0.0], &optimizer);
    Driver::new(&problem, &method, &optimizer, Key::from_seed(0))
        .outer_steps(4000)
        .run(&mut state)?;
    // d/dx [(sin x − 0.5)²/2 + x²/100] = 0.
    let x = state.x[0];
    let slope = (x.sin() - 0.5) * x.cos() + x / 50.0;
    println!("x = {x:.4}, slope of the true objective {slope:.1e}");
    assert!(slope.abs() < 0.02);
    Ok(())
}
