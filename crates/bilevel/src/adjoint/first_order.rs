//! First order: no second derivatives.

use super::{Adjoint, Paths, Rollout};
use crate::{Result, Scalar, Sweeps};

/// The hypergradient with all second derivatives of the inner training dropped (FO-BLO,
/// arXiv 2006.03631; FOMAML, arXiv 1803.02999):
///
/// G_FO = ∂f/∂x + (∂y_0/∂x)ᵀ ∂f/∂y  at (x, y_K).
///
/// Biased, and identically zero where x enters only through the inner objective, as in
/// data hyper-cleaning; such problems are refused. Cost: K gradients. Memory: one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FirstOrder;

impl<T: Scalar> Adjoint<T> for FirstOrder {
    fn name(&self) -> &'static str {
        "first-order"
    }

    fn sees(&self, _: usize) -> Paths {
        Paths {
            inner: false,
            ..Paths::ALL
        }
    }

    fn needs_second_order(&self) -> bool {
        false
    }

    fn sweeps(&self, steps: usize, _: usize) -> Sweeps {
        Sweeps {
            steps: steps as f64,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        for t in 0..rollout.steps() {
            rollout.advance(t, state)?;
        }
        rollout.seed(state, bar)
    }
}
