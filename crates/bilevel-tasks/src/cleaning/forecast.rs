//! The predicted cost of a cleaning task, from its sizes.

use std::sync::Arc;

use bilevel::{FixedStart, Problem};
use bilevel_autodiff::Compiled;

use super::{CleaningSettings, losses};
use crate::Error;
use crate::cost::Programs;
use crate::model::Real;

/// A hypergradient takes so many gradients for each inner step.
pub(super) const GRADIENTS: f64 = 3.0;

/// The size of a cleaning task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Rows to check.
    pub rows: usize,
    /// Trusted rows of the outer loss.
    pub trusted: usize,
    /// Features of a row.
    pub columns: usize,
    /// Classes of labels.
    pub classes: usize,
}

/// A cleaning task with known sizes only: shows whether a method fits and what it costs. Training it is an
/// error. The predicted cost is for data without zeros: zeros in the data can only reduce the operations, but
/// packed forms of matrices with many zeros take additional memory.
pub struct Forecast<T> {
    problem: Problem<T>,
    inner: Arc<Compiled<T>>,
    outer: Arc<Compiled<T>>,
}

impl<T: Real> Forecast<T> {
    /// With all trusted rows: none is held out.
    ///
    /// # Errors
    /// A setting out of range, or too few rows for it.
    pub fn new(sizes: Sizes, settings: &CleaningSettings) -> Result<Self, Error> {
        settings.validate()?;
        let Sizes {
            rows,
            trusted,
            columns,
            classes,
        } = sizes;
        if let Some(batch) = settings.trusted_batch {
            bilevel::check_batch("trusted batch", batch, trusted)?;
        }
        let (inner, plain) = losses::<T>(settings);
        let inner = inner.compile((rows, columns, classes), settings.batch, rows)?;
        let outer = plain.compile((trusted, columns, classes), settings.trusted_batch, rows)?;
        let start = FixedStart(vec![T::zero(); settings.model.y_len(columns, classes)]);
        let problem = Problem::from_shared(inner.clone(), outer.clone(), Arc::new(start))?;
        Ok(Self {
            problem,
            inner,
            outer,
        })
    }

    /// The bilevel problem, without data.
    #[must_use]
    pub fn problem(&self) -> &Problem<T> {
        &self.problem
    }

    /// Its two losses, to predict the cost of a hypergradient on this many threads.
    #[must_use]
    pub fn programs(&self, threads: usize) -> Programs<'_, T> {
        Programs::of_shapes(&self.inner, &self.outer, threads)
    }
}
