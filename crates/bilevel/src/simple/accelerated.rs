//! Minimising φ + weight · ω for one weight.

use super::pair::{Pair, expect_finite};
use crate::vector::{axpy, dot, norm};
use crate::{Result, Scalar};

/// Where the minimisation ended.
pub(super) struct Ended {
    /// ‖P(y − ∇ψ(y)) − y‖.
    pub(super) residual: f64,
    /// Whether that is small enough.
    pub(super) solved: bool,
    /// Steps taken.
    pub(super) steps: usize,
}

/// y ← the minimiser of ψ = φ + weight · ω on the set, to ‖P(y − ∇ψ) − y‖ ≤ `tolerance` or in
/// `steps` steps.
///
/// Accelerated projected gradients (Beck and Teboulle, 2009, doi 10.1137/080716542), started anew
/// where they go uphill (O'Donoghue and Candès, arXiv 1204.3982). A step of length 1/L from z to y
/// is taken if ⟨∇ψ(y) − ∇ψ(z), y − z⟩ ≤ L ‖y − z‖²/2, from which the usual condition on values
/// follows for a convex ψ and which rounding does not blur; else L is doubled. Two gradients of
/// each objective a step.
pub(super) fn minimise<T: Scalar>(
    pair: &mut Pair<'_, T>,
    weight: f64,
    tolerance: f64,
    steps: usize,
    y: &mut Vec<T>,
) -> Result<Ended> {
    let mut there = vec![T::zero(); y.len()];
    pair.gradient(weight, y, &mut there)?;
    let mut residual = pair.residual(y, &there);
    if residual <= tolerance {
        return Ok(Ended {
            residual,
            solved: true,
            steps: 0,
        });
    }
    let (mut z, mut here) = (y.clone(), there.clone());
    let (mut next, mut change) = (y.clone(), y.clone());
    let mut smoothness = curvature(pair, weight, y, &there)?;
    let mut momentum = 1.0_f64;
    for step in 1..=steps {
        loop {
            next.copy_from_slice(&z);
            axpy(T::from_f64(-1.0 / smoothness), &here, &mut next);
            pair.set.project(&mut next);
            expect_finite(&next, step)?;
            pair.gradient(weight, &next, &mut there)?;
            change.copy_from_slice(&next);
            axpy(-T::one(), &z, &mut change);
            let turned = dot(&there, &change) - dot(&here, &change);
            if turned > smoothness / 2.0 * dot(&change, &change) {
                smoothness *= 2.0;
            } else {
                // So it is with a NaN, of which the next step tells.
                break;
            }
        }
        residual = pair.residual(&next, &there);
        // change = y⁺ − y from here on.
        change.copy_from_slice(&next);
        axpy(-T::one(), y, &mut change);
        std::mem::swap(y, &mut next);
        if residual <= tolerance {
            return Ok(Ended {
                residual,
                solved: true,
                steps: step,
            });
        }
        let longer = f64::midpoint(1.0, (1.0 + 4.0 * momentum * momentum).sqrt());
        let uphill = dot(&here, &change) > 0.0;
        let extrapolation = if uphill {
            0.0
        } else {
            (momentum - 1.0) / longer
        };
        momentum = if uphill { 1.0 } else { longer };
        z.copy_from_slice(y);
        axpy(T::from_f64(extrapolation), &change, &mut z);
        pair.gradient(weight, &z, &mut here)?;
    }
    Ok(Ended {
        residual,
        solved: false,
        steps,
    })
}

/// How much ∇ψ changes along itself at y: a lower bound of its Lipschitz constant, to begin with.
fn curvature<T: Scalar>(
    pair: &mut Pair<'_, T>,
    weight: f64,
    y: &[T],
    gradient: &[T],
) -> Result<f64> {
    let size = norm(gradient);
    let distance = T::epsilon().to_double().sqrt() * norm(y).max(1.0);
    let mut moved = y.to_vec();
    axpy(T::from_f64(-distance / size), gradient, &mut moved);
    let mut there = vec![T::zero(); y.len()];
    pair.gradient(weight, &moved, &mut there)?;
    axpy(-T::one(), gradient, &mut there);
    let found = norm(&there) / distance;
    // Straight along the gradient: a step of length 1 to begin with.
    Ok(if found > 1e-6 * size.min(1.0) {
        found
    } else {
        1.0
    })
}
