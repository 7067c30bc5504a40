//! T1–T2: one differentiated step, alternated with training.

use super::inner_loop::at_least_one;
use super::{HyperGradient, Report};
use crate::adjoint::{Paths, Rollout};
use crate::dynamics::{Dynamics, GradientDescent};
use crate::error::expect_length;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar};

/// T1–T2 (Luketina et al., 2016, arXiv 1511.06727): training goes on from one outer step to the
/// next, and only its last step is differentiated.
///
/// ```text
/// s_{t+1} = Φ_t(x, s_t),  K times from the remembered state
/// h = ∂f/∂x + (∂Φ_{K−1}/∂x)ᵀ ∂f/∂s  at s_K;   gradient descent: ∇_x f − s ∇²_xy g(x, y_{K−1}) ∇_y f(x, y_K)
/// ```
///
/// How y_{K−1} depends on x is dropped. What is left is, at a solution, the first term of the
/// Neumann series of the implicit hypergradient: a descent direction if x enters only g and
/// steps are short, and biased otherwise. [`OneStage`](super::OneStage) does the same with
/// gradients only.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `dynamics` | gradient descent | | Φ; y is kept in a set by its projection |
/// | `steps` | 1 | at least 1 | K, the steps for each outer step |
///
/// Cost: K gradients and one pull. Memory: the state. Figures: none.
///
/// # Errors
/// Refused where x enters neither objective nor the dynamics, or second derivatives are missing.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, T1T2, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y_1 = 0.1 · 2, h = 0.1 (y_1 − 1)
/// let (problem, mut h) = (toys::following(toys::towards(1.0))?, [0.0]);
/// T1T2::default().estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert!((h[0] + 0.08).abs() < 1e-15);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct T1T2<T> {
    /// Φ.
    pub dynamics: Box<dyn Dynamics<T>>,
    /// K.
    pub steps: usize,
}

impl<T: Scalar> Default for T1T2<T> {
    fn default() -> Self {
        Self {
            dynamics: Box::new(GradientDescent::default()),
            steps: 1,
        }
    }
}

impl<T: Scalar> T1T2<T> {
    fn rollout<'a>(
        &'a self,
        at: &At<'a, T>,
        memory: &Memory<T>,
    ) -> Result<(Rollout<'a, T>, Vec<T>)> {
        let mut rollout = Rollout::new(at, &*self.dynamics, self.steps)?;
        let state = match memory.vector("state") {
            Some(kept) => {
                expect_length("the remembered state", rollout.state_len(), kept.len())?;
                kept.to_vec()
            }
            None => rollout.start()?,
        };
        Ok((rollout, state))
    }

    fn report(problem: &Problem<T>, rollout: &Rollout<'_, T>, value: T, y: &[T]) -> Report<T> {
        let (inner, outer) = rollout.calls();
        Report::new(value, y[..problem.y_len()].to_vec(), inner, outer)
    }
}

impl<T: Scalar> HyperGradient<T> for T1T2<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        self.dynamics.validate(problem.x_len(), problem.y_len())?;
        problem.expect_second_order(self.dynamics.uses_outer(), "t1t2")?;
        let sees = Paths {
            start: false,
            ..Paths::ALL
        };
        sees.expect_any_of(Paths::of(problem, &*self.dynamics), "t1t2")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        expect_length("the hypergradient", problem.x_len(), out.len())?;
        let (mut rollout, mut state) = self.rollout(at, memory)?;
        let mut before = state.clone();
        for t in 0..self.steps {
            before.copy_from_slice(&state);
            rollout.advance(t, &mut state)?;
        }
        let mut bar = rollout.zero_state();
        let value = rollout.seed(&state, &mut bar)?;
        rollout.pull_back(self.steps.saturating_sub(1), &before, &state, &mut bar)?;
        bar.fill(T::zero());
        out.fill(T::zero());
        rollout.finish(&bar, out)?;
        memory.set_vector("state", &state);
        Ok(Self::report(problem, &rollout, value, &state))
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        let (mut rollout, mut state) = self.rollout(at, memory)?;
        for t in 0..self.steps {
            rollout.advance(t, &mut state)?;
        }
        let value = rollout.value(&state)?;
        Ok(Self::report(problem, &rollout, value, &state))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let (inner, outer) = self.dynamics.gradients(self.steps);
        let (inner_again, outer_again) = self.dynamics.pull_gradients(self.steps);
        let steps = self.steps.max(1) as f64;
        let of = |gradients: f64, again: f64| {
            Oracles::of([
                (Oracle::GradY, gradients + again / steps),
                (Oracle::Pull, gradients / steps),
            ])
        };
        Cost {
            inner: of(inner, inner_again),
            outer: of(outer, outer_again) + Oracles::of_seed(problem),
            // The state, the one before, the remembered one and the cotangent; x, x̄ and the
            // collected part of it.
            work_numbers: 4 * self.dynamics.state_len(problem.y_len())
                + self.dynamics.work_len(problem.y_len())
                + 3 * problem.x_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
