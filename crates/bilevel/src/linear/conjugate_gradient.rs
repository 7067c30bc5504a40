//! Conjugate gradient.

use super::{
    LinearOperator, LinearSolver, Solution, Structure, System, first_residual, non_finite,
    require_tolerance,
};
use crate::error::require;
use crate::vector::{axpy, dot, norm};
use crate::{Error, Inapplicable, Result, Scalar, Status};

/// Conjugate gradient (Hestenes and Stiefel, 1952; doi 10.6028/jres.049.044) on a symmetric
/// positive definite system.
///
/// The residual shrinks at least like ((√κ − 1)/(√κ + 1))ʲ over j products, κ the condition
/// number; in exact arithmetic it vanishes after as many products as A has distinct eigenvalues.
/// The first choice if all products can use the same matrix. With a mini-batch per product, its
/// directions are no longer conjugate: use [`Neumann`](super::Neumann).
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `tolerance` | 1e-6 | (0, 1) | ‖b − A q‖ / ‖b‖ at which it stops |
/// | `max_products` | 100 | at least 1 | largest number of products, including the one for a warm start |
///
/// Cost: one product per iteration, one more for a warm start. Memory: three vectors. A
/// direction without positive curvature is an [`Error::NotPositiveDefinite`].
///
/// ```
/// use bilevel::linear::{ConjugateGradient, LinearOperator, LinearSolver, Structure};
/// struct Diagonal([f64; 2]);
/// impl LinearOperator<f64> for Diagonal {
///     fn size(&self) -> usize { 2 }
///     fn structure(&self) -> Structure { Structure::Symmetric }
///     fn apply(&mut self, v: &[f64], out: &mut [f64]) -> bilevel::Result<()> { out[0] = self.0[0] * v[0]; out[1] = self.0[1] * v[1]; Ok(()) }
/// }
/// let mut q = [0.0; 2];
/// let solution = ConjugateGradient::default().solve(&mut Diagonal([2.0, 5.0]), &[2.0, 10.0], &mut q)?;
/// assert!(solution.products == 2 && (q[0] - 1.0).abs() < 1e-12 && (q[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConjugateGradient {
    /// ‖b − A q‖ / ‖b‖ at the end.
    pub tolerance: f64,
    /// Largest number of products.
    pub max_products: usize,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self {
            tolerance: 1e-6,
            max_products: 100,
        }
    }
}

const NAME: &str = "conjugate gradient";

impl<T: Scalar> LinearSolver<T> for ConjugateGradient {
    fn name(&self) -> &'static str {
        NAME
    }

    fn system(&self) -> System {
        System::InnerHessian
    }

    fn wants_one_matrix(&self) -> bool {
        true
    }

    fn max_products(&self, _: bool) -> usize {
        self.max_products
    }

    fn work_vectors(&self) -> usize {
        3
    }

    fn validate(&self) -> Result<()> {
        require_tolerance(self.tolerance)?;
        require(
            self.max_products >= 1,
            "max_products of the linear solver",
            "at least 1",
            self.max_products,
        )
    }

    fn solve(
        &self,
        operator: &mut dyn LinearOperator<T>,
        b: &[T],
        q: &mut [T],
    ) -> Result<Solution> {
        if operator.structure() != Structure::Symmetric {
            return Err(Error::NotApplicable {
                method: NAME,
                reason: Inapplicable::NotSymmetric,
            });
        }
        let size = norm(b);
        if size == 0.0 {
            return Ok(Solution::zero(q));
        }
        let mut r = vec![T::zero(); b.len()];
        let mut products = first_residual(operator, b, q, &mut r)?;
        let mut p = r.clone();
        let mut image = vec![T::zero(); b.len()];
        let mut rr = dot(&r, &r);
        let mut largest = 0.0_f64;
        while rr.sqrt() > self.tolerance * size && products < self.max_products {
            operator.apply(&p, &mut image)?;
            products += 1;
            let along = dot(&p, &image);
            let curvature = along / dot(&p, &p);
            if !curvature.is_finite() {
                return Err(non_finite());
            }
            largest = largest.max(curvature);
            // Below the rounding of the products there is no telling it from zero.
            if curvature <= T::epsilon().to_double() * largest {
                return Err(Error::NotPositiveDefinite {
                    solver: NAME,
                    curvature,
                    product: products,
                });
            }
            let alpha = T::from_f64(rr / along);
            axpy(alpha, &p, q);
            axpy(-alpha, &image, &mut r);
            let before = std::mem::replace(&mut rr, dot(&r, &r));
            let beta = T::from_f64(rr / before);
            for (p, &r) in p.iter_mut().zip(&r) {
                *p = r + beta * *p;
            }
        }
        let residual = rr.sqrt() / size;
        let status = if residual <= self.tolerance {
            Status::Good
        } else {
            Status::LinearNotSolved {
                residual,
                tolerance: self.tolerance,
                iterations: products,
            }
        };
        Ok(Solution {
            products,
            residual,
            status,
        })
    }
}
