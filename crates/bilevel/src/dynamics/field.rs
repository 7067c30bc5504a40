//! The direction that the inner variable follows.

use super::{Context, Schedule, Weights};
use crate::error::require;
use crate::{Result, Scalar};

/// d_t(x, y): what a step subtracts, before its step size.
#[derive(Clone, PartialEq, Debug)]
pub enum Field {
    /// d = ∇_y g: the basic bilevel model.
    Inner,
    /// d = inner · ∇_y g + outer · `outer_scale` · ∇_y f, with the weights of a schedule:
    /// BDA (arXiv 2006.04045) and the Improved Bilevel Model (arXiv 2009.00690), whose
    /// inner maps are the same, up to the schedule.
    ///
    /// Among several inner solutions it moves to the one that the outer objective likes
    /// best. Costs one gradient of each objective a step, where its weight is not zero.
    Aggregate {
        /// The weights at each step.
        schedule: Schedule,
        /// The step size of the outer gradient over that of the inner one, positive.
        outer_scale: f64,
    },
}

impl Field {
    fn weights<T: Scalar>(&self, cx: &Context<'_, T>) -> Weights {
        match self {
            Self::Inner => Weights {
                outer: 0.0,
                inner: 1.0,
            },
            Self::Aggregate {
                schedule,
                outer_scale,
            } => {
                let Weights { outer, inner } = schedule.weights(cx.step + 1, cx.outer_step);
                Weights {
                    outer: outer * outer_scale,
                    inner,
                }
            }
        }
    }

    /// `out = d_t(x, y)`; `work` has m numbers.
    pub(super) fn direction<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        work: &mut [T],
        out: &mut [T],
    ) -> Result<()> {
        let weights = self.weights(cx);
        let draw = cx.inner_draw();
        if weights.inner == 0.0 {
            out.fill(T::zero());
        } else {
            cx.inner.grad_y(y, draw, out)?;
        }
        if weights.inner != 1.0 && weights.inner != 0.0 {
            let inner = T::from_f64(weights.inner);
            for value in out.iter_mut() {
                *value *= inner;
            }
        }
        if weights.outer != 0.0 {
            let draw = cx.field_draw();
            cx.outer.grad_y(y, draw, work)?;
            crate::vector::axpy(T::from_f64(weights.outer), work, out);
        }
        Ok(())
    }

    /// `y_bar += (∂d_t/∂y)ᵀ v`, and collects `(∂d_t/∂x)ᵀ v`; `work` has m numbers.
    pub(super) fn pull<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        v: &[T],
        work: &mut [T],
        y_bar: &mut [T],
    ) -> Result<()> {
        let weights = self.weights(cx);
        if weights.inner != 0.0 {
            let draw = cx.inner_draw();
            crate::vector::scale_into(T::from_f64(weights.inner), v, work);
            cx.inner.pull(y, draw, work, y_bar)?;
        }
        if weights.outer != 0.0 {
            let draw = cx.field_draw();
            crate::vector::scale_into(T::from_f64(weights.outer), v, work);
            cx.outer.pull(y, draw, work, y_bar)?;
        }
        Ok(())
    }

    /// `out = ∂d_t/∂y · dy + ∂d_t/∂x · dx`; `work` has m numbers.
    pub(super) fn push<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        (dx, dy): (&[T], &[T]),
        work: &mut [T],
        out: &mut [T],
    ) -> Result<()> {
        let weights = self.weights(cx);
        out.fill(T::zero());
        if weights.inner != 0.0 {
            let draw = cx.inner_draw();
            work.fill(T::zero());
            cx.inner.push(y, draw, dx, dy, work)?;
            crate::vector::axpy(T::from_f64(weights.inner), work, out);
        }
        if weights.outer != 0.0 {
            let draw = cx.field_draw();
            work.fill(T::zero());
            cx.outer.push(y, draw, dx, dy, work)?;
            crate::vector::axpy(T::from_f64(weights.outer), work, out);
        }
        Ok(())
    }

    pub(super) fn uses_outer(&self) -> bool {
        matches!(self, Self::Aggregate { .. })
    }

    pub(super) fn validate(&self) -> Result<()> {
        match self {
            Self::Inner => Ok(()),
            Self::Aggregate {
                schedule,
                outer_scale,
            } => {
                require(
                    *outer_scale > 0.0 && outer_scale.is_finite(),
                    "outer_scale of the aggregate field",
                    "a positive number",
                    outer_scale,
                )?;
                schedule.validate()
            }
        }
    }
}
