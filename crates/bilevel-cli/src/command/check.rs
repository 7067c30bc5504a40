//! `bilevel check`: is the hypergradient right?

use bilevel::check::{
    Comparison, adjoint_dot_test, forward_check, gradient_check, random_direction, replay_check,
};
use bilevel::{Checkpointed, HyperGradient, Key, Stream};
use bilevel_tasks::cleaning::{Cleaning, CleaningData, CleaningSettings, Split};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;
use serde::Serialize;

use crate::arguments::{CheckArguments, MethodArguments};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::method::Method;
use crate::parse::AdjointChoice;
use crate::table::{cells, table};

/// Rows of the digits: enough for mini-batches, few enough for hundreds of trainings.
const SPLIT: Split = Split {
    train: 200,
    trusted: 100,
    test: 0,
};
const DIRECTIONS: usize = 3;
/// Checkpoints are tried where they cost at most so many times the plain steps.
const EFFORT: u128 = 60;

/// Where a row weight x is drawn from the normal distribution: not only at the start, x = 0,
/// where a wrong derivative may look right.
pub(crate) fn random_x(key: Key, rows: usize) -> Vec<f64> {
    const POINT: u64 = 1 << 32;
    let mut x: Vec<f64> = random_direction(key.stream(Stream::Check).fold_in(POINT), rows);
    for value in &mut x {
        *value *= (rows as f64).sqrt();
    }
    x
}

/// The settings of the problem that these options state, without a hold-out.
pub(crate) fn settings(arguments: &MethodArguments) -> CleaningSettings {
    CleaningSettings {
        batch: arguments.batch,
        trusted_batch: arguments.trusted_batch,
        weight_decay: arguments.weight_decay,
        early_stopping: None,
        ..CleaningSettings::default()
    }
}

#[derive(Serialize)]
struct Line {
    check: String,
    /// None for a comparison of bits.
    relative_error: Option<f64>,
    tolerance: Option<f64>,
    passed: bool,
}

impl Line {
    fn new(check: &str, comparison: Comparison) -> Self {
        Self {
            check: check.to_owned(),
            relative_error: Some(comparison.relative_error),
            tolerance: Some(comparison.tolerance),
            passed: comparison.passed(),
        }
    }
}

#[derive(Serialize)]
struct CheckResult {
    method: &'static str,
    rows: usize,
    trusted: usize,
    seed: u64,
    passed: bool,
    checks: Vec<Line>,
}

pub(crate) fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let key = Key::from_seed(common.seed);
    Folder::expect_new(common.out.as_deref())?;
    let method = Method::new(&arguments.method, 0)?;
    let corruption = Corruption {
        kind: CorruptionKind::Other,
        rate: 0.5,
    };
    let data =
        CleaningData::draw(&digits(), SPLIT, Some(&corruption), key).map_err(Failure::usage)?;
    let cleaning =
        Cleaning::<f64>::new(&data, &settings(&arguments.method), key).map_err(Failure::usage)?;
    let unrolled = method.build::<f64>();
    let problem = cleaning.problem();
    unrolled.validate(problem).map_err(Failure::usage)?;

    let x = random_x(key, SPLIT.train);
    let allowed = |own: f64| arguments.tolerance.unwrap_or(own);
    let reverse = method.build_with::<f64>(AdjointChoice::Reverse);
    let mut checks = vec![
        Line::new(
            "central differences",
            gradient_check(&unrolled, problem, &x, key, DIRECTIONS, allowed(1e-7))
                .map_err(Failure::run)?,
        ),
        Line::new(
            "forward against reverse mode",
            forward_check(&unrolled, problem, &x, key, DIRECTIONS, allowed(1e-10))
                .map_err(Failure::run)?,
        ),
        Line::new(
            "adjoint dot test of a step",
            adjoint_dot_test(&*unrolled.dynamics, problem, &x, key, allowed(1e-10))
                .map_err(Failure::run)?,
        ),
    ];
    let mut tried = vec![1, 2, 5, 20];
    if let AdjointChoice::Checkpointed { slots } = method.adjoint {
        tried.push(slots);
        tried.sort_unstable();
        tried.dedup();
    }
    for slots in tried {
        let own = method.adjoint == AdjointChoice::Checkpointed { slots };
        let cost = Checkpointed { slots }.forward_steps(method.steps);
        if !own && cost > EFFORT * method.steps as u128 {
            continue;
        }
        let checkpointed = method.build_with::<f64>(AdjointChoice::Checkpointed { slots });
        checks.push(Line {
            check: format!("checkpointed:{slots} = reverse"),
            relative_error: None,
            tolerance: None,
            passed: replay_check(&reverse, &checkpointed, problem, &x, key)
                .map_err(Failure::run)?,
        });
    }
    let result = CheckResult {
        method: method.name,
        rows: SPLIT.train,
        trusted: SPLIT.trusted,
        seed: common.seed,
        passed: checks.iter().all(|line| line.passed),
        checks,
    };
    super::deliver(common, "check", &result, || text(&method, &result))?;
    if result.passed {
        Ok(())
    } else {
        Err(Failure::run(anyhow::anyhow!(
            "the hypergradient check failed: {} of {} figures are out of tolerance",
            result.checks.iter().filter(|line| !line.passed).count(),
            result.checks.len()
        )))
    }
}

fn text(method: &Method, result: &CheckResult) -> String {
    let mut rows = vec![cells(["check", "relative error", "allowed", ""])];
    for line in &result.checks {
        let exponent = |value: Option<f64>, otherwise: &str| {
            value.map_or(otherwise.to_owned(), |value| format!("{value:.1e}"))
        };
        let bits = if line.passed {
            "same bits"
        } else {
            "other bits"
        };
        rows.push(vec![
            line.check.clone(),
            exponent(line.relative_error, bits),
            exponent(line.tolerance, "same bits"),
            if line.passed { "ok" } else { "FAILED" }.to_owned(),
        ]);
    }
    format!(
        "The hypergradient of cleaning {} handwritten digits with {} trusted ones, method {}{}, {} inner steps, in f64:\n\n{}",
        result.rows,
        result.trusted,
        method.name,
        method
            .schedule()
            .map_or(String::new(), |schedule| format!(" ({schedule})")),
        method.steps,
        table(&rows)
    )
}
