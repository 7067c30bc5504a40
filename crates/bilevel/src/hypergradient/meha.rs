//! MEHA: single loop and Hessian-free, on the Moreau envelope of the inner problem.

use super::inner_loop::{INNER, InnerLoop, distance, expect_x_enters, penalised_oracles};
use super::{HyperGradient, Report};
use crate::dynamics::{Field, Weights};
use crate::error::positive;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Sequence, Set};

/// The Moreau-envelope based Hessian-free algorithm, MEHA (Liu et al., 2024, arXiv 2405.09927): one
/// step each for x, y and z on f/c + g − v, where v(x, y) = min over z of g(x, z) + ‖z − y‖²/(2γ).
///
/// At outer step k, from the remembered y and z:
///
/// ```text
/// y ← P(y − s_y [∇_y f/c + ∇_y g](x, y) + s_y (y − z)/γ),  with c of the step before; not at the first
/// z ← P(z − s [∇_y g(x, z) + (z − y)/γ])
/// h = ∇_x f(x, y)/c + ∇_x g(x, y) − ∇_x g(x, z)
/// ```
///
/// The paper moves z, x, y in turn, y with the new x. Here y moves at the next estimate, when the
/// new x is known, which gives exactly the same iterates. The proximal term makes the
/// problem of z strongly convex where g is weakly convex, so inner solutions need be neither unique
/// nor global.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s; stable below 2/(L + 1/γ) |
/// | `y_step_size` | 0.1 | positive | s_y |
/// | `proximal` | 1 | positive | γ; below 1/ρ for a ρ-weakly convex g |
/// | `penalty` | `power:1,0.25` | positive | c at each outer step; the paper's growth |
/// | `set` | all | | P, where y and z are kept |
///
/// h is 1/c of a hypergradient, as in the paper: the steps of x shrink as c grows, unless the
/// optimizer ignores the scale. Cost: two inner gradients and one outer, two ∇_x g, one
/// ∇_x f, two values g for the figure `gap` = g(x, y) − g(x, z). Memory: y and z. The steps of y
/// and z see one mini-batch, both terms of h another. Figures: `penalty`, `gap`, `distance` ‖y −
/// z‖.
///
/// # Errors
/// Refused where x enters neither objective.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, Meha, toys};
/// let problem = toys::following(toys::towards(1.0))?;
/// let mut h = [0.0];
/// Meha { step_size: 0.25, ..Meha::default() }.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert_eq!(h, [0.5]); // y = 0, z = 0.25 · 2; (2 − 0) − (2 − 0.5)
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Meha<T> {
    /// s.
    pub step_size: f64,
    /// s_y.
    pub y_step_size: f64,
    /// γ.
    pub proximal: f64,
    /// c.
    pub penalty: Sequence,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for Meha<T> {
    fn default() -> Self {
        Self {
            step_size: 0.1,
            y_step_size: 0.1,
            proximal: 1.0,
            penalty: Sequence::Power {
                start: 1.0,
                power: 0.25,
            },
            set: Set::All,
        }
    }
}

/// `direction += scale · (y − z)`.
fn pull_towards<T: Scalar>(scale: f64, z: &[T], y: &[T], direction: &mut [T]) {
    let scale = T::from_f64(scale);
    for ((direction, &y), &z) in direction.iter_mut().zip(y).zip(z) {
        *direction += scale * (y - z);
    }
}

impl<T: Scalar> HyperGradient<T> for Meha<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        positive("step_size", self.step_size)?;
        positive("y_step_size", self.y_step_size)?;
        positive("proximal", self.proximal)?;
        self.penalty.validate("penalty")?;
        if let Sequence::Linear { start, .. } = self.penalty {
            positive("the start of the penalty", start)?;
        }
        self.set.validate(problem.y_len())?;
        expect_x_enters(problem, &Field::Inner, "meha")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &self.set)?;
        let (mut y, mut z) = (inner.recall(memory, "y")?, inner.recall(memory, "z")?);
        let pull = 1.0 / self.proximal;
        if memory.vector("y").is_some() {
            let weights = Weights {
                outer: 1.0 / self.penalty.at(outer_step.saturating_sub(1)),
                inner: 1.0,
            };
            inner.descend_with(weights, self.y_step_size, 0, &mut y, |y, direction| {
                pull_towards(-pull, &z, y, direction);
            })?;
        }
        inner.descend_with(INNER, self.step_size, 0, &mut z, |z, direction| {
            pull_towards(pull, &y, z, direction);
        })?;
        inner.cx.step = 1;
        let penalty = self.penalty.at(outer_step);
        inner.collect_penalised((&y, &z), penalty, 1.0 / penalty)?;
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
        let (inner, outer) = penalised_oracles(problem);
        Cost {
            inner: inner + Oracles::of([(Oracle::GradY, 2.0)]),
            outer: outer + Oracles::of([(Oracle::GradY, 1.0)]),
            work_numbers: InnerLoop::work_numbers(problem) + 4 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
