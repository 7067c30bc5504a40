//! Gradients that are too long.

use super::{Optimizer, Update};
use crate::error::require;
use crate::vector::norm;
use crate::{Memory, Result, Scalar};

/// An optimizer that sees gradients of at most this norm: longer ones are shortened (arXiv 1211.5063). One outer step at
/// which training is unstable then does not undo the others.
///
/// ```
/// use bilevel::{Memory, optimizer::{Clipped, Optimizer, Sgd, Update}};
/// let optimizer = Clipped { optimizer: Sgd::new(1.0), most: 5.0 };
/// let mut x = [0.0, 0.0];
/// let at = Update { step: 0, value: 0.0, gradient: &[-6.0, 8.0] };
/// optimizer.update(&at, &mut Memory::default(), &mut [], &mut x);
/// assert_eq!(x, [3.0, -4.0]);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Clipped<O> {
    /// The optimizer that moves x.
    pub optimizer: O,
    /// The largest norm, positive; infinity leaves gradients as they are.
    pub most: f64,
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Clipped<O> {
    fn state_len(&self, x_len: usize) -> usize {
        self.optimizer.state_len(x_len)
    }

    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        let size = norm(at.gradient);
        if size <= self.most {
            return self.optimizer.update(at, memory, state, x);
        }
        let factor = T::from_f64(self.most / size);
        let gradient: Vec<T> = at.gradient.iter().map(|&g| g * factor).collect();
        let at = Update {
            gradient: &gradient,
            ..*at
        };
        self.optimizer.update(&at, memory, state, x);
    }

    fn validate(&self, x_len: usize) -> Result<()> {
        require(self.most > 0.0, "most", "a positive number", self.most)?;
        self.optimizer.validate(x_len)
    }
}
