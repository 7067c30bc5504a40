//! Plain gradient descent, optionally with a projection.

use super::{Field, Hyper, UpdateRule};
use crate::{Result, Scalar, Set};

/// y ← P(y − s · d_t(x, y)), with step size s, field d and projection P onto a set.
///
/// With [`Field::Inner`] and no constraint, it is the inner map of reverse-HG (arXiv
/// 1703.01785) and MAML; with [`Field::Aggregate`], of BDA and the Improved Bilevel Model.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `field` | `Inner` | | the direction d |
/// | `set` | `All` | | the set that y is kept in |
///
/// Cost of a step: one gradient of the field. Pull-back: one product of the field, and one more
/// gradient if the step size is part of x; with a tape, m numbers per step (the direction)
/// replace that gradient.
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

/// The update is the direction itself.
impl<T: Scalar> UpdateRule<T> for GradientDescent<T> {
    fn step_size(&self) -> Hyper {
        self.step_size
    }

    fn field(&self) -> &Field {
        &self.field
    }

    fn set(&self) -> &Set<T> {
        &self.set
    }

    fn check(&self, _: usize) -> Result<()> {
        Ok(())
    }
}
