//! Many tasks with one outer variable, as in few-shot learning.

use crate::hypergradient::{HyperGradient, Report};
use crate::objective::Calls;
use crate::vector::axpy;
use crate::{At, Key, Memory, Problem, Result, Scalar, Stream};

/// Problems that share x: minimise over x the mean of f_i(x, y_i(x)) over tasks i.
///
/// A [`Problem`] is the family that has one task.
pub trait TaskFamily<T: Scalar>: Send + Sync {
    /// n, the length of x.
    fn x_len(&self) -> usize;

    /// The numbers of the tasks of one outer step, in order, drawn from `key`; at least one.
    fn draw(&self, key: Key, outer_step: usize) -> Vec<usize>;

    /// The task of that number.
    ///
    /// # Errors
    /// If there is no such task, or it cannot be made.
    fn task(&self, number: usize) -> Result<Problem<T>>;

    /// The only task, where the family is a single problem.
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
/// Each task has draws of its own, by its place in the batch: a coin or a mini-batch of one task
/// says nothing about that of the next. What a method remembers of the *variables* of a task
/// ([`HyperGradient::warm_starts`]) is kept for each task apart, its statistics for all together.
pub struct OverTasks<'a, T> {
    /// The tasks.
    pub family: &'a dyn TaskFamily<T>,
    /// How the hypergradient of each is estimated.
    pub method: &'a dyn HyperGradient<T>,
}

impl<T: Scalar> OverTasks<'_, T> {
    /// Checks the method for the tasks of the first outer step.
    ///
    /// # Errors
    /// As [`HyperGradient::validate`].
    pub fn validate(&self, key: Key) -> Result<()> {
        match self.family.single() {
            Some(problem) => self.method.validate(problem),
            None => self
                .family
                .draw(key.stream(Stream::Task), 0)
                .into_iter()
                .try_for_each(|number| self.method.validate(&self.family.task(number)?)),
        }
    }

    /// `out` = the mean hypergradient at `x`. The report has the mean value and all calls; of several
    /// tasks it has no y, the first status that is not good, and the means of the figures, each over
    /// the tasks that report it.
    ///
    /// # Errors
    /// As [`HyperGradient::estimate`].
    pub fn estimate(
        &self,
        x: &[T],
        memory: &mut Memory<T>,
        key: Key,
        outer_step: usize,
        out: &mut [T],
    ) -> Result<Report<T>> {
        if let Some(problem) = self.family.single() {
            return self.method.estimate(
                &At::new(problem, x, key).outer_step(outer_step),
                memory,
                out,
            );
        }
        let task_key = key.stream(Stream::Task);
        let numbers = self.family.draw(task_key, outer_step);
        let mut one = vec![T::zero(); out.len()];
        let mut mean = Report::new(T::zero(), vec![], Calls::default(), Calls::default());
        let share = T::one() / T::from_f64(numbers.len() as f64);
        // (name, sum, how many)
        let mut figures: Vec<(&'static str, f64, f64)> = vec![];
        out.fill(T::zero());
        for (place, number) in numbers.into_iter().enumerate() {
            let problem = self.family.task(number)?;
            let memory = if self.method.warm_starts() {
                memory.part(&format!("task {number}"))
            } else {
                &mut *memory
            };
            let key = task_key.fold_in(place as u64);
            let report = self.method.estimate(
                &At::new(&problem, x, key).outer_step(outer_step),
                memory,
                &mut one,
            )?;
            axpy(share, &one, out);
            mean.value += share * report.value;
            mean.inner_calls += report.inner_calls;
            mean.outer_calls += report.outer_calls;
            if mean.status.is_good() {
                mean.status = report.status;
            }
            for (name, value) in report.figures {
                match figures.iter_mut().find(|(known, ..)| *known == name) {
                    Some((_, sum, count)) => (*sum, *count) = (*sum + value, *count + 1.0),
                    None => figures.push((name, value, 1.0)),
                }
            }
        }
        mean.figures = figures
            .into_iter()
            .map(|(name, sum, count)| (name, sum / count))
            .collect();
        Ok(mean)
    }
}
