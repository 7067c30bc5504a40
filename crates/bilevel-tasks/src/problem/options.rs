//! The options of a test problem.

use bilevel::Key;

use super::Defaults;
use super::expected::expect_length;
use crate::Error;

/// The options of a test problem; `None` selects the problem's default.
///
/// | option | default | purpose |
/// |---|---|---|
/// | `dimension` | the problem's | its size, see [`problem`](crate::problem) |
/// | `start` | the problem's | x_0 |
/// | `inner_start` | the problem's | y_0 |
/// | `steps`, `step_size` | the problem's | training; part of the problem `ufo-counterexample` itself |
/// | `seed` | `Key::from_seed(0)` | draws random starts, and the data of `ridge` |
#[derive(Clone, PartialEq, Debug)]
pub struct ProblemOptions {
    /// The size of the problem.
    pub dimension: Option<usize>,
    /// x_0.
    pub start: Option<Vec<f64>>,
    /// y_0.
    pub inner_start: Option<Vec<f64>>,
    /// K, inner steps.
    pub steps: Option<usize>,
    /// s, the step size of training.
    pub step_size: Option<f64>,
    /// The seed of random starts and data.
    pub seed: Key,
}

impl Default for ProblemOptions {
    fn default() -> Self {
        Self {
            dimension: None,
            start: None,
            inner_start: None,
            steps: None,
            step_size: None,
            seed: Key::from_seed(0),
        }
    }
}

impl ProblemOptions {
    /// The dimension, from `least` to `most`.
    pub(super) fn dimension(
        &self,
        problem: &'static str,
        default: usize,
        least: usize,
        most: usize,
    ) -> Result<usize, Error> {
        let found = self.dimension.unwrap_or(default);
        if (least..=most).contains(&found) {
            Ok(found)
        } else {
            Err(Error::Dimension {
                problem,
                least,
                most,
                found,
            })
        }
    }

    /// x_0, with the length of `default`.
    pub(super) fn start(
        &self,
        problem: &'static str,
        default: Vec<f64>,
    ) -> Result<Vec<f64>, Error> {
        given(problem, "the start of x", self.start.as_ref(), default)
    }

    /// y_0, with the length of `default`.
    pub(super) fn inner_start(
        &self,
        problem: &'static str,
        default: Vec<f64>,
    ) -> Result<Vec<f64>, Error> {
        let chosen = self.inner_start.as_ref();
        given(problem, "the start of training", chosen, default)
    }

    /// The defaults with the chosen steps and step size.
    pub(super) fn training(&self, defaults: Defaults) -> Result<Defaults, Error> {
        let steps = self.steps.unwrap_or(defaults.steps);
        let step_size = self.step_size.unwrap_or(defaults.step_size);
        if !(step_size > 0.0 && step_size.is_finite()) {
            return Err(Error::Method(bilevel::Error::Setting {
                field: "step_size",
                range: "a positive number",
                value: step_size.to_string(),
            }));
        }
        Ok(Defaults {
            steps,
            step_size,
            ..defaults
        })
    }
}

fn given(
    problem: &'static str,
    what: &'static str,
    chosen: Option<&Vec<f64>>,
    default: Vec<f64>,
) -> Result<Vec<f64>, Error> {
    let Some(chosen) = chosen else {
        return Ok(default);
    };
    expect_length(problem, what, default.len(), chosen)?;
    match chosen.iter().position(|value| !value.is_finite()) {
        None => Ok(chosen.clone()),
        Some(index) => Err(Error::ProblemNumber {
            problem,
            what,
            index,
            found: chosen[index],
        }),
    }
}
