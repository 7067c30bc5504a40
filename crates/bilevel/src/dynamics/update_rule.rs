//! What the dynamics that follow a field have in common.

use super::{Context, Dynamics, ElasticNet, Field, Hyper};
use crate::vector::{axpy, dot, scale_into};
use crate::{Result, Scalar, Set};

/// From a direction to an update, with buffers: the part in which gradient descent, momentum and
/// Adam differ. Every [`UpdateRule`] is [`Dynamics`]:
///
/// (u, buffers) ← update(d_t(x, y), buffers);  y ← P(prox(y − s · u))
///
/// with the step size s, the field d, the projection P onto a set and, where there is a penalty,
/// its proximal map. The state is y, then the buffers, m numbers each, then what the set notes
/// of its projection ([`Set::note_len`]). Whatever of s, the field's weights and the rule's own
/// numbers is part of x gets its derivative.
///
/// The defaults are those of gradient descent, u = d. Other dynamics implement [`Dynamics`]
/// itself.
///
/// ```
/// use bilevel::{Field, Hyper, Result, Set, check, dynamics::{Made, UpdateRule}};
/// # use bilevel::{Closures, FixedStart, Key, Problem};
/// /// Gradients are clipped to one another smoothly: u = tanh d.
/// struct Clipped;
/// impl UpdateRule<f64> for Clipped {
///     fn step_size(&self) -> Hyper { Hyper::Fixed(0.1) }
///     fn field(&self) -> &Field { &Field::Inner }
///     fn set(&self) -> &Set<f64> { &Set::All }
///     fn needs_direction(&self) -> bool { true }
///     fn update(&self, _: &[f64], _: usize, d: &mut [f64], _: &mut [f64]) { d.iter_mut().for_each(|d| *d = d.tanh()); }
///     fn pull_update(&self, made: &Made<f64>, bar: &mut [f64], _: &mut [f64], _: &mut [f64]) {
///         bar.iter_mut().zip(made.direction).for_each(|(bar, d)| *bar /= d.cosh().powi(2));
///     }
///     fn push_update(&self, made: &Made<f64>, _: &[f64], tangent: &mut [f64], _: &mut [f64]) {
///         self.pull_update(made, tangent, &mut [], &mut []);
///     }
///     fn check(&self, _: usize) -> Result<()> { Ok(()) }
/// }
/// # let g = Closures::<f64>::new(1, 1, |x, y, _| (y[0] - x[0]).powi(2) / 2.0, |x, y, _, out| out[0] += y[0] - x[0])
/// #     .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
/// #     .with_second_order(|_, _, _, v, y_bar, x_bar| { y_bar[0] += v[0]; x_bar[0] -= v[0]; }, |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0]);
/// # let f = Closures::<f64>::new(1, 1, |_, y, _| y[0].powi(2) / 2.0, |_, y, _, out| out[0] += y[0]);
/// # let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
/// assert!(check::adjoint_dot_test(&Clipped, &problem, &[0.4], Key::from_seed(0), 1e-12)?.passed());
/// # Ok::<(), bilevel::Error>(())
/// ```
pub trait UpdateRule<T: Scalar>: Send + Sync {
    /// s.
    fn step_size(&self) -> Hyper;

    /// d.
    fn field(&self) -> &Field;

    /// The set that y is kept in.
    fn set(&self) -> &Set<T>;

    /// What is met by its proximal map.
    fn penalty(&self) -> Option<&ElasticNet> {
        None
    }

    /// How many buffers of m numbers there are, all zero at first.
    fn buffers(&self) -> usize {
        0
    }

    /// Whether numbers of the rule itself are part of x, beside s and those of the field and the
    /// penalty.
    fn learned(&self) -> bool {
        false
    }

    /// Whether derivatives need the direction: it is then taken once more on the way back, or
    /// stays on the tape. By default where s is learned, whose derivative needs u = d.
    fn needs_direction(&self) -> bool {
        self.step_size().depends_on_x()
    }

    /// At step t = `step`, from 0: turns `direction` into u, and brings the buffers forward.
    fn update(&self, x: &[T], step: usize, direction: &mut [T], buffers: &mut [T]) {
        let _ = (x, step, direction, buffers);
    }

    /// `out` = u of a step that was made.
    fn update_again(&self, made: &Made<'_, T>, out: &mut [T]) {
        out.copy_from_slice(made.direction);
    }

    /// Turns the cotangent of u in `bar` into that of d, and the cotangents of the buffers after
    /// the step into those before; adds to `x_bar` what comes by numbers of the rule.
    fn pull_update(
        &self,
        made: &Made<'_, T>,
        bar: &mut [T],
        buffers_bar: &mut [T],
        x_bar: &mut [T],
    ) {
        let _ = (made, bar, buffers_bar, x_bar);
    }

    /// Turns the tangent of d into that of u, and those of the buffers before the step into those
    /// after.
    fn push_update(
        &self,
        made: &Made<'_, T>,
        dx: &[T],
        tangent: &mut [T],
        buffers_tangent: &mut [T],
    ) {
        let _ = (made, dx, tangent, buffers_tangent);
    }

    /// Checks the rule's own settings: all but the step size, the field and the set.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of range.
    fn check(&self, x_len: usize) -> Result<()>;
}

/// A step that was made, at which a derivative of an [`UpdateRule`] is taken.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a, T> {
    /// The outer variable.
    pub x: &'a [T],
    /// t, from 0.
    pub step: usize,
    /// d; without numbers unless [`UpdateRule::needs_direction`], but when pushed forward.
    pub direction: &'a [T],
    /// The buffers before the step.
    pub before: &'a [T],
    /// The buffers after it.
    pub after: &'a [T],
}

/// y, the buffers, and what the set notes.
struct Parts<S> {
    y: S,
    buffers: S,
    note: S,
}

/// Work space, m numbers each but the last two, which are there where they are needed.
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

    fn parts<'s>(&self, state: &'s [T]) -> Parts<&'s [T]> {
        let (y, rest) = state.split_at(self.y_len(state.len()));
        let (buffers, note) = rest.split_at(rest.len() - self.set().note_len());
        Parts { y, buffers, note }
    }

    fn parts_mut<'s>(&self, state: &'s mut [T]) -> Parts<&'s mut [T]> {
        let (y, rest) = state.split_at_mut(self.y_len(state.len()));
        let (buffers, note) = rest.split_at_mut(rest.len() - self.set().note_len());
        Parts { y, buffers, note }
    }

    /// How many numbers of a direction, and of its derivative in a learned weight, are kept.
    fn kept(&self, y_len: usize) -> [usize; 2] {
        let [direction, slope] = [self.needs_direction(), self.field().depends_on_x()];
        [direction, slope].map(|kept| if kept { y_len } else { 0 })
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
        let (direction, rest) = rest.split_at_mut(y_len);
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
    fn follow(&self, cx: &Context<'_, T>, v: &mut [T], state: Parts<&mut [T]>) {
        let step_size = self.step_size().value(cx.x);
        self.update(cx.x, cx.step, v, state.buffers);
        axpy(-step_size, v, state.y);
        if let Some(penalty) = self.penalty() {
            penalty.shrink(cx.x, step_size, state.y);
        }
        self.set().project_noting(state.y, state.note);
    }

    /// The sweep back over one step up to the field: leaves the cotangent of the direction in
    /// `v` and that of y, but for the field, in `bar`.
    fn pull(
        &self,
        cx: &mut Context<'_, T>,
        states: [&[T]; 2],
        (direction, slope): (&[T], &[T]),
        bar: &mut [T],
        (work, v): (&mut [T], &mut [T]),
    ) {
        let [before, after] = states.map(|state| self.parts(state));
        let bar = self.parts_mut(bar);
        let (x, step_size) = (cx.x, self.step_size().value(cx.x));
        let made = Made {
            x,
            step: cx.step,
            direction,
            before: before.buffers,
            after: after.buffers,
        };
        bar.note.fill(T::zero());
        self.set().derivative(after.y, after.note, bar.y);
        let mut step_size_bar = self.penalty().map_or(0.0, |penalty| {
            penalty.pull(x, step_size, after.y, bar.y, &mut cx.x_bar)
        });
        if self.step_size().depends_on_x() {
            self.update_again(&made, work);
            step_size_bar -= dot(work, bar.y);
            self.step_size().collect(x, step_size_bar, &mut cx.x_bar);
        }
        scale_into(-step_size, bar.y, v);
        self.pull_update(&made, v, bar.buffers, &mut cx.x_bar);
        if let Some((index, derivative)) = self.field().learned(cx) {
            cx.x_bar[index] += T::from_f64(derivative * dot(slope, v));
        }
    }
}

impl<T: Scalar, R: UpdateRule<T>> Shared<T> for R {}

impl<T: Scalar, R: UpdateRule<T>> Dynamics<T> for R {
    fn state_len(&self, y_len: usize) -> usize {
        y_len * (1 + self.buffers()) + self.set().note_len()
    }

    fn work_len(&self, y_len: usize) -> usize {
        (3 + self.buffers()) * y_len + self.kept(y_len)[1]
    }

    fn step(&self, cx: &mut Context<'_, T>, state: &mut [T]) -> Result<()> {
        let state = self.parts_mut(state);
        self.with_work(cx, state.y.len(), |cx, Work { work, v, .. }| {
            self.field().direction(cx, state.y, work, v, &mut [])?;
            self.follow(cx, v, state);
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
        let y = self.parts(state).y;
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
            self.field().pull(cx, y, v, work, self.parts_mut(bar).y)
        })
    }

    /// The direction and its derivative in a learned weight, where they are needed; then the
    /// tape of the field.
    fn tape_len(&self, cx: &mut Context<'_, T>, y_len: usize) -> Result<usize> {
        let kept: usize = self.kept(y_len).iter().sum();
        Ok(kept + self.field().tape_len(cx)?)
    }

    fn step_taped(&self, cx: &mut Context<'_, T>, state: &mut [T], tape: &mut [T]) -> Result<()> {
        let state = self.parts_mut(state);
        let [direction, slope] = self.kept(state.y.len());
        let (direction, tape) = tape.split_at_mut(direction);
        let (slope, tape) = tape.split_at_mut(slope);
        self.with_work(cx, state.y.len(), |cx, Work { work, v, .. }| {
            self.field()
                .linearize(cx, state.y, work, (v, slope), tape)?;
            if !direction.is_empty() {
                direction.copy_from_slice(v);
            }
            self.follow(cx, v, state);
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
        let y = self.parts(state).y;
        let [direction, slope] = self.kept(y.len());
        let (direction, tape) = tape.split_at(direction);
        let (slope, tape) = tape.split_at(slope);
        self.with_work(cx, y.len(), |cx, Work { work, v, .. }| {
            self.pull(cx, [state, next], (direction, slope), bar, (work, v));
            self.field()
                .pull_tape(cx, y, tape, v, work, self.parts_mut(bar).y)
        })
    }

    fn push_forward(
        &self,
        cx: &mut Context<'_, T>,
        dx: &[T],
        state: &mut [T],
        tangent: &mut [T],
    ) -> Result<()> {
        let (state, tangent) = (self.parts_mut(state), self.parts_mut(tangent));
        let (x, step_size) = (cx.x, self.step_size().value(cx.x));
        self.with_work(cx, state.y.len(), |cx, of| {
            let Work {
                work,
                v,
                direction,
                slope,
                buffers,
            } = of;
            // The tangent of d, then of u.
            self.field().push(cx, state.y, (dx, tangent.y), work, v)?;
            self.field()
                .direction(cx, state.y, work, direction, slope)?;
            if let Some((index, derivative)) = self.field().learned(cx) {
                axpy(T::from_f64(derivative) * dx[index], slope, v);
            }
            buffers.copy_from_slice(state.buffers);
            work.copy_from_slice(direction);
            let Parts {
                y,
                buffers: after,
                note,
            } = state;
            let state = Parts {
                y: &mut *y,
                buffers: &mut *after,
                note: &mut *note,
            };
            self.follow(cx, work, state);
            let made = Made {
                x,
                step: cx.step,
                direction,
                before: buffers,
                after,
            };
            self.push_update(&made, dx, v, tangent.buffers);
            // work is u by now.
            let change = self.step_size().tangent(x, dx);
            axpy(-step_size, v, tangent.y);
            axpy(-change, work, tangent.y);
            if let Some(penalty) = self.penalty() {
                penalty.push((x, dx), (step_size, change), y, tangent.y);
            }
            self.set().derivative(y, note, tangent.y);
            tangent.note.fill(T::zero());
            Ok(())
        })
    }

    fn uses_outer(&self) -> bool {
        self.field().uses_outer()
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

    fn ends_stationary(&self) -> bool {
        !self.field().uses_outer() && self.set().is_all() && self.penalty().is_none()
    }

    fn depends_on_x(&self) -> bool {
        self.step_size().depends_on_x()
            || self.field().depends_on_x()
            || self.learned()
            || self.penalty().is_some_and(|penalty| penalty.learned())
    }

    fn validate(&self, x_len: usize, y_len: usize) -> Result<()> {
        self.step_size().validate("step_size", x_len)?;
        self.field().validate(x_len)?;
        self.set().validate(y_len)?;
        self.check(x_len)
    }
}
