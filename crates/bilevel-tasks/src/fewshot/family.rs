//! Few-shot tasks as a family that shares x.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bilevel::adjoint::Rollout;
use bilevel::{At, Dynamics, Executor, Key, Problem, Result, TaskFamily};
use bilevel_autodiff::Real;

use super::episode::Episodes;
use super::objectives::{Pictures, Tasks};
use crate::Error;
use crate::model::predictions;

/// Tasks with their objectives; task `number` is a pure function of the key and its number.
pub struct Family<T> {
    /// The objectives.
    pub tasks: Arc<Tasks<T>>,
    /// What tasks are drawn from.
    pub episodes: Episodes,
    /// Of the draws.
    pub key: Key,
    /// Tasks of an outer step.
    pub meta_batch: usize,
}

/// A task with its pictures.
pub struct Opened<T> {
    /// Both objectives, and where training starts.
    pub problem: Problem<T>,
    /// The support set.
    pub support: Pictures<T>,
    /// The query set.
    pub query: Pictures<T>,
}

impl<T: Real> Family<T> {
    /// A task with its pictures.
    ///
    /// # Errors
    /// If its data do not fit the objectives.
    pub fn open(&self, number: usize) -> std::result::Result<Opened<T>, Error> {
        let episode = self.episodes.draw(self.key, number);
        let [support, query] = self.episodes.pictures(&episode);
        let task = self.tasks.bind(&support, &query)?;
        Ok(Opened {
            problem: self.tasks.problem(&task)?,
            support,
            query,
        })
    }
}

impl<T: Real> TaskFamily<T> for Family<T> {
    fn x_len(&self) -> usize {
        self.tasks.x_len()
    }

    /// Tasks that no other outer step has.
    fn draw(&self, _: Key, outer_step: usize) -> Vec<usize> {
        let first = outer_step * self.meta_batch;
        (first..first + self.meta_batch).collect()
    }

    fn task(&self, number: usize) -> Result<Problem<T>> {
        match self.open(number) {
            Ok(opened) => Ok(opened.problem),
            Err(Error::Method(error)) => Err(error),
            Err(error) => Err(bilevel::Error::objective(error)),
        }
    }
}

/// How y is trained on the support set of a new task.
pub struct Adaptation<T> {
    /// How y moves.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// How often.
    pub steps: usize,
}

impl<T: Real> Adaptation<T> {
    /// y at the end of training.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn train(&self, problem: &Problem<T>, x: &[T], key: Key) -> Result<Vec<T>> {
        let at = At::new(problem, x, key);
        let mut rollout = Rollout::new(&at, &*self.dynamics, self.steps)?;
        let mut state = rollout.start()?;
        for t in 0..self.steps {
            rollout.advance(t, &mut state)?;
        }
        state.truncate(problem.y_len());
        Ok(state)
    }
}

impl<T: Real> Family<T> {
    /// The share of the query pictures of a task that are classified rightly after training on its support set.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn accuracy(
        &self,
        number: usize,
        x: &[T],
        adaptation: &Adaptation<T>,
    ) -> std::result::Result<f64, Error> {
        let task = self.open(number)?;
        let y = adaptation.train(&task.problem, x, self.key)?;
        let logits = self.tasks.logits(x, &y, &task.query.elements)?;
        let found = predictions(&logits, self.episodes.way);
        Ok(accuracy_of(&found, &task.query.labels))
    }
}

/// The share of predictions that are right.
#[must_use]
pub fn accuracy_of(found: &[u32], labels: &[u32]) -> f64 {
    let right = found
        .iter()
        .zip(labels)
        .filter(|(found, label)| found == label);
    right.count() as f64 / labels.len().max(1) as f64
}

/// `of(number)` for each number below `count`, in order, on the threads of `executor`: the same for any number of threads.
///
/// # Errors
/// The first error in the order of the numbers.
pub fn for_each<R: Send>(
    executor: &dyn Executor,
    count: usize,
    of: impl Fn(usize) -> std::result::Result<R, Error> + Sync,
) -> std::result::Result<Vec<R>, Error> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<_>> = Mutex::new((0..count).map(|_| None).collect());
    executor.on_each_thread(count, &|| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let result = of(number);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done[number] = Some(result);
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Every number has a result once all threads have returned.
    done.into_iter().flatten().collect()
}
