//! How the outer variable moves.

mod adam;
mod adaptive_step;
mod annealed;
mod clipped;
mod sgd;

pub use adam::Adam;
pub use adaptive_step::AdaptiveStep;
pub use annealed::{Annealed, Annealing};
pub use clipped::Clipped;
pub use sgd::Sgd;

use crate::bounds::Bounds;
use crate::error::expect_length;
use crate::{Memory, Result, Scalar};

/// An update rule for x: takes an explicit state, gives the new x and state.
pub trait Optimizer<T: Scalar>: Send + Sync {
    /// How many numbers of state it keeps, for n = `x_len`.
    fn state_len(&self, x_len: usize) -> usize;

    /// `x` ← the next x. `memory` is the memory of the method, for rules that set its accuracy.
    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]);

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of range.
    fn validate(&self, x_len: usize) -> Result<()>;
}

/// What an update knows about the current x.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Update<'a, T> {
    /// How many updates were made before, from 0.
    pub step: usize,
    /// f at x and at the end of training.
    pub value: T,
    /// The hypergradient at x, n numbers.
    pub gradient: &'a [T],
}

/// An optimizer followed by the projection onto a box.
///
/// ```
/// use bilevel::{Bounds, Memory, optimizer::{Optimizer, Projected, Sgd, Update}};
/// let optimizer = Projected { optimizer: Sgd::new(1.0), bounds: Bounds::uniform(0.0, 1.0)? };
/// let mut x = [0.5];
/// let at = Update { step: 0, value: 2.0, gradient: &[-3.0] };
/// optimizer.update(&at, &mut Memory::default(), &mut [], &mut x);
/// assert_eq!(x, [1.0]);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Projected<O, T> {
    /// The optimizer that moves x.
    pub optimizer: O,
    /// The box that x is kept in.
    pub bounds: Bounds<T>,
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Projected<O, T> {
    fn state_len(&self, x_len: usize) -> usize {
        self.optimizer.state_len(x_len)
    }

    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        self.optimizer.update(at, memory, state, x);
        self.bounds.project(x);
    }

    fn validate(&self, x_len: usize) -> Result<()> {
        self.optimizer.validate(x_len)?;
        self.bounds.validate(x_len)
    }
}

impl<T: Scalar> Optimizer<T> for Box<dyn Optimizer<T>> {
    fn state_len(&self, x_len: usize) -> usize {
        (**self).state_len(x_len)
    }

    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        (**self).update(at, memory, state, x);
    }

    fn validate(&self, x_len: usize) -> Result<()> {
        (**self).validate(x_len)
    }
}

/// The state of an optimizer at the start: zeros.
#[must_use]
pub fn initial_state<T: Scalar>(optimizer: &dyn Optimizer<T>, x_len: usize) -> Vec<T> {
    vec![T::zero(); optimizer.state_len(x_len)]
}

/// Checks the lengths that an update needs.
pub(crate) fn expect_state<T: Scalar>(
    optimizer: &dyn Optimizer<T>,
    x_len: usize,
    state: &[T],
) -> Result<()> {
    expect_length(
        "the state of the optimizer",
        optimizer.state_len(x_len),
        state.len(),
    )
}
