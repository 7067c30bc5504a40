//! Problems without an outer variable.

use std::time::Instant;

use anyhow::anyhow;
use bilevel::catalogue::{Setting, StepSizeChoice};
use bilevel::simple::{
    BigSam, FerrisMangasarian, SimpleBilevel, SimpleSolver, Solodov, SolutionStatus, Tikhonov,
};
use bilevel_tasks::cleaning::OracleCalls;
use bilevel_tasks::problem::TestProblem;

use super::deliver::deliver;
use super::result::{SolveResult, known_optimum};
use super::task::first_task;
use super::trajectory::Trajectory;
use crate::advice::spelled;
use crate::arguments::SolveArguments;
use crate::failure::Failure;
use crate::solver::{SOLVERS, SimpleChoice, SolverChoice};

/// The solver with the given settings.
fn solver(
    choice: SimpleChoice,
    arguments: &SolveArguments,
    problem: &TestProblem,
) -> Result<Box<dyn SimpleSolver<f64>>, Failure> {
    let steps = arguments.options.0.steps;
    let takes: &[Setting] = match choice {
        SimpleChoice::BigSam | SimpleChoice::Solodov => &[Setting::Steps, Setting::StepSize],
        SimpleChoice::Tikhonov | SimpleChoice::FerrisMangasarian => &[Setting::Steps],
    };
    let typed = arguments
        .options
        .0
        .given()
        .find(|option| !takes.contains(option));
    let other = [
        (arguments.outer_steps.is_some(), "--outer-steps"),
        (arguments.outer_optimizer.is_some(), "--outer-optimizer"),
        (arguments.memory_budget.is_some(), "--memory-budget"),
        (arguments.trajectory.is_some(), "--trajectory"),
    ];
    let other = other
        .iter()
        .find_map(|&(given, name)| given.then(|| name.to_owned()));
    if let Some(option) = typed.map(|setting| spelled(setting.name())).or(other) {
        return Err(Failure::usage(anyhow!(
            "{option} has no meaning with --method {choice}, which solves a problem without an outer variable: leave it out"
        )));
    }
    Ok(match choice {
        SimpleChoice::BigSam => {
            let moduli = problem.moduli.ok_or_else(|| {
                Failure::usage(anyhow!(
                    "--method big-sam needs constants that {} does not state",
                    problem.name
                ))
            })?;
            let step_size = problem.defaults.step_size;
            Box::new(BigSam {
                inner_step: step_size,
                outer_step: step_size,
                steps: problem.defaults.steps,
                ..BigSam::new(moduli)
            })
        }
        SimpleChoice::Solodov => {
            let own = Solodov::default();
            Box::new(Solodov {
                steps: problem.defaults.steps,
                step_size: arguments
                    .options
                    .0
                    .step_size
                    .and_then(StepSizeChoice::fixed)
                    .unwrap_or(own.step_size),
                ..own
            })
        }
        SimpleChoice::Tikhonov => {
            let own = Tikhonov::default();
            Box::new(Tikhonov {
                steps: steps.unwrap_or(own.steps),
                ..own
            })
        }
        SimpleChoice::FerrisMangasarian => {
            let own = FerrisMangasarian::default();
            Box::new(FerrisMangasarian {
                steps: steps.unwrap_or(own.steps),
                ..own
            })
        }
    })
}

/// Solves a problem without an outer variable; methods that move an outer variable are refused.
pub(super) fn run(arguments: &SolveArguments, problem: &TestProblem) -> Result<(), Failure> {
    let choice = match arguments.method {
        None => SimpleChoice::BigSam,
        Some(SolverChoice::Simple(choice)) => choice,
        // The same map, which the method `bigsam` also differentiates.
        Some(SolverChoice::Method(method)) if method.entry.name == "bigsam" => SimpleChoice::BigSam,
        Some(SolverChoice::Method(method)) => {
            return Err(Failure::usage(anyhow!(
                "--method {method}: the hypergradient is empty because {} has no outer variable; expected {}",
                problem.name,
                SOLVERS.map(|(name, _)| name).join(", ")
            )));
        }
    };
    let solver = solver(choice, arguments, problem)?;
    let task = first_task(problem, arguments.common.seed)?;
    let pair =
        SimpleBilevel::of(&task, &problem.start, problem.y_set.clone()).map_err(Failure::usage)?;
    solver.validate().map_err(Failure::usage)?;
    let begin = Instant::now();
    let solution = solver
        .solve(&pair, &problem.inner_start)
        .map_err(Failure::run)?;
    let result = SolveResult {
        problem: problem.name,
        method: choice.to_string(),
        f: solution.outer_value,
        outer_gradient_norm: 0.0,
        known_optimum: known_optimum(problem),
        distance: problem.distance(&problem.start, &solution.y),
        oracle_calls: OracleCalls {
            inner: solution.inner_calls,
            outer: solution.outer_calls,
        },
        seconds: begin.elapsed().as_secs_f64(),
        outer_steps: 0,
        steps: Some(solution.steps),
        seed: arguments.common.seed,
        complaints: usize::from(solution.status != SolutionStatus::Good),
        status: solution.status.to_string(),
        adjoint_reason: None,
        x: problem.start.clone(),
        y: solution.y,
    };
    deliver(arguments, problem, &result, &Trajectory::default())
}
