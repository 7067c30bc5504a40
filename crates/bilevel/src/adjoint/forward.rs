//! Forward mode.

use super::{Adjoint, Paths, Rollout};
use crate::error::require;
use crate::vector::dot;
use crate::{Error, Oracle, Oracles, Result, Scalar, Sweeps};

/// Forward mode over all of x (forward-HG, arXiv 1703.01785), one number of x at a time:
///
/// z_0 = ∂y_0/∂x_j;  z_{t+1} = ∂Φ_t/∂s · z_t + ∂Φ_t/∂x_j;  G_j = ∂f/∂x_j + ⟨∂f/∂y, z_K⟩.
///
/// The exact hypergradient without a stored trajectory: for few hyperparameters and many steps.
/// For a large x it is refused because of its cost: the cost of [`Reverse`](super::Reverse) and
/// [`Checkpointed`](super::Checkpointed) does not depend on n. For single directions, use
/// [`directional`].
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `most` | 64 | at least 1 | the largest n for which it is allowed |
///
/// Cost: n K gradients and n K pushes. Memory: two states and a tangent, whatever K and n are; the
/// paper keeps all n tangents, m × n numbers, to share the gradients.
///
/// ```
/// use bilevel::{At, Forward, HyperGradient, Key, Memory, Unrolled, toys};
/// // g = (y − x)²/2, f = y: y_K = (1 − 0.9^K) x
/// let problem = toys::following(toys::linear())?;
/// let method = Unrolled { steps: 3, adjoint: Box::new(Forward::default()), ..Unrolled::default() };
/// let mut gradient = [0.0];
/// method.estimate(&At::new(&problem, &[1.0], Key::from_seed(0)), &mut Memory::default(), &mut gradient)?;
/// assert!((gradient[0] - (1.0 - 0.9_f64.powi(3))).abs() < 1e-15);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forward {
    /// The largest n for which it is allowed.
    pub most: usize,
}

impl Default for Forward {
    fn default() -> Self {
        Self { most: 64 }
    }
}

impl<T: Scalar> Adjoint<T> for Forward {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn sees(&self, _: usize) -> Paths {
        Paths::ALL
    }

    fn needs_second_order(&self) -> bool {
        true
    }

    fn needs_push(&self) -> bool {
        true
    }

    fn validate(&self, steps: usize, x_len: usize) -> Result<()> {
        require(self.most >= 1, "most", "at least 1", self.most)?;
        if x_len <= self.most {
            return Ok(());
        }
        let (steps, sweeps) = (steps as f64, x_len as f64);
        let reverse = Oracles::of([(Oracle::GradY, steps), (Oracle::Pull, steps)]);
        let forward = Oracles::of([
            (Oracle::GradY, sweeps * steps),
            (Oracle::Push, sweeps * steps),
        ]);
        Err(Error::TooCostly {
            method: "forward mode",
            x_len,
            gradients: forward.gradients(),
            most: self.most,
            instead: "`reverse`",
            of_instead: reverse.gradients(),
        })
    }

    fn sweeps(&self, steps: usize, x_len: usize) -> Sweeps {
        let pushes = (steps * x_len) as f64;
        Sweeps {
            steps: pushes,
            pushes,
            // s_0 and the tangent.
            kept_states: 2,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        let start = state.to_vec();
        let mut tangent = rollout.zero_state();
        let mut dx = vec![T::zero(); rollout.cx.problem().x_len()];
        let mut value = None;
        for j in 0..dx.len() {
            dx[j] = T::one();
            state.copy_from_slice(&start);
            rollout.push(&dx, state, &mut tangent)?;
            dx[j] = T::zero();
            if value.is_none() {
                value = Some(rollout.seed(state, bar)?);
            }
            rollout.cx.x_bar[j] += T::from_f64(dot(bar, &tangent));
        }
        let Some(value) = value else {
            // x is empty: nothing to differentiate by.
            return super::FirstOrder.differentiate(rollout, state, bar);
        };
        // The path through the start is in the tangents already.
        bar.fill(T::zero());
        Ok(value)
    }
}

/// f(x, y_K(x)) and its derivative along `dx`, in forward mode (arXiv 1703.01785):
///
/// z_0 = ∂y_0/∂x · dx;  z_{t+1} = ∂Φ_t/∂s · z_t + ∂Φ_t/∂x · dx.
///
/// An independent way to compute ⟨hypergradient, dx⟩. Cost: K pushes and K gradients;
/// memory: one state and one tangent.
///
/// # Errors
/// If an objective fails or has no second derivatives, or a number becomes non-finite.
pub fn directional<T: Scalar>(rollout: &mut Rollout<'_, T>, dx: &[T]) -> Result<(T, f64)> {
    crate::error::expect_length("the direction", rollout.cx.problem().x_len(), dx.len())?;
    let mut state = rollout.start()?;
    let mut tangent = rollout.zero_state();
    rollout.push(dx, &mut state, &mut tangent)?;
    let mut bar = rollout.zero_state();
    let value = rollout.seed(&state, &mut bar)?;
    // The start's own path is in the tangent already: what is left in x is ∂f/∂x.
    let mut x_bar = vec![T::zero(); dx.len()];
    rollout.cx.outer.finish(&mut x_bar)?;
    Ok((value, dot(&bar, &tangent) + dot(&x_bar, dx)))
}
