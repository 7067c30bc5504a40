//! Full reverse mode that keeps the linearisation of every step.

use std::sync::Mutex;

use super::{Adjoint, Paths, Rollout};
use crate::{Result, Scalar, Sweeps};

/// Reverse mode over K kept states and K kept tapes: the intermediate results of each step
/// stay in memory, so that the backward sweep does not recompute them.
///
/// The same sums as [`Reverse`](super::Reverse), with the same draws. An objective may
/// fuse the gradient that fills a tape, or the product that reads it, differently from the
/// untaped ones, so the result equals the one of `Reverse` up to rounding, not bit for
/// bit.
///
/// Cost: K gradients, and K pulls without their forward part. Memory: K states in one
/// slab and K tapes in another; the objective sets the length of a tape, often much
/// larger than a state. For objectives with [`Taped`](crate::objective::Taped);
/// without tapes or with little memory, use `Reverse`, or with even less
/// [`Checkpointed`](super::Checkpointed).
///
/// ```
/// use bilevel::{Closures, FixedStart, HyperGradient, Key, Problem, ReverseTape, Unrolled};
/// // g = e^y − x·y, with e^y on the tape;  f = y
/// let g = Closures::<f64>::new(1, 1, |x, y, _| y[0].exp() - x[0] * y[0], |x, y, _, out| out[0] += y[0].exp() - x[0])
///     .with_grad_x(|_, y, _, out| out[0] -= y[0])
///     .with_tape(
///         |_| 1,
///         |x, y, _, out, tape| { tape[0] = y[0].exp(); out[0] += tape[0] - x[0]; },
///         |_, _, _, tape, v, y_bar, x_bar| { y_bar[0] += tape[0] * v[0]; x_bar[0] -= v[0]; },
///     );
/// let f = Closures::<f64>::new(1, 1, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0);
/// let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
/// let method = Unrolled { adjoint: Box::new(ReverseTape::default()), ..Unrolled::default() };
/// let (gradient, _) = method.gradient(&problem, &[2.0], Key::from_seed(0))?;
/// // Training ends at y = ln x.
/// assert!((gradient[0] - 0.5).abs() < 1e-6);
/// # Ok::<(), bilevel::Error>(())
/// ```
///
/// The memory of the tapes is reused in the next sweep: allocating hundreds of megabytes anew,
/// page by page, would cost some per cent of the time.
#[derive(Debug, Default)]
pub struct ReverseTape<T> {
    tapes: Mutex<Vec<T>>,
}

impl<T: Scalar> ReverseTape<T> {
    /// Memory of at least `len` numbers, of the last sweep if that is enough.
    fn memory(&self, len: usize) -> Vec<T> {
        let kept = self.tapes.lock().map(|mut kept| std::mem::take(&mut *kept));
        match kept {
            Ok(kept) if kept.len() >= len => kept,
            _ => vec![T::zero(); len],
        }
    }
}

impl<T: Scalar> Adjoint<T> for ReverseTape<T> {
    fn name(&self) -> &'static str {
        "reverse:tape"
    }

    fn sees(&self, _: usize) -> Paths {
        Paths::ALL
    }

    fn needs_second_order(&self) -> bool {
        false
    }

    fn needs_tape(&self) -> bool {
        true
    }

    fn sweeps(&self, steps: usize, _: usize) -> Sweeps {
        Sweeps {
            taped_steps: steps as f64,
            tape_pulls: steps as f64,
            kept_states: steps,
            kept_tapes: steps,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        let (steps, len) = (rollout.steps(), state.len());
        // Step t has the tape from ends[t] to ends[t + 1].
        let mut ends = Vec::with_capacity(steps + 1);
        let mut end = 0;
        ends.push(end);
        for t in 0..steps {
            end += rollout.tape_len(t)?;
            ends.push(end);
        }
        let mut tapes = self.memory(end);
        let mut states = Vec::with_capacity(steps * len);
        for t in 0..steps {
            states.extend_from_slice(state);
            rollout.advance_taped(t, state, &mut tapes[ends[t]..ends[t + 1]])?;
        }
        let value = rollout.seed(state, bar)?;
        let mut next = &*state;
        for t in (0..steps).rev() {
            let before = &states[t * len..(t + 1) * len];
            rollout.pull_back_taped(t, before, next, &tapes[ends[t]..ends[t + 1]], bar)?;
            next = before;
        }
        if let Ok(mut kept) = self.tapes.lock() {
            *kept = tapes;
        }
        Ok(value)
    }
}
