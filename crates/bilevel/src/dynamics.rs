//! How the inner variable moves.

mod adam;
mod elastic_net;
mod field;
mod follow;
mod gradient_descent;
mod hyper;
mod momentum;
mod proximal_gradient;
mod schedule;
mod update_rule;

pub use adam::Adam;
pub use elastic_net::ElasticNet;
pub use field::Field;
pub use gradient_descent::GradientDescent;
pub use hyper::{Hyper, Transform};
pub use momentum::Momentum;
pub use proximal_gradient::ProximalGradient;
pub use schedule::{Schedule, Weights};
pub use update_rule::{Made, UpdateRule};

use crate::error::expect_length;
use crate::objective::{Calls, Counted};
use crate::vector::{all_finite, axpy};
use crate::{
    At, Draw, Error, Inapplicable, Key, Problem, Quantity, Result, Role, Scalar, Status, Stream,
};

/// s_{t+1} = Φ_t(x, s_t), with its derivatives.
///
/// The state s is a flat slice: y first (m numbers), then the buffers of the dynamics,
/// if any.
///
/// [`Dynamics::step`] and [`Dynamics::pull_back`] are enough for reverse mode. The other methods have defaults: no
/// buffers, no work space, empty tapes, and steps that evaluate one inner gradient each and nothing
/// else. Forward mode and implicit methods are refused unless the dynamics declare that they
/// support them.
pub trait Dynamics<T: Scalar>: Send + Sync {
    /// How many numbers the state has, for an inner variable of `y_len` numbers.
    /// Default: m.
    fn state_len(&self, y_len: usize) -> usize {
        y_len
    }

    /// How many numbers of work space one step or its derivatives need.
    /// m unless written.
    fn work_len(&self, y_len: usize) -> usize {
        y_len
    }

    /// `state = Φ_t(x, state)` at t = `cx.step`.
    ///
    /// # Errors
    /// If an objective fails.
    fn step(&self, cx: &mut Context<'_, T>, state: &mut [T]) -> Result<()>;

    /// `bar = (∂Φ_t/∂s)ᵀ bar`, and collects `(∂Φ_t/∂x)ᵀ bar`.
    ///
    /// `state` is s_t, `next` is s_{t+1} = Φ_t(x, s_t), which every backward sweep has available.
    ///
    /// # Errors
    /// If an objective fails or has no second derivatives.
    fn pull_back(
        &self,
        cx: &mut Context<'_, T>,
        state: &[T],
        next: &[T],
        bar: &mut [T],
    ) -> Result<()>;

    /// The length of the tape of [`Dynamics::step_taped`] at t = `cx.step`. Default: 0, and a
    /// pull-back then repeats the work of the step.
    ///
    /// # Errors
    /// If an objective keeps no tape.
    fn tape_len(&self, cx: &mut Context<'_, T>, y_len: usize) -> Result<usize> {
        let _ = (cx, y_len);
        Ok(0)
    }

    /// The step of [`Dynamics::step`], up to rounding, with the same draws; `tape`, of
    /// [`Dynamics::tape_len`] numbers, becomes what [`Dynamics::pull_back_taped`] needs.
    ///
    /// # Errors
    /// If an objective fails or keeps no tape.
    fn step_taped(&self, cx: &mut Context<'_, T>, state: &mut [T], tape: &mut [T]) -> Result<()> {
        expect_no_tape(tape)?;
        self.step(cx, state)
    }

    /// As [`Dynamics::pull_back`], without repeating the work of the step that wrote
    /// `tape`.
    ///
    /// # Errors
    /// If an objective fails or keeps no tape.
    fn pull_back_taped(
        &self,
        cx: &mut Context<'_, T>,
        state: &[T],
        next: &[T],
        tape: &[T],
        bar: &mut [T],
    ) -> Result<()> {
        expect_no_tape(tape)?;
        self.pull_back(cx, state, next, bar)
    }

    /// `state = Φ_t(x, state)` and `tangent = ∂Φ_t/∂s · tangent + ∂Φ_t/∂x · dx`. Forward mode needs
    /// it. Default: an error.
    ///
    /// # Errors
    /// If an objective fails or has no second derivatives.
    fn push_forward(
        &self,
        cx: &mut Context<'_, T>,
        dx: &[T],
        state: &mut [T],
        tangent: &mut [T],
    ) -> Result<()> {
        let _ = (cx, dx, state, tangent);
        Err(Error::NotApplicable {
            method: "forward mode",
            reason: Inapplicable::NoPushForward,
        })
    }

    /// Whether a step also uses the outer objective (the aggregate field). Default: no.
    fn uses_outer(&self) -> bool {
        false
    }

    /// The weights of both objectives in what step k (from 1) of this outer step follows, the ratio of the step sizes
    /// included. None where that is no such sum, or its weights are part of x. Default: none.
    fn weights(&self, k: usize, outer_step: usize) -> Option<Weights> {
        let _ = (k, outer_step);
        None
    }

    /// How many gradients of the inner and of the outer objective K = `steps` steps evaluate.
    /// Default: one of the inner objective per step.
    fn gradients(&self, steps: usize) -> (f64, f64) {
        (steps as f64, 0.0)
    }

    /// How many gradients of the inner and of the outer objective the pull-backs of K = `steps`
    /// steps evaluate without a tape, in addition to their products: none, unless a derivative
    /// needs the direction again.
    fn pull_gradients(&self, steps: usize) -> (f64, f64) {
        let _ = steps;
        (0.0, 0.0)
    }

    /// Whether inner hyperparameters are part of x. Default: no.
    fn depends_on_x(&self) -> bool {
        false
    }

    /// Whether a fixed point of the steps is a stationary point of the inner objective, as for
    /// plain gradient descent: no aggregate field, no set that y is kept in, no proximal
    /// term. Implicit methods that solve with ∇²_yy g require it. Default: no, so they are refused.
    fn ends_stationary(&self) -> bool {
        false
    }

    /// Checks the settings, before any use.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting out of range.
    fn validate(&self, x_len: usize, y_len: usize) -> Result<()>;
}

/// Default steps leave no tape: one that has numbers belongs to dynamics that wrote only a part of
/// the three methods for tapes.
fn expect_no_tape<T>(tape: &[T]) -> Result<()> {
    expect_length("the tape of dynamics that keep none", 0, tape.len())
}

/// What a step sees: both objectives at x, the number of the step, and the draws.
pub struct Context<'a, T> {
    problem: &'a Problem<T>,
    /// The outer variable.
    pub x: &'a [T],
    /// g at x.
    pub inner: Counted<'a, T>,
    /// f at x.
    pub outer: Counted<'a, T>,
    /// t, from 0.
    pub step: usize,
    /// The outer step, from 0, for schedules that depend on it.
    pub outer_step: usize,
    /// The derivative in x that comes from inner hyperparameters in x, not from an
    /// objective.
    pub x_bar: Vec<T>,
    /// Work space of the dynamics.
    pub work: Vec<T>,
    key: Key,
    inner_key: Key,
    field_key: Key,
    all_rows: bool,
    /// Whether a derivative went through a step where it jumps.
    pub(crate) step_jumps: bool,
}

impl<'a, T: Scalar> Context<'a, T> {
    pub(crate) fn new(at: &At<'a, T>, work_len: usize) -> Result<Self> {
        let &At {
            problem,
            x,
            outer_step,
            ..
        } = at;
        expect_length("x", problem.x_len(), x.len())?;
        let key = at.key.fold_in(outer_step as u64);
        Ok(Self {
            problem,
            x,
            inner: Counted::new(problem.inner().at(x)?, Role::Inner),
            outer: Counted::new(problem.outer().at(x)?, Role::Outer),
            step: 0,
            outer_step,
            x_bar: vec![T::zero(); x.len()],
            work: vec![T::zero(); work_len],
            key,
            inner_key: key.stream(Stream::InnerBatch),
            field_key: key.stream(Stream::FieldBatch),
            all_rows: false,
            step_jumps: false,
        })
    }

    /// From now on, steps see all rows instead of mini-batches.
    pub(crate) fn see_all_rows(&mut self) {
        self.all_rows = true;
    }

    /// The draw of the inner objective at this step.
    #[must_use]
    pub fn inner_draw(&self) -> Draw {
        self.draw_of(self.inner_key)
    }

    /// The draw of the outer objective inside the aggregate field at this step.
    #[must_use]
    pub fn field_draw(&self) -> Draw {
        self.draw_of(self.field_key)
    }

    fn draw_of(&self, key: Key) -> Draw {
        if self.all_rows {
            return Draw::All;
        }
        Draw::Step {
            key,
            step: self.step as u64,
        }
    }

    /// The draw of the outer objective at the end of training.
    #[must_use]
    pub fn outer_draw(&self) -> Draw {
        Draw::Step {
            key: self.key.stream(Stream::OuterBatch),
            step: 0,
        }
    }

    /// The key of this outer step.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// What is solved.
    pub(crate) fn problem(&self) -> &'a Problem<T> {
        self.problem
    }

    /// `y = y_0(x)`.
    pub(crate) fn start(&self, y: &mut [T]) -> Result<()> {
        self.problem.start().start(self.x, self.key, y)
    }

    /// f(x, y) on the outer batch.
    pub(crate) fn value(&mut self, y: &[T]) -> Result<T> {
        let draw = self.outer_draw();
        let value = self.outer.value(y, draw)?;
        self.expect_finite(Quantity::OuterObjective, None, &[value])?;
        Ok(value)
    }

    /// Collects `scale` · ∇_x f on the outer batch, where x enters f.
    pub(crate) fn collect_outer(&mut self, y: &[T], scale: T) -> Result<()> {
        if !self.problem.outer().depends_on_x() {
            return Ok(());
        }
        let draw = self.outer_draw();
        self.outer.grad_x(y, draw, scale)
    }

    /// `x_bar +=` everything that was collected, and forgets it.
    pub(crate) fn finish(&mut self, x_bar: &mut [T]) -> Result<()> {
        self.inner.finish(x_bar)?;
        self.outer.finish(x_bar)?;
        axpy(T::one(), &self.x_bar, x_bar);
        self.x_bar.fill(T::zero());
        Ok(())
    }

    /// Fails unless all numbers are finite; `inner_step` counts from 1.
    pub(crate) fn expect_finite(
        &self,
        what: Quantity,
        inner_step: Option<usize>,
        values: &[T],
    ) -> Result<()> {
        if all_finite(values) {
            return Ok(());
        }
        Err(Error::NonFinite {
            what,
            inner_step,
            outer_step: Some(self.outer_step),
        })
    }

    /// Whether the steps have the derivatives that were taken of them.
    pub(crate) fn status(&self) -> Status {
        if self.step_jumps {
            Status::StepJumps
        } else {
            Status::Good
        }
    }

    /// The calls so far: inner, outer.
    #[must_use]
    pub fn calls(&self) -> (Calls, Calls) {
        (self.inner.calls(), self.outer.calls())
    }
}
