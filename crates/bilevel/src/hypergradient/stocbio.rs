//! stocBiO: warm-started training and a Neumann series of mini-batches.

use super::implicit::{Implicit, WarmStart};
use super::{HyperGradient, Report};
use crate::dynamics::{GradientDescent, Hyper};
use crate::linear::Neumann;
use crate::{At, Cost, Memory, Problem, Remembers, Result, Scalar};

/// stocBiO (Ji, Yang and Liang, 2021, arXiv 2010.07962): K steps of inner SGD from the y of the
/// last outer step, then
///
/// q = η Σ_{j<J} Π_{1≤i≤j} (I − η ∇²_yy g(x, y_K; ξ_i)) ∇_y f,   h = ∇_x f − ∇²_xy g(x, y_K; ξ_{J+1}) q,
///
/// with independent mini-batches ξ: [`Implicit`] with the warm start, the solver and the batches
/// of the paper.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | of the inner SGD |
/// | `steps` | 10 | at least 1 | K |
/// | `solver_step_size` | 0.1 | positive | η, below 2 / (largest eigenvalue of ∇²_yy g) |
/// | `terms` | 10 | at least 1 | J |
/// | `damping` | 0 | at least 0 | where ∇²_yy g is singular or indefinite |
///
/// Use it for a strongly convex inner problem that is too large for all rows at once. The
/// expected q lacks (I − η ∇²_yy g)^J ∇²_yy g⁻¹ ∇_y f: a bias that J, not the batches, removes. The paper lets the batch of
/// factor j shrink like (1 − ημ)ʲ, which saves rows at the same variance; here every draw has the
/// batch size of the objective. The rest is as in the paper.
///
/// Cost: K gradients, J pushes, one pull, and a value and the gradients of f. Memory: y, kept in the
/// [`Memory`], and six vectors. Figures: as [`Implicit`]; a growing series is reported as
/// [`Status::NotContraction`](crate::Status::NotContraction).
///
/// # Errors
/// Refused where the inner objective has no second derivatives or x enters neither objective.
///
/// ```
/// use bilevel::{HyperGradient, Key, StocBio, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y* = x, and the gradient is x − 1.
/// let problem = toys::following(toys::towards(1.0))?;
/// let method = StocBio { step_size: 0.5, steps: 60, solver_step_size: 0.5, terms: 3, damping: 0.0 };
/// let (gradient, _) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 0.875 * 2.0).abs() < 1e-12); // 1 − ½³ of it
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StocBio {
    /// Of the inner SGD.
    pub step_size: f64,
    /// K.
    pub steps: usize,
    /// η.
    pub solver_step_size: f64,
    /// J.
    pub terms: usize,
    /// Added to the diagonal of ∇²_yy g.
    pub damping: f64,
}

impl Default for StocBio {
    fn default() -> Self {
        Self {
            step_size: 0.1,
            steps: 10,
            solver_step_size: 0.1,
            terms: 10,
            damping: 0.0,
        }
    }
}

impl StocBio {
    fn implicit<T: Scalar>(&self) -> Implicit<T> {
        Implicit {
            dynamics: Box::new(GradientDescent {
                step_size: Hyper::Fixed(self.step_size),
                ..GradientDescent::default()
            }),
            steps: self.steps,
            solver: Box::new(Neumann {
                step_size: self.solver_step_size,
                terms: self.terms,
                tolerance: None,
            }),
            damping: self.damping,
            warm_start: WarmStart::Inner,
            all_rows: false,
            stationarity: None,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for StocBio {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.implicit().validate_as(problem, "stocbio")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        self.implicit().estimate(at, memory, out)
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        self.implicit().evaluate(at, memory)
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        self.implicit().cost(problem)
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
