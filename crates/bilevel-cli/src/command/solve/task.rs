//! Test problems by name, and one of their tasks.

use anyhow::anyhow;
use bilevel::catalogue::{Defaults, Method, Settings};
use bilevel::{Cost, Draw, Key, Oracle, Problem};
use bilevel_tasks::problem::{ProblemOptions, TestProblem, names, test_problem};

use crate::failure::Failure;
use crate::parse;

/// The method for one of the tasks of a problem; an invalid pair is refused.
pub(crate) fn method_for(
    problem: &TestProblem,
    task: &Problem<f64>,
    settings: &Settings,
    outer_steps: usize,
) -> Result<Method, Failure> {
    let defaults = Defaults {
        steps: problem.defaults.steps,
        step_size: problem.defaults.step_size,
        ..Defaults::CLOSED_FORM
    };
    let method = Method::new(settings, defaults)?.kept_in(&problem.y_set)?;
    let method = if task.outer().depends_on_x() || task.start().depends_on_x() {
        method
    } else {
        method.expect_inner_weight(outer_steps)?
    };
    let built = method.build::<f64>(task);
    built.validate(task).map_err(Failure::usage)?;
    Ok(method)
}

/// The problem with this name.
pub(crate) fn named(name: &str, options: &ProblemOptions) -> Result<TestProblem, Failure> {
    if !names().contains(&name) {
        return Err(Failure::usage(anyhow!(
            "expected the name of a problem, found {name:?}{}; known problems: {}",
            parse::suggestion(name, names()),
            names().join(", ")
        )));
    }
    test_problem(name, options).map_err(Failure::usage)
}

/// One of the tasks; the tasks differ only in numbers.
pub(crate) fn first_task(problem: &TestProblem, seed: u64) -> Result<Problem<f64>, Failure> {
    let family = &problem.family;
    let numbers = family.draw(Key::from_seed(seed), 0);
    let number = numbers.first().copied().unwrap_or(0);
    family.task(number).map_err(Failure::usage)
}

/// The count of stored numbers: states, buffers and tapes.
pub(crate) fn kept_numbers(task: &Problem<f64>, cost: &Cost) -> Result<usize, Failure> {
    let x = vec![0.0; task.x_len()];
    let mut numbers = cost.kept_numbers;
    for (objective, oracles) in [(task.inner(), cost.inner), (task.outer(), cost.outer)] {
        if cost.kept_tapes > 0 && oracles[Oracle::Linearize] > 0.0 {
            let tapes = (oracles[Oracle::Linearize] as usize).min(cost.kept_tapes);
            let mut at = objective.at(&x).map_err(Failure::usage)?;
            let len = at.tape().map_or(0, |tape| tape.tape_len(Draw::All));
            numbers = numbers.saturating_add(tapes.saturating_mul(len));
        }
    }
    Ok(numbers)
}
