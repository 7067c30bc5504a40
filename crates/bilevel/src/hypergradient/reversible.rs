//! Training that is run backwards, bit for bit.

mod buffer;
mod ratio;
mod trajectory;

pub use ratio::Ratio;

use super::{HyperGradient, Report};
use crate::adjoint::{Paths, Rollout};
use crate::dynamics::{Dynamics, Field, Hyper};
use crate::error::require;
use crate::{At, Cost, Error, Memory, Oracle, Oracles, Problem, Result, Scalar};

/// The exact hypergradient of training with [`Momentum`](crate::Momentum), without a stored trajectory:
/// the backward sweep reverses the steps themselves (Maclaurin, Duvenaud and Adams, arXiv 1502.03492).
///
/// v ← β v + d_t(x, y);  y ← y − s v, from v = 0, where y and v are integers times 2^−`fraction_bits`, and
/// β = n/d is a ratio, so that y ← y + s v; v ← (v − d_t(x, y))/β brings back every bit. Dividing by β needs
/// the digits that multiplying by β has lost: the *information buffer* keeps them, log₂(1/β) bits for
/// each number of y and each step.
///
/// For long training with much momentum, where the states need too much memory and recomputing them by
/// [`Checkpointed`](crate::Checkpointed) takes too long. Not for little momentum, where the lost digits
/// are a large part of the state: β = 1/1000 keeps ten bits per step. Not for objectives that give different
/// bits on a second call: training would not return to y_0, which is [`Error::NotRecovered`].
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; fixed, or part of x |
/// | `momentum` | 9/10 | above 0, below 1, denominator at most 65536 | β |
/// | `field` | `Inner` | | the direction d |
/// | `steps` | 100 | at least 1 | K |
/// | `fraction_bits` | 40 | 8 to 52 | y and v are rounded to 2^−`fraction_bits`, and must stay below 2^(61 − `fraction_bits`) |
///
/// y cannot be kept in a set: a projection cannot be reversed. Rounding is not differentiated:
/// the hypergradient is of the unrounded steps, evaluated on the rounded trajectory. Each step makes an
/// error of about n units, so n and d should be small.
///
/// Cost: 2 K gradients and K pulls. Memory: y, v and their cotangents, 64 bits and K log₂(1/β) bits
/// for each number of y: at β = 9/10 and K = 1000 that is 152 bits instead of 128 000. The
/// figure `buffer bits` is the size of the information buffer per number of y and step.
///
/// ```
/// use bilevel::{HyperGradient, Key, Reversible, toys};
/// // g = (y − x)²/2,   f = y
/// let problem = toys::following(toys::linear())?;
/// let method = Reversible { steps: 1000, ..Reversible::default() };
/// let (gradient, report) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 1.0).abs() < 1e-9 && report.figure("buffer bits") < Some(0.22));
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Reversible {
    /// s.
    pub step_size: Hyper,
    /// β.
    pub momentum: Ratio,
    /// d.
    pub field: Field,
    /// K.
    pub steps: usize,
    /// y and v are rounded to this many binary places.
    pub fraction_bits: u32,
}

impl Default for Reversible {
    fn default() -> Self {
        Self {
            step_size: Hyper::Fixed(0.1),
            momentum: Ratio {
                numerator: 9,
                denominator: 10,
            },
            field: Field::Inner,
            steps: 100,
            fraction_bits: 40,
        }
    }
}

impl Reversible {
    fn report<T: Scalar>(
        rollout: &Rollout<'_, T>,
        value: T,
        mut state: Vec<T>,
        y_len: usize,
    ) -> Report<T> {
        state.truncate(y_len);
        let (inner_calls, outer_calls) = rollout.calls();
        Report::new(value, state, inner_calls, outer_calls)
    }
}

impl<T: Scalar> HyperGradient<T> for Reversible {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        let dynamics = self.dynamics::<T>();
        require(self.steps >= 1, "steps", "at least 1", self.steps)?;
        dynamics.validate(problem.x_len(), problem.y_len())?;
        let Ratio {
            numerator,
            denominator,
        } = self.momentum;
        require(
            numerator >= 1 && numerator < denominator && denominator <= 1 << 16,
            "momentum",
            "a ratio above 0 and below 1 with a denominator of at most 65536",
            self.momentum,
        )?;
        require(
            (8..=52).contains(&self.fraction_bits),
            "fraction_bits",
            "from 8 to 52",
            self.fraction_bits,
        )?;
        problem.expect_second_order(dynamics.uses_outer(), NAME)?;
        Paths::ALL.expect_any_of(Paths::of(problem, &dynamics), NAME)
    }

    fn estimate(&self, at: &At<'_, T>, _: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At {
            problem,
            outer_step,
            ..
        } = at;
        crate::error::expect_length("the hypergradient", problem.x_len(), out.len())?;
        let dynamics = self.dynamics();
        let mut rollout = Rollout::new(at, &dynamics, self.steps)?;
        let mut state = self.start(&mut rollout)?;
        let start = state.y.clone();
        for t in 0..self.steps {
            self.step(t, &mut rollout, &mut state)?;
        }
        let (last, mut bar) = (state.value.clone(), rollout.zero_state());
        let value = rollout.seed(&last, &mut bar)?;
        let mut next = last.clone();
        for t in (0..self.steps).rev() {
            self.undo(t, &mut rollout, &mut state)?;
            rollout.pull_back(t, &state.value, &next, &mut bar)?;
            next.copy_from_slice(&state.value);
        }
        if state.y != start || state.v.iter().any(|&v| v != 0) || !state.buffer.is_empty() {
            return Err(Error::NotRecovered { outer_step });
        }
        out.fill(T::zero());
        rollout.finish(&bar, out)?;
        let mut report = Self::report(&rollout, value, last, start.len());
        let bits = state.buffer.bits() as f64 / (self.steps * start.len()) as f64;
        report.add_figure("buffer bits", bits);
        Ok(report)
    }

    fn evaluate(&self, at: &At<'_, T>, _: &Memory<T>) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        let dynamics = self.dynamics();
        let mut rollout = Rollout::new(at, &dynamics, self.steps)?;
        let mut state = self.start(&mut rollout)?;
        for t in 0..self.steps {
            self.step(t, &mut rollout, &mut state)?;
        }
        let value = rollout.value(&state.value)?;
        Ok(Self::report(&rollout, value, state.value, problem.y_len()))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let dynamics = self.dynamics::<T>();
        let (inner, outer) = dynamics.gradients(self.steps);
        let (inner_again, outer_again) = dynamics.pull_gradients(self.steps);
        let share = |gradients: f64, again: f64| {
            Oracles::of([
                (Oracle::GradY, 2.0 * gradients + again),
                (Oracle::Pull, gradients),
            ])
        };
        let len = problem.y_len();
        let bits = self.steps as f64 * -self.momentum.value().log2();
        Cost {
            inner: share(inner, inner_again),
            outer: share(outer, outer_again) + Oracles::of_seed(problem),
            kept_numbers: (bits / (8 * size_of::<T>()) as f64 * len as f64).ceil() as usize,
            kept_tapes: 0,
            // y, v, y_0 and the part of the buffer that is always there, 8 bytes each; the state, the next,
            // the last, its cotangent and a direction; x, x̄ and the collected part of it.
            work_numbers: (4 * 8 / size_of::<T>() + 5 * 2) * len
                + dynamics.work_len(len)
                + 3 * problem.x_len(),
        }
    }
}

const NAME: &str = "reversible";
