//! Truncated reverse mode: only the last steps.

use super::{Adjoint, Paths, Rollout};
use crate::error::require;
use crate::{Result, Scalar, Sweeps};

/// Reverse mode through the last J = `last` of K steps (T-RHG, arXiv 1810.10667):
///
/// G_J = ∂f/∂x + Σ_{t=K−J}^{K−1} (∂Φ_t/∂x)ᵀ s̄_{t+1},  s̄_K = ∂f/∂s,  s̄_t = (∂Φ_t/∂s)ᵀ s̄_{t+1}.
///
/// The cotangent is cut after J pulls, so it does not see the path through the start of
/// training: a problem into which x enters only through the start (MAML) is refused. With J ≥ K nothing
/// is cut, and the bits are the same as with [`Reverse`](super::Reverse). With J = 1 it is T1–T2 (arXiv
/// 1511.06727) at the end of training, the cheap part that [`Debiased`](crate::Debiased) takes where
/// [`FirstOrder`](super::FirstOrder) is zero.
///
/// Biased: if the steps contract by ρ near y_K, the error falls like ρ^J. Small steps contract
/// little, and a small J may then lead to a wrong x, as for f = y²/2 + (x − 3)²/2, g = (y − x)²/2 with
/// step size 1/2: J = 1 ends at x = 2 instead of 1.5.
///
/// | setting | range | purpose |
/// |---|---|---|
/// | `last` | at least 1 | J, the steps that are pulled back |
///
/// Cost: K gradients and J pulls. Memory: J states.
///
/// ```
/// use bilevel::{At, GradientDescent, HyperGradient, Key, Memory, Truncated, Unrolled, toys};
/// // g = (y − x)²/2, f = y: y_K = (1 − 0.9^K) x, and the last J steps contribute 1 − 0.9^J
/// let problem = toys::following(toys::linear())?;
/// let method = Unrolled { adjoint: Box::new(Truncated { last: 2 }), ..Unrolled::default() };
/// let mut gradient = [0.0];
/// method.estimate(&At::new(&problem, &[1.0], Key::from_seed(0)), &mut Memory::default(), &mut gradient)?;
/// assert!((gradient[0] - (1.0 - 0.9 * 0.9)).abs() < 1e-15);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truncated {
    /// J.
    pub last: usize,
}

impl<T: Scalar> Adjoint<T> for Truncated {
    fn name(&self) -> &'static str {
        "truncated"
    }

    fn sees(&self, steps: usize) -> Paths {
        Paths {
            start: self.last >= steps,
            ..Paths::ALL
        }
    }

    fn needs_second_order(&self) -> bool {
        true
    }

    fn validate(&self, _: usize, _: usize) -> Result<()> {
        require(self.last >= 1, "last", "at least 1", self.last)
    }

    fn sweeps(&self, steps: usize, _: usize) -> Sweeps {
        let last = self.last.min(steps);
        Sweeps {
            steps: steps as f64,
            pulls: last as f64,
            kept_states: last,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        let first = rollout.steps().saturating_sub(self.last);
        let value = rollout.reverse_from(first, state, bar)?;
        if first > 0 {
            bar.fill(T::zero());
        }
        Ok(value)
    }
}
