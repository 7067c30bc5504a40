//! How training is differentiated: the adjoint runs the loop, for only it knows what to
//! keep.

mod checkpointed;
mod first_order;
mod forward;
mod reverse;

pub use checkpointed::Checkpointed;
pub use first_order::FirstOrder;
pub use forward::directional;
pub use reverse::Reverse;

use crate::dynamics::{Context, Dynamics};
use crate::objective::Calls;
use crate::vector::all_finite;
use crate::{Error, Key, Problem, Result, Scalar};

/// Runs K inner steps forward and their derivative back.
pub trait Adjoint<T: Scalar>: Send + Sync {
    /// The name for messages.
    fn name(&self) -> &'static str;

    /// Through which paths the derivative sees x.
    fn sees(&self) -> Paths;

    /// Whether it asks the objectives for second derivatives.
    fn needs_second_order(&self) -> bool;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting out of range.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// From `state` = s_0 to s_K, then back: leaves s_K in `state` and the cotangent of
    /// s_0 in `bar`, collects the derivatives in x in the rollout, and returns f(x, y_K).
    ///
    /// # Errors
    /// If an objective fails, or the state becomes non-finite.
    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T>;
}

/// The paths by which x may enter: those that a derivative follows, or those that a
/// problem has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Paths {
    /// The start of training.
    pub start: bool,
    /// The inner steps: the inner objective, the outer one inside the aggregate field,
    /// inner hyperparameters.
    pub inner: bool,
    /// The outer objective at the end of training.
    pub outer: bool,
}

impl Paths {
    /// Every path.
    pub const ALL: Self = Self {
        start: true,
        inner: true,
        outer: true,
    };

    /// The paths of `self` that are in `other` too.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            start: self.start && other.start,
            inner: self.inner && other.inner,
            outer: self.outer && other.outer,
        }
    }

    /// Whether there is any.
    #[must_use]
    pub fn any(self) -> bool {
        self.start || self.inner || self.outer
    }

    /// Through which paths x enters a problem whose inner variable moves by `dynamics`.
    #[must_use]
    pub fn of<T: Scalar>(problem: &Problem<T>, dynamics: &dyn Dynamics<T>) -> Self {
        let outer = problem.outer().depends_on_x();
        Self {
            start: problem.start().depends_on_x(),
            inner: problem.inner().depends_on_x()
                || dynamics.depends_on_x()
                || (dynamics.uses_outer() && outer),
            outer,
        }
    }
}

impl std::fmt::Display for Paths {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [
            (self.start, "the start of training"),
            (self.inner, "the inner steps"),
            (self.outer, "the outer objective"),
        ];
        let present: Vec<_> = names
            .iter()
            .filter_map(|&(there, name)| there.then_some(name))
            .collect();
        match present.split_last() {
            None => formatter.write_str("nothing"),
            Some((last, [])) => formatter.write_str(last),
            Some((last, rest)) => write!(formatter, "{} and {last}", rest.join(", ")),
        }
    }
}

/// K steps of given dynamics on a problem at a given x: what an adjoint runs.
pub struct Rollout<'a, T> {
    problem: &'a Problem<T>,
    dynamics: &'a dyn Dynamics<T>,
    steps: usize,
    cx: Context<'a, T>,
}

impl<'a, T: Scalar> Rollout<'a, T> {
    /// Prepares K = `steps` steps at `x`; `key` is that of the run, and `outer_step`
    /// selects its draws.
    ///
    /// # Errors
    /// If x has another length than the problem says, or an objective fails.
    pub fn new(
        problem: &'a Problem<T>,
        dynamics: &'a dyn Dynamics<T>,
        steps: usize,
        x: &'a [T],
        key: Key,
        outer_step: usize,
    ) -> Result<Self> {
        crate::error::expect_length("x", problem.x_len(), x.len())?;
        let work_len = dynamics.work_len(problem.y_len());
        Ok(Self {
            problem,
            dynamics,
            steps,
            cx: Context::new(problem, x, key, outer_step, work_len)?,
        })
    }

    /// K.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The length of a state.
    #[must_use]
    pub fn state_len(&self) -> usize {
        self.dynamics.state_len(self.problem.y_len())
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
        let y = &mut state[..self.problem.y_len()];
        self.problem.start().start(self.cx.x, self.cx.key(), y)?;
        Ok(state)
    }

    /// `state = Φ_t(x, state)`.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`].
    pub fn advance(&mut self, t: usize, state: &mut [T]) -> Result<()> {
        self.cx.step = t;
        self.dynamics.step(&mut self.cx, state)?;
        self.expect_finite("the inner variable", t, state)
    }

    /// `bar = (∂Φ_t/∂s)ᵀ bar` at s_t = `state`, s_{t+1} = `next`; collects the derivative
    /// in x.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`].
    pub fn pull_back(&mut self, t: usize, state: &[T], next: &[T], bar: &mut [T]) -> Result<()> {
        self.cx.step = t;
        self.dynamics.pull_back(&mut self.cx, state, next, bar)?;
        self.expect_finite("the cotangent of the inner variable", t, bar)
    }

    /// `state = Φ_t(x, state)`, and its derivative along (dx, tangent) into `tangent`.
    ///
    /// # Errors
    /// If an objective fails, or [`Error::NonFinite`].
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
        self.expect_finite("the inner variable", t, state)?;
        self.expect_finite("the tangent of the inner variable", t, tangent)
    }

    /// f(x, y_K) at s_K = `state`.
    ///
    /// # Errors
    /// If the outer objective fails, or [`Error::NonFinite`].
    pub fn value(&mut self, state: &[T]) -> Result<T> {
        let draw = self.cx.outer_draw();
        let value = self.cx.outer.value(&state[..self.problem.y_len()], draw)?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(self.non_finite("the outer objective", None))
        }
    }

    /// f(x, y_K); `bar` becomes the cotangent of s_K, and ∇_x f is collected.
    ///
    /// # Errors
    /// If the outer objective fails, or [`Error::NonFinite`].
    pub fn seed(&mut self, state: &[T], bar: &mut [T]) -> Result<T> {
        let value = self.value(state)?;
        let (y, draw) = (&state[..self.problem.y_len()], self.cx.outer_draw());
        bar.fill(T::zero());
        self.cx.outer.grad_y(y, draw, &mut bar[..y.len()])?;
        if self.problem.outer().depends_on_x() {
            self.cx.outer.grad_x(y, draw, T::one())?;
        }
        self.expect_finite("the gradient of the outer objective", self.steps, bar)?;
        Ok(value)
    }

    /// `x_bar +=` everything collected, and the path through the start, whose cotangent
    /// is `bar`.
    ///
    /// # Errors
    /// If an objective or the start fails, or [`Error::NonFinite`].
    pub fn finish(&mut self, bar: &[T], x_bar: &mut [T]) -> Result<()> {
        let y_bar = &bar[..self.problem.y_len()];
        let cx = &mut self.cx;
        cx.inner.finish(x_bar)?;
        cx.outer.finish(x_bar)?;
        crate::vector::axpy(T::one(), &cx.x_bar, x_bar);
        cx.x_bar.fill(T::zero());
        self.problem.start().pull(cx.x, cx.key(), y_bar, x_bar)?;
        if all_finite(x_bar) {
            Ok(())
        } else {
            Err(self.non_finite("the hypergradient", None))
        }
    }

    /// The tangent of s_0 along dx.
    fn start_tangent(&mut self, dx: &[T]) -> Result<Vec<T>> {
        let mut tangent = self.zero_state();
        let dy = &mut tangent[..self.problem.y_len()];
        self.problem
            .start()
            .push(self.cx.x, self.cx.key(), dx, dy)?;
        Ok(tangent)
    }

    /// The calls so far: inner, outer.
    #[must_use]
    pub fn calls(&self) -> (Calls, Calls) {
        self.cx.calls()
    }

    fn expect_finite(&self, what: &'static str, t: usize, values: &[T]) -> Result<()> {
        if all_finite(values) {
            Ok(())
        } else {
            Err(self.non_finite(what, Some(t)))
        }
    }

    fn non_finite(&self, what: &'static str, t: Option<usize>) -> Error {
        Error::NonFinite {
            what,
            inner_step: t.map(|t| (t + 1).min(self.steps)),
            outer_step: Some(self.cx.outer_step),
        }
    }
}
