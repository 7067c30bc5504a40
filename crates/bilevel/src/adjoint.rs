//! How training is differentiated: the adjoint runs the loop, because only it knows what
//! to keep.

mod checkpointed;
mod first_order;
mod forward;
mod reverse;
mod reverse_tape;
mod rollout;
mod truncated;

pub use checkpointed::Checkpointed;
pub use first_order::FirstOrder;
pub use forward::{Forward, directional};
pub use reverse::Reverse;
pub use reverse_tape::ReverseTape;
pub use rollout::Rollout;
pub use truncated::Truncated;

use crate::dynamics::Dynamics;
use crate::{Error, Problem, Result, Scalar, Sweeps};

/// Runs K inner steps forward and their derivative back.
pub trait Adjoint<T: Scalar>: Send + Sync {
    /// The name for messages.
    fn name(&self) -> &'static str;

    /// Through which paths the derivative of K = `steps` steps sees x.
    fn sees(&self, steps: usize) -> Paths;

    /// Whether it needs [`SecondOrder`](crate::objective::SecondOrder) from the objectives.
    fn needs_second_order(&self) -> bool;

    /// Whether it also needs [`SecondOrder::push`](crate::objective::SecondOrder::push).
    fn needs_push(&self) -> bool {
        false
    }

    /// Whether it needs [`Taped`](crate::objective::Taped) from the objectives.
    fn needs_tape(&self) -> bool {
        false
    }

    /// What it does with K = `steps` steps, for an x of `x_len` numbers.
    fn sweeps(&self, steps: usize, x_len: usize) -> Sweeps;

    /// Checks the settings, and that they make sense for K = `steps` steps and an x of `x_len`
    /// numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting out of range, or
    /// [`Error::TooCostly`].
    fn validate(&self, _steps: usize, _x_len: usize) -> Result<()> {
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

/// The paths through which x enters a problem, or which a derivative follows.
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

    /// The paths that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            start: self.start && other.start,
            inner: self.inner && other.inner,
            outer: self.outer && other.outer,
        }
    }

    /// Whether there is any path.
    #[must_use]
    pub fn any(self) -> bool {
        self.start || self.inner || self.outer
    }

    /// Refuses a derivative that follows only these paths if x `enters` only through others.
    ///
    /// # Errors
    /// [`Error::StructurallyZero`] with the name of the derivative.
    pub fn expect_any_of(self, enters: Self, derivative: &'static str) -> Result<()> {
        if self.and(enters).any() {
            Ok(())
        } else {
            Err(Error::StructurallyZero {
                derivative,
                sees: self.to_string(),
                enters: enters.to_string(),
            })
        }
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
