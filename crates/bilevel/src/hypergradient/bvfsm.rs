//! BVFSM: sequential minimisation with a barrier on the value function.

use super::inner_loop::{
    INNER, InnerLoop, at_least_one, distance, expect_x_enters, penalised_oracles,
};
use super::{HyperGradient, Report};
use crate::dynamics::{Field, Weights};
use crate::error::{positive, require};
use crate::vector::{axpy, dot};
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Sequence, Set};

/// Value-function based sequential minimisation, BVFSM (Liu et al., 2021, arXiv 2110.04974), with a
/// logarithmic barrier: the inner problem becomes the constraint g(x, y) ≤ min g(x, ·) + μ‖·‖².
///
/// At outer step k, from the remembered y and z:
///
/// ```text
/// z ← P(z − s ∇_z [g(x, z) + μ‖z‖²]),  T_z times
/// r = g(x, z) + μ‖z‖² + slack − g(x, y),   w = min(σ/r, cap), or cap where r ≤ 0
/// y ← P(y − s_y [∇_y f + 2θ y + w ∇_y g](x, y)),  T_y times
/// h = ∇_x f(x, y) + w (∇_x g(x, y) − ∇_x g(x, z))
/// ```
///
/// which descends on f + θ‖y‖² − σ log r. The logarithm needs r > 0, and a step may end outside:
/// where its slope would exceed `largest_multiplier` it is continued by its tangent. Outside, this
/// is a penalty of that weight, and y oscillates across the boundary by s_y ‖∇_y f‖. (The
/// authors' code adds a number to r that has no derivative, which weakens the barrier.) As μ, θ, σ
/// → 0, that penalty remains, with an error of O(1/cap).
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `z_steps`, `y_steps` | 50, 25 | at least 1 | T_z, T_y |
/// | `step_size`, `y_step_size` | 0.01 | positive | s, s_y; s_y stable below 2/L for f + cap · g |
/// | `value_regularisation` | `power:0.01,-1.1` | positive | μ at each outer step |
/// | `y_regularisation` | `power:0.01,-1.1` | positive | θ |
/// | `barrier` | `power:0.001,-1.1` | positive | σ |
/// | `slack` | 0 | at least 0 | added to r |
/// | `largest_multiplier` | `constant:10` | positive | the cap of w at each outer step |
/// | `set` | all | | P, where y and z are kept |
///
/// The defaults are from the authors' example, except the cap. For inner problems with many
/// solutions, also nonconvex ones. Not for few outer steps: the sequences need time to fall. Cost:
/// T_z + T_y inner gradients and T_y outer, two ∇_x g, one ∇_x f, 2T_y + 2 values g. Memory: y and
/// z. Both terms of r see one mini-batch, a new one at each step. Figures: `multiplier` w, `room`
/// r, `gap` g(x, y) − g(x, z), `distance` ‖y − z‖.
///
/// # Errors
/// Refused where x enters neither objective.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, Bvfsm, Sequence, toys};
/// let problem = toys::following(toys::towards(1.0))?;
/// let method = Bvfsm { step_size: 0.5, y_steps: 900, largest_multiplier: Sequence::Constant { value: 9.0 }, ..Bvfsm::default() };
/// let (mut memory, mut h) = (Memory::default(), [0.0]);
/// let late = method.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)).outer_step(1_000_000), &mut memory, &mut h)?;
/// assert!((late.y[0] - 1.9).abs() < 1e-3 && (h[0] - 0.9).abs() < 1e-3); // y = (1 + 9 · 2)/10
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Bvfsm<T> {
    /// T_z.
    pub z_steps: usize,
    /// T_y.
    pub y_steps: usize,
    /// s.
    pub step_size: f64,
    /// s_y.
    pub y_step_size: f64,
    /// μ.
    pub value_regularisation: Sequence,
    /// θ.
    pub y_regularisation: Sequence,
    /// σ.
    pub barrier: Sequence,
    /// What is added to r.
    pub slack: f64,
    /// The cap of w.
    pub largest_multiplier: Sequence,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for Bvfsm<T> {
    fn default() -> Self {
        let shrinking = |start| Sequence::Power { start, power: -1.1 };
        Self {
            z_steps: 50,
            y_steps: 25,
            step_size: 0.01,
            y_step_size: 0.01,
            value_regularisation: shrinking(0.01),
            y_regularisation: shrinking(0.01),
            barrier: shrinking(0.001),
            slack: 0.0,
            largest_multiplier: Sequence::Constant { value: 10.0 },
            set: Set::All,
        }
    }
}

impl<T: Scalar> Bvfsm<T> {
    /// r and w at y, on the batch of the current step, and the gap.
    fn barrier_at(
        &self,
        inner: &mut InnerLoop<'_, T>,
        (y, z): (&[T], &[T]),
        coefficients: Coefficients,
    ) -> Result<Room> {
        let Coefficients { mu, sigma, cap, .. } = coefficients;
        let gap = inner.gap(y, z)?;
        let room = mu * dot(z, z) + self.slack - gap;
        let multiplier = if room > 0.0 {
            (sigma / room).min(cap)
        } else {
            cap
        };
        Ok(Room {
            room,
            multiplier,
            gap,
        })
    }
}

/// What shrinks, or grows, from one outer step to the next.
#[derive(Clone, Copy)]
struct Coefficients {
    mu: f64,
    theta: f64,
    sigma: f64,
    cap: f64,
}

struct Room {
    room: f64,
    multiplier: f64,
    gap: f64,
}

impl<T: Scalar> HyperGradient<T> for Bvfsm<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("z_steps", self.z_steps)?;
        at_least_one("y_steps", self.y_steps)?;
        positive("step_size", self.step_size)?;
        positive("y_step_size", self.y_step_size)?;
        self.value_regularisation.validate("value_regularisation")?;
        self.y_regularisation.validate("y_regularisation")?;
        self.barrier.validate("barrier")?;
        let slack_is_right = self.slack >= 0.0 && self.slack.is_finite();
        require(
            slack_is_right,
            "slack",
            "a number of at least 0",
            self.slack,
        )?;
        self.largest_multiplier.validate("largest_multiplier")?;
        self.set.validate(problem.y_len())?;
        expect_x_enters(problem, &Field::Inner, "bvfsm")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { outer_step, .. } = at;
        let mut inner = InnerLoop::new(at, &self.set)?;
        let (mut y, mut z) = (inner.recall(memory, "y")?, inner.recall(memory, "z")?);
        let coefficients = Coefficients {
            mu: self.value_regularisation.at(outer_step),
            theta: self.y_regularisation.at(outer_step),
            sigma: self.barrier.at(outer_step),
            cap: self.largest_multiplier.at(outer_step),
        };
        let shrink = |factor: f64| {
            move |y: &[T], direction: &mut [T]| axpy(T::from_f64(2.0 * factor), y, direction)
        };
        for t in 0..self.z_steps {
            inner.descend_with(INNER, self.step_size, t, &mut z, shrink(coefficients.mu))?;
        }
        for t in 0..self.y_steps {
            inner.cx.step = t;
            let at = self.barrier_at(&mut inner, (&y, &z), coefficients)?;
            let weights = Weights {
                outer: 1.0,
                inner: at.multiplier,
            };
            inner.descend_with(
                weights,
                self.y_step_size,
                t,
                &mut y,
                shrink(coefficients.theta),
            )?;
        }
        inner.cx.step = self.z_steps.max(self.y_steps);
        let at = self.barrier_at(&mut inner, (&y, &z), coefficients)?;
        inner.collect_penalised((&y, &z), at.multiplier, 1.0)?;
        inner.finish(out)?;
        memory.set_vector("y", &y);
        memory.set_vector("z", &z);
        let figures = vec![
            ("multiplier", at.multiplier),
            ("room", at.room),
            ("gap", at.gap),
            ("distance", distance(&y, &z)),
        ];
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, figures))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let (z_steps, y_steps) = (self.z_steps as f64, self.y_steps as f64);
        let (inner, outer) = penalised_oracles(problem);
        Cost {
            inner: inner
                + Oracles::of([
                    (Oracle::Value, 2.0 * y_steps),
                    (Oracle::GradY, z_steps + y_steps),
                ]),
            outer: outer + Oracles::of([(Oracle::GradY, y_steps)]),
            work_numbers: InnerLoop::work_numbers(problem) + 4 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
