//! HOAG: implicit differentiation, only as exact as the outer step needs.

use super::implicit::{
    AtEnd, WARM_Q, WARM_Y, expect_implicit_paths, expect_stationary, gradient_norm, require_damping,
};
use super::{HyperGradient, Report};
use crate::adjoint::Rollout;
use crate::dynamics::{Dynamics, GradientDescent};
use crate::error::{expect_length, require};
use crate::linear::{ConjugateGradient, LinearOperator, LinearSolver, Solution, System};
use crate::vector::norm;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Sequence};

/// HOAG (Pedregosa, 2016, arXiv 1602.02355): [`Implicit`](super::Implicit) with a tolerance ε_k
/// that shrinks from outer step to outer step.
///
/// At outer step k, starting from y and q of the last one:
///
/// 1. inner steps until ‖∇_y g(x, y)‖ ≤ ε_k,
/// 2. conjugate gradient until ‖(∇²_yy g + damping · I) q − ∇_y f‖ ≤ ε_k,
/// 3. G = ∇_x f − ∇²_xy g q.
///
/// With Σ ε_k finite, outer gradient descent converges as with exact gradients, and the early
/// steps, far from the optimum, cost next to nothing. [`AdaptiveStep`](crate::AdaptiveStep) is its
/// outer step: it reads ε_k from the memory, and halves all later ε when it rejects a step.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `dynamics` | gradient descent | no set, no aggregate field | how y moves |
/// | `tolerance` | `power:0.001,-2` | positive | ε_k: quadratic; `power:0.001,-3` is the paper's cubic, `geometric:0.001,0.9` its exponential decrease |
/// | `max_steps` | 10000 | at least 1 | largest number of inner steps |
/// | `check_every` | 10 | at least 1 | inner steps between two checks of ‖∇_y g‖ |
/// | `max_products` | 1000 | at least 1 | largest number of products of conjugate gradient |
/// | `damping` | 0 | at least 0 | added to ∇²_yy g |
///
/// ε_k is limited to at least ε^¾ of the number type (6e-6 in f32, 2e-12 in f64), because rounding
/// prevents smaller values. Use it with all rows: with mini-batches, ‖∇_y g‖ over all rows does not
/// go to zero; use [`Implicit`](super::Implicit) with a fixed number of steps,
/// [`StocBio`](super::StocBio) or [`Soba`](super::Soba) there. The notes of `Implicit` on singular
/// and indefinite inner Hessians also hold here.
///
/// Cost: at most `max_steps` gradients and one in `check_every` more, at most `max_products`
/// pushes, one pull; usually far less after the first outer steps. Memory: about 8 vectors of m
/// numbers. Figures: as `Implicit`, and "inner steps", "tolerance".
///
/// # Errors
/// [`Error::NotPositiveDefinite`](crate::Error::NotPositiveDefinite). Refused: an aggregate field
/// or a set; missing second derivatives; a problem where x enters only through the start.
///
/// ```
/// use bilevel::{Hoag, HyperGradient, Key, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y* = x, and the gradient is x − 1.
/// let problem = toys::following(toys::towards(1.0))?;
/// let (gradient, report) = Hoag::default().gradient(&problem, &[3.0], Key::from_seed(0))?;
/// assert!((gradient[0] - 2.0).abs() < 1e-3 && report.figure("inner steps") == Some(80.0));
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Hoag<T> {
    /// Φ.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// ε_k.
    pub tolerance: Sequence,
    /// Largest number of inner steps.
    pub max_steps: usize,
    /// Inner steps between two checks of ‖∇_y g‖.
    pub check_every: usize,
    /// Largest number of products of conjugate gradient.
    pub max_products: usize,
    /// Added to the diagonal of ∇²_yy g.
    pub damping: f64,
}

impl<T: Scalar> Default for Hoag<T> {
    fn default() -> Self {
        Self {
            dynamics: Box::new(GradientDescent::default()),
            tolerance: Sequence::Power {
                start: 1e-3,
                power: -2.0,
            },
            max_steps: 10_000,
            check_every: 10,
            max_products: 1000,
            damping: 0.0,
        }
    }
}

/// ε_k, for the optimizer.
pub(crate) const TOLERANCE: &str = "tolerance";
/// By what the optimizer multiplies every ε_k.
pub(crate) const TOLERANCE_FACTOR: &str = "tolerance factor";

const NAME: &str = "hoag";

/// Where training ended.
struct Trained<T> {
    state: Vec<T>,
    steps: usize,
    gradient_norm: f64,
    tolerance: f64,
}

impl<T: Scalar> Hoag<T> {
    fn tolerance(&self, memory: &Memory<T>, outer_step: usize) -> f64 {
        let factor = memory.number(TOLERANCE_FACTOR).unwrap_or(1.0);
        let least = T::epsilon().to_double().powf(0.75);
        (factor * self.tolerance.at(outer_step)).max(least)
    }

    /// Steps until ‖∇_y g‖ is small, or there are no more.
    fn train(
        &self,
        rollout: &mut Rollout<'_, T>,
        memory: &Memory<T>,
        y_len: usize,
        outer_step: usize,
    ) -> Result<Trained<T>> {
        let tolerance = self.tolerance(memory, outer_step);
        let mut state = rollout.start_from(memory.vector(WARM_Y))?;
        let mut work = vec![T::zero(); y_len];
        let mut steps = 0;
        loop {
            let gradient_norm = gradient_norm(rollout, &state[..y_len], &mut work)?;
            if gradient_norm <= tolerance || steps == self.max_steps {
                return Ok(Trained {
                    state,
                    steps,
                    gradient_norm,
                    tolerance,
                });
            }
            let next = self.max_steps.min(steps + self.check_every);
            for t in steps..next {
                rollout.advance(t, &mut state)?;
            }
            steps = next;
        }
    }

    fn figures(trained: &Trained<T>) -> [(&'static str, f64); 2] {
        [
            ("inner steps", trained.steps as f64),
            (TOLERANCE, trained.tolerance),
        ]
    }
}

impl<T: Scalar> HyperGradient<T> for Hoag<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.dynamics.validate(problem.x_len(), problem.y_len())?;
        self.tolerance.validate(TOLERANCE)?;
        for (field, value) in [
            ("max_steps", self.max_steps),
            ("check_every", self.check_every),
            ("max_products", self.max_products),
        ] {
            require(value >= 1, field, "at least 1", value)?;
        }
        require_damping(self.damping)?;
        expect_stationary(self.dynamics.ends_stationary(), NAME)?;
        problem.expect_second_order(false, NAME)?;
        problem.expect_push(NAME)?;
        expect_implicit_paths(problem, &*self.dynamics, NAME)
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At {
            problem,
            outer_step,
            ..
        } = at;
        expect_length("the hypergradient", problem.x_len(), out.len())?;
        let y_len = problem.y_len();
        let mut rollout = Rollout::new(at, &*self.dynamics, self.max_steps)?;
        let trained = self.train(&mut rollout, memory, y_len, outer_step)?;
        let solver = ToAbsolute {
            tolerance: trained.tolerance,
            max_products: self.max_products,
        };
        let at_end = AtEnd {
            solver: &solver,
            damping: self.damping,
            all_rows: false,
            stationarity: Some(trained.tolerance),
            gradient_norm: Some(trained.gradient_norm),
        };
        let warm = memory.vector(WARM_Q);
        let found = at_end.differentiate(&mut rollout, &trained.state, y_len, warm, out)?;
        memory.set_vector(WARM_Y, &trained.state[..y_len]);
        memory.set_vector(WARM_Q, &found.q);
        memory.set_number(TOLERANCE, trained.tolerance);
        let figures = Self::figures(&trained);
        let mut report = found.report(&rollout, trained.state, y_len, self.damping);
        report.add_figures(figures);
        Ok(report)
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let &At {
            problem,
            outer_step,
            ..
        } = at;
        let y_len = problem.y_len();
        let mut rollout = Rollout::new(at, &*self.dynamics, self.max_steps)?;
        let trained = self.train(&mut rollout, memory, y_len, outer_step)?;
        let value = rollout.value(&trained.state)?;
        let (inner_calls, outer_calls) = rollout.calls();
        let figures = Self::figures(&trained);
        let mut y = trained.state;
        y.truncate(y_len);
        let mut report = Report::new(value, y, inner_calls, outer_calls);
        report.add_figures(figures);
        Ok(report)
    }

    /// The most that it can be; how much it is depends on the tolerances.
    fn cost(&self, problem: &Problem<T>) -> Cost {
        let looks = 1 + self.max_steps.div_ceil(self.check_every.max(1));
        let (steps, _) = self.dynamics.gradients(self.max_steps);
        let y_len = problem.y_len();
        let state_len = self.dynamics.state_len(y_len);
        Cost {
            inner: Oracles::of([
                (Oracle::GradY, steps + looks as f64),
                (Oracle::Push, self.max_products as f64),
                (Oracle::Pull, 1.0),
            ]),
            outer: Oracles::of_seed(problem),
            work_numbers: 2 * state_len
                + 9 * y_len
                + self.dynamics.work_len(y_len)
                + 4 * problem.x_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}

/// Conjugate gradient to ‖b − A q‖ ≤ `tolerance`, not relative to b.
struct ToAbsolute {
    tolerance: f64,
    max_products: usize,
}

impl<T: Scalar> LinearSolver<T> for ToAbsolute {
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
        Ok(())
    }

    fn solve(
        &self,
        operator: &mut dyn LinearOperator<T>,
        b: &[T],
        q: &mut [T],
    ) -> Result<Solution> {
        // Where b itself is that small, q = 0 will do; where it is zero, the solver looks for itself.
        let size = norm(b).max(f64::MIN_POSITIVE);
        let relative = ConjugateGradient {
            // As much as rounding lets it reach.
            tolerance: (self.tolerance / size).max(T::epsilon().to_double()),
            max_products: self.max_products,
        };
        relative.solve(operator, b, q)
    }
}
