//! First-order gradients end where nothing is stationary; debiased by a coin they do not.
#![allow(clippy::print_stdout)]

use bilevel::{
    Checkpointed, Debiased, Driver, FirstOrder, GradientDescent, Hyper, HyperGradient, Key,
    Probability, RunState, Unrolled,
};
use bilevel_tasks::problem::{ProblemOptions, test_problem};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = test_problem("ufo-counterexample", &ProblemOptions::default())?;
    let dynamics = || {
        Box::new(GradientDescent {
            step_size: Hyper::Fixed(problem.defaults.step_size),
            ..GradientDescent::default()
        })
    };
    let steps = problem.defaults.steps;
    let first_order = Unrolled {
        dynamics: dynamics(),
        steps,
        adjoint: Box::new(FirstOrder),
    };
    // K = 10: the exact part in constant memory, once in ten steps.
    let ufo = Debiased::ufo(
        &problem.family.task(0)?,
        || dynamics(),
        steps,
        Box::new(Checkpointed { slots: 1 }),
        Probability::Fixed(0.1),
    );
    let slope = |method: &dyn HyperGradient<f64>| -> Result<f64, Box<dyn std::error::Error>> {
        let optimizer = problem.defaults.outer_optimizer.optimizer();
        let mut state = RunState::new(problem.start.clone(), &*optimizer);
        Driver::new(&*problem.family, method, &*optimizer, Key::from_seed(1))
            .outer_steps(problem.defaults.outer_steps)
            .run(&mut state)?;
        Ok(problem.true_gradient(&state.x)?[0].abs())
    };
    let (biased, unbiased) = (slope(&first_order)?, slope(&ufo)?);
    println!("slope at the end: first order {biased:.3}, ufo {unbiased:.3}");
    assert!(biased > 0.29 && unbiased < 0.2);
    Ok(())
}
