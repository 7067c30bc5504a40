//! What the catalogue says about a method.

use super::choice::{AdjointChoice, FieldChoice, OptimizerChoice};
use super::resolved::Resolved;
use super::setting::Setting;
use crate::{HyperGradient, Problem, Scalar, Schedule};

/// A method: its name, how it is built, and its page.
pub struct Entry {
    /// The name as typed, without its parameter.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The number after a colon, if it has one.
    pub parameter: Option<Parameter>,
    /// What it is made of.
    pub form: Form,
    /// The default K, where it differs from the other methods.
    pub steps: Option<usize>,
    /// The default derivative of the steps inside a hypergradient of another kind; an exact one.
    pub adjoint: Option<AdjointChoice>,
    /// The default outer optimizer, where the method has its own.
    pub optimizer: Option<fn(&Resolved) -> OptimizerChoice>,
    /// Its own settings, in addition to the settings of its form.
    pub takes: &'static [Setting],
    /// Whether y can be kept in a set.
    pub keeps_set: bool,
    /// What it estimates.
    pub gives: Gives,
    /// What `bilevel explain` prints.
    pub page: Page,
}

/// A number in the name of a method.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The placeholder for it.
    pub letter: &'static str,
    /// What it counts.
    pub meaning: &'static str,
}

/// What a method is made of.
pub enum Form {
    /// Inner steps that are differentiated one by one.
    Unrolled(Steps),
    /// A hypergradient of another kind.
    Other(Build),
}

/// What the inner steps of an unrolled method follow, and how they are differentiated.
pub struct Steps {
    /// The direction.
    pub field: FieldChoice,
    /// The default schedule of the aggregate field.
    pub schedule: Schedule,
    /// Whether the name allows only this form of schedule.
    pub own_schedule: bool,
    /// How they are differentiated.
    pub derivative: Derivative,
}

/// How unrolled steps are differentiated, as far as the name of a method fixes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Derivative {
    /// Exactly, in any way.
    Exact,
    /// Exactly, in forward mode.
    Forward,
    /// The last steps; the parameter says how many.
    Truncated,
    /// Without second derivatives.
    FirstOrder,
}

impl Derivative {
    /// Whether an adjoint is of this kind.
    #[must_use]
    pub fn allows(self, adjoint: AdjointChoice, parameter: Option<usize>) -> bool {
        match self {
            Self::Exact => adjoint.is_exact(),
            Self::Forward => adjoint == AdjointChoice::Forward,
            Self::Truncated => {
                Some(adjoint) == parameter.map(|last| AdjointChoice::Truncated { last })
            }
            Self::FirstOrder => adjoint == AdjointChoice::FirstOrder,
        }
    }

    /// The default adjoint.
    #[must_use]
    pub fn adjoint(self, parameter: Option<usize>) -> AdjointChoice {
        match self {
            Self::Exact => AdjointChoice::Reverse,
            Self::Forward => AdjointChoice::Forward,
            Self::Truncated => AdjointChoice::Truncated {
                last: parameter.unwrap_or(1),
            },
            Self::FirstOrder => AdjointChoice::FirstOrder,
        }
    }
}

/// What a method estimates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gives {
    /// The gradient of f after training, exactly: central differences agree.
    Exact,
    /// That gradient with an error that does not vanish.
    Biased,
    /// That gradient on average.
    Unbiased,
    /// The gradient at the solution of the inner problem.
    Implicit,
    /// A direction towards the solution, but not the gradient of f after K steps.
    Direction,
}

impl Gives {
    /// In one word.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Biased => "biased",
            Self::Unbiased => "unbiased",
            Self::Implicit => "implicit",
            Self::Direction => "direction",
        }
    }
}

/// How a method is built, in both precisions.
pub struct Build {
    /// In `f32`.
    pub single: fn(&Resolved, &Problem<f32>) -> Box<dyn HyperGradient<f32>>,
    /// In `f64`.
    pub double: fn(&Resolved, &Problem<f64>) -> Box<dyn HyperGradient<f64>>,
}

/// A precision that methods can be built for.
pub trait Precision: Scalar {
    /// The method in this precision.
    fn build(
        build: &Build,
        method: &Resolved,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>>;
}

impl Precision for f32 {
    fn build(
        build: &Build,
        method: &Resolved,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>> {
        (build.single)(method, problem)
    }
}

impl Precision for f64 {
    fn build(
        build: &Build,
        method: &Resolved,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>> {
        (build.double)(method, problem)
    }
}

/// What `bilevel explain` prints. c is the cost of one inner gradient, K the number of inner steps, n and m
/// the lengths of x and y.
pub struct Page {
    /// What it is, in one line.
    pub summary: &'static str,
    /// One line per formula.
    pub update: &'static [&'static str],
    /// How often the objectives are evaluated.
    pub oracles: &'static str,
    /// Time.
    pub time: &'static str,
    /// Memory.
    pub memory: &'static str,
    /// When to use it.
    pub when: &'static str,
    /// When not to.
    pub when_not: &'static str,
    /// The paper.
    pub reference: &'static str,
}

impl Entry {
    /// The name with the letter of its parameter.
    #[must_use]
    pub fn form_of_name(&self) -> String {
        match self.parameter {
            None => self.name.to_owned(),
            Some(Parameter { letter, .. }) => format!("{}:{letter}", self.name),
        }
    }

    /// The settings that not every method has.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        Setting::ALL
            .into_iter()
            .filter(|&setting| self.takes(setting))
    }

    /// Whether it has this setting.
    #[must_use]
    pub fn takes(&self, setting: Setting) -> bool {
        let form = match (&self.form, setting) {
            (
                Form::Unrolled(_),
                Setting::Steps
                | Setting::StepSize
                | Setting::Field
                | Setting::Adjoint
                | Setting::Dynamics,
            ) => true,
            (Form::Unrolled(steps), Setting::Schedule | Setting::AggregateStepSize) => {
                steps.field == FieldChoice::Aggregate
            }
            _ => false,
        };
        form || self.takes.contains(&setting)
    }
}
