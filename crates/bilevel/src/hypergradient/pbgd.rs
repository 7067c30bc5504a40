//! V-PBGD: penalty-based gradient descent on the value function.

use super::inner_loop::{
    INNER, InnerLoop, at_least_one, distance, expect_x_enters, penalised, penalised_oracles,
};
use super::{HyperGradient, Report};
use crate::dynamics::Field;
use crate::error::positive;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Sequence, Set};

/// Penalty-based bilevel gradient descent with the value function, V-PBGD (Shen and Chen, 2023,
/// arXiv 2302.05185): x and y descend together on f + γ (g(x, y) − min g(x, ·)).
///
/// At outer step k, from the remembered y and z, with c = min(1/γ, 1):
///
/// ```text
/// z ← P(z − s ∇_y g(x, z)),  T times
/// h = c [∇_x f(x, y) + γ (∇_x g(x, y) − ∇_x g(x, z))]
/// y ← P(y − s_y c [∇_y f + γ ∇_y g](x, y))
/// ```
///
/// h uses the y before its step, as in the paper's joint step on (x, y); the report is about the y
/// after it. c keeps one step size stable for every γ, as in the authors' code. z continues from
/// its last value, as in that code, or starts each loop at y. The latter needs a T large enough to
/// come close to the minimum every time: dy*/dx is scaled by 1 − ρ^T, ρ the contraction of a step.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `steps` | 1 | at least 1 | T |
/// | `step_size` | 0.1 | positive | s |
/// | `y_step_size` | 0.1 | positive | s_y; the optimizer's rate on x should be of its size |
/// | `penalty` | `constant:10` | positive | γ at each outer step |
/// | `start_at_y` | false | | whether z starts each loop at y |
/// | `set` | all | | P, where y and z are kept |
///
/// A limit point of a constant γ is stationary for the penalised function, and an O(1/γ) away from
/// bilevel solutions. h is not the hypergradient at a y that has not settled: use it in long runs of
/// cheap steps, not with few costly ones. Unlike a penalty on ‖∇_y g‖², it is not trapped where ‖∇_y g‖²
/// is stationary but not zero. Cost: T + 1 inner gradients and one outer, two ∇_x g, one ∇_x f, two
/// values g for the figure `gap` = g(x, y) − g(x, z). Memory: y and z. The step of y and the last
/// one of z see one mini-batch, so that for T = 1 their noise cancels in the long run, and both
/// terms of the difference in h another. Figures: `penalty`, `gap`, `distance` ‖y − z‖, all at the y
/// of h.
///
/// # Errors
/// Refused where x enters neither objective.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, Pbgd, toys};
/// let problem = toys::following(toys::towards(1.0))?;
/// let (mut memory, mut h) = (Memory::default(), [0.0]);
/// Pbgd { step_size: 0.5, ..Pbgd::default() }.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut memory, &mut h)?;
/// assert_eq!(h, [1.0]); // z = 1; 0.1 · 10 · ((2 − 0) − (2 − 1))
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Pbgd<T> {
    /// T.
    pub steps: usize,
    /// s.
    pub step_size: f64,
    /// s_y.
    pub y_step_size: f64,
    /// γ.
    pub penalty: Sequence,
    /// Whether z starts each loop at y instead of its last value.
    pub start_at_y: bool,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for Pbgd<T> {
    fn default() -> Self {
        Self {
            steps: 1,
            step_size: 0.1,
            y_step_size: 0.1,
            penalty: Sequence::Constant { value: 10.0 },
            start_at_y: false,
            set: Set::All,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for Pbgd<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        positive("step_size", self.step_size)?;
        positive("y_step_size", self.y_step_size)?;
        self.penalty.validate("penalty")?;
        self.set.validate(problem.y_len())?;
        expect_x_enters(problem, &Field::Inner, "pbgd")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &self.set)?;
        let mut y = inner.recall(memory, "y")?;
        let mut z = if self.start_at_y {
            y.clone()
        } else {
            inner.recall(memory, "z")?
        };
        for t in 0..self.steps {
            inner.descend(INNER, self.step_size, t, &mut z)?;
        }
        inner.cx.step = self.steps;
        let penalty = self.penalty.at(outer_step);
        let (weights, scale) = penalised(penalty);
        inner.collect_penalised((&y, &z), penalty, scale)?;
        inner.finish(out)?;
        let figures = vec![
            ("penalty", penalty),
            ("gap", inner.gap(&y, &z)?),
            ("distance", distance(&y, &z)),
        ];
        let last = self.steps.saturating_sub(1);
        inner.descend(weights, self.y_step_size, last, &mut y)?;
        memory.set_vector("y", &y);
        if !self.start_at_y {
            memory.set_vector("z", &z);
        }
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, figures))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let (inner, outer) = penalised_oracles(problem);
        Cost {
            inner: inner + Oracles::of([(Oracle::GradY, self.steps as f64 + 1.0)]),
            outer: outer + Oracles::of([(Oracle::GradY, 1.0)]),
            work_numbers: InnerLoop::work_numbers(problem) + 4 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
