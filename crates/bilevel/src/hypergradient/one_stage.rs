//! One-stage: the derivative of one step by a difference of gradients.

use super::inner_loop::{self, InnerLoop, at_least_one, expect_x_enters};
use super::{HyperGradient, Report};
use crate::adjoint::Paths;
use crate::dynamics::Field;
use crate::error::{positive, require};
use crate::vector::{axpy, dot, norm};
use crate::{At, Cost, Memory, Oracle, Oracles, Problem, Remembers, Result, Scalar, Set};

/// The one-stage hypergradient of DARTS (Liu et al., 2019, arXiv 1806.09055): how f after one more
/// step depends on x, with a finite difference instead of second derivatives.
///
/// At outer step k, K steps y ← P(y − s d(x, y)) from the remembered y; then, with d = ∇_y ψ,
///
/// ```text
/// y' = P(y − ξ d(x, y)),   v = ∂Pᵀ ∇_y f(x, y'),   y± = y ± ε v,   ε = radius/‖v‖
/// h = ∇_x f(x, y') − ξ [∇_x ψ(x, y+) − ∇_x ψ(x, y−)]/(2ε)
/// ```
///
/// ψ is g, or the weighted sum of g and f of an aggregate field, whose weights may be part of x. y'
/// is looked at and thrown away. ξ = 0 gives ∇_x f(x, y): first order.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `steps` | 1 | at least 1 | K, the steps for each outer step |
/// | `step_size` | 0.1 | positive | s |
/// | `look_ahead` | 0.1 | at least 0 | ξ; the paper takes s |
/// | `radius` | 0.01 | positive | ‖y± − y‖ |
/// | `field` | `Inner` | | d; k of a schedule starts at 1 in each outer step |
/// | `set` | all | | P, where y is kept; y± may leave it by the radius |
///
/// For large models without second derivatives. The hypergradient covers only one step, with the
/// bias of [`T1T2`](super::T1T2). Cost: K + 1 gradients of the field, one ∇_y f, and one ∇_x f,
/// two ∇_x ψ; no products. Memory: y. The last step and its difference see one mini-batch.
///
/// # Errors
/// Refused where x enters neither objective nor the weights, or ξ = 0 and x does not enter f.
///
/// ```
/// use bilevel::{At, Key, Memory, HyperGradient, OneStage, toys};
/// // f = (y − 1)²/2, g = (y − x)²/2: y = 1, y' = 1.25, h = 0.25 (y' − 1)
/// let (problem, mut h) = (toys::following(toys::towards(1.0))?, [0.0]);
/// let method = OneStage { step_size: 0.5, look_ahead: 0.25, ..OneStage::default() };
/// method.estimate(&At::new(&problem, &[2.0], Key::from_seed(0)), &mut Memory::default(), &mut h)?;
/// assert!((h[0] - 0.0625).abs() < 1e-14);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct OneStage<T> {
    /// K.
    pub steps: usize,
    /// s.
    pub step_size: f64,
    /// ξ.
    pub look_ahead: f64,
    /// ‖y± − y‖.
    pub radius: f64,
    /// d.
    pub field: Field,
    /// P.
    pub set: Set<T>,
}

impl<T> Default for OneStage<T> {
    fn default() -> Self {
        Self {
            steps: 1,
            step_size: 0.1,
            look_ahead: 0.1,
            radius: 0.01,
            field: Field::Inner,
            set: Set::All,
        }
    }
}

impl<T: Scalar> OneStage<T> {
    /// The remembered y, K steps further.
    fn train(&self, inner: &mut InnerLoop<'_, T>, memory: &Memory<T>) -> Result<Vec<T>> {
        let mut y = inner.recall(memory, "y")?;
        for t in 0..self.steps {
            inner.cx.step = t;
            let weights = self.field.weights(&inner.cx);
            inner.descend(weights, self.step_size, t, &mut y)?;
        }
        Ok(y)
    }

    /// y' and, where ξ > 0, collects −ξ (∂d/∂x)ᵀ ∂Pᵀ ∇_y f(x, y').
    fn look_ahead(&self, inner: &mut InnerLoop<'_, T>, y: &[T]) -> Result<Vec<T>> {
        let mut ahead = y.to_vec();
        if self.look_ahead == 0.0 {
            return Ok(ahead);
        }
        let xi = T::from_f64(self.look_ahead);
        let learned = self.field.learned(&inner.cx);
        let mut direction = vec![T::zero(); y.len()];
        let mut slope = vec![T::zero(); if learned.is_some() { y.len() } else { 0 }];
        inner.direction(&self.field, y, &mut direction, &mut slope)?;
        axpy(-xi, &direction, &mut ahead);
        let mut note = vec![T::one(); self.set.note_len()];
        self.set.project_noting(&mut ahead, &mut note);
        let mut v = direction;
        inner.outer_grad_y(&ahead, &mut v)?;
        self.set.derivative(&ahead, &note, &mut v);
        if let Some((index, change)) = learned {
            inner.cx.x_bar[index] -= xi * T::from_f64(change * dot(&slope, &v));
        }
        self.collect_difference(inner, y, &v)?;
        Ok(ahead)
    }

    /// Collects −ξ (∂d/∂x)ᵀ v at y by the difference.
    fn collect_difference(&self, inner: &mut InnerLoop<'_, T>, y: &[T], v: &[T]) -> Result<()> {
        let size = norm(v);
        if size == 0.0 {
            return Ok(());
        }
        let epsilon = self.radius / size;
        let weights = self.field.weights(&inner.cx);
        let mut moved = vec![T::zero(); y.len()];
        for sign in [1.0, -1.0] {
            moved.copy_from_slice(y);
            axpy(T::from_f64(sign * epsilon), v, &mut moved);
            let scale = -sign * self.look_ahead / (2.0 * epsilon);
            inner.collect_weighted(weights, &moved, scale)?;
        }
        Ok(())
    }
}

impl<T: Scalar> HyperGradient<T> for OneStage<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        at_least_one("steps", self.steps)?;
        positive("step_size", self.step_size)?;
        let xi = self.look_ahead;
        let xi_is_right = xi >= 0.0 && xi.is_finite();
        require(xi_is_right, "look_ahead", "a number of at least 0", xi)?;
        positive("radius", self.radius)?;
        self.field.validate(problem.x_len())?;
        self.set.validate(problem.y_len())?;
        if xi > 0.0 {
            return expect_x_enters(problem, &self.field, "one-stage");
        }
        let first_order = Paths {
            start: false,
            inner: false,
            outer: true,
        };
        first_order.expect_any_of(
            inner_loop::paths(problem, &self.field),
            "one-stage with look_ahead 0",
        )
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let mut inner = InnerLoop::new(at, &self.set)?;
        let y = self.train(&mut inner, memory)?;
        inner.cx.step = self.steps;
        let ahead = self.look_ahead(&mut inner, &y)?;
        inner.collect_outer(&ahead, 1.0)?;
        inner.finish(out)?;
        memory.set_vector("y", &y);
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, vec![]))
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let mut inner = InnerLoop::new(at, &self.set)?;
        let y = self.train(&mut inner, memory)?;
        let value = inner.value(&y)?;
        Ok(inner.report(value, y, vec![]))
    }

    fn cost(&self, problem: &Problem<T>) -> Cost {
        let ahead = self.look_ahead > 0.0;
        let (inner, outer) = self.field.gradients(self.steps + usize::from(ahead));
        let difference = 2.0 * f64::from(ahead);
        Cost {
            inner: Oracles::of([
                (Oracle::GradY, inner),
                (
                    Oracle::GradX,
                    difference * f64::from(problem.inner().depends_on_x()),
                ),
            ]),
            outer: Oracles::of([
                (Oracle::Value, 1.0),
                (Oracle::GradY, outer + f64::from(ahead)),
                (
                    Oracle::GradX,
                    f64::from(problem.outer().depends_on_x())
                        * (1.0 + difference * f64::from(self.field.uses_outer())),
                ),
            ]),
            work_numbers: InnerLoop::work_numbers(problem) + 6 * problem.y_len(),
            ..Cost::default()
        }
    }

    fn remembers(&self) -> Remembers {
        Remembers::Variables
    }
}
