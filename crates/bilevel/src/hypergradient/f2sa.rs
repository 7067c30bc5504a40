//! F2SA: a fully first-order value-function method.

use super::inner_loop::{
    INNER, InnerLoop, at_least_one, distance, expect_x_enters, penalised, penalised_oracles,
};
use super::{HyperGradient, Report};
use crate::dynamics::Field;
use crate::error::positive;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Sequence, Set};

/// The fully first-order method F2SA (Kwon et al., 2023, arXiv 2301.10945): the hypergradient of
/// the penalised problem min f + λ (g(x, y) − min g(x, ·)), with warm-started loops for both
/// minima.
///
/// At outer step k, from the remembered y and z, T times each:
///
/// ```text
/// z ← P(z − s_z ∇_y g(x, z)),    y ← P(y − s_y min(1/λ, 1) (∇_y f + λ ∇_y g)(x, y))
/// h = ∇_x f(x, y) + λ (∇_x g(x, y) − ∇_x g(x, z))
/// ```
///
/// h has a bias of O(1/λ), and its rounding and sampling error grows with λ, so λ grows slowly. As
/// in the paper, the step on y shrinks as 1/λ; in this form one step size fits every λ.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `steps` | 10 | at least 1 | T |
/// | `step_size` | 0.1 | positive | s_z; stable below 2/L for L-smooth g |
/// | `y_step_size` | 0.1 | positive | s_y; stable below 2/L for L-smooth f + λ g over max(λ, 1) |
/// | `penalty` | `power:10,1/7` | positive | λ at each outer step; grows as in the paper's stochastic case |
/// | `set` | all | | P, where y and z are kept |
///
/// Use it if second derivatives are expensive or missing and inner solutions are unique. Not if the
/// last digits count: the penalty limits the accuracy. Cost: 2T inner and T outer gradients, two
/// ∇_x g and one ∇_x f, two values g for the figure `gap` = g(x, y) − g(x, z). Memory: y and z.
/// Both loops see the same mini-batches, and both terms of the difference one further batch, so noise
/// common to y and z cancels before it is multiplied by λ. Figures: `penalty`, `gap`, `distance` ‖y − z‖.
///
/// # Errors
/// Refused where x enters neither objective.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, F2sa, Sequence, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y = (1 + λx)/(1 + λ), h = −λ(y − x)
/// let problem = toys::following(toys::towards(1.0))?;
/// let method = F2sa { steps: 200, step_size: 0.5, y_step_size: 0.5, penalty: Sequence::Constant { value: 9.0 }, ..F2sa::default() };
/// let mut h = [0.0];
/// method.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert!((h[0] - 0.9).abs() < 1e-12); // the hypergradient is 1
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct F2sa<T> {
    /// T.
    pub steps: usize,
    /// s_z.
    pub step_size: f64,
    /// s_y.
    pub y_step_size: f64,
    /// λ.
    pub penalty: Sequence,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for F2sa<T> {
    fn default() -> Self {
        Self {
            steps: 10,
            step_size: 0.1,
            y_step_size: 0.1,
            penalty: Sequence::Power {
                start: 10.0,
                power: 1.0 / 7.0,
            },
            set: Set::All,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for F2sa<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        positive("step_size", self.step_size)?;
        positive("y_step_size", self.y_step_size)?;
        self.penalty.validate("penalty")?;
        self.set.validate(problem.y_len())?;
        expect_x_enters(problem, &Field::Inner, "f2sa")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &self.set)?;
        let (mut y, mut z) = (inner.recall(memory, "y")?, inner.recall(memory, "z")?);
        let penalty = self.penalty.at(outer_step);
        let (weights, _) = penalised(penalty);
        for t in 0..self.steps {
            inner.descend(INNER, self.step_size, t, &mut z)?;
            inner.descend(weights, self.y_step_size, t, &mut y)?;
        }
        inner.cx.step = self.steps;
        inner.collect_penalised((&y, &z), penalty, 1.0)?;
        inner.finish(out)?;
        memory.set_vector("y", &y);
        memory.set_vector("z", &z);
        let figures = vec![
            ("penalty", penalty),
            ("gap", inner.gap(&y, &z)?),
            ("distance", distance(&y, &z)),
        ];
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, figures))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let steps = self.steps as f64;
        let (inner, outer) = penalised_oracles(problem);
        Cost {
            inner: inner + Oracles::of([(Oracle::GradY, 2.0 * steps)]),
            outer: outer + Oracles::of([(Oracle::GradY, steps)]),
            work_numbers: InnerLoop::work_numbers(problem) + 4 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
