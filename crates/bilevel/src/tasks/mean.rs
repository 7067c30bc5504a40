//! The mean over the tasks of an outer step, always added in the same order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::expect_length;
use crate::hypergradient::Report;
use crate::objective::Calls;
use crate::vector::axpy;
use crate::{Error, Result, Scalar};

/// The estimate of one task of an outer step.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaskEstimate<T> {
    /// The place of the task in the outer step, from 0.
    pub place: usize,
    /// Its hypergradient, n numbers.
    pub hypergradient: Vec<T>,
    /// What came with it.
    pub report: Report<T>,
}

/// The mean of the estimates of an outer step, which may arrive in any order.
///
/// Sums of floating-point numbers depend on their order. Here the places fix the order: an
/// estimate waits until all estimates before it have been added. So partial means, made by
/// several threads or processes and merged in any order, give the same bits as one loop over the tasks.
///
/// Memory: n numbers, and n for each estimate that waits.
///
/// ```
/// use bilevel::{Calls, OrderedMean, Report, TaskEstimate};
/// let estimate = |place: usize, h: f64| TaskEstimate {
///     place,
///     hypergradient: vec![h],
///     report: Report::new(h, vec![], Calls::default(), Calls::default()),
/// };
/// let (mut here, mut there) = (OrderedMean::new(3, 1), OrderedMean::new(3, 1));
/// there.add(estimate(2, 0.3))?;
/// there.add(estimate(1, 0.2))?;
/// here.add(estimate(0, 0.1))?;
/// here.merge(there)?;
/// let mut mean = [0.0];
/// here.finish(&mut mean)?;
/// let third = 1.0 / 3.0;
/// assert_eq!(mean[0], third * 0.1 + third * 0.2 + third * 0.3);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderedMean<T> {
    count: usize,
    /// The estimates of places 0..`added` are in `sum`, `report` and `figures`.
    added: usize,
    sum: Vec<T>,
    report: Report<T>,
    /// (name, sum, how many)
    figures: Vec<(Cow<'static, str>, f64, f64)>,
    waiting: BTreeMap<usize, TaskEstimate<T>>,
}

impl<T: Scalar> OrderedMean<T> {
    /// The mean over `count` tasks, for an x of `x_len` numbers.
    #[must_use]
    pub fn new(count: usize, x_len: usize) -> Self {
        Self {
            count,
            added: 0,
            sum: vec![T::zero(); x_len],
            report: Report::new(T::zero(), vec![], Calls::default(), Calls::default()),
            figures: vec![],
            waiting: BTreeMap::new(),
        }
    }

    /// Adds the estimate of one task.
    ///
    /// # Errors
    /// [`Error::Length`], or [`Error::TaskPlace`] if its place is not free.
    pub fn add(&mut self, mut estimate: TaskEstimate<T>) -> Result<()> {
        let (place, count) = (estimate.place, self.count);
        expect_length(
            "the hypergradient of a task",
            self.sum.len(),
            estimate.hypergradient.len(),
        )?;
        if place < self.added || place >= count || self.waiting.contains_key(&place) {
            return Err(Error::TaskPlace { place, count });
        }
        // Several tasks have no y.
        estimate.report.y = vec![];
        self.waiting.insert(place, estimate);
        while let Some(next) = self.waiting.remove(&self.added) {
            self.add_next(next);
        }
        Ok(())
    }

    /// Adds the estimates of another mean of the same outer step.
    ///
    /// # Errors
    /// As [`OrderedMean::add`], or if the other mean has a different number of tasks.
    pub fn merge(&mut self, mut other: Self) -> Result<()> {
        expect_length("the other mean over tasks", self.count, other.count)?;
        if other.added > 0 {
            if self.added > 0 {
                return Err(Error::TaskPlace {
                    place: 0,
                    count: self.count,
                });
            }
            std::mem::swap(self, &mut other);
        }
        other
            .waiting
            .into_values()
            .try_for_each(|one| self.add(one))
    }

    /// `out` = the mean hypergradient. The report has the mean value and all calls, no y, the first
    /// status that is not good, and the means of the figures, each over the tasks that report it.
    ///
    /// # Errors
    /// [`Error::Length`], or [`Error::TaskPlace`] if a task is missing.
    pub fn finish(mut self, out: &mut [T]) -> Result<Report<T>> {
        expect_length("the hypergradient", self.sum.len(), out.len())?;
        if self.added < self.count {
            return Err(Error::TaskPlace {
                place: self.added,
                count: self.count,
            });
        }
        out.copy_from_slice(&self.sum);
        let figures = self.figures.into_iter();
        self.report.figures = figures
            .map(|(name, sum, count)| (name, sum / count))
            .collect();
        Ok(self.report)
    }

    fn add_next(&mut self, estimate: TaskEstimate<T>) {
        let share = T::one() / T::from_f64(self.count as f64);
        axpy(share, &estimate.hypergradient, &mut self.sum);
        let report = estimate.report;
        self.report.value += share * report.value;
        self.report.inner_calls += report.inner_calls;
        self.report.outer_calls += report.outer_calls;
        if self.report.status.is_good() {
            self.report.status = report.status;
        }
        for (name, value) in report.figures {
            match self.figures.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, sum, count)) => (*sum, *count) = (*sum + value, *count + 1.0),
                None => self.figures.push((name, value, 1.0)),
            }
        }
        self.added += 1;
    }
}
