//! BOME: dynamic barrier gradient descent on the value function.

use super::inner_loop::{
    INNER, InnerLoop, at_least_one, distance, expect_x_enters, penalised_oracles,
};
use super::{HyperGradient, Report};
use crate::dynamics::Field;
use crate::error::positive;
use crate::vector::{axpy, dot};
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Quantity, Remembers, Result, Scalar, Set};

/// Bilevel optimization made easy, BOME (Ye et al., 2022, arXiv 2209.08709): x and y together
/// descend on f, as far as the gap q(x, y) = g(x, y) − g(x, z) still falls at a given rate.
///
/// At outer step k, from the remembered y:
///
/// ```text
/// z ← P(z − s ∇_y g(x, z)),  T times from z = y
/// ∇q = (∇_x g(x, y) − ∇_x g(x, z), ∇_y g(x, y)),   z held fixed
/// λ = max(0, (η φ − ⟨∇f, ∇q⟩) / (‖∇q‖² + δ)),   φ = ‖∇q‖² or q
/// h = ∇_x f + λ ∇_x q,    y ← P(y − s_y (∇_y f + λ ∇_y q))
/// ```
///
/// h uses the y before its step, as in the paper's joint step, where s_y is also the rate of x; the
/// report is about the y after it. There is no penalty to tune: λ grows as the gap closes. Near
/// the limit ∇q would be pure rounding and point anywhere; δ keeps ‖∇q‖ above that, at about
/// (δ‖∇f‖/η)^(1/3) for φ = ‖∇q‖².
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `steps` | 10 | at least 1 | T |
/// | `step_size` | 0.1 | positive | s |
/// | `y_step_size` | 0.1 | positive | s_y |
/// | `rate` | 0.5 | positive | η, how fast the gap has to fall |
/// | `barrier` | [`Barrier::SquaredNorm`] | | φ |
/// | `damping` | 1e-12 | positive | δ |
/// | `set` | all | | P, where y and z are kept |
///
/// A finite T leaves z short of the minimum: with the contraction ρ of a step, the limit solves the
/// optimality conditions with dy*/dx scaled by 1 − ρ^T. Not for noisy gradients: λ divides by ‖∇q‖²,
/// which goes to zero, so with mini-batches take a large T, and batches as large as they can be.
/// Cost: T + 1 inner gradients and one outer, two ∇_x g, one ∇_x f, two values g. Memory: y. All of
/// ∇q is of one mini-batch, which z did not see. Figures: `multiplier` λ, `gap` q, `distance` ‖y −
/// z‖, all at the y of h.
///
/// # Errors
/// Refused where x enters neither objective.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, Bome, toys};
/// let problem = toys::following(toys::towards(1.0))?;
/// let mut h = [0.0];
/// let report = Bome { steps: 1, step_size: 1.0, ..Bome::default() }.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert!((report.figure("multiplier").unwrap_or(0.0) - 0.25).abs() < 1e-9); // ∇f = (0, −1), ∇q = (2, −2), λ = (8/2 − 2)/8
/// assert!((h[0] - 0.5).abs() < 1e-9);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Bome<T> {
    /// T.
    pub steps: usize,
    /// s.
    pub step_size: f64,
    /// s_y.
    pub y_step_size: f64,
    /// η.
    pub rate: f64,
    /// φ.
    pub barrier: Barrier,
    /// δ.
    pub damping: f64,
    /// P.
    pub set: Set<T>,
}

/// φ, which says how fast [`Bome`] makes the gap fall: at least by η φ for a unit of step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Barrier {
    /// ‖∇q‖².
    #[default]
    SquaredNorm,
    /// q itself, where positive.
    Gap,
}

impl<T> Default for Bome<T> {
    fn default() -> Self {
        Self {
            steps: 10,
            step_size: 0.1,
            y_step_size: 0.1,
            rate: 0.5,
            barrier: Barrier::default(),
            damping: 1e-12,
            set: Set::All,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for Bome<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        positive("step_size", self.step_size)?;
        positive("y_step_size", self.y_step_size)?;
        positive("rate", self.rate)?;
        positive("damping", self.damping)?;
        self.set.validate(problem.y_len())?;
        expect_x_enters(problem, &Field::Inner, "bome")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let mut inner = InnerLoop::new(at, &self.set)?;
        let mut y = inner.recall(memory, "y")?;
        let mut z = y.clone();
        for t in 0..self.steps {
            inner.descend(INNER, self.step_size, t, &mut z)?;
        }
        inner.cx.step = self.steps;
        let (mut f_y, mut q_y) = (z.clone(), z.clone());
        inner.outer_grad_y(&y, &mut f_y)?;
        inner.collect_outer(&y, 1.0)?;
        inner.finish(out)?;
        inner.grad_y(INNER, &y, &mut q_y)?;
        inner.collect_inner(&y, 1.0)?;
        inner.collect_inner(&z, -1.0)?;
        let mut q_x = vec![T::zero(); out.len()];
        inner.finish(&mut q_x)?;
        let gap = inner.gap(&y, &z)?;
        let along = dot(out, &q_x) + dot(&f_y, &q_y);
        let squared_norm = dot(&q_x, &q_x) + dot(&q_y, &q_y);
        let wanted = match self.barrier {
            Barrier::SquaredNorm => squared_norm,
            Barrier::Gap => gap.max(0.0),
        };
        let multiplier = (self.rate * wanted - along) / (squared_norm + self.damping);
        let multiplier = multiplier.max(0.0);
        axpy(T::from_f64(multiplier), &q_x, out);
        axpy(T::from_f64(multiplier), &q_y, &mut f_y);
        inner.cx.expect_finite(Quantity::HyperGradient, None, out)?;
        let figures = vec![
            ("multiplier", multiplier),
            ("gap", gap),
            ("distance", distance(&y, &z)),
        ];
        inner.follow(&f_y, self.y_step_size, &mut y)?;
        memory.set_vector("y", &y);
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, figures))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let (inner, outer) = penalised_oracles(problem);
        Cost {
            inner: inner + Oracles::of([(Oracle::GradY, self.steps as f64 + 1.0)]),
            outer: outer + Oracles::of([(Oracle::GradY, 1.0)]),
            work_numbers: InnerLoop::work_numbers(problem) + 5 * problem.y_len() + problem.x_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
