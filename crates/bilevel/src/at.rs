//! Where a hypergradient is estimated, and with which draws.

use crate::{Key, Problem, Scalar};

/// One point of a run: the problem, x, and the source of its draws.
#[derive(Clone, Copy)]
pub struct At<'a, T> {
    /// What is solved.
    pub problem: &'a Problem<T>,
    /// x, n numbers.
    pub x: &'a [T],
    /// The key of the run.
    pub key: Key,
    /// The outer step, from 0: it selects the draws and the place in every schedule.
    pub outer_step: usize,
}

impl<'a, T: Scalar> At<'a, T> {
    /// At outer step 0.
    #[must_use]
    pub fn new(problem: &'a Problem<T>, x: &'a [T], key: Key) -> Self {
        Self {
            problem,
            x,
            key,
            outer_step: 0,
        }
    }

    /// The same at another outer step.
    #[must_use]
    pub fn outer_step(self, outer_step: usize) -> Self {
        Self { outer_step, ..self }
    }

    /// The same at another x.
    #[must_use]
    pub fn moved<'b>(self, x: &'b [T]) -> At<'b, T>
    where
        'a: 'b,
    {
        At { x, ..self }
    }
}
