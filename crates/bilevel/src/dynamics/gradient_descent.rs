//! Plain gradient descent, with a projection if asked for.

use super::{Context, Dynamics, Field, Hyper};
use crate::vector::{axpy, dot, scale_into};
use crate::{Result, Scalar, Set};

/// y ← P(y − s · d_t(x, y)), with step size s, field d and projection P onto a set.
///
/// With [`Field::Inner`] and no constraint it is the inner map of reverse-HG (arXiv 1703.01785)
/// and MAML; with [`Field::Aggregate`] that of BDA and of the Improved Bilevel Model.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `field` | `Inner` | | the direction d |
/// | `set` | `All` | | the set that y is kept in |
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
    /// The set of P. A ball adds one number to the state, see [`Set::project_noting`].
    pub set: Set<T>,
}

impl<T> Default for GradientDescent<T> {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.1),
            field: Field::Inner,
            set: Set::All,
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

    /// y and the note of the projection.
    fn parts<'s>(&self, state: &'s [T]) -> (&'s [T], &'s [T]) {
        state.split_at(state.len() - self.set.note_len())
    }

    fn parts_mut<'s>(&self, state: &'s mut [T]) -> (&'s mut [T], &'s mut [T]) {
        state.split_at_mut(state.len() - self.set.note_len())
    }

    /// `y = P(y − s · direction)`.
    fn follow(&self, step_size: T, direction: &[T], y: &mut [T], note: &mut [T]) {
        axpy(-step_size, direction, y);
        self.set.project_noting(y, note);
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
        y_len + self.set.note_len()
    }

    fn work_len(&self, y_len: usize) -> usize {
        2 * y_len
    }

    fn step(&self, cx: &mut Context<'_, T>, state: &mut [T]) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        let (y, note) = self.parts_mut(state);
        Self::with_work(cx, |cx, work, direction| {
            self.field.direction(cx, y, work, direction)?;
            self.follow(step_size, direction, y, note);
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
        let ((y, _), (next, next_note)) = (self.parts(state), self.parts(next));
        let (bar, note_bar) = self.parts_mut(bar);
        note_bar.fill(T::zero());
        Self::with_work(cx, |cx, work, v| {
            self.set.derivative(next, next_note, bar);
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                self.field.direction(cx, y, work, v)?;
                cx.x_bar[index] -= derivative * T::from_f64(dot(v, bar));
            }
            scale_into(-step_size, bar, v);
            self.field.pull(cx, y, v, work, bar)
        })
    }

    /// The direction where the step size is part of x, for its derivative; then the tape
    /// of the field.
    fn tape_len(&self, cx: &mut Context<'_, T>, y_len: usize) -> Result<usize> {
        Ok(self.kept_len(y_len) + self.field.tape_len(cx)?)
    }

    fn step_taped(&self, cx: &mut Context<'_, T>, state: &mut [T], tape: &mut [T]) -> Result<()> {
        let step_size = self.step_size.value(cx.x);
        let (y, note) = self.parts_mut(state);
        let (kept, tape) = tape.split_at_mut(self.kept_len(y.len()));
        Self::with_work(cx, |cx, work, direction| {
            self.field.linearize(cx, y, work, direction, tape)?;
            if self.step_size.depends_on_x() {
                kept.copy_from_slice(direction);
            }
            self.follow(step_size, direction, y, note);
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
        let ((y, _), (next, next_note)) = (self.parts(state), self.parts(next));
        let (bar, note_bar) = self.parts_mut(bar);
        note_bar.fill(T::zero());
        let (direction, tape) = tape.split_at(self.kept_len(y.len()));
        Self::with_work(cx, |cx, work, v| {
            self.set.derivative(next, next_note, bar);
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                cx.x_bar[index] -= derivative * T::from_f64(dot(direction, bar));
            }
            scale_into(-step_size, bar, v);
            self.field.pull_tape(cx, y, tape, v, work, bar)
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
        let ((y, note), (tangent, note_tangent)) = (self.parts_mut(state), self.parts_mut(tangent));
        note_tangent.fill(T::zero());
        Self::with_work(cx, |cx, work, direction| {
            self.field.push(cx, y, (dx, tangent), work, direction)?;
            axpy(-step_size, direction, tangent);
            self.field.direction(cx, y, work, direction)?;
            if let Some((index, derivative)) = self.step_size.derivative(cx.x) {
                axpy(-derivative * dx[index], direction, tangent);
            }
            self.follow(step_size, direction, y, note);
            self.set.derivative(y, note, tangent);
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

    fn ends_stationary(&self) -> bool {
        !self.field.uses_outer() && self.set.is_all()
    }

    fn validate(&self, x_len: usize, y_len: usize) -> Result<()> {
        self.step_size.validate("step_size", x_len)?;
        self.field.validate()?;
        self.set.validate(y_len)
    }
}
