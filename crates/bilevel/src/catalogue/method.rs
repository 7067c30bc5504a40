//! From settings to a method.

use super::choice::{AdjointChoice, FieldChoice, OptimizerChoice, StepSizeChoice};
use super::entry::{Entry, Form, Gives, Precision};
use super::name::MethodChoice;
use super::refusal::Refusal;
use super::resolve::{expect_own_settings, expect_parts, field, other_field, unnamed};
use super::resolved::Resolved;
use super::setting::Setting;
use super::settings::Settings;
use super::unrolled;
use crate::{Field, HyperGradient, Problem, Set};

/// A method with all its settings.
#[derive(Clone, Debug)]
pub struct Method {
    /// Which one.
    pub choice: MethodChoice,
    /// Every setting with its value.
    pub settings: Resolved,
}

/// The values of settings that are not given.
#[derive(Clone, Copy)]
pub struct Defaults {
    /// The method, if it is not named and does not follow from field and adjoint.
    pub method: &'static Entry,
    /// Inner steps, for a method without its own number.
    pub steps: usize,
    /// Step size of the inner gradient, where it is not given as a number and no job measures it.
    pub step_size: f64,
    /// Added to the diagonal of the inner Hessian.
    pub damping: f64,
    /// Whether the caller replaces a step size that is not a number by one that it measures.
    pub measures_step_size: bool,
}

impl Defaults {
    /// For training models.
    pub const TRAINING: Self = Self {
        method: &unrolled::IMPROVED,
        steps: 100,
        step_size: 0.5,
        // The inner Hessian is singular for a softmax and indefinite for a network.
        damping: 0.01,
        measures_step_size: false,
    };
    /// For problems in closed form; each problem has its own steps and step size.
    pub const CLOSED_FORM: Self = Self {
        method: &unrolled::BASIC,
        damping: 0.0,
        ..Self::TRAINING
    };
}

impl Method {
    /// Resolves settings.
    ///
    /// # Errors
    /// If the combination makes no sense.
    pub fn new(given: &Settings, defaults: Defaults) -> Result<Self, Refusal> {
        let named = given.method.as_ref();
        let choice = named
            .copied()
            .unwrap_or_else(|| unnamed(given, defaults.method));
        let entry = choice.entry;
        if let Form::Unrolled(steps) = &entry.form {
            expect_parts(steps, &choice, named.is_some(), given)?;
        }
        expect_own_settings(entry, named, given)?;
        if given.step_size == Some(StepSizeChoice::Auto) && !defaults.measures_step_size {
            return Err(Refusal::NotMeasured);
        }
        let fixed = given.step_size.and_then(StepSizeChoice::fixed);
        let step_size = fixed.unwrap_or(defaults.step_size);
        let (field, adjoint) = match &entry.form {
            Form::Unrolled(steps) => (
                field(entry.name, steps, given, step_size)?,
                Some(
                    given
                        .adjoint
                        .unwrap_or(steps.derivative.adjoint(choice.parameter)),
                ),
            ),
            Form::Other(_) => (
                other_field(entry, given, step_size)?,
                given.adjoint.or(entry.adjoint),
            ),
        };
        // The schedule of a field is part of it.
        let single_loop_schedule = match field {
            Field::Inner => given.schedule.clone(),
            Field::Aggregate { .. } => None,
        };
        Ok(Self {
            choice,
            settings: Resolved {
                field,
                adjoint,
                step_size,
                aggregate_step_size: given.aggregate_step_size.unwrap_or(step_size),
                steps: given.steps.or(entry.steps).unwrap_or(defaults.steps),
                dynamics: given.dynamics.unwrap_or_default(),
                probability: given.probability.unwrap_or_default(),
                damping: given.damping.unwrap_or(defaults.damping),
                linear_tolerance: given.linear_tolerance,
                linear_products: given.linear_products,
                single_loop_schedule,
                y_step_size: given.y_step_size,
                penalty: given.penalty,
                set: Set::All,
            },
        })
    }

    /// Its page of the catalogue.
    #[must_use]
    pub fn entry(&self) -> &'static Entry {
        self.choice.entry
    }

    /// Settings that give the same method again: every value that it has is in them.
    #[must_use]
    pub fn given(&self) -> Settings {
        let own = &self.settings;
        let has = |setting| self.entry().takes(setting);
        let (field, schedule, aggregate_step_size) = match &own.field {
            Field::Inner => (FieldChoice::Inner, own.single_loop_schedule.clone(), None),
            Field::Aggregate { schedule, .. } => (
                FieldChoice::Aggregate,
                Some(schedule.clone()),
                Some(own.aggregate_step_size),
            ),
        };
        Settings {
            method: Some(self.choice),
            schedule,
            field: has(Setting::Field).then_some(field),
            adjoint: own.adjoint,
            step_size: has(Setting::StepSize).then_some(StepSizeChoice::Fixed(own.step_size)),
            aggregate_step_size,
            steps: self.counted_steps(),
            dynamics: has(Setting::Dynamics).then_some(own.dynamics),
            probability: has(Setting::Probability).then_some(own.probability),
            damping: has(Setting::Damping).then_some(own.damping),
            linear_tolerance: own.linear_tolerance,
            linear_products: own.linear_products,
            y_step_size: own.y_step_size,
            penalty: own.penalty,
        }
    }

    /// The same method with y kept in a set, if it can do that.
    ///
    /// # Errors
    /// If the method cannot.
    pub fn kept_in(mut self, set: &Set<f64>) -> Result<Self, Refusal> {
        if !set.is_all() && !self.entry().keeps_set {
            return Err(Refusal::KeepsNoSet {
                method: self.choice,
            });
        }
        self.settings.set = set.clone();
        Ok(self)
    }

    /// The name, with its parameter.
    #[must_use]
    pub fn name(&self) -> String {
        self.choice.to_string()
    }

    /// K, for methods that count steps of training.
    #[must_use]
    pub fn counted_steps(&self) -> Option<usize> {
        self.entry()
            .takes(Setting::Steps)
            .then_some(self.settings.steps)
    }

    /// A short label that distinguishes it from the others: the derivative of unrolled training, with the name
    /// where that says more.
    #[must_use]
    pub fn short_name(&self) -> String {
        match self.settings.adjoint {
            Some(adjoint) if self.entry().name == "basic" => adjoint.to_string(),
            Some(adjoint) if adjoint.to_string() != self.name() => {
                format!("{} {adjoint}", self.name())
            }
            _ => self.name(),
        }
    }

    /// The method, ready for use.
    #[must_use]
    pub fn build<T: Precision>(&self, problem: &Problem<T>) -> Box<dyn HyperGradient<T>> {
        match &self.entry().form {
            Form::Unrolled(_) => Box::new(
                self.settings
                    .unrolled(self.settings.adjoint.unwrap_or(AdjointChoice::Reverse)),
            ),
            Form::Other(build) => T::build(build, &self.settings, problem),
        }
    }

    /// The outer optimizer: as given, else the method's own, else the usual one.
    #[must_use]
    pub fn optimizer(
        &self,
        given: Option<OptimizerChoice>,
        usual: OptimizerChoice,
    ) -> OptimizerChoice {
        let own = self.entry().optimizer.map(|own| own(&self.settings));
        given.or(own).unwrap_or(usual)
    }

    /// Whether it consists only of a field and a derivative.
    #[must_use]
    pub fn is_unrolled(&self) -> bool {
        matches!(self.entry().form, Form::Unrolled(_))
    }

    /// Whether central differences of f after training agree with it.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.entry().gives == Gives::Exact
            && self.settings.adjoint.is_none_or(AdjointChoice::is_exact)
    }

    /// The schedule of the aggregate field.
    #[must_use]
    pub fn schedule(&self) -> Option<String> {
        match &self.settings.field {
            Field::Inner => None,
            Field::Aggregate { schedule, .. } => Some(schedule.to_string()),
        }
    }

    /// The step size of the outer gradient in the aggregate field.
    #[must_use]
    pub fn aggregate_step_size(&self) -> Option<f64> {
        match &self.settings.field {
            Field::Inner => None,
            Field::Aggregate { .. } => Some(self.settings.aggregate_step_size),
        }
    }

    /// Checks the method for a problem where x enters only the inner objective. If a schedule gives the inner
    /// gradient no weight at any inner step, x does not enter training and the hypergradient is zero. `outer_steps`
    /// says how many outer steps the schedule will be used for.
    ///
    /// # Errors
    /// If the schedule does that.
    pub fn expect_inner_weight(self, outer_steps: usize) -> Result<Self, Refusal> {
        let schedule = match (&self.settings.field, &self.settings.single_loop_schedule) {
            (Field::Aggregate { schedule, .. }, _) => schedule,
            // That of a single loop, which has a weight for each outer step.
            (Field::Inner, Some(schedule)) => schedule,
            (Field::Inner, None) => return Ok(self),
        };
        // No weight rises but between the steps of every: the first and the last step tell. No form
        // but per-outer depends on the outer step, and its weight falls.
        let enters = |t| {
            [1, self.settings.steps].iter().any(|&k| {
                schedule
                    .fixed_weights(k, t)
                    .is_none_or(|weights| weights.inner != 0.0)
            })
        };
        if enters(0) || enters(outer_steps) {
            return Ok(self);
        }
        Err(Refusal::NoInnerWeight {
            schedule: schedule.clone(),
            steps: self.settings.steps,
        })
    }
}
