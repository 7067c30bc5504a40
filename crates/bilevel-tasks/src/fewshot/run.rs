//! A run of few-shot learning: its state between two steps.

use std::collections::BTreeMap;

use bilevel::driver::Why;
use bilevel::{Calls, Executor, Iterate, Observer, RunState};
use serde::{Deserialize, Serialize};

use super::family::{Adaptation, Family, for_each};
use crate::Error;
use crate::checkpoint::JobCheckpoint;

/// One outer step of a run: x after `step` updates. A line of `history.jsonl`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FewshotStep {
    /// Number of updates before this step; 0 at the start.
    pub step: usize,
    /// Time since the start of the run.
    pub seconds: f64,
    /// The mean over the tasks of the step of the loss on their query sets after training.
    pub f: f64,
    /// ‖hypergradient‖₂ at x.
    pub hypergradient_norm: f64,
    /// The mean accuracy on validation tasks, at some steps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<f64>,
    /// Why the estimate falls short of what the method promises, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complaint: Option<String>,
    /// Other figures that the method reports, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub figures: BTreeMap<String, f64>,
    /// Calls of the inner objectives so far, counted only in estimates.
    pub inner_calls: Calls,
}

/// The x that would be kept if the run ended now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BestX {
    /// Number of updates before it.
    pub step: usize,
    /// Its accuracy on validation tasks.
    pub accuracy: f64,
    /// x.
    pub x: Vec<f32>,
}

/// What a run has learned from the outer steps so far.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FewshotProgress {
    /// Number of observed outer steps.
    pub observed: usize,
    /// The best x on validation tasks; the first of several.
    pub best: Option<BestX>,
    /// Number of estimates that fell short of what the method promises.
    pub complaints: usize,
    /// Calls of the inner objectives so far.
    pub inner_calls: Calls,
}

/// A run between two steps: everything needed to continue it bit for bit, or, for a finished run, what it printed.
pub type FewshotCheckpoint<'a> = JobCheckpoint<'a, FewshotProgress>;

/// Everything needed to continue a run with the same bits.
#[derive(Clone, PartialEq, Debug)]
pub struct FewshotState {
    /// x, the optimizer's state, and the position of the run.
    pub run: RunState<f32>,
    /// What it has learned so far.
    pub progress: FewshotProgress,
}

/// Watches a run.
pub trait FewshotWatch {
    /// Called for each outer step, in order. A returned reason ends the run.
    ///
    /// # Errors
    /// An error ends the run and is passed on; the step then counts as not observed.
    fn step(&mut self, step: &FewshotStep, best: Option<&BestX>) -> Result<Option<Why>, Error>;

    /// Called after each update with a state from which the run can be continued.
    ///
    /// # Errors
    /// An error ends the run and is passed on.
    fn updated(&mut self, run: &RunState<f32>, progress: &FewshotProgress) -> Result<(), Error>;
}

/// Nothing is watched.
impl FewshotWatch for () {
    fn step(&mut self, _: &FewshotStep, _: Option<&BestX>) -> Result<Option<Why>, Error> {
        Ok(None)
    }

    fn updated(&mut self, _: &RunState<f32>, _: &FewshotProgress) -> Result<(), Error> {
        Ok(())
    }
}

/// How x is judged in a run.
pub(super) struct Validation<'a> {
    pub(super) family: &'a Family<f32>,
    pub(super) adaptation: &'a Adaptation<f32>,
    /// Tasks.
    pub(super) tasks: usize,
    /// Updates between two validations.
    pub(super) every: usize,
    /// The last outer step.
    pub(super) last: usize,
    pub(super) executor: &'a dyn Executor,
}

impl Validation<'_> {
    fn accuracy(&self, x: &[f32]) -> Result<f64, Error> {
        let accuracies = for_each(self.executor, self.tasks, |number| {
            self.family.accuracy(number, x, self.adaptation)
        })?;
        Ok(accuracies.iter().sum::<f64>() / accuracies.len().max(1) as f64)
    }
}

pub(super) struct Watcher<'w> {
    pub(super) validation: Validation<'w>,
    pub(super) progress: &'w mut FewshotProgress,
    pub(super) watch: &'w mut dyn FewshotWatch,
}

impl Observer<f32> for Watcher<'_> {
    fn observe(&mut self, iterate: &Iterate<'_, f32>) -> bilevel::Result<Option<Why>> {
        // A run stopped by the user or the time limit shows its last iterate again when continued.
        if iterate.outer_step < self.progress.observed {
            return Ok(None);
        }
        let number = iterate.outer_step;
        let judged = number.is_multiple_of(self.validation.every) || number == self.validation.last;
        let validation = match judged {
            true => Some(
                self.validation
                    .accuracy(iterate.x)
                    .map_err(bilevel::Error::observer)?,
            ),
            false => None,
        };
        let report = iterate.report;
        let progress = &mut *self.progress;
        let inner_calls = progress.inner_calls + report.inner_calls;
        let best = progress.best.as_ref().map_or(-1.0, |best| best.accuracy);
        let best = validation.filter(|&accuracy| accuracy > best);
        let best = best.map(|accuracy| BestX {
            step: number,
            accuracy,
            x: iterate.x.to_vec(),
        });
        let step = FewshotStep {
            step: number,
            seconds: iterate.elapsed.as_secs_f64(),
            f: f64::from(report.value),
            hypergradient_norm: iterate.hypergradient_norm(),
            validation,
            complaint: (!report.status.is_good()).then(|| report.status.to_string()),
            figures: report
                .figures
                .iter()
                .map(|(name, value)| (name.to_string(), *value))
                .collect(),
            inner_calls,
        };
        let shown = best.as_ref().or(progress.best.as_ref());
        let asked = self
            .watch
            .step(&step, shown)
            .map_err(bilevel::Error::observer)?;
        progress.observed = number + 1;
        progress.complaints += usize::from(step.complaint.is_some());
        progress.inner_calls = inner_calls;
        if best.is_some() {
            progress.best = best;
        }
        Ok(asked)
    }

    fn updated(&mut self, state: &RunState<f32>) -> bilevel::Result<()> {
        self.watch
            .updated(state, self.progress)
            .map_err(bilevel::Error::observer)
    }
}
