//! The outer loop.

mod stop;
mod why;

pub use stop::{GradientNorm, Patience};
pub use why::Why;

use std::time::{Duration, Instant};

use crate::error::{expect_length, require};
use crate::hypergradient::{HyperGradient, Report};
use crate::optimizer::{self, Optimizer, Update};
use crate::vector::{all_finite, norm};
use crate::{
    CallingThread, Error, Executor, Key, Memory, OverTasks, Quantity, Result, Scalar, TaskFamily,
};

/// Minimises over x by following hypergradients.
///
/// At x_0, x_1, …: estimate the hypergradient at x_t, show it to the observers (which may
/// stop the run), let the optimizer compute x_{t+1}. The last x is estimated and observed
/// too, so T updates have T + 1 observations.
pub struct Driver<'a, T> {
    problem: &'a dyn TaskFamily<T>,
    method: &'a dyn HyperGradient<T>,
    optimizer: &'a dyn Optimizer<T>,
    key: Key,
    outer_steps: usize,
    time_limit: Option<Duration>,
    executor: &'a dyn Executor,
    observers: Vec<&'a mut dyn Observer<T>>,
}

/// The state of a run between two steps. Together with the key it determines everything
/// that follows, so a stored state continues with the same bits.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RunState<T> {
    /// x_t.
    pub x: Vec<T>,
    /// The optimizer's own state.
    pub optimizer: Vec<T>,
    /// What the method remembers: warm starts, running estimates.
    pub memory: Memory<T>,
    /// t, the number of updates so far.
    pub outer_step: usize,
    /// Time spent before this process, for a continued run.
    pub elapsed: Duration,
}

impl<T: Scalar> RunState<T> {
    /// The state before the first step.
    #[must_use]
    pub fn new(x: Vec<T>, optimizer: &dyn Optimizer<T>) -> Self {
        let optimizer = optimizer::initial_state(optimizer, x.len());
        Self {
            x,
            optimizer,
            memory: Memory::default(),
            outer_step: 0,
            elapsed: Duration::ZERO,
        }
    }
}

/// One point of a run.
#[derive(Clone, Copy, Debug)]
pub struct Iterate<'r, T> {
    /// t: how many updates led here.
    pub outer_step: usize,
    /// x_t.
    pub x: &'r [T],
    /// The hypergradient at x_t.
    pub hypergradient: &'r [T],
    /// f(x_t, y_K), y_K and the oracle calls at x_t.
    pub report: &'r Report<T>,
    /// Time since the start of the run.
    pub elapsed: Duration,
}

impl<T: Scalar> Iterate<'_, T> {
    /// ‖hypergradient‖₂.
    #[must_use]
    pub fn hypergradient_norm(&self) -> f64 {
        norm(self.hypergradient)
    }
}

/// Sees every iterate: to write histories, show progress, keep the best, stop the run.
pub trait Observer<T> {
    /// Called once for each iterate, in order. A reason ends the run after the other
    /// observers have seen this iterate too.
    ///
    /// # Errors
    /// An error ends the run and is passed on.
    fn observe(&mut self, iterate: &Iterate<'_, T>) -> Result<Option<Why>>;

    /// Called after each update, with a state from which the run can be continued: every
    /// iterate before it has been observed. The place for checkpoints; does nothing by
    /// default.
    ///
    /// # Errors
    /// An error ends the run and is passed on.
    fn updated(&mut self, _state: &RunState<T>) -> Result<()> {
        Ok(())
    }
}

impl<'a, T: Scalar> Driver<'a, T> {
    /// Solves `problem`, which may be a family of tasks: estimates the hypergradient with `method` and
    /// moves x with `optimizer`. All draws of the run come from `key`. Defaults: 100 updates, no time limit,
    /// no observers, one thread for the tasks.
    #[must_use]
    pub fn new(
        problem: &'a dyn TaskFamily<T>,
        method: &'a dyn HyperGradient<T>,
        optimizer: &'a dyn Optimizer<T>,
        key: Key,
    ) -> Self {
        Self {
            problem,
            method,
            optimizer,
            key,
            outer_steps: 100,
            time_limit: None,
            executor: &CallingThread,
            observers: vec![],
        }
    }

    /// T, the largest number of updates; at least 1.
    #[must_use]
    pub fn outer_steps(mut self, outer_steps: usize) -> Self {
        self.outer_steps = outer_steps;
        self
    }

    /// Starts no further update after this time, counted from the start of the run, including the
    /// time before a run was continued.
    #[must_use]
    pub fn time_limit(mut self, time_limit: Option<Duration>) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Runs the tasks of an outer step on the threads of `executor`: faster, with the same bits.
    #[must_use]
    pub fn executor(mut self, executor: &'a dyn Executor) -> Self {
        self.executor = executor;
        self
    }

    /// Adds an observer, which sees every iterate after those added before it, and may stop the run.
    #[must_use]
    pub fn observer(mut self, observer: &'a mut dyn Observer<T>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Checks everything that can be checked before the first step.
    ///
    /// # Errors
    /// A setting out of range, or a method that makes no sense for the problem.
    pub fn validate(&self) -> Result<()> {
        require(
            self.outer_steps >= 1,
            "outer_steps",
            "at least 1",
            self.outer_steps,
        )?;
        self.optimizer.validate(self.problem.x_len())?;
        self.over_tasks().validate(self.key)
    }

    fn over_tasks(&self) -> OverTasks<'a, T> {
        OverTasks::new(self.problem, self.method).on(self.executor)
    }

    /// Runs from `state` until an observer, the time limit or the last step ends the run, and
    /// returns which. `state` is then the last iterate, with the memory from before its estimate;
    /// a run continued from it estimates and shows that iterate once more.
    ///
    /// # Errors
    /// As [`Driver::validate`], or the error that stopped the run; `state` is then the last
    /// good iterate.
    pub fn run(&mut self, state: &mut RunState<T>) -> Result<Why> {
        self.validate()?;
        expect_length("x", self.problem.x_len(), state.x.len())?;
        optimizer::expect_state(self.optimizer, state.x.len(), &state.optimizer)?;
        let (begin, before) = (Instant::now(), state.elapsed);
        let mut hypergradient = vec![T::zero(); state.x.len()];
        let mut next = state.clone();
        loop {
            next.clone_from(state);
            let report = self.over_tasks().estimate(
                &state.x,
                &mut next.memory,
                self.key,
                state.outer_step,
                &mut hypergradient,
            )?;
            state.elapsed = before + begin.elapsed();
            let iterate = Iterate {
                outer_step: state.outer_step,
                x: &state.x,
                hypergradient: &hypergradient,
                report: &report,
                elapsed: state.elapsed,
            };
            let mut why = None;
            for observer in &mut self.observers {
                why = why.or(observer.observe(&iterate)?);
            }
            if let Some(why) = why.or_else(|| self.limit_reached(&iterate)) {
                return Ok(why);
            }
            next.elapsed = state.elapsed;
            let at = Update {
                step: state.outer_step,
                value: report.value,
                gradient: &hypergradient,
            };
            self.optimizer
                .update(&at, &mut next.memory, &mut next.optimizer, &mut next.x);
            if !all_finite(&next.x) {
                return Err(Error::NonFinite {
                    what: Quantity::OuterVariable,
                    inner_step: None,
                    outer_step: Some(state.outer_step),
                });
            }
            next.outer_step += 1;
            std::mem::swap(state, &mut next);
            for observer in &mut self.observers {
                observer.updated(state)?;
            }
        }
    }

    fn limit_reached(&self, iterate: &Iterate<'_, T>) -> Option<Why> {
        if iterate.outer_step >= self.outer_steps {
            Some(Why::LastStep)
        } else if self
            .time_limit
            .is_some_and(|limit| iterate.elapsed >= limit)
        {
            Some(Why::TimeLimit)
        } else {
            None
        }
    }
}

/// Records every iterate's number, value and gradient norm: the simplest observer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trace {
    /// (t, f(x_t, y_K), ‖hypergradient‖), in order.
    pub points: Vec<(usize, f64, f64)>,
}

impl<T: Scalar> Observer<T> for Trace {
    fn observe(&mut self, iterate: &Iterate<'_, T>) -> Result<Option<Why>> {
        self.points.push((
            iterate.outer_step,
            iterate.report.value.to_double(),
            iterate.hypergradient_norm(),
        ));
        Ok(None)
    }
}
