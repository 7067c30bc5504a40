//! Checks the hypergradient that updates the weights.

use bilevel::catalogue::Method;
use bilevel::check::{gradient_check, random_direction};
use bilevel::{At, Key, Stream};
use serde::Serialize;

use super::split::CleaningData;
use super::{Cleaning, CleaningSettings};
use crate::Error;

/// Maximum number of multiplications of the check: well below a second.
const CHECK_BUDGET: usize = 4_000_000_000;
const CHECK_ROWS: usize = 200;
const CHECK_TRUSTED_ROWS: usize = 100;
const CHECK_TOLERANCE: f64 = 1e-6;

/// The result of the check of a hypergradient.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct GradientCheck {
    /// None if the check met a non-finite number, or if there is none.
    pub relative_error: Option<f64>,
    /// None for a method that does not promise the gradient of the trained result.
    pub passed: Option<bool>,
}

impl GradientCheck {
    /// Where there is no hypergradient.
    pub(super) fn none() -> Self {
        Self {
            relative_error: None,
            passed: None,
        }
    }

    /// What it found, if it failed.
    pub(super) fn failure(&self) -> Option<String> {
        (self.passed == Some(false)).then(|| match self.relative_error {
            Some(error) => format!(
                "the gradient disagrees with finite differences (relative error {error:.0e})"
            ),
            None => "the gradient could not be compared with finite differences: a number became non-finite".to_owned(),
        })
    }
}

/// Row weights x are drawn from the normal distribution: at the start, x = 0, a wrong
/// derivative may look right.
#[must_use]
pub fn random_x(key: Key, rows: usize) -> Vec<f64> {
    const POINT: u64 = 1 << 32;
    let mut x: Vec<f64> = random_direction(key.stream(Stream::Check).fold_in(POINT), rows);
    for value in &mut x {
        *value *= (rows as f64).sqrt();
    }
    x
}

/// Compares the hypergradient of this task and method with central differences, in double
/// precision, on a sample of the rows and at a random x.
pub(super) fn check(
    data: &CleaningData,
    settings: &CleaningSettings,
    method: &Method,
    key: Key,
) -> GradientCheck {
    if !method.is_exact() {
        return GradientCheck {
            relative_error: None,
            passed: None,
        };
    }
    let compare = || -> Result<_, Error> {
        let (data, settings) = sample(data, settings, method)?;
        let cleaning = Cleaning::<f64>::new(&data, &settings, key)?;
        let x = random_x(key, data.train().rows());
        let problem = cleaning.problem();
        let method = method.build::<f64>(problem);
        Ok(gradient_check(
            &*method,
            &At::new(problem, &x, key),
            1,
            CHECK_TOLERANCE,
        )?)
    };
    match compare() {
        Ok(comparison) => GradientCheck {
            relative_error: Some(comparison.relative_error),
            passed: Some(comparison.passed()),
        },
        Err(_) => GradientCheck {
            relative_error: None,
            passed: Some(false),
        },
    }
}

/// Limits the number of rows, more so if they are wide or the steps are many; mini-batches
/// shrink in proportion.
fn sample(
    data: &CleaningData,
    settings: &CleaningSettings,
    method: &Method,
) -> Result<(CleaningData, CleaningSettings), Error> {
    let (train, trusted) = (data.train(), data.trusted());
    // 32 trainings, with two products per step.
    let row = settings
        .model
        .products(train.columns(), train.classes())
        .saturating_mul(64)
        .saturating_mul(method.settings.steps);
    let affordable = (CHECK_BUDGET / row.max(1)).clamp(20, CHECK_ROWS);
    let rows = train.rows().min(affordable);
    let trusted_rows = trusted.rows().min(CHECK_TRUSTED_ROWS.min(affordable));
    // The rows are already in random order.
    let first = |count: usize| (0..count).collect::<Vec<_>>();
    let sample = CleaningData::new(
        train.select(&first(rows))?,
        None,
        trusted.select(&first(trusted_rows))?,
        None,
    )?;
    let share = |batch: Option<usize>, of: usize, all: usize| {
        batch.map(|batch| (batch * of / all.max(1)).clamp(1, of))
    };
    let settings = CleaningSettings {
        batch: share(settings.batch, rows, train.rows()),
        trusted_batch: share(settings.trusted_batch, trusted_rows, trusted.rows()),
        // Nothing is chosen here.
        early_stopping: None,
        ..settings.clone()
    };
    Ok((sample, settings))
}
