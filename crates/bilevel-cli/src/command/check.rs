//! `bilevel check`: is the hypergradient right?

use bilevel::catalogue::{AdjointChoice, Defaults, Method, ProbabilityChoice, Setting};
use bilevel::check::{Comparison, adjoint_dot_test, forward_check, gradient_check, replay_check};
use bilevel::{At, Checkpointed, HyperGradient, Key, Probability, Problem};
use bilevel_tasks::cleaning::{Cleaning, CleaningData, Split, TrainingSpecification, random_x};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::model::Model;
use serde::Serialize;

use crate::arguments::CheckArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::table::{cells, table};

/// Rows of the digits: enough for mini-batches, few enough for hundreds of trainings.
const SPLIT: Split = Split {
    train: 200,
    trusted: 100,
    test: 0,
};
const DIRECTIONS: usize = 3;
/// Checkpoints are tried if they cost at most this many times the plain steps.
const EFFORT: u128 = 60;

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

    fn bits(check: String, same: bool) -> Self {
        Self {
            check,
            relative_error: None,
            tolerance: None,
            passed: same,
        }
    }
}

#[derive(Serialize)]
struct CheckResult {
    method: String,
    rows: usize,
    trusted: usize,
    seed: u64,
    passed: bool,
    checks: Vec<Line>,
}

/// A hypergradient and the point at which it is checked.
struct Checks<'a> {
    method: &'a Method,
    problem: &'a Problem<f64>,
    x: &'a [f64],
    key: Key,
    tolerance: Option<f64>,
}

impl Checks<'_> {
    /// All checks that apply to this kind of method: only an exact method agrees with central differences; only
    /// unrolled steps have a forward mode and can be replayed from fewer states.
    fn all(&self, built: &dyn HyperGradient<f64>) -> bilevel::Result<Vec<Line>> {
        let (problem, x, key) = (self.problem, self.x, self.key);
        let allowed = |own: f64| self.tolerance.unwrap_or(own);
        let exact = self.method.is_exact();
        let mut lines = Vec::new();
        if exact {
            let tolerance = allowed(1e-7);
            let compared = gradient_check(built, &At::new(problem, x, key), DIRECTIONS, tolerance)?;
            lines.push(Line::new("central differences", compared));
        }
        if self.method.is_unrolled()
            && let Some(adjoint) = self.method.settings.adjoint
        {
            let unrolled = self.method.settings.unrolled::<f64>(adjoint);
            let tolerance = allowed(1e-10);
            if exact {
                let compared =
                    forward_check(&unrolled, &At::new(problem, x, key), DIRECTIONS, tolerance)?;
                lines.push(Line::new("forward against reverse mode", compared));
            }
            if exact {
                self.replays(adjoint, &mut lines)?;
            }
        }
        if self.method.entry().takes(Setting::Dynamics) {
            let (dynamics, tolerance) = (self.method.settings.dynamics::<f64>(), allowed(1e-10));
            let compared = adjoint_dot_test(&*dynamics, &At::new(problem, x, key), tolerance)?;
            lines.push(Line::new("adjoint dot test of a step", compared));
        }
        if let (true, Some(adjoint)) = (
            self.method.entry().takes(Setting::Probability),
            self.method.settings.adjoint,
        ) {
            let mut always = self.method.clone();
            always.settings.probability = ProbabilityChoice(Probability::Fixed(1.0));
            let exact = self.method.settings.unrolled::<f64>(adjoint);
            let same = replay_check(&*always.build(problem), &exact, &At::new(problem, x, key))?;
            lines.push(Line::bits(format!("--probability 1 = {adjoint}"), same));
        }
        lines.push(Line::bits(
            "asked twice".to_owned(),
            replay_check(built, built, &At::new(problem, x, key))?,
        ));
        Ok(lines)
    }

    /// Checks that checkpoints give the same bits as reverse mode.
    fn replays(&self, adjoint: AdjointChoice, lines: &mut Vec<Line>) -> bilevel::Result<()> {
        let reverse = self.method.settings.unrolled::<f64>(AdjointChoice::Reverse);
        let mut tried = vec![1, 2, 5, 20];
        if let AdjointChoice::Checkpointed { slots } = adjoint {
            tried.push(slots);
            tried.sort_unstable();
            tried.dedup();
        }
        for slots in tried {
            let own = AdjointChoice::Checkpointed { slots };
            let cost = Checkpointed { slots }.forward_steps(self.method.settings.steps);
            if adjoint != own && cost > EFFORT * self.method.settings.steps as u128 {
                continue;
            }
            let checkpointed = self.method.settings.unrolled::<f64>(own);
            let same = replay_check(
                &reverse,
                &checkpointed,
                &At::new(self.problem, self.x, self.key),
            )?;
            lines.push(Line::bits(format!("checkpointed:{slots} = reverse"), same));
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let key = Key::from_seed(common.seed);
    Folder::expect_new(common.out.as_deref())?;
    let method = Method::new(&arguments.method.0, Defaults::TRAINING)?.expect_inner_weight(0)?;
    let corruption = Corruption {
        kind: CorruptionKind::Other,
        rate: 0.5,
    };
    let data =
        CleaningData::draw(&digits(), SPLIT, Some(&corruption), key).map_err(Failure::usage)?;
    let settings = TrainingSpecification::from(&arguments.training).settings(Model::Softmax);
    let cleaning = Cleaning::<f64>::new(&data, &settings, key).map_err(Failure::usage)?;
    let problem = cleaning.problem();
    let built = method.build::<f64>(problem);
    built.validate(problem).map_err(Failure::usage)?;
    let x = random_x(key, SPLIT.train);
    let checks = Checks {
        method: &method,
        problem,
        x: &x,
        key,
        tolerance: arguments.tolerance,
    };
    let checks = checks.all(&*built).map_err(Failure::run)?;
    let result = CheckResult {
        method: method.name(),
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
        "The hypergradient of cleaning {} handwritten digits with {} trusted ones, method {}{}{}, in f64:\n\n{}",
        result.rows,
        result.trusted,
        result.method,
        method
            .schedule()
            .map_or(String::new(), |schedule| format!(" ({schedule})")),
        method
            .counted_steps()
            .map_or(String::new(), |steps| format!(", {steps} inner steps")),
        table(&rows)
    )
}
