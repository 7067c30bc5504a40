//! Full reverse mode: keep every state.

use super::{Adjoint, Paths, Rollout};
use crate::{Result, Scalar, Sweeps};

/// Reverse mode over the K kept states (reverse-HG, arXiv 1703.01785; with one
/// forward-over-reverse product a step it is MixFlow-MG, arXiv 2505.00793).
///
/// s̄_K = ∂f/∂s;  for t = K−1 … 0:  x̄ += (∂Φ_t/∂x)ᵀ s̄,  s̄ ← (∂Φ_t/∂s)ᵀ s̄.
///
/// Cost: K gradients and K pulls. Memory: K states in one slab. The default; if the
/// slab is too large, [`Checkpointed`](super::Checkpointed) gives the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reverse;

impl<T: Scalar> Adjoint<T> for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }

    fn sees(&self, _: usize) -> Paths {
        Paths::ALL
    }

    fn needs_second_order(&self) -> bool {
        true
    }

    fn sweeps(&self, steps: usize, _: usize) -> Sweeps {
        Sweeps {
            steps: steps as f64,
            pulls: steps as f64,
            kept_states: steps,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        rollout.reverse_from(0, state, bar)
    }
}
