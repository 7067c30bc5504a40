//! `bilevel solve`: the test problems with known answers, by any method.

mod simple;
mod text;
mod trajectory;

use std::time::Instant;

use anyhow::anyhow;
use bilevel::catalogue::{Defaults, Method, OptimizerChoice, Settings, choose};
use bilevel::optimizer::Projected;
use bilevel::vector::norm;
use bilevel::{Calls, Cost, Draw, Driver, Iterate, Key, Observer, Optimizer, Problem, RunState};
use bilevel_tasks::cleaning::OracleCalls;
use bilevel_tasks::problem::{Outer, ProblemOptions, TestProblem, names, test_problem};
use serde::Serialize;

use crate::arguments::SolveArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::parse;
use crate::progress::line;
pub(crate) use simple::SolverChoice;
use trajectory::Trajectory;

/// What was reached.
#[derive(Serialize)]
pub(super) struct SolveResult {
    problem: &'static str,
    method: String,
    x: Vec<f64>,
    y: Vec<f64>,
    /// Of the outer objective at (x, y).
    f: f64,
    /// Of the true objective: f at the inner solution that it likes best.
    outer_gradient_norm: f64,
    known_optimum: Option<KnownOptimum>,
    distance: Option<f64>,
    oracle_calls: OracleCalls,
    seconds: f64,
    outer_steps: usize,
    /// K, where steps of training are counted.
    steps: Option<usize>,
    seed: u64,
    /// What the method says of its last estimate.
    status: String,
    /// Estimates that were less than the method promises.
    complaints: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjoint_reason: Option<String>,
}

#[derive(Serialize)]
struct KnownOptimum {
    x: Vec<f64>,
    y: Vec<f64>,
    f: f64,
}

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
                "--method {solver} solves problems without an outer variable, as simple-bilevel; {} has one",
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
            inner: seen.inner.into(),
            outer: seen.outer.into(),
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

/// The method for one of the tasks of a problem; a pair that makes no sense is refused.
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

fn problem(arguments: &SolveArguments) -> Result<TestProblem, Failure> {
    let numbers = |given: &Option<parse::Numbers>| given.as_ref().map(|given| given.0.clone());
    let options = ProblemOptions {
        dimension: arguments.dimension,
        start: numbers(&arguments.start),
        inner_start: numbers(&arguments.inner_start),
        steps: arguments.options.0.steps,
        step_size: arguments.options.0.step_size,
        seed: Key::from_seed(arguments.common.seed),
    };
    named(&arguments.problem, &options)
}

/// The problem of that name.
pub(crate) fn named(name: &str, options: &ProblemOptions) -> Result<TestProblem, Failure> {
    if !names().contains(&name) {
        return Err(Failure::usage(anyhow!(
            "expected the name of a problem, found {name:?}{}; known are {}",
            parse::suggestion(name, names()),
            names().join(", ")
        )));
    }
    test_problem(name, options).map_err(Failure::usage)
}

/// One of the tasks: they differ in numbers alone.
pub(crate) fn first_task(problem: &TestProblem, seed: u64) -> Result<Problem<f64>, Failure> {
    let family = &problem.family;
    let numbers = family.draw(Key::from_seed(seed), 0);
    let number = numbers.first().copied().unwrap_or(0);
    family.task(number).map_err(Failure::usage)
}

/// Numbers of states, buffers and tapes.
pub(crate) fn kept_numbers(task: &Problem<f64>, cost: &Cost) -> Result<usize, Failure> {
    let x = vec![0.0; task.x_len()];
    let mut numbers = cost.kept_numbers;
    for (objective, oracles) in [(task.inner(), cost.inner), (task.outer(), cost.outer)] {
        if cost.kept_tapes > 0 && oracles.linearizations > 0.0 {
            let tapes = (oracles.linearizations as usize).min(cost.kept_tapes);
            let mut at = objective.at(&x).map_err(Failure::usage)?;
            let len = at.tape().map_or(0, |tape| tape.tape_len(Draw::All));
            numbers = numbers.saturating_add(tapes.saturating_mul(len));
        }
    }
    Ok(numbers)
}

/// The method, and why its derivative was chosen, where there is a budget of memory.
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

fn known_optimum(problem: &TestProblem) -> Option<KnownOptimum> {
    problem.optimum.as_ref().map(|optimum| KnownOptimum {
        x: optimum.x.clone(),
        y: optimum.y.clone(),
        f: optimum.f,
    })
}

/// What is left of the iterates.
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

/// Hands the result over, with the trajectory where one is asked for.
fn deliver(
    arguments: &SolveArguments,
    problem: &TestProblem,
    result: &SolveResult,
    trajectory: &Trajectory,
) -> Result<(), Failure> {
    if let Some(path) = &arguments.trajectory {
        std::fs::write(path, trajectory.csv()).map_err(|error| {
            Failure::usage(anyhow!(error).context(format!(
                "--trajectory {}: it cannot be written",
                path.display()
            )))
        })?;
    }
    let common = &arguments.common;
    let document = crate::output::json(result)?;
    if common.out.is_some() {
        Folder::create(common.out.as_deref(), "solve", |folder| {
            folder.write("trajectory.csv", trajectory.csv())?;
            folder.write("result.json", &document)
        })?;
    }
    if result.complaints > 0 && !common.quiet {
        line(&format!(
            "warning: {} of {} estimates were less than the method promises; the last: {}",
            result.complaints,
            result.outer_steps + 1,
            result.status
        ));
    }
    if common.json {
        crate::output::print(&document)
    } else if common.quiet {
        Ok(())
    } else {
        crate::output::print(&text::text(problem, result))
    }
}
