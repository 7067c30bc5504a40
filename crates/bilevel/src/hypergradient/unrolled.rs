//! Unrolled differentiation: dynamics × adjoint.

use super::{HyperGradient, Report};
use crate::adjoint::{Adjoint, Paths, Reverse, Rollout};

use crate::dynamics::{Dynamics, GradientDescent, Weights};
use crate::error::require;
use crate::{At, Cost, Error, Memory, Oracle, Oracles, Problem, Result, Role, Scalar};

/// Differentiates K steps of training exactly, or as the adjoint does.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `dynamics` | gradient descent | | how y moves |
/// | `steps` | 100 | at least 1 | K |
/// | `adjoint` | [`Reverse`] | | how the steps are differentiated |
///
/// ```
/// use bilevel::{Key, HyperGradient, Unrolled, Hyper, GradientDescent, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y_K = (1 − 0.5^K) x from y_0 = 0
/// let problem = toys::following(toys::towards(1.0))?;
/// let method = Unrolled { dynamics: Box::new(GradientDescent { step_size: Hyper::Fixed(0.5), ..Default::default() }), steps: 3, ..Default::default() };
/// let (gradient, _) = method.gradient(&problem, &[2.0], Key::from_seed(0))?;
/// assert_eq!(gradient[0], (0.875 * 2.0 - 1.0) * 0.875);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Unrolled<T> {
    /// Φ.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// K.
    pub steps: usize,
    /// How Φ is differentiated.
    pub adjoint: Box<dyn Adjoint<T>>,
}

impl<T: Scalar> Default for Unrolled<T> {
    fn default() -> Self {
        Self {
            dynamics: Box::new(GradientDescent::default()),
            steps: 100,
            adjoint: Box::new(Reverse),
        }
    }
}

impl<T: Scalar> Unrolled<T> {
    fn report(rollout: &Rollout<'_, T>, value: T, mut state: Vec<T>, y_len: usize) -> Report<T> {
        state.truncate(y_len);
        let (inner_calls, outer_calls) = rollout.calls();
        let mut report = Report::new(value, state, inner_calls, outer_calls);
        report.status = rollout.status();
        report
    }

    /// Checks that the objectives of the steps have what the adjoint needs.
    fn expect_capabilities(&self, problem: &Problem<T>) -> Result<()> {
        let needed_by = self.adjoint.name();
        let outer = self.dynamics.uses_outer().then(|| problem.outer());
        let objectives = [(Role::Inner, Some(problem.inner())), (Role::Outer, outer)];
        for (role, objective) in objectives {
            let Some(objective) = objective else { continue };
            if self.adjoint.needs_second_order() && !objective.has_second_order() {
                return Err(Error::NoSecondOrder { role, needed_by });
            }
            if self.adjoint.needs_push() && !objective.has_push() {
                return Err(Error::NoPush { role, needed_by });
            }
            if self.adjoint.needs_tape() && !objective.has_tape() {
                return Err(Error::NoTape { role, needed_by });
            }
        }
        Ok(())
    }
}

impl<T: Scalar> HyperGradient<T> for Unrolled<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        require(self.steps >= 1, "steps", "at least 1", self.steps)?;
        self.dynamics.validate(problem.x_len(), problem.y_len())?;
        self.adjoint.validate(self.steps, problem.x_len())?;
        self.expect_capabilities(problem)?;
        self.adjoint.sees(self.steps).expect_any_of(
            Paths::of(problem, self.dynamics.as_ref()),
            self.adjoint.name(),
        )
    }

    fn estimate(&self, at: &At<'_, T>, _: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        crate::error::expect_length("the hypergradient", problem.x_len(), out.len())?;
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let mut state = rollout.start()?;
        let mut bar = rollout.zero_state();
        let value = self
            .adjoint
            .differentiate(&mut rollout, &mut state, &mut bar)?;
        out.fill(T::zero());
        rollout.finish(&bar, out)?;
        Ok(Self::report(&rollout, value, state, problem.y_len()))
    }

    fn evaluate(&self, at: &At<'_, T>, _: &Memory<T>) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let mut state = rollout.start()?;
        for t in 0..self.steps {
            rollout.advance(t, &mut state)?;
        }
        let value = rollout.value(&state)?;
        Ok(Self::report(&rollout, value, state, problem.y_len()))
    }

    fn follows(&self, outer_step: usize) -> Option<Weights> {
        self.dynamics.weights(self.steps, outer_step)
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let sweeps = self.adjoint.sweeps(self.steps, problem.x_len());
        let (inner, outer) = self.dynamics.gradients(self.steps);
        let (inner_again, outer_again) = self.dynamics.pull_gradients(self.steps);
        let share = |gradients: f64, again: f64| {
            let steps = self.steps.max(1) as f64;
            let each = gradients / steps;
            Oracles::of([
                (
                    Oracle::GradY,
                    sweeps.steps * each + sweeps.pulls * again / steps,
                ),
                (Oracle::Linearize, sweeps.taped_steps * each),
                (Oracle::Pull, sweeps.pulls * each),
                (Oracle::PullTape, sweeps.tape_pulls * each),
                (Oracle::Push, sweeps.pushes * each),
            ])
        };
        let state_len = self.dynamics.state_len(problem.y_len());
        Cost {
            inner: share(inner, inner_again),
            outer: share(outer, outer_again) + Oracles::of_seed(problem),
            kept_numbers: sweeps.kept_states * state_len,
            kept_tapes: sweeps.kept_tapes,
            // The state, its cotangent and y_0; x, x̄ and the collected part of it.
            work_numbers: 3 * state_len
                + self.dynamics.work_len(problem.y_len())
                + 3 * problem.x_len(),
        }
    }
}
