//! SOBA: the implicit hypergradient in a single loop.

use super::implicit::{expect_implicit_paths, require_damping};
use super::inner_loop::InnerLoop;
use super::{HyperGradient, Report};
use crate::dynamics::GradientDescent;
use crate::vector::{axpy, norm};
use crate::{
    At, Cost, Memory, Oracle, Oracles, Problem, Quantity, Remembers, Result, Scalar, Sequence, Set,
};

/// SOBA (Dagréou, Ablin, Vaiter and Moreau, 2022, arXiv 2201.13409): y, the solution v of the
/// linear system and x move together, one step each.
///
/// At outer step t, all three from the same (x, y, v) and the same batches:
///
/// ```text
/// h = ∇_x f − ∇²_xy g v
/// y ← y − ρ_t ∇_y g,    v ← v − η_t ((∇²_yy g + damping · I) v − ∇_y f)
/// ```
///
/// h is the direction that the optimizer follows; v converges to + (∇²_yy g)⁻¹ ∇_y f (the paper uses
/// the other sign). Each of the three is an unbiased estimate of a direction of the limit system,
/// so mini-batches only add noise: with an outer [`Sgd`](crate::Sgd) and shrinking steps, it
/// converges as SGD on one level does.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | `constant:0.1` | positive | ρ_t, below 2 / (largest eigenvalue of ∇²_yy g) |
/// | `solver_step_size` | `constant:0.1` | positive | η_t, likewise; the paper takes η = ρ, and both like t^(−2/5) or 1/√T with mini-batches |
/// | `damping` | 0 | at least 0 | where ∇²_yy g is singular or indefinite, see [`Implicit`](super::Implicit) |
///
/// Use it for a large, strongly convex inner problem and many small outer steps: x must move slowly
/// compared with y and v. Not for few outer steps: the first h are far off, because v starts from
/// zero and y from the problem's start.
///
/// Cost: one gradient of each objective, one value and one ∇_x of f, one pull (which is both
/// products). Memory: y and v, kept in the [`Memory`], and three vectors. Each outer step draws its
/// batches at random, not in epochs. Figures on the batch: "linear residual" and "inner
/// stationarity".
///
/// # Errors
/// Refused where the inner objective has no second derivatives or x enters neither objective.
///
/// ```
/// use bilevel::{Driver, Key, RunState, Sgd, Soba, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: the optimum is x = 1.
/// let (problem, optimizer) = (toys::following(toys::towards(1.0))?, Sgd::new(0.02));
/// let mut state = RunState::new(vec![3.0], &optimizer);
/// Driver::new(&problem, &Soba::default(), &optimizer, Key::from_seed(0)).outer_steps(2000).run(&mut state)?;
/// assert!((state.x[0] - 1.0).abs() < 1e-6);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Soba {
    /// ρ.
    pub step_size: Sequence,
    /// η.
    pub solver_step_size: Sequence,
    /// Added to the diagonal of ∇²_yy g.
    pub damping: f64,
}

impl Default for Soba {
    fn default() -> Self {
        Self {
            step_size: Sequence::Constant { value: 0.1 },
            solver_step_size: Sequence::Constant { value: 0.1 },
            damping: 0.0,
        }
    }
}

const NAME: &str = "soba";

impl<T: Scalar> HyperGradient<T> for Soba {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.step_size.validate("step_size")?;
        self.solver_step_size.validate("solver_step_size")?;
        require_damping(self.damping)?;
        problem.expect_second_order(false, NAME)?;
        expect_implicit_paths(problem, &GradientDescent::<T>::default(), NAME)
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &Set::All)?;
        let y = inner.recall(memory, "y")?;
        let mut v = memory.vector_or("v", y.len(), |_| Ok(()))?.to_vec();
        let value = inner.value(&y)?;
        inner.collect_outer(&y, 1.0)?;

        // −residual = (∇²_yy g + damping · I)(−v) + ∇_y f; collects −∇²_xy g v.
        let mut rest = vec![T::zero(); y.len()];
        inner.outer_grad_y(&y, &mut rest)?;
        let size = norm(&rest);
        let minus_v: Vec<T> = v.iter().map(|&v| -v).collect();
        let draw = inner.cx.inner_draw();
        inner.cx.inner.pull(&y, draw, &minus_v, &mut rest)?;
        axpy(T::from_f64(self.damping), &minus_v, &mut rest);
        let residual = if size > 0.0 { norm(&rest) / size } else { 0.0 };
        axpy(
            T::from_f64(self.solver_step_size.at(outer_step)),
            &rest,
            &mut v,
        );
        inner.cx.expect_finite(Quantity::LinearSolution, None, &v)?;

        let mut direction = minus_v;
        inner.cx.inner.grad_y(&y, draw, &mut direction)?;
        let stationarity = norm(&direction);
        let mut next = y.clone();
        inner.follow(&direction, self.step_size.at(outer_step), &mut next)?;
        inner.finish(out)?;
        memory.set_vector("y", &next);
        memory.set_vector("v", &v);
        let figures = vec![
            ("linear residual", residual),
            ("inner stationarity", stationarity),
            ("damping", self.damping),
        ];
        Ok(inner.report(value, y, figures))
    }

    /// f(x, y) with the y of the memory: that is what h belongs to.
    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let mut inner = InnerLoop::new(at, &Set::All)?;
        let y = inner.recall(memory, "y")?;
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, vec![]))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        Cost {
            inner: Oracles::of([(Oracle::GradY, 1.0), (Oracle::Pull, 1.0)]),
            outer: Oracles::of_seed(problem),
            // y, v, −v, the residual and the next y, and y and v in the memory.
            work_numbers: 7 * problem.y_len() + InnerLoop::work_numbers(problem),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
