//! IAPTT-GM: a learned start of training, and truncation at the step where the outer objective is worst.

use super::{HyperGradient, Report, Unrolled};
use crate::adjoint::{Paths, Rollout};
use crate::error::{expect_length, positive};
use crate::vector::axpy;
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Quantity, Remembers, Result, Scalar, Set};

/// Initialization auxiliary and pessimistic trajectory truncation, IAPTT-GM (Liu et al., 2021,
/// arXiv 2110.00455): for inner problems that are not convex, where the end of training depends on
/// its start.
///
/// ```text
/// y_0 = z,   y_{k+1} = Φ_k(x, y_k),   k* = argmax f(x, y_k) over k = 1 … K, the first if several
/// h = d/dx f(x, y_k*),   z ← P(z − s_z d/dz f(x, y_k*))
/// ```
///
/// The worst of all steps is an upper bound of f that does not depend on the fluctuations of the last
/// ones; its number k* is held fixed in the derivative. z is remembered and learned together with x; or
/// training starts at the [`Start`](crate::Start) of the problem, which may be part of x.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `unrolled` | as there | | Φ, K = `steps` and the adjoint that differentiates k* steps |
/// | `start_step_size` | `Some(0.1)` | positive | s_z; `None`: z is the problem's start |
/// | `set` | all | | P, where z is kept; y is kept in a set by the dynamics |
///
/// Without a learned start and with a convex inner problem, plain [`Unrolled`] is as good. Cost: K
/// inner gradients and K values f to find k*, then what `unrolled` takes for k* steps (all K in the
/// worst case, which `cost` assumes). Memory: z, and what the adjoint keeps. The report has y_k*
/// and f there. Figures: `truncation` k*.
///
/// # Errors
/// As [`Unrolled`]; with a learned start, also if x enters only through the start.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, Iaptt, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: from z = 0 towards x = 0.5, f is largest after the first step.
/// let (problem, mut h) = (toys::following(toys::towards(1.0))?, [0.0]);
/// let report = Iaptt::default().estimate(&At::new(&problem, &[0.5], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert_eq!((report.figure("truncation"), h[0]), (Some(1.0), 0.1 * (0.05 - 1.0)));
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Iaptt<T> {
    /// Φ, K and the adjoint.
    pub unrolled: Unrolled<T>,
    /// s_z.
    pub start_step_size: Option<f64>,
    /// P.
    pub set: Set<T>,
}

impl<T: Scalar> Default for Iaptt<T> {
    fn default() -> Self {
        Self {
            unrolled: Unrolled::default(),
            start_step_size: Some(0.1),
            set: Set::All,
        }
    }
}

/// A rollout whose worst step is known.
struct Truncated<'a, T> {
    rollout: Rollout<'a, T>,
    start: Vec<T>,
    /// k*, f there, and the state there.
    worst: (usize, T, Vec<T>),
}

impl<T: Scalar> Iaptt<T> {
    fn run<'a>(&'a self, at: &At<'a, T>, memory: &Memory<T>) -> Result<Truncated<'a, T>> {
        let Unrolled {
            dynamics, steps, ..
        } = &self.unrolled;
        let mut rollout = Rollout::new(at, &**dynamics, *steps)?;
        let mut start = rollout.start()?;
        if self.start_step_size.is_some() {
            let z = &mut start[..at.problem.y_len()];
            if let Some(kept) = memory.vector("z") {
                expect_length("z", z.len(), kept.len())?;
                z.copy_from_slice(kept);
            }
            self.set.project(z);
        }
        let mut state = start.clone();
        let mut worst = (0, T::neg_infinity(), state.clone());
        for t in 0..*steps {
            rollout.advance(t, &mut state)?;
            let value = rollout.value(&state)?;
            if value > worst.1 {
                worst.0 = t + 1;
                worst.1 = value;
                worst.2.copy_from_slice(&state);
            }
        }
        Ok(Truncated {
            rollout,
            start,
            worst,
        })
    }

    fn report(problem: &Problem<T>, run: Truncated<'_, T>) -> Report<T> {
        let (inner, outer) = run.rollout.calls();
        let (truncation, value, mut y) = run.worst;
        y.truncate(problem.y_len());
        let mut report = Report::new(value, y, inner, outer);
        report.status = run.rollout.status();
        report.add_figure("truncation", truncation as f64);
        report
    }
}

impl<T: Scalar> HyperGradient<T> for Iaptt<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.unrolled.validate(problem)?;
        self.set.validate(problem.y_len())?;
        let Some(step_size) = self.start_step_size else {
            return Ok(());
        };
        positive("start_step_size", step_size)?;
        let sees = self.unrolled.adjoint.sees(self.unrolled.steps).and(Paths {
            start: false,
            ..Paths::ALL
        });
        let enters = Paths::of(problem, &*self.unrolled.dynamics);
        sees.expect_any_of(enters, "iaptt with a learned start")
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        expect_length("the hypergradient", problem.x_len(), out.len())?;
        let mut run = self.run(at, memory)?;
        let rollout = &mut run.rollout;
        rollout.truncate(run.worst.0);
        let (mut state, mut bar) = (run.start.clone(), rollout.zero_state());
        let adjoint = &self.unrolled.adjoint;
        adjoint.differentiate(rollout, &mut state, &mut bar)?;
        if let Some(step_size) = self.start_step_size {
            let z = &mut run.start[..problem.y_len()];
            axpy(T::from_f64(-step_size), &bar, z);
            self.set.project(z);
            rollout.expect_finite(Quantity::Start, 0, z)?;
            memory.set_vector("z", z);
            bar.fill(T::zero());
        }
        out.fill(T::zero());
        rollout.finish(&bar, out)?;
        Ok(Self::report(problem, run))
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let &At { problem, .. } = at;
        let run = self.run(at, memory)?;
        Ok(Self::report(problem, run))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let steps = self.unrolled.steps;
        let (inner, outer) = self.unrolled.dynamics.gradients(steps);
        let of = |grad_y: f64, values: usize| {
            Oracles::of([(Oracle::Value, values as f64), (Oracle::GradY, grad_y)])
        };
        let mut cost = self.unrolled.cost(problem);
        cost.inner += of(inner, 0);
        cost.outer += of(outer, steps);
        // s_0, and the state of the worst step.
        cost.work_numbers += 2 * self.unrolled.dynamics.state_len(problem.y_len());
        if self.start_step_size.is_some() {
            cost.work_numbers += problem.y_len();
        }
        cost
    }

    fn remembers(&self) -> Remembers {
        Remembers::variables_if(self.start_step_size.is_some())
    }
}
