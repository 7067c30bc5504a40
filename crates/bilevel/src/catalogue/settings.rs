//! What the user gives of a method: its name and settings, all of them optional.

use super::choice::{
    AdjointChoice, DynamicsChoice, FieldChoice, ProbabilityChoice, StepSizeChoice,
};
use super::name::MethodChoice;
use super::setting::Setting;
use crate::text::{non_negative, positive, positive_count};
use crate::{Result, Schedule, Sequence};

/// A method and its settings as given. None means the default; a setting that the method does not have is
/// refused when [`Method`](super::Method) is built from them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// Which method; if not named, field and adjoint decide.
    pub method: Option<MethodChoice>,
    /// See [`Setting::Schedule`]; the others likewise.
    pub schedule: Option<Schedule>,
    /// What the inner steps follow.
    pub field: Option<FieldChoice>,
    /// How training is differentiated.
    pub adjoint: Option<AdjointChoice>,
    /// Step size of the inner gradient.
    pub step_size: Option<StepSizeChoice>,
    /// Step size of the outer gradient in the aggregate field.
    pub aggregate_step_size: Option<f64>,
    /// Inner steps.
    pub steps: Option<usize>,
    /// How y moves.
    pub dynamics: Option<DynamicsChoice>,
    /// How often the exact part of a debiased estimate is computed.
    pub probability: Option<ProbabilityChoice>,
    /// Added to the diagonal of the inner Hessian.
    pub damping: Option<f64>,
    /// Relative residual of linear systems.
    pub linear_tolerance: Option<f64>,
    /// Products for a linear system.
    pub linear_products: Option<usize>,
    /// Step size of y.
    pub y_step_size: Option<f64>,
    /// Penalty at each outer step.
    pub penalty: Option<Sequence>,
}

impl Settings {
    /// Sets one setting from text.
    ///
    /// # Errors
    /// If the text is not a value of this setting, or the value is out of range.
    pub fn set(&mut self, setting: Setting, text: &str) -> Result<()> {
        match setting {
            Setting::Schedule => self.schedule = Some(text.parse()?),
            Setting::Field => self.field = Some(text.parse()?),
            Setting::Adjoint => self.adjoint = Some(text.parse()?),
            Setting::StepSize => self.step_size = Some(text.parse()?),
            Setting::AggregateStepSize => self.aggregate_step_size = Some(positive(text)?),
            Setting::Steps => self.steps = Some(positive_count(text)?),
            Setting::Dynamics => self.dynamics = Some(text.parse()?),
            Setting::Probability => self.probability = Some(text.parse()?),
            Setting::Damping => self.damping = Some(non_negative(text)?),
            Setting::LinearTolerance => self.linear_tolerance = Some(positive(text)?),
            Setting::LinearProducts => self.linear_products = Some(positive_count(text)?),
            Setting::YStepSize => self.y_step_size = Some(positive(text)?),
            Setting::Penalty => self.penalty = Some(text.parse()?),
        }
        Ok(())
    }

    /// The text of one setting, if it is given.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<String> {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        match setting {
            Setting::Schedule => text(self.schedule.as_ref()),
            Setting::Field => text(self.field.as_ref()),
            Setting::Adjoint => text(self.adjoint.as_ref()),
            Setting::StepSize => text(self.step_size.as_ref()),
            Setting::AggregateStepSize => text(self.aggregate_step_size.as_ref()),
            Setting::Steps => text(self.steps.as_ref()),
            Setting::Dynamics => text(self.dynamics.as_ref()),
            Setting::Probability => text(self.probability.as_ref()),
            Setting::Damping => text(self.damping.as_ref()),
            Setting::LinearTolerance => text(self.linear_tolerance.as_ref()),
            Setting::LinearProducts => text(self.linear_products.as_ref()),
            Setting::YStepSize => text(self.y_step_size.as_ref()),
            Setting::Penalty => text(self.penalty.as_ref()),
        }
    }

    /// The settings that are given.
    pub fn given(&self) -> impl Iterator<Item = Setting> {
        Setting::ALL
            .into_iter()
            .filter(|&setting| self.get(setting).is_some())
    }
}
