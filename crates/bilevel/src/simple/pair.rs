//! φ + weight · ω and its gradient.

use super::{SimpleBilevel, Solution, SolutionStatus};
use crate::error::expect_length;
use crate::objective::Counted;
use crate::vector::{all_finite, axpy, norm};
use crate::{Draw, Error, Result, Role, Scalar, Set};

/// Both objectives of a simple bilevel problem, counting their calls.
pub(super) struct Pair<'a, T> {
    pub(super) inner: Counted<'a, T>,
    pub(super) outer: Counted<'a, T>,
    pub(super) set: &'a Set<T>,
    work: Vec<T>,
}

impl<'a, T: Scalar> Pair<'a, T> {
    /// The pair, and `start` on the set.
    pub(super) fn new(problem: &'a SimpleBilevel<'a, T>, start: &[T]) -> Result<(Self, Vec<T>)> {
        expect_length("the start of y", problem.y_len(), start.len())?;
        let at = |error: Error, role| error.in_role(role);
        let inner = problem.inner.at(problem.x);
        let outer = problem.outer.at(problem.x);
        let pair = Self {
            inner: Counted::new(inner.map_err(|e| at(e, Role::Inner))?, Role::Inner),
            outer: Counted::new(outer.map_err(|e| at(e, Role::Outer))?, Role::Outer),
            set: &problem.set,
            work: vec![T::zero(); start.len()],
        };
        let mut y = start.to_vec();
        problem.set.project(&mut y);
        Ok((pair, y))
    }

    /// φ(y) + weight · ω(y), and the size of its terms, of which rounding is a part.
    pub(super) fn value(&mut self, weight: f64, y: &[T]) -> Result<(f64, f64)> {
        let inner = self.inner.value(y, Draw::All)?.to_double();
        let outer = weight * self.outer.value(y, Draw::All)?.to_double();
        Ok((inner + outer, inner.abs() + outer.abs()))
    }

    /// `out = ∇φ(y) + weight · ∇ω(y)`.
    pub(super) fn gradient(&mut self, weight: f64, y: &[T], out: &mut [T]) -> Result<()> {
        self.inner.grad_y(y, Draw::All, out)?;
        self.outer.grad_y(y, Draw::All, &mut self.work)?;
        axpy(T::from_f64(weight), &self.work, out);
        Ok(())
    }

    /// ‖P(y − gradient) − y‖.
    pub(super) fn residual(&mut self, y: &[T], gradient: &[T]) -> f64 {
        self.work.copy_from_slice(y);
        axpy(-T::one(), gradient, &mut self.work);
        self.set.project(&mut self.work);
        axpy(-T::one(), y, &mut self.work);
        norm(&self.work)
    }

    /// The residual of φ, without ω.
    pub(super) fn inner_residual(&mut self, y: &[T]) -> Result<f64> {
        let mut gradient = vec![T::zero(); y.len()];
        self.inner.grad_y(y, Draw::All, &mut gradient)?;
        Ok(self.residual(y, &gradient))
    }

    /// What was found.
    pub(super) fn solution(
        mut self,
        y: Vec<T>,
        steps: usize,
        weight: f64,
        status: SolutionStatus,
    ) -> Result<Solution<T>> {
        let inner_value = self.inner.value(&y, Draw::All)?;
        let outer_value = self.outer.value(&y, Draw::All)?;
        let inner_residual = self.inner_residual(&y)?;
        Ok(Solution {
            inner_value,
            outer_value,
            inner_residual,
            y,
            steps,
            weight,
            inner_calls: self.inner.calls(),
            outer_calls: self.outer.calls(),
            status,
        })
    }
}

/// Fails if y is no longer finite after `step` steps.
pub(super) fn expect_finite<T: Scalar>(y: &[T], step: usize) -> Result<()> {
    if all_finite(y) {
        Ok(())
    } else {
        Err(Error::NonFinite {
            what: crate::Quantity::SimpleVariable,
            inner_step: Some(step),
            outer_step: None,
        })
    }
}
