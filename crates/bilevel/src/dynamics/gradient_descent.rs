//! Plain gradient descent, with a projection if asked for.

use super::{Context, Dynamics, Field, Hyper};
use crate::bounds::Bounds;
use crate::vector::{axpy, dot, scale_into};
use crate::{Result, Scalar};

/// y ← P(y − s · d_t(x, y)), with step size s, field d and projection P onto a box.
///
/// With [`Field::Inner`] and no box it is the inner map of reverse-HG (arXiv 1703.01785)
/// and MAML; with [`Field::Aggregate`] that of BDA and of the Improved Bilevel Model.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `field` | `Inner` | | the direction d |
/// | `bounds` | none | lower ≤ upper | the box that y is kept in |
///
/// Cost of a step: one gradient of the field. Pull-back: one product of it, and one
/// gradient more where the step size is part of x; the taped one keeps the direction, m
/// numbers a step, instead.
#[derive(Clone, PartialEq, Debug)]
pub struct GradientDescent<T> {
    /// s.
    pub step_size: Hyper,
    /// d.
    pub field: Field,
    /// The box of P.
    pub bounds: Option<Bounds<T>>,
}

impl<T> Default for GradientDescent<T> {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.1),
            field: Field::Inner,
            bounds: None,
        }
    }
}

impl<T: Scalar> GradientDescent<T> {
    /// Runs `body` with the work space taken out of the context and cut into two vectors.
    fn with_work<'a, R>(
        cx: &mut Context<'a, T>,
        body: impl FnOnce(&mut Context<'a, T>, &mut [T], &mut [T]) -> Result<R>,
    ) -> Result<R> {
        let mut work = std::mem::take(&mut cx.work);
        let half = work.len() / 2;
        let (a, b) = work.split_at_mut(half);
        let result = body(cx, a, b);
        cx.work = work;
        result
    }

    /// `state = P(state − s · direction)`.
    fn follow(&self, step_size: T, direction: &[T], state: &mut [T]) {
        axpy(-step_size, direction, state);
        if let Some(bounds) = &self.bounds {
            bounds.project(state);
        }
    }

    /// How many numbers of a direction stay on the tape.
    fn kept_len(&self, y_len: usize) -> usize {
        if self.step_size.depends_on_x() {
            y_len
        } else {
            0
        }
    }
}

impl<T: Scalar> Dynamics<T> for GradientDescent<T> {
    fn state_len(&self, y_len: usize) -> usize {
        y_len
    }

    fn work_len(&self, y_len: usize) -> usize {
        2 * y_len
    }

    fn step(&self, cx: &mut Context<'_, T>, state: &mut [T]) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        Self::with_work(cx, |cx, work, direction| {
            self.field.direction(cx, state, work, direction)?;
            self.follow(step_size, direction, state);
            Ok(())
        })
    }

    fn pull_back(
        &self,
        cx: &mut Context<'_, T>,
        state: &[T],
        next: &[T],
        bar: &mut [T],
    ) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        Self::with_work(cx, |cx, work, v| {
            if let Some(bounds) = &self.bounds {
                bounds.mask(next, bar);
            }
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                self.field.direction(cx, state, work, v)?;
                cx.x_bar[index] -= derivative * T::from_f64(dot(v, bar));
            }
            scale_into(-step_size, bar, v);
            self.field.pull(cx, state, v, work, bar)
        })
    }

    /// The direction where the step size is part of x, for its derivative; then the tape
    /// of the field.
    fn tape_len(&self, cx: &mut Context<'_, T>, y_len: usize) -> Result<usize> {
        Ok(self.kept_len(y_len) + self.field.tape_len(cx)?)
    }

    fn step_taped(&self, cx: &mut Context<'_, T>, state: &mut [T], tape: &mut [T]) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        let (kept, tape) = tape.split_at_mut(self.kept_len(state.len()));
        Self::with_work(cx, |cx, work, direction| {
            self.field.linearize(cx, state, work, direction, tape)?;
            if self.step_size.depends_on_x() {
                kept.copy_from_slice(direction);
            }
            self.follow(step_size, direction, state);
            Ok(())
        })
    }

    fn pull_back_taped(
        &self,
        cx: &mut Context<'_, T>,
        state: &[T],
        next: &[T],
        tape: &[T],
        bar: &mut [T],
    ) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        let (direction, tape) = tape.split_at(self.kept_len(state.len()));
        Self::with_work(cx, |cx, work, v| {
            if let Some(bounds) = &self.bounds {
                bounds.mask(next, bar);
            }
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                cx.x_bar[index] -= derivative * T::from_f64(dot(direction, bar));
            }
            scale_into(-step_size, bar, v);
            self.field.pull_tape(cx, state, tape, v, work, bar)
        })
    }

    fn push_forward(
        &self,
        cx: &mut Context<'_, T>,
        dx: &[T],
        state: &mut [T],
        tangent: &mut [T],
    ) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        Self::with_work(cx, |cx, work, direction| {
            self.field.push(cx, state, (dx, tangent), work, direction)?;
            axpy(-step_size, direction, tangent);
            self.field.direction(cx, state, work, direction)?;
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                axpy(-derivative * dx[index], direction, tangent);
            }
            axpy(-step_size, direction, state);
            if let Some(bounds) = &self.bounds {
                bounds.project(state);
                bounds.mask(state, tangent);
            }
            Ok(())
        })
    }

    fn uses_outer(&self) -> bool {
        self.field.uses_outer()
    }

    fn gradients(&self, steps: usize) -> (f64, f64) {
        self.field.gradients(steps)
    }

    fn depends_on_x(&self) -> bool {
        self.step_size.depends_on_x()
    }

    fn validate(&self, x_len: usize, y_len: usize) -> Result<()> {
        self.step_size.validate("step_size", x_len)?;
        self.field.validate()?;
        self.bounds
            .as_ref()
            .map_or(Ok(()), |bounds| bounds.validate(y_len))
    }
}
