//! What the methods share that keep y, and companions of it, from one outer step to the next.

use super::Report;
use crate::adjoint::Paths;
use crate::dynamics::{Context, Field, GradientDescent, Weights};
use crate::error::{expect_length, require};
use crate::vector::axpy;
use crate::{At, Memory, Oracle, Oracles, Problem, Quantity, Result, Scalar, Set};

/// Only g.
pub(super) const INNER: Weights = Weights {
    outer: 0.0,
    inner: 1.0,
};

/// (F + `penalty` · g) · min(1/`penalty`, 1): what a descent with one step size for every penalty
/// follows.
pub(super) fn penalised(penalty: f64) -> (Weights, f64) {
    let scale = (1.0 / penalty).min(1.0);
    let weights = Weights {
        outer: scale,
        inner: scale * penalty,
    };
    (weights, scale)
}

/// Both objectives at one x: moves y and its companions, and collects a direction for x.
pub(super) struct InnerLoop<'a, T> {
    pub(super) cx: Context<'a, T>,
    set: &'a Set<T>,
    direction: Vec<T>,
    work: Vec<T>,
}

impl<'a, T: Scalar> InnerLoop<'a, T> {
    /// How many numbers it holds, x̄ and the collected part of it among them.
    pub(super) fn work_numbers(problem: &Problem<T>) -> usize {
        2 * problem.y_len() + 3 * problem.x_len()
    }

    /// For variables in `set`.
    pub(super) fn new(at: &At<'a, T>, set: &'a Set<T>) -> Result<Self> {
        Ok(Self {
            cx: Context::new(at, 0)?,
            set,
            direction: vec![T::zero(); at.problem.y_len()],
            work: vec![T::zero(); at.problem.y_len()],
        })
    }

    /// The variable of that name from the memory or, before the first estimate, the start of
    /// training.
    pub(super) fn recall(&self, memory: &Memory<T>, name: &'static str) -> Result<Vec<T>> {
        let len = self.cx.problem().y_len();
        if let Some(kept) = memory.vector(name) {
            expect_length(name, len, kept.len())?;
            return Ok(kept.to_vec());
        }
        let mut y = vec![T::zero(); len];
        self.cx.start(&mut y)?;
        self.set.project(&mut y);
        Ok(y)
    }

    /// `out = ∇_y` of the weighted objective at the current step.
    pub(super) fn grad_y(&mut self, weights: Weights, y: &[T], out: &mut [T]) -> Result<()> {
        weights.grad_y(&mut self.cx, y, &mut self.work, out)
    }

    /// `out` = the direction of the field at the current step, and `slope` its derivative in a
    /// learned weight, where that has numbers.
    pub(super) fn direction(
        &mut self,
        field: &Field,
        y: &[T],
        out: &mut [T],
        slope: &mut [T],
    ) -> Result<()> {
        field.direction(&mut self.cx, y, &mut self.work, out, slope)
    }

    /// `y_bar += ∇²_yy φ v` and collects `∇²_xy φ v` for the weighted objective φ at the current
    /// step.
    pub(super) fn pull(
        &mut self,
        weights: Weights,
        y: &[T],
        v: &[T],
        y_bar: &mut [T],
    ) -> Result<()> {
        weights.pull(&mut self.cx, y, v, &mut self.work, y_bar)
    }

    /// y ← P(y − `step_size` · (∇_y of the weighted objective + `more`)) at inner step `t`, where
    /// `more(y, direction)` adds to the direction.
    pub(super) fn descend_with(
        &mut self,
        weights: Weights,
        step_size: f64,
        t: usize,
        y: &mut [T],
        more: impl FnOnce(&[T], &mut [T]),
    ) -> Result<()> {
        self.cx.step = t;
        let mut direction = std::mem::take(&mut self.direction);
        let result = self.grad_y(weights, y, &mut direction).and_then(|()| {
            more(y, &mut direction);
            self.follow(&direction, step_size, y)
        });
        self.direction = direction;
        result
    }

    /// y ← P(y − `step_size` · `direction`).
    pub(super) fn follow(&self, direction: &[T], step_size: f64, y: &mut [T]) -> Result<()> {
        axpy(T::from_f64(-step_size), direction, y);
        self.set.project(y);
        self.cx
            .expect_finite(Quantity::InnerVariable, Some(self.cx.step + 1), y)
    }

    /// [`InnerLoop::descend_with`] nothing more.
    pub(super) fn descend(
        &mut self,
        weights: Weights,
        step_size: f64,
        t: usize,
        y: &mut [T],
    ) -> Result<()> {
        self.descend_with(weights, step_size, t, y, |_, _| ())
    }

    /// `out = ∇_y f` on the outer batch.
    pub(super) fn outer_grad_y(&mut self, y: &[T], out: &mut [T]) -> Result<()> {
        let draw = self.cx.outer_draw();
        self.cx.outer.grad_y(y, draw, out)
    }

    /// f(x, y) on the outer batch.
    pub(super) fn value(&mut self, y: &[T]) -> Result<T> {
        self.cx.value(y)
    }

    /// g(x, y) on the inner batch of the current step.
    pub(super) fn inner_value(&mut self, y: &[T]) -> Result<f64> {
        let draw = self.cx.inner_draw();
        let value = self.cx.inner.value(y, draw)?;
        self.cx
            .expect_finite(Quantity::InnerObjective, Some(self.cx.step), &[value])?;
        Ok(value.to_double())
    }

    /// g(x, y) − g(x, z) on one batch, so that the noise which both share cancels.
    pub(super) fn gap(&mut self, y: &[T], z: &[T]) -> Result<f64> {
        Ok(self.inner_value(y)? - self.inner_value(z)?)
    }

    /// Collects `scale` · ∇_x f on the outer batch, where x enters f.
    pub(super) fn collect_outer(&mut self, y: &[T], scale: f64) -> Result<()> {
        self.cx.collect_outer(y, T::from_f64(scale))
    }

    /// Collects `scale` · ∇_x g on the inner batch of the current step, where x enters g.
    pub(super) fn collect_inner(&mut self, y: &[T], scale: f64) -> Result<()> {
        if !self.cx.problem().inner().depends_on_x() {
            return Ok(());
        }
        let draw = self.cx.inner_draw();
        self.cx.inner.grad_x(y, draw, T::from_f64(scale))
    }

    /// Collects `scale` · ∇_x of the weighted objective, on the batches of the current step.
    pub(super) fn collect_weighted(&mut self, weights: Weights, y: &[T], scale: f64) -> Result<()> {
        if weights.inner != 0.0 {
            self.collect_inner(y, scale * weights.inner)?;
        }
        if weights.outer != 0.0 && self.cx.problem().outer().depends_on_x() {
            let (draw, scale) = (self.cx.field_draw(), T::from_f64(scale * weights.outer));
            self.cx.outer.grad_x(y, draw, scale)?;
        }
        Ok(())
    }

    /// Collects `scale` · [∇_x f(x, y) + `penalty` · (∇_x g(x, y) − ∇_x g(x, z))].
    pub(super) fn collect_penalised(
        &mut self,
        (y, z): (&[T], &[T]),
        penalty: f64,
        scale: f64,
    ) -> Result<()> {
        self.collect_outer(y, scale)?;
        self.collect_inner(y, scale * penalty)?;
        self.collect_inner(z, -scale * penalty)
    }

    /// `out` = what was collected.
    pub(super) fn finish(&mut self, out: &mut [T]) -> Result<()> {
        expect_length("the hypergradient", self.cx.problem().x_len(), out.len())?;
        out.fill(T::zero());
        self.cx.finish(out)?;
        self.cx.expect_finite(Quantity::HyperGradient, None, out)
    }

    /// The report of an estimate that ended at y.
    pub(super) fn report(
        &self,
        value: T,
        y: Vec<T>,
        figures: Vec<(&'static str, f64)>,
    ) -> Report<T> {
        let (inner, outer) = self.cx.calls();
        let mut report = Report::new(value, y, inner, outer);
        report.add_figures(figures);
        report
    }
}

/// ‖y − z‖₂.
pub(super) fn distance<T: Scalar>(y: &[T], z: &[T]) -> f64 {
    let squares = y.iter().zip(z).map(|(&y, &z)| (y - z).to_double().powi(2));
    squares.sum::<f64>().sqrt()
}

/// What [`InnerLoop::collect_penalised`] asks for, and the values of a report with the gap.
pub(super) fn penalised_oracles<T: Scalar>(problem: &Problem<T>) -> (Oracles, Oracles) {
    let inner = Oracles::of([
        (Oracle::Value, 2.0),
        (
            Oracle::GradX,
            2.0 * f64::from(problem.inner().depends_on_x()),
        ),
    ]);
    let outer = Oracles::of([
        (Oracle::Value, 1.0),
        (Oracle::GradX, f64::from(problem.outer().depends_on_x())),
    ]);
    (inner, outer)
}

/// Through which paths x enters, for training along `field`.
pub(super) fn paths<T: Scalar>(problem: &Problem<T>, field: &Field) -> Paths {
    let dynamics = GradientDescent {
        field: field.clone(),
        ..GradientDescent::<T>::default()
    };
    Paths::of(problem, &dynamics)
}

/// Refuses a problem in which x enters neither objective: the path through the start of training
/// is cut, for y is remembered.
pub(super) fn expect_x_enters<T: Scalar>(
    problem: &Problem<T>,
    field: &Field,
    method: &'static str,
) -> Result<()> {
    let sees = Paths {
        start: false,
        ..Paths::ALL
    };
    sees.expect_any_of(paths(problem, field), method)
}

/// That a number of steps is not zero.
pub(super) fn at_least_one(field: &'static str, value: usize) -> Result<()> {
    require(value >= 1, field, "at least 1", value)
}
