//! The dynamics that follow a field by an update rule, with all their derivatives.

use super::{Context, Dynamics, Made, UpdateRule, Weights};
use crate::vector::{axpy, dot, scale_into};
use crate::{Result, Scalar};

/// Work space, m numbers each; all but the first two only where they are needed.
struct Work<'w, T> {
    work: &'w mut [T],
    v: &'w mut [T],
    direction: &'w mut [T],
    slope: &'w mut [T],
    buffers: &'w mut [T],
}

/// What [`UpdateRule`]s share.
trait Shared<T: Scalar>: UpdateRule<T> {
    /// How many numbers y has in a state of `len` numbers.
    fn y_len(&self, len: usize) -> usize {
        (len - self.set().note_len()) / (1 + self.buffers())
    }

    /// y, the buffers, and what the set notes.
    fn parts<'s>(&self, state: &'s [T]) -> (&'s [T], &'s [T], &'s [T]) {
        let (y, rest) = state.split_at(self.y_len(state.len()));
        let (buffers, note) = rest.split_at(rest.len() - self.set().note_len());
        (y, buffers, note)
    }

    fn parts_mut<'s>(&self, state: &'s mut [T]) -> (&'s mut [T], &'s mut [T], &'s mut [T]) {
        let (y, rest) = state.split_at_mut(self.y_len(state.len()));
        let (buffers, note) = rest.split_at_mut(rest.len() - self.set().note_len());
        (y, buffers, note)
    }

    /// How many numbers of a direction, and of its derivative in a learned weight, are kept.
    fn kept(&self, y_len: usize) -> [usize; 2] {
        let [direction, slope] = [self.needs_direction(), self.field().depends_on_x()];
        [direction, slope].map(|kept| if kept { y_len } else { 0 })
    }

    /// Whether work space has a place for the direction of its own.
    fn has_direction(&self) -> bool {
        self.needs_direction()
            || self.step_size().depends_on_x()
            || self.field().depends_on_x()
            || self.buffers() > 0
    }

    /// Runs `body` with the work space taken out of the context and cut up.
    fn with_work<'a>(
        &self,
        cx: &mut Context<'a, T>,
        y_len: usize,
        body: impl FnOnce(&mut Context<'a, T>, Work<'_, T>) -> Result<()>,
    ) -> Result<()> {
        let mut all = std::mem::take(&mut cx.work);
        let (work, rest) = all.split_at_mut(y_len);
        let (v, rest) = rest.split_at_mut(y_len);
        let len = if self.has_direction() { y_len } else { 0 };
        let (direction, rest) = rest.split_at_mut(len);
        let (slope, buffers) = rest.split_at_mut(self.kept(y_len)[1]);
        let result = body(
            cx,
            Work {
                work,
                v,
                direction,
                slope,
                buffers,
            },
        );
        cx.work = all;
        result
    }

    /// The rest of a step from its direction, in `v`.
    fn follow(
        &self,
        cx: &Context<'_, T>,
        v: &mut [T],
        (y, buffers, note): (&mut [T], &mut [T], &mut [T]),
    ) {
        let step_size = self.step_size().value(cx.x);
        self.update(cx.x, cx.step, v, buffers);
        axpy(-step_size, v, y);
        if let Some(penalty) = self.penalty() {
            penalty.shrink(cx.x, step_size, y);
        }
        self.set().project_noting(y, note);
    }

    /// The sweep back over one step up to the field: leaves the cotangent of the direction in
    /// `v`, and the cotangent of y without the part through the field in `bar`.
    fn pull(
        &self,
        cx: &mut Context<'_, T>,
        states: [&[T]; 2],
        (direction, slope): (&[T], &[T]),
        bar: &mut [T],
        (work, v): (&mut [T], &mut [T]),
    ) {
        let [(_, before, _), (y, after, note)] = states.map(|state| self.parts(state));
        let (bar, buffers_bar, note_bar) = self.parts_mut(bar);
        let (x, step_size) = (cx.x, self.step_size().value(cx.x));
        let made = Made {
            x,
            step: cx.step,
            direction,
            before,
            after,
        };
        note_bar.fill(T::zero());
        self.set().derivative(y, note, bar);
        let mut step_size_bar = self.penalty().map_or(0.0, |penalty| {
            penalty.pull(x, step_size, y, bar, &mut cx.x_bar)
        });
        if self.step_size().depends_on_x() {
            self.update_again(&made, work);
            step_size_bar -= dot(work, bar);
            self.step_size().collect(x, step_size_bar, &mut cx.x_bar);
        }
        scale_into(-step_size, bar, v);
        self.pull_update(&made, v, buffers_bar, &mut cx.x_bar);
        if let Some((index, derivative)) = self.field().learned(cx) {
            cx.x_bar[index] += T::from_f64(derivative * dot(slope, v));
        }
    }
}

/// A pull-back of a field: adds to the cotangent of y, and collects the derivative in x.
trait PullField<T>: FnMut(&mut Context<'_, T>, &[T], &mut [T]) -> Result<()> {}

impl<T, F: FnMut(&mut Context<'_, T>, &[T], &mut [T]) -> Result<()>> PullField<T> for F {}

/// Pulls `v` back through the field. What comes from numbers at which the first step jumps is pulled back apart, to see
/// whether it matters: it does not where their gradient is zero for every x and y, as for a feature that is always 0.
fn pull_field<T: Scalar>(
    rule: &(impl UpdateRule<T> + ?Sized),
    cx: &mut Context<'_, T>,
    after: &[T],
    v: &mut [T],
    y_bar: &mut [T],
    mut pull: impl PullField<T>,
) -> Result<()> {
    if cx.step > 0 {
        return pull(cx, v, y_bar);
    }
    let is_jump = |(number, v): (usize, &T)| *v != T::zero() && rule.jumps(after, number);
    if !v.iter().enumerate().any(is_jump) {
        return pull(cx, v, y_bar);
    }
    let mut jumps = vec![T::zero(); v.len()];
    for (number, (v, jump)) in v.iter_mut().zip(&mut jumps).enumerate() {
        if rule.jumps(after, number) {
            *jump = std::mem::replace(v, T::zero());
        }
    }
    pull(cx, v, y_bar)?;
    let zeros = vec![T::zero(); cx.x.len()];
    let (mut x_before, mut x_bar, mut of_jumps) = (zeros.clone(), zeros, vec![T::zero(); v.len()]);
    cx.finish(&mut x_before)?;
    pull(cx, &jumps, &mut of_jumps)?;
    cx.finish(&mut x_bar)?;
    let any = |numbers: &[T]| numbers.iter().any(|&number| number != T::zero());
    let start = cx.problem().start().depends_on_x();
    cx.step_jumps |= any(&x_bar) || start && any(&of_jumps);
    axpy(T::one(), &of_jumps, y_bar);
    axpy(T::one(), &x_before, &mut x_bar);
    cx.x_bar = x_bar;
    Ok(())
}

impl<T: Scalar, R: UpdateRule<T>> Shared<T> for R {}

impl<T: Scalar, R: UpdateRule<T>> Dynamics<T> for R {
    fn state_len(&self, y_len: usize) -> usize {
        y_len * (1 + self.buffers()) + self.set().note_len()
    }

    fn work_len(&self, y_len: usize) -> usize {
        (2 + usize::from(self.has_direction()) + self.buffers()) * y_len + self.kept(y_len)[1]
    }

    fn step(&self, cx: &mut Context<'_, T>, state: &mut [T]) -> Result<()> {
        let (y, buffers, note) = self.parts_mut(state);
        self.with_work(cx, y.len(), |cx, Work { work, v, .. }| {
            self.field().direction(cx, y, work, v, &mut [])?;
            self.follow(cx, v, (y, buffers, note));
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
        let (y, _, _) = self.parts(state);
        self.with_work(cx, y.len(), |cx, of| {
            let Work {
                work,
                v,
                direction,
                slope,
                ..
            } = of;
            if self.needs_direction() || self.field().learned(cx).is_some() {
                self.field().direction(cx, y, work, direction, slope)?;
            }
            self.pull(cx, [state, next], (direction, slope), bar, (work, v));
            let (after, y_bar) = (self.parts(next).1, self.parts_mut(bar).0);
            pull_field(self, cx, after, v, y_bar, |cx, v, y_bar| {
                self.field().pull(cx, y, v, work, y_bar)
            })
        })
    }

    /// The direction and its derivative in a learned weight, where they are needed; then the
    /// tape of the field.
    fn tape_len(&self, cx: &mut Context<'_, T>, y_len: usize) -> Result<usize> {
        let kept: usize = self.kept(y_len).iter().sum();
        Ok(kept + self.field().tape_len(cx)?)
    }

    fn step_taped(&self, cx: &mut Context<'_, T>, state: &mut [T], tape: &mut [T]) -> Result<()> {
        let (y, buffers, note) = self.parts_mut(state);
        let [direction, slope] = self.kept(y.len());
        let (direction, tape) = tape.split_at_mut(direction);
        let (slope, tape) = tape.split_at_mut(slope);
        self.with_work(cx, y.len(), |cx, Work { work, v, .. }| {
            self.field().linearize(cx, y, work, (v, slope), tape)?;
            if !direction.is_empty() {
                direction.copy_from_slice(v);
            }
            self.follow(cx, v, (y, buffers, note));
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
        let (y, _, _) = self.parts(state);
        let [direction, slope] = self.kept(y.len());
        let (direction, tape) = tape.split_at(direction);
        let (slope, tape) = tape.split_at(slope);
        self.with_work(cx, y.len(), |cx, Work { work, v, .. }| {
            self.pull(cx, [state, next], (direction, slope), bar, (work, v));
            let (after, y_bar) = (self.parts(next).1, self.parts_mut(bar).0);
            pull_field(self, cx, after, v, y_bar, |cx, v, y_bar| {
                self.field().pull_tape(cx, y, tape, v, work, y_bar)
            })
        })
    }

    fn push_forward(
        &self,
        cx: &mut Context<'_, T>,
        dx: &[T],
        state: &mut [T],
        tangent: &mut [T],
    ) -> Result<()> {
        let (y, after, note) = self.parts_mut(state);
        let (tangent, buffers_tangent, note_tangent) = self.parts_mut(tangent);
        let (x, step_size) = (cx.x, self.step_size().value(cx.x));
        self.with_work(cx, y.len(), |cx, of| {
            let Work {
                work,
                v,
                direction,
                slope,
                buffers,
            } = of;
            // v is the tangent of d, then of u.
            let came_along = self.field().push(cx, y, (dx, tangent), work, v)?;
            buffers.copy_from_slice(after);
            let made = Made {
                x,
                step: cx.step,
                direction: &[],
                before: buffers,
                after: &[],
            };
            let change = self.step_size().tangent(x, dx);
            if self.has_direction() {
                if came_along {
                    direction.copy_from_slice(work);
                } else {
                    self.field().direction(cx, y, work, direction, slope)?;
                }
                if let Some((index, derivative)) = self.field().learned(cx) {
                    axpy(T::from_f64(derivative) * dx[index], slope, v);
                }
                work.copy_from_slice(direction);
                self.follow(cx, work, (y, after, note));
                let made = Made {
                    direction,
                    after,
                    ..made
                };
                let moves = |(number, v): (usize, &T)| *v != T::zero() && self.jumps(after, number);
                cx.step_jumps |= cx.step == 0 && v.iter().enumerate().any(moves);
                self.push_update(&made, dx, v, buffers_tangent);
                axpy(-step_size, v, tangent);
                // work is u by now.
                axpy(-change, work, tangent);
            } else {
                // The tangent needs nothing of the direction, which may take its place.
                self.push_update(&made, dx, v, buffers_tangent);
                axpy(-step_size, v, tangent);
                if came_along {
                    self.follow(cx, work, (y, after, note));
                } else {
                    self.field().direction(cx, y, work, v, slope)?;
                    self.follow(cx, v, (y, after, note));
                }
            }
            if let Some(penalty) = self.penalty() {
                penalty.push((x, dx), (step_size, change), y, tangent);
            }
            self.set().derivative(y, note, tangent);
            note_tangent.fill(T::zero());
            Ok(())
        })
    }

    fn uses_outer(&self) -> bool {
        self.field().uses_outer()
    }

    fn weights(&self, k: usize, outer_step: usize) -> Option<Weights> {
        self.field().fixed_weights(k, outer_step)
    }

    fn gradients(&self, steps: usize) -> (f64, f64) {
        self.field().gradients(steps)
    }

    fn pull_gradients(&self, steps: usize) -> (f64, f64) {
        if self.needs_direction() {
            self.field().gradients(steps)
        } else {
            let learned = self.field().learned_steps(steps);
            (learned, learned)
        }
    }

    fn depends_on_x(&self) -> bool {
        self.step_size().depends_on_x()
            || self.field().depends_on_x()
            || self.learned()
            || self.penalty().is_some_and(|penalty| penalty.learned())
    }

    fn ends_stationary(&self) -> bool {
        !self.field().uses_outer() && self.set().is_all() && self.penalty().is_none()
    }

    fn validate(&self, x_len: usize, y_len: usize) -> Result<()> {
        self.step_size().validate("step_size", x_len)?;
        self.field().validate(x_len)?;
        self.set().validate(y_len)?;
        self.check(x_len)
    }
}
