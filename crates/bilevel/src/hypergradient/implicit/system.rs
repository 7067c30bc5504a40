//! The linear system of an implicit hypergradient, and what it is made of.

use crate::adjoint::Rollout;
use crate::linear::{LinearOperator, LinearSolver, Solution, Structure, System};
use crate::objective::Counted;
use crate::vector::{axpy, norm};
use crate::{Draw, Error, Inapplicable, Key, Report, Result, Scalar, Status, Stream};

/// How the hypergradient is formed at the end of training.
pub(crate) struct AtEnd<'m, T> {
    pub(crate) solver: &'m dyn LinearSolver<T>,
    pub(crate) damping: f64,
    pub(crate) all_rows: bool,
    /// How far from stationary the end may be; None: not looked at where that costs a gradient.
    pub(crate) stationarity: Option<f64>,
    /// ‖∇_y g‖ at the end, where it is known already.
    pub(crate) gradient_norm: Option<f64>,
}

/// What came out.
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) solution: Solution,
    /// ‖∇_y g‖, or the length of one more step.
    pub(crate) stationarity: Option<f64>,
    pub(crate) status: Status,
    /// q.
    pub(crate) q: Vec<T>,
}

impl<T: Scalar> Found<T> {
    /// The report of a rollout that ended in `state`, with the figures.
    pub(crate) fn report(
        &self,
        rollout: &Rollout<'_, T>,
        mut state: Vec<T>,
        y_len: usize,
        damping: f64,
    ) -> Report<T> {
        state.truncate(y_len);
        let (inner_calls, outer_calls) = rollout.calls();
        let mut report = Report::new(self.value, state, inner_calls, outer_calls);
        report.status = self.status;
        report.add_figures([
            ("linear residual", self.solution.residual),
            ("linear products", self.solution.products as f64),
            ("damping", damping),
        ]);
        if let Some(stationarity) = self.stationarity {
            report.add_figure("inner stationarity", stationarity);
        }
        report
    }

    /// Whether the next solve should start from q.
    pub(crate) fn is_a_guess(&self) -> bool {
        !matches!(self.solution.status, Status::NotContraction { .. })
    }
}

impl<T: Scalar> AtEnd<'_, T> {
    /// Solves the system at s_K = `state`, from the guess `warm`; `out` = the hypergradient.
    pub(crate) fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &[T],
        y_len: usize,
        warm: Option<&[T]>,
        out: &mut [T],
    ) -> Result<Found<T>> {
        let mut bar = rollout.zero_state();
        let value = rollout.seed(state, &mut bar)?;
        out.fill(T::zero());
        let system = self.solver.system();
        if system == System::InnerHessian {
            bar.truncate(y_len);
        }
        let len = bar.len();
        let mut q = vec![T::zero(); len];
        if let Some(warm) = warm {
            crate::error::expect_length("the warm start of the linear system", len, warm.len())?;
            q.copy_from_slice(warm);
        }
        let (solution, stationarity, end) = match system {
            System::InnerHessian => self.with_inner_hessian(rollout, &state[..len], &bar, &mut q),
            System::StepMap => self.with_step_map(rollout, state, &bar, &mut q, out),
        }?;
        let none = rollout.zero_state();
        rollout.finish(&none, out)?;
        let status = if solution.status.is_good() {
            end
        } else {
            solution.status
        };
        Ok(Found {
            value,
            solution,
            stationarity,
            status,
            q,
        })
    }

    /// (∇²_yy g + damping · I) q = ∇_y f; collects −∇²_xy g q.
    fn with_inner_hessian(
        &self,
        rollout: &mut Rollout<'_, T>,
        y: &[T],
        b: &[T],
        q: &mut [T],
    ) -> Result<Ended> {
        let mut gradient = vec![T::zero(); y.len()];
        let mut stationarity = self.gradient_norm;
        if stationarity.is_none() && self.stationarity.is_some() {
            stationarity = Some(gradient_norm(rollout, y, &mut gradient)?);
        }
        let end = match (stationarity, self.stationarity) {
            (Some(gradient_norm), Some(tolerance)) if exceeds(gradient_norm, tolerance) => {
                Status::InnerNotSolved {
                    gradient_norm,
                    tolerance,
                }
            }
            _ => Status::Good,
        };
        let cx = rollout.context();
        let draws = if self.all_rows {
            Draws::All
        } else {
            Draws::Batches {
                key: cx.key().stream(Stream::LinearSolver),
                one: self.solver.wants_one_matrix(),
            }
        };
        let mut operator = InnerHessian {
            inner: &mut cx.inner,
            y,
            no_x: vec![T::zero(); cx.x.len()],
            damping: T::from_f64(self.damping),
            draws,
            products: 0,
        };
        let solution = self.solver.solve(&mut operator, b, q)?;
        let draw = operator.draw();
        let minus_q: Vec<T> = q.iter().map(|&q| -q).collect();
        cx.inner.pull(y, draw, &minus_q, &mut gradient)?;
        Ok((solution, stationarity, end))
    }

    /// (I − (∂Φ/∂s)ᵀ) q = ∂f/∂s; collects (∂Φ/∂x)ᵀ q.
    fn with_step_map(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &[T],
        b: &[T],
        q: &mut [T],
        out: &mut [T],
    ) -> Result<Ended> {
        if self.all_rows {
            rollout.context().see_all_rows();
        }
        let steps = rollout.steps();
        let mut next = state.to_vec();
        rollout.advance(steps, &mut next)?;
        let mut step = next.clone();
        axpy(-T::one(), state, &mut step);
        let step_length = norm(&step);
        let end = match self.stationarity {
            Some(tolerance) if exceeds(step_length, tolerance) => Status::StepNotFixed {
                step_length,
                tolerance,
            },
            _ => Status::Good,
        };
        // ∇_x f is kept apart from what the products of the solver collect, which is of no use.
        rollout.cx.finish(out)?;
        let mut operator = StepMap {
            rollout,
            state,
            next: &next,
        };
        let solution = self.solver.solve(&mut operator, b, q)?;
        rollout.cx.finish(&mut vec![T::zero(); out.len()])?;
        step.copy_from_slice(q);
        rollout.pull_back(steps, state, &next, &mut step)?;
        Ok((solution, Some(step_length), end))
    }
}

/// ‖∇_y g(x, y)‖ on all rows; `work` has m numbers.
pub(crate) fn gradient_norm<T: Scalar>(
    rollout: &mut Rollout<'_, T>,
    y: &[T],
    work: &mut [T],
) -> Result<f64> {
    rollout.context().inner.grad_y(y, Draw::All, work)?;
    Ok(norm(work))
}

/// The solution, how far from stationary the end is, and what that says.
type Ended = (Solution, Option<f64>, Status);

/// A NaN does.
fn exceeds(value: f64, tolerance: f64) -> bool {
    value > tolerance || value.is_nan()
}

/// What the products with the inner Hessian see.
#[derive(Clone, Copy)]
enum Draws {
    All,
    /// A mini-batch, the same for all if `one`.
    Batches {
        key: Key,
        one: bool,
    },
}

/// v ↦ (∇²_yy g + damping · I) v.
struct InnerHessian<'r, 'a, T> {
    inner: &'r mut Counted<'a, T>,
    y: &'r [T],
    no_x: Vec<T>,
    damping: T,
    draws: Draws,
    products: u64,
}

impl<T> InnerHessian<'_, '_, T> {
    /// That of the next product.
    fn draw(&self) -> Draw {
        match self.draws {
            Draws::All => Draw::All,
            // Steps of one key walk through the rows without replacement; the mean of a product of
            // matrices is the product of their means only if they are independent.
            Draws::Batches { key, one } => Draw::Step {
                key: key.fold_in(if one { 0 } else { self.products }),
                step: 0,
            },
        }
    }
}

impl<T: Scalar> LinearOperator<T> for InnerHessian<'_, '_, T> {
    fn size(&self) -> usize {
        self.y.len()
    }

    fn structure(&self) -> Structure {
        Structure::Symmetric
    }

    /// By a push, which collects nothing in x.
    fn apply(&mut self, v: &[T], out: &mut [T]) -> Result<()> {
        let draw = self.draw();
        self.products += 1;
        crate::vector::scale_into(self.damping, v, out);
        self.inner.push(self.y, draw, &self.no_x, v, out)
    }
}

/// v ↦ v − (∂Φ_K/∂s)ᵀ v.
struct StepMap<'r, 'a, T> {
    rollout: &'r mut Rollout<'a, T>,
    state: &'r [T],
    next: &'r [T],
}

impl<T: Scalar> LinearOperator<T> for StepMap<'_, '_, T> {
    fn size(&self) -> usize {
        self.state.len()
    }

    fn structure(&self) -> Structure {
        Structure::General
    }

    fn apply(&mut self, v: &[T], out: &mut [T]) -> Result<()> {
        out.copy_from_slice(v);
        let steps = self.rollout.steps();
        self.rollout.pull_back(steps, self.state, self.next, out)?;
        for (out, &v) in out.iter_mut().zip(v) {
            *out = v - *out;
        }
        Ok(())
    }
}

/// Refuses a solver for ∇²_yy g where training ends elsewhere than at ∇_y g = 0.
pub(crate) fn expect_stationary(ends_stationary: bool, method: &'static str) -> Result<()> {
    if ends_stationary {
        Ok(())
    } else {
        Err(Error::NotApplicable {
            method,
            reason: Inapplicable::NotStationary,
        })
    }
}
