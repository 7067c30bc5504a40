//! `bilevel solve`: solves a test problem with a known answer, with any method.

mod deliver;
mod result;
mod simple;
mod task;
mod text;
mod trajectory;

pub(crate) use task::{first_task, kept_numbers, method_for, named};

use std::time::Instant;

use anyhow::anyhow;
use bilevel::catalogue::{Method, OptimizerChoice, Settings, StepSizeChoice, choose};
use bilevel::optimizer::Projected;
use bilevel::vector::norm;
use bilevel::{Calls, Driver, Iterate, Key, Observer, Optimizer, Problem, RunState};
use bilevel_tasks::cleaning::OracleCalls;
use bilevel_tasks::problem::{Outer, ProblemOptions, TestProblem};

use crate::arguments::SolveArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::parse;
use crate::progress::line;
use crate::solver::SolverChoice;
use deliver::deliver;
use result::{SolveResult, known_optimum};
use trajectory::Trajectory;

pub(crate) fn run(arguments: &SolveArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    Folder::expect_new(common.out.as_deref())?;
    let problem = problem(arguments)?;
    if problem.start.is_empty() {
        return simple::run(arguments, &problem);
    }
    let named = match &arguments.method {
        None => None,
        Some(SolverChoice::Method(choice)) => Some(*choice),
        Some(SolverChoice::Simple(solver)) => {
            return Err(Failure::usage(anyhow!(
                "--method {solver} solves problems without an outer variable, such as simple-bilevel; {} has one",
                problem.name
            )));
        }
    };
    let outer_steps = arguments
        .outer_steps
        .unwrap_or(problem.defaults.outer_steps);
    let task = first_task(&problem, common.seed)?;
    let settings = Settings {
        method: named,
        ..arguments.options.0.clone()
    };
    let method = method_for(&problem, &task, &settings, outer_steps)?;
    let (method, chosen) = within_budget(arguments, method, &task)?;
    let optimizer = optimizer(arguments, &method, &problem);
    let built = method.build::<f64>(&task);
    let mut seen = Seen {
        problem: &problem,
        trajectory: Trajectory::default(),
        last: None,
        inner: Calls::default(),
        outer: Calls::default(),
        complaints: 0,
    };
    let mut state = RunState::new(problem.start.clone(), &*optimizer);
    let begin = Instant::now();
    let mut driver = Driver::new(
        &*problem.family,
        &*built,
        &*optimizer,
        Key::from_seed(common.seed),
    )
    .outer_steps(outer_steps)
    .observer(&mut seen);
    driver.validate().map_err(Failure::usage)?;
    driver.run(&mut state).map_err(Failure::run)?;
    let seconds = begin.elapsed().as_secs_f64();
    let Some(last) = seen.last else {
        return Err(Failure::run(anyhow!("no outer step was made")));
    };
    let true_gradient = problem.true_gradient(&state.x).map_err(Failure::run)?;
    let result = SolveResult {
        problem: problem.name,
        method: method.name(),
        f: last.f,
        outer_gradient_norm: norm(&true_gradient),
        distance: problem.distance(&state.x, &last.y),
        known_optimum: known_optimum(&problem),
        oracle_calls: OracleCalls {
            inner: seen.inner,
            outer: seen.outer,
        },
        seconds,
        outer_steps: state.outer_step,
        steps: method.counted_steps(),
        seed: common.seed,
        status: last.status,
        complaints: seen.complaints,
        adjoint_reason: chosen,
        y: last.y,
        x: state.x,
    };
    deliver(arguments, &problem, &result, &seen.trajectory)
}

fn problem(arguments: &SolveArguments) -> Result<TestProblem, Failure> {
    let numbers = |given: &Option<parse::Numbers>| given.as_ref().map(|given| given.0.clone());
    let options = ProblemOptions {
        dimension: arguments.dimension,
        start: numbers(&arguments.start),
        inner_start: numbers(&arguments.inner_start),
        steps: arguments.options.0.steps,
        step_size: arguments
            .options
            .0
            .step_size
            .and_then(StepSizeChoice::fixed),
        seed: Key::from_seed(arguments.common.seed),
    };
    named(&arguments.problem, &options)
}

/// The method and, with a memory budget, the reason for its derivative.
fn within_budget(
    arguments: &SolveArguments,
    method: Method,
    task: &Problem<f64>,
) -> Result<(Method, Option<String>), Failure> {
    let Some(budget) = &arguments.memory_budget else {
        return Ok((method, None));
    };
    let peak = |method: &Method| -> Result<usize, Failure> {
        let cost = method.build::<f64>(task).cost(task);
        let numbers = cost.work_numbers.saturating_add(kept_numbers(task, &cost)?);
        Ok(numbers.saturating_mul(size_of::<f64>()))
    };
    let typed = arguments.options.0.adjoint.is_some();
    let has_tape = task.inner().has_tape() && task.outer().has_tape();
    let (method, chosen) = choose(method, typed, has_tape, budget, &peak)?;
    if !arguments.common.quiet {
        line(&chosen.why);
    }
    Ok((method, Some(chosen.why)))
}

fn optimizer(
    arguments: &SolveArguments,
    method: &Method,
    problem: &TestProblem,
) -> Box<dyn Optimizer<f64>> {
    let usual = match problem.defaults.outer_optimizer {
        Outer::Sgd { rate, decay } => OptimizerChoice::Sgd { rate, decay },
        Outer::Adam { rate } => OptimizerChoice::Adam(rate),
    };
    let optimizer = method.optimizer(arguments.outer_optimizer, usual).build();
    match &problem.x_bounds {
        None => optimizer,
        Some(bounds) => Box::new(Projected {
            optimizer,
            bounds: bounds.clone(),
        }),
    }
}

/// What is kept of the iterates.
struct Seen<'p> {
    problem: &'p TestProblem,
    trajectory: Trajectory,
    last: Option<Last>,
    inner: Calls,
    outer: Calls,
    complaints: usize,
}

struct Last {
    f: f64,
    y: Vec<f64>,
    status: String,
}

impl Observer<f64> for Seen<'_> {
    fn observe(
        &mut self,
        iterate: &Iterate<'_, f64>,
    ) -> bilevel::Result<Option<bilevel::driver::Why>> {
        let report = iterate.report;
        let gradient = self
            .problem
            .true_gradient(iterate.x)
            .map_err(bilevel::Error::observer)?;
        self.trajectory.push(iterate, norm(&gradient));
        self.inner += report.inner_calls;
        self.outer += report.outer_calls;
        self.complaints += usize::from(!report.status.is_good());
        self.last = Some(Last {
            f: report.value,
            y: report.y.clone(),
            status: report.status.to_string(),
        });
        Ok(None)
    }
}
