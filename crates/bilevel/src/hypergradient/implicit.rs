//! Implicit differentiation.

mod system;

pub(crate) use system::{AtEnd, expect_stationary, gradient_norm};

use super::{HyperGradient, Report};
use crate::adjoint::{Paths, Rollout};
use crate::dynamics::{Dynamics, GradientDescent};
use crate::error::{expect_length, require};
use crate::linear::{ConjugateGradient, LinearSolver, System};
use crate::{At, Cost, Error, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar};

/// Differentiates the solution of the inner problem, not the steps towards it (AID).
///
/// Where ∇_y g(x, y*) = 0 the implicit function theorem gives
///
/// (∇²_yy g + damping · I) q = ∇_y f,   G = ∇_x f − ∇²_xy g q   at (x, y_K), y_K for y*,
///
/// with [`ConjugateGradient`] or [`Neumann`](crate::linear::Neumann); with
/// [`FixedPoint`](crate::linear::FixedPoint), where Φ(s*) = s*,
///
/// (I − (∂Φ/∂s)ᵀ) q = ∂f/∂s,   G = ∇_x f + (∂Φ/∂x)ᵀ q.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `dynamics` | gradient descent | | how y moves |
/// | `steps` | 100 | at least 1 | K |
/// | `solver` | conjugate gradient | | how q is found |
/// | `damping` | 0 | at least 0; 0 for the fixed-point solver | added to ∇²_yy g, where it is singular or indefinite |
/// | `warm_start` | y and q | | what continues from the last outer step |
/// | `all_rows` | false | | the products of the solver see all rows, not mini-batches |
/// | `stationarity` | 1e-3 | none, or at least 0 | ‖∇_y g‖ on all rows (the length of one more step for the fixed-point solver) at which training counts as done |
///
/// Use it for long training that comes close to a minimum: memory and cost of the derivative
/// do not depend on K. The error is O(‖y_K − y*‖ + residual). Not for training that is stopped
/// early, for a start that depends on x (the minimum has forgotten it), or for a minimum that is
/// not isolated: the inner Hessian is singular for a softmax and indefinite for an MLP. Conjugate
/// gradient then fails with [`Error::NotPositiveDefinite`]; damping, which biases G, or weight
/// decay, which changes g, help. The solvers with ∇²_yy g are refused for an aggregate field, a set
/// or a proximal step, where training does not end at ∇_y g = 0; the fixed-point solver accepts
/// them all. A step size or a momentum in x does not move the minimum; a penalty of a proximal
/// step does.
///
/// For a solver with ∇²_yy g, the path of y does not matter; with Adam the fixed-point solver
/// needs many terms, because the moments forget slowly.
///
/// With mini-batches, conjugate gradient and the product with ∇²_xy g use one batch, the first of
/// [`Stream::LinearSolver`](crate::Stream::LinearSolver). This is biased, because the mean of the
/// inverses is not the inverse of the mean; `all_rows` avoids the bias. The Neumann series uses an
/// independent batch for each product, and one more for ∇²_xy g. The fixed-point solver
/// differentiates the step after the last, Φ_K, with its draw.
///
/// Cost: K gradients, a gradient on all rows for `stationarity`, one product (push or pull-back)
/// per iteration of the solver, one pull. Memory: about 7 vectors of m numbers, whatever K is.
///
/// The status says whether the linear system was solved, the map contracts and training
/// converged; the figures are "linear residual", "linear products", "inner stationarity", "damping".
///
/// References: arXiv 2006.16218 (rates of all three solvers), arXiv 1911.02590 (Neumann),
/// arXiv 1909.04630 (damping, for few-shot learning). [`Hoag`](super::Hoag) chooses its accuracies,
/// [`StocBio`](super::StocBio) is this with mini-batches.
///
/// ```
/// use bilevel::{GradientDescent, Hyper, HyperGradient, Implicit, Key, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y* = x, and the gradient is x − 1.
/// let problem = toys::following(toys::towards(1.0))?;
/// let method = Implicit { dynamics: Box::new(GradientDescent { step_size: Hyper::Fixed(0.5), ..Default::default() }), ..Default::default() };
/// let (gradient, report) = method.gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 2.0).abs() < 1e-12 && report.status.is_good());
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Implicit<T> {
    /// Φ.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// K.
    pub steps: usize,
    /// How q is found.
    pub solver: Box<dyn LinearSolver<T>>,
    /// Added to the diagonal of ∇²_yy g.
    pub damping: f64,
    /// What continues from the last outer step.
    pub warm_start: WarmStart,
    /// Whether the products of the solver see all rows.
    pub all_rows: bool,
    /// How far from stationary training may end.
    pub stationarity: Option<f64>,
}

impl<T: Scalar> Default for Implicit<T> {
    fn default() -> Self {
        Self {
            dynamics: Box::new(GradientDescent::default()),
            steps: 100,
            solver: Box::new(ConjugateGradient::default()),
            damping: 0.0,
            warm_start: WarmStart::default(),
            all_rows: false,
            stationarity: Some(1e-3),
        }
    }
}

/// What continues from the last outer step, instead of from the problem's start or from zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WarmStart {
    /// Nothing: estimates do not depend on each other.
    Cold,
    /// y; the buffers of the dynamics start from zero.
    Inner,
    /// y, and the guess for the solution q of the linear system.
    #[default]
    InnerAndLinear,
}

impl WarmStart {
    fn y<T: Scalar>(self, memory: &Memory<T>) -> Option<&[T]> {
        (self != Self::Cold)
            .then(|| memory.vector(WARM_Y))
            .flatten()
    }

    fn q<T: Scalar>(self, memory: &Memory<T>) -> Option<&[T]> {
        (self == Self::InnerAndLinear)
            .then(|| memory.vector(WARM_Q))
            .flatten()
    }
}

/// The names of the buffers in the memory.
pub(crate) const WARM_Y: &str = "y";
pub(crate) const WARM_Q: &str = "q";

/// The paths that an implicit derivative follows.
pub(crate) const IMPLICIT_SEES: Paths = Paths {
    start: false,
    ..Paths::ALL
};

const NAME: &str = "implicit";

/// Refuses a problem for which the implicit hypergradient would be zero: hyperparameters of
/// dynamics, and the start, do not move the end of training.
pub(crate) fn expect_implicit_paths<T: Scalar>(
    problem: &Problem<T>,
    dynamics: &dyn Dynamics<T>,
    derivative: &'static str,
) -> Result<()> {
    let outer = problem.outer().depends_on_x();
    if problem.inner().depends_on_x() || outer {
        return Ok(());
    }
    // That of a proximal step or an aggregate field does move it.
    if dynamics.depends_on_x() && dynamics.ends_stationary() {
        return Err(Error::StructurallyZero {
            derivative,
            sees: "the inner and the outer objective where training ends".to_owned(),
            enters: "hyperparameters of the inner steps, which do not move that point".to_owned(),
        });
    }
    IMPLICIT_SEES.expect_any_of(Paths::of(problem, dynamics), derivative)
}

pub(crate) fn require_damping(damping: f64) -> Result<()> {
    require(
        damping >= 0.0 && damping.is_finite(),
        "damping",
        "a number of at least 0",
        damping,
    )
}

impl<T: Scalar> HyperGradient<T> for Implicit<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.validate_as(problem, NAME)
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        expect_length("the hypergradient", problem.x_len(), out.len())?;
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let state = self.train(&mut rollout, memory)?;
        let at_end = AtEnd {
            solver: &*self.solver,
            damping: self.damping,
            all_rows: self.all_rows,
            stationarity: self.stationarity,
            gradient_norm: None,
        };
        let warm = self.warm_start.q(memory);
        let y_len = problem.y_len();
        let found = at_end.differentiate(&mut rollout, &state, y_len, warm, out)?;
        if self.warm_start != WarmStart::Cold {
            memory.set_vector(WARM_Y, &state[..y_len]);
        }
        if self.warm_start == WarmStart::InnerAndLinear && found.is_a_guess() {
            memory.set_vector(WARM_Q, &found.q);
        }
        Ok(found.report(&rollout, state, y_len, self.damping))
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let mut state = self.train(&mut rollout, memory)?;
        let value = rollout.value(&state)?;
        state.truncate(problem.y_len());
        let (inner_calls, outer_calls) = rollout.calls();
        Ok(Report::new(value, state, inner_calls, outer_calls))
    }

    /// With as many products as the solver makes at the most.
    fn cost(&self, problem: &Problem<T>) -> Cost {
        let warm_q = self.warm_start == WarmStart::InnerAndLinear;
        let products = self.solver.max_products(warm_q) as f64;
        let (inner_steps, outer_steps) = self.dynamics.gradients(self.steps);
        let share = |gradients: f64| gradients / self.steps.max(1) as f64;
        let (state_len, y_len) = (self.dynamics.state_len(problem.y_len()), problem.y_len());
        let mut inner = Oracles::of([(Oracle::GradY, inner_steps)]);
        let mut outer = Oracles::of([(Oracle::GradY, outer_steps)]);
        match self.solver.system() {
            System::InnerHessian => {
                inner[Oracle::GradY] += f64::from(self.stationarity.is_some());
                inner[Oracle::Push] = products;
                inner[Oracle::Pull] = 1.0;
            }
            System::StepMap => {
                for (oracles, each) in [
                    (&mut inner, share(inner_steps)),
                    (&mut outer, share(outer_steps)),
                ] {
                    oracles[Oracle::GradY] += each;
                    oracles[Oracle::Pull] = (products + 1.0) * each;
                }
            }
        }
        let warm = match self.warm_start {
            WarmStart::Cold => 0,
            WarmStart::Inner => y_len,
            WarmStart::InnerAndLinear => y_len + state_len,
        };
        Cost {
            inner,
            outer: outer + Oracles::of_seed(problem),
            // The state, its cotangent, q, the gradient or next state, and a copy of q.
            work_numbers: (5 + self.solver.work_vectors()) * state_len
                + self.dynamics.work_len(y_len)
                + warm
                + 4 * problem.x_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::variables_if(self.warm_start != WarmStart::Cold)
    }
}

impl<T: Scalar> Implicit<T> {
    /// The checks, for a method of that name that is made of this one.
    pub(crate) fn validate_as(&self, problem: &Problem<T>, name: &'static str) -> Result<()> {
        require(self.steps >= 1, "steps", "at least 1", self.steps)?;
        self.dynamics.validate(problem.x_len(), problem.y_len())?;
        self.solver.validate()?;
        require_damping(self.damping)?;
        if let Some(stationarity) = self.stationarity {
            require(
                stationarity >= 0.0,
                "stationarity",
                "a number of at least 0",
                stationarity,
            )?;
        }
        match self.solver.system() {
            System::InnerHessian => {
                expect_stationary(self.dynamics.ends_stationary(), self.solver.name())?;
            }
            System::StepMap => require(
                self.damping == 0.0,
                "damping",
                "0 for a solver that differentiates the inner step (weight decay has that effect)",
                self.damping,
            )?,
        }
        problem.expect_second_order(self.dynamics.uses_outer(), name)?;
        if self.solver.system() == System::InnerHessian {
            problem.expect_push(name)?;
        }
        expect_implicit_paths(problem, &*self.dynamics, name)
    }

    /// s_K, from the problem's start or from where the last outer step ended.
    fn train(&self, rollout: &mut Rollout<'_, T>, memory: &Memory<T>) -> Result<Vec<T>> {
        let mut state = rollout.start_from(self.warm_start.y(memory))?;
        for t in 0..self.steps {
            rollout.advance(t, &mut state)?;
        }
        Ok(state)
    }
}
