//! Many tasks that share one outer variable, as in few-shot learning.

mod executor;
mod mean;

pub use executor::{CallingThread, Executor, Threads};
pub use mean::{OrderedMean, TaskEstimate};

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::hypergradient::{HyperGradient, Remembers, Report};
use crate::{At, Error, Inapplicable, Key, Memory, Problem, Result, Scalar, Stream};

/// Problems that share x: minimise over x the mean of f_i(x, y_i(x)) over tasks i.
///
/// A [`Problem`] is a family with one task.
pub trait TaskFamily<T: Scalar>: Send + Sync {
    /// n, the length of x.
    fn x_len(&self) -> usize;

    /// The numbers of the tasks of one outer step, drawn from `key`, in order; at least one.
    fn draw(&self, key: Key, outer_step: usize) -> Vec<usize>;

    /// The task of that number.
    ///
    /// # Errors
    /// If there is no such task, or it cannot be built.
    fn task(&self, number: usize) -> Result<Problem<T>>;

    /// The only task, if the family is a single problem.
    fn single(&self) -> Option<&Problem<T>> {
        None
    }
}

impl<T: Scalar> TaskFamily<T> for Problem<T> {
    fn x_len(&self) -> usize {
        Problem::x_len(self)
    }

    fn draw(&self, _: Key, _: usize) -> Vec<usize> {
        vec![0]
    }

    fn task(&self, _: usize) -> Result<Problem<T>> {
        Ok(self.clone())
    }

    fn single(&self) -> Option<&Problem<T>> {
        Some(self)
    }
}

/// The mean of the estimates of a method over the tasks of an outer step, added in their order.
///
/// Each task has its own draws, by its place in the outer step: the coins and mini-batches of two tasks
/// are independent. The *variables* that a method [`Remembers`] are kept for each task separately, its
/// statistics for all tasks together.
///
/// Tasks may run at the same time, see [`OverTasks::on`], and give the same bits as a loop over the
/// tasks: each estimate depends only on its own place and memory, and [`OrderedMean`] adds them in
/// order. A task that appears twice in an outer step is estimated in order, because the second estimate
/// starts where the first one ended. A method that keeps statistics for all tasks together sees them
/// one after the other, on the calling thread.
pub struct OverTasks<'a, T> {
    family: &'a dyn TaskFamily<T>,
    method: &'a dyn HyperGradient<T>,
    executor: &'a dyn Executor,
}

impl<'a, T: Scalar> OverTasks<'a, T> {
    /// Estimates the hypergradient of each task of `family` with `method`, on the calling thread.
    #[must_use]
    pub fn new(family: &'a dyn TaskFamily<T>, method: &'a dyn HyperGradient<T>) -> Self {
        Self {
            family,
            method,
            executor: &CallingThread,
        }
    }

    /// Runs the tasks on the threads of `executor`.
    #[must_use]
    pub fn on(self, executor: &'a dyn Executor) -> Self {
        Self { executor, ..self }
    }

    /// Checks the method for the tasks of the first outer step.
    ///
    /// # Errors
    /// As [`HyperGradient::validate`].
    pub fn validate(&self, key: Key) -> Result<()> {
        match self.family.single() {
            Some(problem) => self.method.validate(problem),
            None => self
                .tasks(key, 0)
                .into_iter()
                .try_for_each(|number| self.method.validate(&self.family.task(number)?)),
        }
    }

    /// The numbers of the tasks of an outer step; their indices are the places.
    #[must_use]
    pub fn tasks(&self, key: Key, outer_step: usize) -> Vec<usize> {
        self.family.draw(key.stream(Stream::Task), outer_step)
    }

    /// The estimate of task `number` at `place` of an outer step, from what the method remembers
    /// about it. It depends on nothing else, so any thread or process may compute it.
    ///
    /// # Errors
    /// As [`TaskFamily::task`] and [`HyperGradient::estimate`].
    pub fn estimate_one(
        &self,
        x: &[T],
        key: Key,
        outer_step: usize,
        (place, number): (usize, usize),
        memory: &mut Memory<T>,
    ) -> Result<TaskEstimate<T>> {
        let problem = self.family.task(number)?;
        let key = key.stream(Stream::Task).fold_in(place as u64);
        let mut hypergradient = vec![T::zero(); x.len()];
        let at = At::new(&problem, x, key).outer_step(outer_step);
        let report = self.method.estimate(&at, memory, &mut hypergradient)?;
        Ok(TaskEstimate {
            place,
            hypergradient,
            report,
        })
    }

    /// `out` = the mean hypergradient at `x`, with the report of [`OrderedMean::finish`]; for a single
    /// problem, the report of its estimate.
    ///
    /// # Errors
    /// As [`HyperGradient::estimate`]: the first error in the order of the tasks.
    pub fn estimate(
        &self,
        x: &[T],
        memory: &mut Memory<T>,
        key: Key,
        outer_step: usize,
        out: &mut [T],
    ) -> Result<Report<T>> {
        if let Some(problem) = self.family.single() {
            let at = At::new(problem, x, key).outer_step(outer_step);
            return self.method.estimate(&at, memory, out);
        }
        let numbers = self.tasks(key, outer_step);
        let mean = Mutex::new(OrderedMean::new(numbers.len(), x.len()));
        let add = |place: usize, memory: &mut Memory<T>| {
            let task = (place, numbers[place]);
            let estimate = self.estimate_one(x, key, outer_step, task, memory)?;
            lock(&mean).add(estimate)
        };
        match self.method.remembers() {
            Remembers::Statistics => {
                (0..numbers.len()).try_for_each(|place| add(place, memory))?;
            }
            Remembers::Variables => {
                let name = |number: usize| format!("task {number}");
                let mut chains: Vec<(usize, Mutex<Chain<T>>)> = vec![];
                let mut known = HashMap::new();
                for (place, &number) in numbers.iter().enumerate() {
                    let chain = *known.entry(number).or_insert_with(|| {
                        let memory = std::mem::take(memory.part(&name(number)));
                        let places = vec![];
                        chains.push((number, Mutex::new(Chain { places, memory })));
                        chains.len() - 1
                    });
                    lock(&chains[chain].1).places.push(place);
                }
                let (known, chains): (Vec<_>, Vec<_>) = chains.into_iter().unzip();
                let result = run_chains(self.executor, &chains, add);
                for (number, chain) in known.into_iter().zip(chains) {
                    *memory.part(&name(number)) = into_inner(chain).memory;
                }
                result?;
            }
            Remembers::Nothing => {
                let chain = |place| Chain {
                    places: vec![place],
                    memory: Memory::default(),
                };
                let chains: Vec<_> = (0..numbers.len()).map(|i| Mutex::new(chain(i))).collect();
                run_chains(self.executor, &chains, |place, memory| {
                    add(place, memory)?;
                    expect_nothing(memory)
                })?;
            }
        }
        into_inner(mean).finish(out)
    }
}

/// Places of one task, to be estimated in order, with what the method remembers of it.
struct Chain<T> {
    places: Vec<usize>,
    memory: Memory<T>,
}

/// `estimate(place, memory)` for each place of each chain; the first error in the order of the places.
fn run_chains<T: Scalar>(
    executor: &dyn Executor,
    chains: &[Mutex<Chain<T>>],
    estimate: impl Fn(usize, &mut Memory<T>) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::<Option<(usize, Error)>>::new(None);
    let comes_before = |failed: &Option<(usize, Error)>, place| {
        failed.as_ref().is_none_or(|&(first, _)| place < first)
    };
    executor.on_each_thread(chains.len(), &|| {
        while let Some(chain) = chains.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Chain { places, memory } = &mut *lock(chain);
            for &place in &*places {
                // What comes after a failure is not needed, what comes before it may fail too.
                if !comes_before(&lock(&failed), place) {
                    break;
                }
                if let Err(error) = estimate(place, memory) {
                    let mut failed = lock(&failed);
                    if comes_before(&failed, place) {
                        *failed = Some((place, error));
                    }
                    break;
                }
            }
        }
    });
    into_inner(failed).map_or(Ok(()), |(_, error)| Err(error))
}

fn expect_nothing<T: Scalar>(memory: &Memory<T>) -> Result<()> {
    if memory.is_empty() {
        return Ok(());
    }
    Err(Error::NotApplicable {
        method: "the mean over tasks",
        reason: Inapplicable::RemembersUnsaid,
    })
}

/// A panic elsewhere reaches the caller by itself; what is behind the lock is then dropped.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<V>(mutex: Mutex<V>) -> V {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
