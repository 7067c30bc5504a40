//! Forward mode along one direction.

use super::Rollout;
use crate::vector::dot;
use crate::{Result, Scalar};

/// f(x, y_K(x)) and its derivative along `dx`, in forward mode (arXiv 1703.01785):
///
/// z_0 = ∂y_0/∂x · dx;  z_{t+1} = ∂Φ_t/∂s · z_t + ∂Φ_t/∂x · dx.
///
/// An independent way to the number ⟨hypergradient, dx⟩. Cost: K pushes and K gradients;
/// memory: one state and one tangent.
///
/// # Errors
/// If an objective fails or has no second derivatives, or a number becomes non-finite.
pub fn directional<T: Scalar>(rollout: &mut Rollout<'_, T>, dx: &[T]) -> Result<(T, f64)> {
    crate::error::expect_length("the direction", rollout.problem.x_len(), dx.len())?;
    let mut state = rollout.start()?;
    let mut tangent = rollout.start_tangent(dx)?;
    for t in 0..rollout.steps() {
        rollout.push_forward(t, dx, &mut state, &mut tangent)?;
    }
    let mut bar = rollout.zero_state();
    let value = rollout.seed(&state, &mut bar)?;
    // The start's own path is in the tangent already: what is left in x is ∂f/∂x.
    let mut x_bar = vec![T::zero(); dx.len()];
    rollout.cx.outer.finish(&mut x_bar)?;
    Ok((value, dot(&bar, &tangent) + dot(&x_bar, dx)))
}
