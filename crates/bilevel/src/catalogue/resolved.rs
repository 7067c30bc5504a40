//! The settings of a method, each with its value.

use super::choice::{AdjointChoice, DynamicsChoice, ProbabilityChoice};
use crate::{
    Dynamics, Field, GradientDescent, Hyper, InnerAdam, Momentum, Scalar, Schedule, Sequence, Set,
    Unrolled,
};

/// What a method is built from: every setting with its value.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What the inner steps follow.
    pub field: Field,
    /// How steps are differentiated, where they are.
    pub adjoint: Option<AdjointChoice>,
    /// Step size of the inner gradient.
    pub step_size: f64,
    /// Step size of the outer gradient in the aggregate field.
    pub aggregate_step_size: f64,
    /// Inner steps.
    pub steps: usize,
    /// How y moves.
    pub dynamics: DynamicsChoice,
    /// How often the exact part of a debiased estimate is worked out.
    pub probability: ProbabilityChoice,
    /// Added to the inner Hessian.
    pub damping: f64,
    /// Relative residual of linear systems, unless the solver's own.
    pub linear_tolerance: Option<f64>,
    /// Products for a linear system, unless the solver's own.
    pub linear_products: Option<usize>,
    /// Of a single loop: only some forms have a meaning there.
    pub single_loop_schedule: Option<Schedule>,
    /// Step size of y, unless it follows from the step size of the inner gradient.
    pub y_step_size: Option<f64>,
    /// Penalty at each outer step, unless the method's own.
    pub penalty: Option<Sequence>,
    /// Where y is kept.
    pub set: Set<f64>,
}

impl Resolved {
    /// Its steps with this adjoint.
    #[must_use]
    pub fn unrolled<T: Scalar>(&self, adjoint: AdjointChoice) -> Unrolled<T> {
        Unrolled {
            dynamics: self.dynamics(),
            steps: self.steps,
            adjoint: adjoint.build(),
        }
    }

    /// How y moves.
    #[must_use]
    pub fn dynamics<T: Scalar>(&self) -> Box<dyn Dynamics<T>> {
        let (step_size, field) = (Hyper::Fixed(self.step_size), self.field.clone());
        let set = self.set.cast();
        match self.dynamics {
            DynamicsChoice::GradientDescent => Box::new(GradientDescent {
                step_size,
                field,
                set,
            }),
            DynamicsChoice::Momentum(beta) => Box::new(Momentum {
                step_size,
                momentum: Hyper::Fixed(beta),
                field,
                set,
                ..Momentum::default()
            }),
            DynamicsChoice::Adam => Box::new(InnerAdam {
                step_size,
                field,
                set,
                ..InnerAdam::default()
            }),
        }
    }
}
