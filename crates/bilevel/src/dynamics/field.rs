//! The direction that the inner variable follows.

use super::{Context, Schedule, Weights};
use crate::error::require;
use crate::objective::Counted;
use crate::vector::{axpy, scale_into};
use crate::{Draw, Error, Result, Scalar};

/// d_t(x, y): what a step subtracts, before its step size.
#[derive(Clone, PartialEq, Debug)]
pub enum Field {
    /// d = ∇_y g: the basic bilevel model.
    Inner,
    /// d = inner · ∇_y g + outer · `outer_scale` · ∇_y f, with the weights of a schedule:
    /// BDA (arXiv 2006.04045) and the Improved Bilevel Model (arXiv 2009.00690), whose
    /// inner maps differ only in the schedule.
    ///
    /// Among several inner solutions it moves to the best one for the outer objective.
    /// Costs one gradient of each objective per step, if its weight is not zero.
    Aggregate {
        /// The weights at each step.
        schedule: Schedule,
        /// The ratio of the outer to the inner gradient's step size, positive.
        outer_scale: f64,
    },
}

impl Field {
    pub(crate) fn weights<T: Scalar>(&self, cx: &Context<'_, T>) -> Weights {
        match self {
            Self::Inner => Weights {
                outer: 0.0,
                inner: 1.0,
            },
            Self::Aggregate {
                schedule,
                outer_scale,
            } => {
                let Weights { outer, inner } = schedule.weights(cx.step + 1, cx.outer_step, cx.x);
                Weights {
                    outer: outer * outer_scale,
                    inner,
                }
            }
        }
    }

    /// The weights at step k, from 1; None where they are part of x.
    pub(super) fn fixed_weights(&self, k: usize, outer_step: usize) -> Option<Weights> {
        match self {
            Self::Inner => Some(Weights {
                outer: 0.0,
                inner: 1.0,
            }),
            Self::Aggregate {
                schedule,
                outer_scale,
            } => {
                let Weights { outer, inner } = schedule.fixed_weights(k, outer_step)?;
                Some(Weights {
                    outer: outer * outer_scale,
                    inner,
                })
            }
        }
    }

    /// Whether the weights are part of x.
    pub(super) fn depends_on_x(&self) -> bool {
        matches!(self, Self::Aggregate { schedule, .. } if schedule.depends_on_x())
    }

    /// Which number of x the weight of this step is made of, where it is learned, and dα/dx.
    pub(crate) fn learned<T: Scalar>(&self, cx: &Context<'_, T>) -> Option<(usize, f64)> {
        match self {
            Self::Inner => None,
            Self::Aggregate { schedule, .. } => schedule.derivative(cx.step + 1, cx.x),
        }
    }

    /// `slope`, and how the weights change with α, where one is learned at this step.
    fn slope<'s, T: Scalar>(
        &self,
        cx: &Context<'_, T>,
        slope: &'s mut [T],
    ) -> Option<(Weights, &'s mut [T])> {
        match self {
            Self::Aggregate { outer_scale, .. } if self.learned(cx).is_some() => {
                let change = Weights {
                    outer: *outer_scale,
                    inner: -1.0,
                };
                Some((change, slope)).filter(|(_, slope)| !slope.is_empty())
            }
            _ => None,
        }
    }

    /// `out = d_t(x, y)`, and `slope = ∂d_t/∂α` where the weight α of this step is learned,
    /// unless it has no numbers; `work` has m numbers.
    pub(crate) fn direction<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        work: &mut [T],
        out: &mut [T],
        slope: &mut [T],
    ) -> Result<()> {
        let slope = self.slope(cx, slope);
        self.weights(cx)
            .sum(cx, work, out, slope, |objective, draw, out| {
                objective.grad_y(y, draw, out)
            })
    }

    /// How many numbers [`Field::linearize`] keeps: none of an objective whose weight is
    /// zero.
    pub(super) fn tape_len<T: Scalar>(&self, cx: &mut Context<'_, T>) -> Result<usize> {
        let weights = self.weights(cx);
        let mut len = 0;
        if weights.inner != 0.0 {
            let draw = cx.inner_draw();
            len += cx.inner.tape_len(draw)?;
        }
        if weights.outer != 0.0 {
            let draw = cx.field_draw();
            len += cx.outer.tape_len(draw)?;
        }
        Ok(len)
    }

    /// As [`Field::direction`], and fills `tape`, first with the tape of the inner objective.
    pub(super) fn linearize<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        work: &mut [T],
        (out, slope): (&mut [T], &mut [T]),
        mut tape: &mut [T],
    ) -> Result<()> {
        let slope = self.slope(cx, slope);
        self.weights(cx)
            .sum(cx, work, out, slope, |objective, draw, out| {
                let (expected, found) = (objective.tape_len(draw)?, tape.len());
                let part = tape
                    .split_off_mut(..expected)
                    .ok_or_else(|| short(expected, found))?;
                objective.linearize(y, draw, out, part)
            })
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
        self.weights(cx).pull(cx, y, v, work, y_bar)
    }

    /// The same from the tape of [`Field::linearize`] at this y.
    pub(super) fn pull_tape<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        mut tape: &[T],
        v: &[T],
        work: &mut [T],
        y_bar: &mut [T],
    ) -> Result<()> {
        self.weights(cx).share(cx, v, work, |objective, draw, v| {
            let (expected, found) = (objective.tape_len(draw)?, tape.len());
            let part = tape
                .split_off(..expected)
                .ok_or_else(|| short(expected, found))?;
            objective.pull_tape(y, draw, part, v, y_bar)
        })
    }

    /// `out = ∂d_t/∂y · dy + ∂d_t/∂x · dx`; `work` has m numbers. Whether it holds d_t(x, y) then, which may
    /// come along.
    pub(super) fn push<T: Scalar>(
        &self,
        cx: &mut Context<'_, T>,
        y: &[T],
        (dx, dy): (&[T], &[T]),
        work: &mut [T],
        out: &mut [T],
    ) -> Result<bool> {
        out.fill(T::zero());
        if *self == Self::Inner {
            let draw = cx.inner_draw();
            return cx.inner.push_with_gradient(y, draw, (dx, dy), work, out);
        }
        let weights = self.weights(cx);
        if weights.inner != 0.0 {
            let draw = cx.inner_draw();
            work.fill(T::zero());
            cx.inner.push(y, draw, dx, dy, work)?;
            axpy(T::from_f64(weights.inner), work, out);
        }
        if weights.outer != 0.0 {
            let draw = cx.field_draw();
            work.fill(T::zero());
            cx.outer.push(y, draw, dx, dy, work)?;
            axpy(T::from_f64(weights.outer), work, out);
        }
        Ok(false)
    }

    pub(crate) fn uses_outer(&self) -> bool {
        matches!(self, Self::Aggregate { .. })
    }

    /// How many gradients of the inner and of the outer objective K = `steps` steps look at, at
    /// outer step 0.
    pub(crate) fn gradients(&self, steps: usize) -> (f64, f64) {
        match self {
            Self::Inner => (steps as f64, 0.0),
            Self::Aggregate { schedule, .. } => {
                // A learned weight is neither 0 nor 1.
                let weights = |k| schedule.fixed_weights(k, 0);
                (
                    counted(steps, &|k| {
                        weights(k).is_none_or(|weights| weights.inner != 0.0)
                    }),
                    counted(steps, &|k| {
                        weights(k).is_none_or(|weights| weights.outer != 0.0)
                    }),
                )
            }
        }
    }

    /// At how many of K = `steps` steps the weight is learned.
    pub(super) fn learned_steps(&self, steps: usize) -> f64 {
        match self {
            Self::Inner => 0.0,
            Self::Aggregate { schedule, .. } => {
                counted(steps, &|k| schedule.fixed_weights(k, 0).is_none())
            }
        }
    }

    pub(crate) fn validate(&self, x_len: usize) -> Result<()> {
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
                schedule.validate(x_len)
            }
        }
    }
}

/// inner · g + outer · f, with the draws of one step.
impl Weights {
    /// `out = inner · ∇_y g + outer · ∇_y f`; `work` has m numbers.
    pub(crate) fn grad_y<T: Scalar>(
        self,
        cx: &mut Context<'_, T>,
        y: &[T],
        work: &mut [T],
        out: &mut [T],
    ) -> Result<()> {
        self.sum(cx, work, out, None, |objective, draw, out| {
            objective.grad_y(y, draw, out)
        })
    }

    /// `y_bar += (inner · ∇²_yy g + outer · ∇²_yy f) v`, and collects
    /// `(inner · ∇²_xy g + outer · ∇²_xy f) v`; `work` has m numbers.
    pub(crate) fn pull<T: Scalar>(
        self,
        cx: &mut Context<'_, T>,
        y: &[T],
        v: &[T],
        work: &mut [T],
        y_bar: &mut [T],
    ) -> Result<()> {
        self.share(cx, v, work, |objective, draw, v| {
            objective.pull(y, draw, v, y_bar)
        })
    }

    /// `out` = the weighted sum of what `grad_y` gives for each objective, the inner one
    /// first; not called where the weight is zero. `slope` becomes the sum with other weights,
    /// of gradients that are asked for anyway.
    fn sum<'a, T: Scalar>(
        self,
        cx: &mut Context<'a, T>,
        work: &mut [T],
        out: &mut [T],
        mut slope: Option<(Self, &mut [T])>,
        mut grad_y: impl FnMut(&mut Counted<'a, T>, Draw, &mut [T]) -> Result<()>,
    ) -> Result<()> {
        let draw = cx.inner_draw();
        if self.inner == 0.0 {
            out.fill(T::zero());
        } else {
            grad_y(&mut cx.inner, draw, out)?;
        }
        if let Some((weights, slope)) = &mut slope {
            scale_into(T::from_f64(weights.inner), out, slope);
        }
        if self.inner != 1.0 && self.inner != 0.0 {
            let inner = T::from_f64(self.inner);
            for value in out.iter_mut() {
                *value *= inner;
            }
        }
        if self.outer != 0.0 {
            let draw = cx.field_draw();
            grad_y(&mut cx.outer, draw, work)?;
            axpy(T::from_f64(self.outer), work, out);
            if let Some((weights, slope)) = slope {
                axpy(T::from_f64(weights.outer), work, slope);
            }
        }
        Ok(())
    }

    /// Hands each objective its weighted share of `v`, the inner one first; not called
    /// where the weight is zero.
    fn share<'a, T: Scalar>(
        self,
        cx: &mut Context<'a, T>,
        v: &[T],
        work: &mut [T],
        mut pull: impl FnMut(&mut Counted<'a, T>, Draw, &[T]) -> Result<()>,
    ) -> Result<()> {
        if self.inner != 0.0 {
            let draw = cx.inner_draw();
            scale_into(T::from_f64(self.inner), v, work);
            pull(&mut cx.inner, draw, work)?;
        }
        if self.outer != 0.0 {
            let draw = cx.field_draw();
            scale_into(T::from_f64(self.outer), v, work);
            pull(&mut cx.outer, draw, work)?;
        }
        Ok(())
    }
}

/// An objective wants more of a tape than it asked for.
fn short(expected: usize, found: usize) -> Error {
    Error::Length {
        what: "the tape of a step",
        expected,
        found,
    }
}
/// How many of the steps 1 … `steps` are such; of very many, about: as many as among the first and the last ones.
fn counted(steps: usize, is: &dyn Fn(usize) -> bool) -> f64 {
    const LOOKED_AT: usize = 10_000;
    let count = |range: std::ops::RangeInclusive<usize>| range.filter(|&k| is(k)).count() as f64;
    if steps <= 2 * LOOKED_AT {
        return count(1..=steps);
    }
    let last = count(steps - LOOKED_AT + 1..=steps);
    count(1..=LOOKED_AT) + last / LOOKED_AT as f64 * (steps - LOOKED_AT) as f64
}
