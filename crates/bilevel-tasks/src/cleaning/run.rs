//! A run of a cleaning task: its state between two steps, and its result.

use std::collections::BTreeMap;
use std::time::Duration;

use bilevel::driver::{Patience, Why};
use bilevel::dynamics::Weights;
use bilevel::{
    Calls, Draw, Driver, HyperGradient, Iterate, Key, Memory, Objective, Observer, Optimizer,
    RunState,
};
use serde::{Deserialize, Serialize};

use super::{Cleaning, weights};
use crate::Error;
use crate::metrics::CleaningMetrics;
use crate::model::Real;

/// One outer step of a run: x after `step` updates, and the figures of training at this x.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OuterStep {
    /// Number of updates before this step; 0 at the start.
    pub step: usize,
    /// Time since the start of the run.
    pub seconds: f64,
    /// f(y_K) over all trusted rows that are not held out.
    pub f: f64,
    /// g(x, y_K) over all training rows.
    pub g: f64,
    /// ‖hypergradient‖₂ at x.
    pub hypergradient_norm: f64,
    /// Mean cross-entropy of the held-out trusted rows, if there are any.
    pub held_out: Option<f64>,
    /// The metrics at x, if the true labels are known.
    pub metrics: Option<CleaningMetrics>,
    /// Why the estimate falls short of what the method promises, if it does.
    pub complaint: Option<String>,
    /// Other figures that the method reports, by name.
    pub figures: BTreeMap<String, f64>,
    /// Calls of the inner objective so far, counted only in estimates.
    pub inner_calls: Calls,
    /// Calls of the outer objective so far, counted only in estimates.
    pub outer_calls: Calls,
}

/// The outer step that would be kept if the run ended now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Kept<T> {
    /// Its figures.
    pub step: OuterStep,
    /// Its x.
    pub x: Vec<T>,
    /// Its y_K.
    pub y: Vec<T>,
}

/// What a run has learned from the outer steps so far.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Progress<T> {
    /// Number of observed outer steps.
    pub observed: usize,
    /// The best held-out loss, and the number of outer steps since.
    pub patience: Patience,
    /// The step that is kept so far.
    pub kept: Option<Kept<T>>,
    /// Number of estimates that fell short of what the method promises.
    pub complaints: usize,
    /// Calls of the inner objective so far.
    pub inner_calls: Calls,
    /// Calls of the outer objective so far.
    pub outer_calls: Calls,
}

/// Everything needed to continue a run with the same bits.
#[derive(Clone, PartialEq, Debug)]
pub struct CleaningState<T> {
    /// x, the optimizer's state, and the position of the run.
    pub run: RunState<T>,
    /// What it has learned so far.
    pub progress: Progress<T>,
}

/// Watches a run. Implemented by closures that take an [`OuterStep`].
pub trait Watch<T> {
    /// Called for each outer step, in order. A returned reason ends the run.
    ///
    /// # Errors
    /// An error ends the run and is passed on; the step then counts as not observed.
    fn step(&mut self, step: &OuterStep) -> Result<Option<Why>, Error>;

    /// Called after each update with a state from which the run can be continued.
    ///
    /// # Errors
    /// An error ends the run and is passed on.
    fn updated(&mut self, _run: &RunState<T>, _progress: &Progress<T>) -> Result<(), Error> {
        Ok(())
    }
}

impl<T, F: FnMut(&OuterStep)> Watch<T> for F {
    fn step(&mut self, step: &OuterStep) -> Result<Option<Why>, Error> {
        self(step);
        Ok(None)
    }
}

impl<T> Progress<T> {
    /// Before the first outer step; a run ends after so many without improvement.
    fn new(patience: usize) -> Self {
        Self {
            observed: 0,
            patience: Patience::new(patience),
            kept: None,
            complaints: 0,
            inner_calls: Calls::default(),
            outer_calls: Calls::default(),
        }
    }
}

impl<T: Real> CleaningState<T> {
    /// Of a job that learns no weights.
    pub(super) fn empty() -> Self {
        Self {
            run: RunState {
                x: Vec::new(),
                optimizer: Vec::new(),
                memory: Memory::default(),
                outer_step: 0,
                elapsed: Duration::ZERO,
            },
            progress: Progress::new(1),
        }
    }
}

impl<T: Real> Cleaning<T> {
    /// The state before the first outer step: every weight is one half.
    #[must_use]
    pub fn start(&self, optimizer: &dyn Optimizer<T>) -> CleaningState<T> {
        CleaningState {
            run: RunState::new(vec![T::zero(); self.problem.x_len()], optimizer),
            progress: Progress::new(self.settings.patience),
        }
    }

    /// Cleans: starts at `state`, follows the hypergradient of `method` with `optimizer`, shows
    /// every outer step to `watch`, and returns why the run ended. The run can be continued from
    /// the final `state`.
    ///
    /// # Errors
    /// The method's refusal before the run, or the error that stopped the run; `state` is then
    /// the last good one.
    pub fn run(
        &self,
        state: &mut CleaningState<T>,
        method: &dyn HyperGradient<T>,
        optimizer: &dyn Optimizer<T>,
        key: Key,
        watch: &mut dyn Watch<T>,
    ) -> Result<Why, Error> {
        let limit = self.settings.time_limit;
        self.run_for(limit, state, (method, optimizer), key, watch)
    }

    /// The same with another time limit, counted from the start of the run.
    pub(super) fn run_for(
        &self,
        time_limit: Option<Duration>,
        state: &mut CleaningState<T>,
        (method, optimizer): (&dyn HyperGradient<T>, &dyn Optimizer<T>),
        key: Key,
        watch: &mut dyn Watch<T>,
    ) -> Result<Why, Error> {
        self.expect_state(state, optimizer)?;
        let mut watcher = Watcher {
            cleaning: self,
            method,
            key,
            progress: &mut state.progress,
            watch,
        };
        let why = Driver::new(&self.problem, method, optimizer, key)
            .outer_steps(self.settings.outer_steps)
            .time_limit(time_limit)
            .observer(&mut watcher)
            .run(&mut state.run)?;
        Ok(why)
    }

    /// Checks that a state belongs to a task of this shape.
    ///
    /// # Errors
    /// A different number of weights, of parameters, or of numbers in the optimizer's state.
    pub fn expect_state(
        &self,
        state: &CleaningState<T>,
        optimizer: &dyn Optimizer<T>,
    ) -> Result<(), Error> {
        let expect = |what, expected, found| {
            if expected == found {
                Ok(())
            } else {
                Err(Error::Method(bilevel::Error::Length {
                    what,
                    expected,
                    found,
                }))
            }
        };
        let (x_len, y_len) = (self.problem.x_len(), self.problem.y_len());
        let run = &state.run;
        expect("x", x_len, run.x.len())?;
        let optimizer_len = optimizer.state_len(x_len);
        expect(
            "the state of the optimizer",
            optimizer_len,
            run.optimizer.len(),
        )?;
        if let Some(kept) = &state.progress.kept {
            expect("the kept x", x_len, kept.x.len())?;
            expect("the kept y", y_len, kept.y.len())?;
        }
        Ok(())
    }
}

/// The result of cleaning.
#[derive(Clone, PartialEq, Debug)]
pub struct Cleaned<T> {
    /// One weight for each training row, at the kept step.
    pub weights: Vec<f64>,
    /// x at the kept step.
    pub x: Vec<T>,
    /// y_K at the kept step.
    pub y: Vec<T>,
    /// The kept step.
    pub step: OuterStep,
    /// Total number of updates.
    pub outer_steps: usize,
    /// Why the run ended.
    pub why: Why,
    /// All calls of the inner objective.
    pub inner_calls: Calls,
    /// All calls of the outer objective.
    pub outer_calls: Calls,
}

impl<T: Real> Cleaned<T> {
    /// The result of a run that has ended.
    ///
    /// # Errors
    /// If no outer step has been observed.
    pub fn new(state: &CleaningState<T>, why: Why) -> Result<Self, Error> {
        let progress = &state.progress;
        let kept = progress.kept.as_ref().ok_or(Error::NoOuterStep)?;
        Ok(Self {
            weights: weights(&kept.x),
            x: kept.x.clone(),
            y: kept.y.clone(),
            step: kept.step.clone(),
            outer_steps: state.run.outer_step,
            why,
            inner_calls: progress.inner_calls,
            outer_calls: progress.outer_calls,
        })
    }
}

const TRUSTED: &str = "the loss on all trusted rows";
const TRAINING: &str = "the weighted loss on all training rows";

struct Watcher<'w, T> {
    cleaning: &'w Cleaning<T>,
    method: &'w dyn HyperGradient<T>,
    key: Key,
    progress: &'w mut Progress<T>,
    watch: &'w mut dyn Watch<T>,
}

impl<T: Real> Watcher<'_, T> {
    /// An objective at the end of an iterate's training, over all rows.
    fn value(
        &self,
        name: &'static str,
        objective: &dyn Objective<T>,
        iterate: &Iterate<'_, T>,
        y: &[T],
    ) -> bilevel::Result<f64> {
        let value = objective.at(iterate.x)?.value(y, Draw::All)?;
        if value.is_finite() {
            Ok(value.to_double())
        } else {
            Err(bilevel::Error::NonFinite {
                what: bilevel::Quantity::Figure(name),
                inner_step: None,
                outer_step: Some(iterate.outer_step),
            })
        }
    }

    /// Fails if what training follows ended above its start, over all rows: with mini-batches too.
    fn expect_descent(&self, iterate: &Iterate<'_, T>, f: f64, g: f64) -> bilevel::Result<()> {
        let problem = &self.cleaning.problem;
        let weights = self.method.follows(iterate.outer_step).unwrap_or(Weights {
            outer: 1.0,
            inner: 1.0,
        });
        let mut start = vec![T::zero(); problem.y_len()];
        problem.start().start(iterate.x, self.key, &mut start)?;
        let sum = |f: f64, g: f64| weights.outer * f + weights.inner * g;
        let before = sum(
            self.value(TRUSTED, problem.outer(), iterate, &start)?,
            self.value(TRAINING, problem.inner(), iterate, &start)?,
        );
        let after = sum(f, g);
        // The sums over many rows are rounded.
        if after > before + 1e-4 * before.abs() {
            return Err(bilevel::Error::NotDescended {
                start: before,
                end: after,
                outer_step: iterate.outer_step,
            });
        }
        Ok(())
    }

    /// The figures of an iterate.
    fn look(&self, iterate: &Iterate<'_, T>) -> bilevel::Result<OuterStep> {
        let problem = &self.cleaning.problem;
        let value = |name, objective: &dyn Objective<T>| {
            self.value(name, objective, iterate, &iterate.report.y)
        };
        let f = value(TRUSTED, problem.outer())?;
        let g = value(TRAINING, problem.inner())?;
        self.expect_descent(iterate, f, g)?;
        let held_out = self.cleaning.held_out.as_deref();
        let report = iterate.report;
        Ok(OuterStep {
            step: iterate.outer_step,
            seconds: iterate.elapsed.as_secs_f64(),
            f,
            g,
            hypergradient_norm: iterate.hypergradient_norm(),
            held_out: held_out
                .map(|objective| value("the loss on the held-out rows", objective))
                .transpose()?,
            metrics: self
                .cleaning
                .metrics(&weights(iterate.x))
                .map_err(bilevel::Error::objective)?,
            complaint: (!report.status.is_good()).then(|| report.status.to_string()),
            figures: report
                .figures
                .iter()
                .map(|(name, value)| (name.to_string(), *value))
                .collect(),
            inner_calls: self.progress.inner_calls + report.inner_calls,
            outer_calls: self.progress.outer_calls + report.outer_calls,
        })
    }
}

impl<T: Real> Observer<T> for Watcher<'_, T> {
    fn observe(&mut self, iterate: &Iterate<'_, T>) -> bilevel::Result<Option<Why>> {
        let exhausted =
            |progress: &Progress<T>| progress.patience.exhausted().then_some(Why::NoImprovement);
        // A run stopped by the user or the time limit shows its last iterate again when continued.
        if iterate.outer_step < self.progress.observed {
            return Ok(exhausted(self.progress));
        }
        let step = self.look(iterate)?;
        let asked = self.watch.step(&step).map_err(bilevel::Error::observer)?;
        let progress = &mut *self.progress;
        progress.observed = iterate.outer_step + 1;
        progress.complaints += usize::from(step.complaint.is_some());
        progress.inner_calls = step.inner_calls;
        progress.outer_calls = step.outer_calls;
        let better = step
            .held_out
            .is_none_or(|loss| progress.patience.improved(loss, step.step));
        if better {
            progress.kept = Some(Kept {
                step,
                x: iterate.x.to_vec(),
                y: iterate.report.y.clone(),
            });
        }
        Ok(exhausted(progress).or(asked))
    }

    fn updated(&mut self, state: &RunState<T>) -> bilevel::Result<()> {
        self.watch
            .updated(state, self.progress)
            .map_err(bilevel::Error::observer)
    }
}
