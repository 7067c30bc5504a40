//! Reptile: the start of training moves towards its end.

use super::inner_loop::at_least_one;
use super::{HyperGradient, Report};
use crate::adjoint::{Paths, Rollout};
use crate::dynamics::{Dynamics, GradientDescent, Weights};
use crate::error::expect_length;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Result, Scalar};

/// Reptile (Nichol, Achiam and Schulman 2018, arXiv 1803.02999): no hypergradient, but a direction that needs
/// neither derivatives of training nor f:
///
/// G = (∂y_0/∂x)ᵀ (y_0 − y_K).
///
/// Where training starts at x, as in MAML, gradient descent with rate 1 on G moves x to y_K. In expectation over tasks, G
/// is close to a sum of gradients of g and of products that make the gradients of a task agree with each other.
/// f is evaluated for the report alone.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `dynamics` | gradient descent | | how y moves |
/// | `steps` | 10 | at least 1 | K |
///
/// Cost: K gradients and one value of f. Memory: two states. Figures: none.
///
/// # Errors
/// Refused where training does not start at x.
///
/// ```
/// use bilevel::{HyperGradient, Key, Problem, Reptile, StartFromX, toys};
/// // g = (y − x)²/2 from y_0 = x: training does not move, so neither does x.
/// let problem = Problem::new(toys::follower(), toys::towards(1.0), StartFromX::new(0..1))?;
/// let (direction, _) = Reptile::default().gradient(&problem, &[2.0], Key::from_seed(0))?;
/// assert_eq!(direction, [0.0]);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Reptile<T> {
    /// Φ.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// K.
    pub steps: usize,
}

impl<T: Scalar> Default for Reptile<T> {
    fn default() -> Self {
        Self {
            dynamics: Box::new(GradientDescent::default()),
            steps: 10,
        }
    }
}

impl<T: Scalar> HyperGradient<T> for Reptile<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        self.dynamics.validate(problem.x_len(), problem.y_len())?;
        let sees = Paths {
            start: true,
            ..Paths::default()
        };
        sees.expect_any_of(Paths::of(problem, &*self.dynamics), "reptile")
    }

    fn estimate(&self, at: &At<'_, T>, _: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        expect_length("the direction", at.problem.x_len(), out.len())?;
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let mut state = rollout.start()?;
        let mut moved = state[..at.problem.y_len()].to_vec();
        for t in 0..self.steps {
            rollout.advance(t, &mut state)?;
        }
        for (moved, &y) in moved.iter_mut().zip(&state) {
            *moved -= y;
        }
        out.fill(T::zero());
        at.problem.start().pull(at.x, at.key, &moved, out)?;
        let value = rollout.value(&state)?;
        state.truncate(at.problem.y_len());
        let (inner, outer) = rollout.calls();
        Ok(Report::new(value, state, inner, outer))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let (inner, outer) = self.dynamics.gradients(self.steps);
        let state_len = self.dynamics.state_len(problem.y_len());
        Cost {
            inner: Oracles::of([(Oracle::GradY, inner)]),
            outer: Oracles::of([(Oracle::GradY, outer), (Oracle::Value, 1.0)]),
            work_numbers: state_len
                + problem.y_len()
                + self.dynamics.work_len(problem.y_len())
                + 3 * problem.x_len(),
            ..Cost::default()
        }
    }

    fn follows(&self, outer_step: usize) -> Option<Weights> {
        self.dynamics.weights(self.steps, outer_step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Closures, FixedStart, Key, StartFromX, toys};

    /// g = (y − 3)²/2, whatever x is.
    fn pulled_to_three() -> Closures<f64> {
        Closures::<f64>::new(
            1,
            1,
            |_, y, _| (y[0] - 3.0).powi(2) / 2.0,
            |_, y, _, out| out[0] += y[0] - 3.0,
        )
    }

    #[test]
    fn the_start_moves_to_the_end_of_training() {
        let start = StartFromX::new(0..1);
        let problem = Problem::new(pulled_to_three(), toys::towards(5.0), start).unwrap();
        let method = Reptile {
            dynamics: Box::new(GradientDescent {
                step_size: crate::Hyper::Fixed(0.5),
                ..GradientDescent::default()
            }),
            steps: 3,
        };
        let key = Key::from_seed(0);
        let (direction, report) = method.gradient(&problem, &[1.0], key).unwrap();
        // y_3 = 3 − 2/8.
        assert_eq!((direction[0], report.y[0]), (1.0 - 2.75, 2.75));
        assert_eq!(report.value, (2.75_f64 - 5.0).powi(2) / 2.0);
        let fixed = Problem::new(pulled_to_three(), toys::towards(5.0), FixedStart(vec![1.0]));
        let refused = method.gradient(&fixed.unwrap(), &[1.0], key).unwrap_err();
        assert!(matches!(refused, crate::Error::StructurallyZero { .. }));
    }
}
