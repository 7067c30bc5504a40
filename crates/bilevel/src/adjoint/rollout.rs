//! The steps that an adjoint runs, forward and back.

use crate::dynamics::{Context, Dynamics};
use crate::error::expect_length;
use crate::objective::Calls;
use crate::{At, Quantity, Result, Scalar, Status};

/// K steps of given dynamics on a problem at a given x, as an adjoint runs them.
///
/// A hypergradient allocates a fixed number of times: the objectives' handles at x, work
/// space and n numbers here, a state and its cotangent, and the slabs of the adjoint. The
/// steps themselves do not allocate, unless an objective does.
pub struct Rollout<'a, T> {
    dynamics: &'a dyn Dynamics<T>,
    steps: usize,
    pub(crate) cx: Context<'a, T>,
}

impl<'a, T: Scalar> Rollout<'a, T> {
    /// Prepares K = `steps` steps.
    ///
    /// # Errors
    /// If x has the wrong length, or an objective fails.
    pub fn new(at: &At<'a, T>, dynamics: &'a dyn Dynamics<T>, steps: usize) -> Result<Self> {
        let work_len = dynamics.work_len(at.problem.y_len());
        Ok(Self {
            dynamics,
            steps,
            cx: Context::new(at, work_len)?,
        })
    }

    /// K.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Ends the rollout after `steps` steps, if it does not before.
    pub(crate) fn truncate(&mut self, steps: usize) {
        self.steps = self.steps.min(steps);
    }

    /// The length of a state.
    #[must_use]
    pub fn state_len(&self) -> usize {
        self.dynamics.state_len(self.cx.problem().y_len())
    }

    /// A vector of zeros as long as a state.
    #[must_use]
    pub fn zero_state(&self) -> Vec<T> {
        vec![T::zero(); self.state_len()]
    }

    /// s_0: y_0(x), and zero buffers.
    ///
    /// # Errors
    /// If the start fails.
    pub fn start(&mut self) -> Result<Vec<T>> {
        let mut state = self.zero_state();
        let y = &mut state[..self.cx.problem().y_len()];
        self.cx.start(y)?;
        Ok(state)
    }

    /// s_0 with the y of a warm start, where there is one, and zero buffers.
    pub(crate) fn start_from(&mut self, warm: Option<&[T]>) -> Result<Vec<T>> {
        let Some(warm) = warm else {
            return self.start();
        };
        let y_len = self.cx.problem().y_len();
        expect_length("the warm start of the inner variable", y_len, warm.len())?;
        let mut state = self.zero_state();
        state[..y_len].copy_from_slice(warm);
        Ok(state)
    }

    /// What the steps see: for methods that ask the objectives themselves.
    pub(crate) fn context(&mut self) -> &mut Context<'a, T> {
        &mut self.cx
    }

    /// `state = Φ_t(x, state)`.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn advance(&mut self, t: usize, state: &mut [T]) -> Result<()> {
        self.cx.step = t;
        self.dynamics.step(&mut self.cx, state)?;
        self.expect_finite(Quantity::InnerVariable, t, state)
    }

    /// `bar = (∂Φ_t/∂s)ᵀ bar` at s_t = `state`, s_{t+1} = `next`; collects the derivative
    /// in x.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn pull_back(&mut self, t: usize, state: &[T], next: &[T], bar: &mut [T]) -> Result<()> {
        self.cx.step = t;
        self.dynamics.pull_back(&mut self.cx, state, next, bar)?;
        self.expect_finite(Quantity::InnerCotangent, t, bar)
    }

    /// The length of the tape of step t, which may differ from step to step.
    ///
    /// # Errors
    /// If an objective keeps no tape.
    pub fn tape_len(&mut self, t: usize) -> Result<usize> {
        self.cx.step = t;
        let y_len = self.cx.problem().y_len();
        self.dynamics.tape_len(&mut self.cx, y_len)
    }

    /// [`Rollout::advance`], and fills `tape`.
    ///
    /// # Errors
    /// If an objective fails or keeps no tape, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn advance_taped(&mut self, t: usize, state: &mut [T], tape: &mut [T]) -> Result<()> {
        expect_length("the tape of a step", self.tape_len(t)?, tape.len())?;
        self.dynamics.step_taped(&mut self.cx, state, tape)?;
        self.expect_finite(Quantity::InnerVariable, t, state)
    }

    /// [`Rollout::pull_back`] from the `tape` that [`Rollout::advance_taped`] filled.
    ///
    /// # Errors
    /// If an objective fails or keeps no tape, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn pull_back_taped(
        &mut self,
        t: usize,
        state: &[T],
        next: &[T],
        tape: &[T],
        bar: &mut [T],
    ) -> Result<()> {
        expect_length("the tape of a step", self.tape_len(t)?, tape.len())?;
        self.dynamics
            .pull_back_taped(&mut self.cx, state, next, tape, bar)?;
        self.expect_finite(Quantity::InnerCotangent, t, bar)
    }

    /// `state = Φ_t(x, state)`, and its derivative along (dx, tangent) into `tangent`.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn push_forward(
        &mut self,
        t: usize,
        dx: &[T],
        state: &mut [T],
        tangent: &mut [T],
    ) -> Result<()> {
        self.cx.step = t;
        self.dynamics
            .push_forward(&mut self.cx, dx, state, tangent)?;
        self.expect_finite(Quantity::InnerVariable, t, state)?;
        self.expect_finite(Quantity::InnerTangent, t, tangent)
    }

    /// f(x, y_K) at s_K = `state`.
    ///
    /// # Errors
    /// If the outer objective fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn value(&mut self, state: &[T]) -> Result<T> {
        self.cx.value(&state[..self.cx.problem().y_len()])
    }

    /// f(x, y_K); `bar` becomes the cotangent of s_K, and ∇_x f is collected.
    ///
    /// # Errors
    /// If the outer objective fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn seed(&mut self, state: &[T], bar: &mut [T]) -> Result<T> {
        let value = self.value(state)?;
        let (y, draw) = (&state[..self.cx.problem().y_len()], self.cx.outer_draw());
        bar.fill(T::zero());
        self.cx.outer.grad_y(y, draw, &mut bar[..y.len()])?;
        self.cx.collect_outer(y, T::one())?;
        self.expect_finite(Quantity::OuterGradient, self.steps, bar)?;
        Ok(value)
    }

    /// `x_bar +=` everything collected, and the path through the start, whose cotangent
    /// is `bar`.
    ///
    /// # Errors
    /// If an objective or the start fails, or [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn finish(&mut self, bar: &[T], x_bar: &mut [T]) -> Result<()> {
        let y_bar = &bar[..self.cx.problem().y_len()];
        self.cx.finish(x_bar)?;
        let cx = &self.cx;
        self.cx
            .problem()
            .start()
            .pull(cx.x, cx.key(), y_bar, x_bar)?;
        cx.expect_finite(Quantity::HyperGradient, None, x_bar)
    }

    /// From `state` = s_0 to s_K, keeping the states from s_`first` on, and back to there:
    /// leaves s_K in `state` and the cotangent of s_`first` in `bar`, and returns f(x, y_K).
    pub(super) fn reverse_from(
        &mut self,
        first: usize,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        for t in 0..first {
            self.advance(t, state)?;
        }
        let mut states = Vec::with_capacity((self.steps - first) * state.len());
        for t in first..self.steps {
            states.extend_from_slice(state);
            self.advance(t, state)?;
        }
        let value = self.seed(state, bar)?;
        let mut next = &*state;
        let kept = states.chunks_exact(state.len().max(1));
        for (before, t) in kept.zip(first..self.steps).rev() {
            self.pull_back(t, before, next, bar)?;
            next = before;
        }
        Ok(value)
    }

    /// From `state` = s_0 to s_K, whose tangent along dx becomes `tangent`.
    pub(super) fn push(&mut self, dx: &[T], state: &mut [T], tangent: &mut [T]) -> Result<()> {
        tangent.fill(T::zero());
        let dy = &mut tangent[..self.cx.problem().y_len()];
        let start = self.cx.problem().start();
        start.push(self.cx.x, self.cx.key(), dx, dy)?;
        for t in 0..self.steps {
            self.push_forward(t, dx, state, tangent)?;
        }
        Ok(())
    }

    /// Whether the steps have the derivatives that were taken of them.
    pub(crate) fn status(&self) -> Status {
        self.cx.status()
    }

    /// The calls so far: inner, outer.
    #[must_use]
    pub fn calls(&self) -> (Calls, Calls) {
        self.cx.calls()
    }

    pub(crate) fn expect_finite(&self, what: Quantity, t: usize, values: &[T]) -> Result<()> {
        let inner_step = Some((t + 1).min(self.steps));
        self.cx.expect_finite(what, inner_step, values)
    }
}
