//! The series that the Neumann and the fixed-point solver sum.

use super::{LinearOperator, Solution, Structure, first_residual, non_finite, require_tolerance};
use crate::error::require;
use crate::vector::{axpy, norm};
use crate::{Result, Scalar, Status};

/// q ← q + s Σ_{j<J} (I − s A)ʲ (b − A q): J steps of Richardson's iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub(super) step_size: f64,
    pub(super) terms: usize,
    pub(super) tolerance: Option<f64>,
}

/// Growth of the residual after which going on is of no use.
const DIVERGED: f64 = 1e3;

/// Over how many of the last products a symmetric iteration is judged: its residuals grow, if
/// they do, at the rate of the largest eigenvalue in the end, whatever they did before.
const WINDOW: usize = 5;

impl Series {
    pub(super) fn validate(&self) -> Result<()> {
        require(
            self.step_size > 0.0 && self.step_size.is_finite(),
            "the step size of the linear solver",
            "a positive number",
            self.step_size,
        )?;
        require(
            self.terms >= 1,
            "the terms of the linear solver",
            "at least 1",
            self.terms,
        )?;
        self.tolerance.map_or(Ok(()), require_tolerance)
    }

    pub(super) fn sum<T: Scalar>(
        &self,
        operator: &mut dyn LinearOperator<T>,
        b: &[T],
        q: &mut [T],
    ) -> Result<Solution> {
        let size = norm(b);
        if size == 0.0 {
            return Ok(Solution::zero(q));
        }
        let step_size = T::from_f64(self.step_size);
        let mut r = vec![T::zero(); b.len()];
        let mut image = vec![T::zero(); b.len()];
        let mut products = first_residual(operator, b, q, &mut r)?;
        let mut sizes = vec![norm(&r)];
        let reached = |now: f64| self.tolerance.is_some_and(|t| now <= t * size);
        let mut now = sizes[0];
        for _ in 0..self.terms {
            if now == 0.0 || reached(now) || now > DIVERGED * sizes[0] {
                break;
            }
            axpy(step_size, &r, q);
            operator.apply(&r, &mut image)?;
            products += 1;
            axpy(-step_size, &image, &mut r);
            now = norm(&r);
            if !now.is_finite() {
                return Err(non_finite());
            }
            sizes.push(now);
        }
        let residual = now / size;
        let ratio = ratio(&sizes, operator.structure());
        let slack = 16.0 * T::epsilon().to_double();
        let status = if reached(now) {
            Status::Good
        } else if ratio > 1.0 + slack {
            Status::NotContraction { ratio }
        } else {
            match self.tolerance {
                None => Status::Good,
                Some(tolerance) => Status::LinearNotSolved {
                    residual,
                    tolerance,
                    iterations: products,
                },
            }
        };
        Ok(Solution {
            products,
            residual,
            status,
        })
    }
}

/// By how much the residual grew with each product: over the last few where A is symmetric, over
/// all where it is not, for there it may grow for a while and come back.
fn ratio(sizes: &[f64], structure: Structure) -> f64 {
    let steps = sizes.len() - 1;
    let window = match structure {
        Structure::Symmetric => steps.min(WINDOW),
        Structure::General => steps,
    };
    match (sizes.get(steps - window), sizes.last()) {
        (Some(&before), Some(&last)) if window > 0 && before > 0.0 => {
            (last / before).powf(1.0 / window as f64)
        }
        _ => 0.0,
    }
}
