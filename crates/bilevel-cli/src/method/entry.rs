//! What the catalogue says of a method.

use bilevel::{HyperGradient, Schedule};
use bilevel_tasks::model::Real;

use super::Method;
use crate::arguments::FieldName;
use crate::parse::AdjointChoice;

/// A method: its name, how it is built, and its page.
pub(crate) struct Entry {
    /// As it is typed, without its parameter.
    pub(crate) name: &'static str,
    /// Other names for it.
    pub(crate) aliases: &'static [&'static str],
    /// The number behind a colon, where it has one.
    pub(crate) parameter: Option<Parameter>,
    /// What it is made of.
    pub(crate) form: Form,
    /// The options that are its own, besides those that its form takes.
    pub(crate) takes: &'static [Opt],
    /// What it estimates.
    pub(crate) gives: Gives,
    /// What `bilevel explain` says of it.
    pub(crate) page: Page,
}

/// A number in the name of a method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) letter: &'static str,
    pub(crate) meaning: &'static str,
}

/// What a method is made of.
pub(crate) enum Form {
    /// Inner steps that are differentiated one by one.
    Unrolled(Steps),
    /// A hypergradient of another kind.
    #[allow(dead_code)]
    Other(Build),
}

/// What the inner steps of an unrolled method follow, and how they are differentiated.
pub(crate) struct Steps {
    pub(crate) field: FieldName,
    /// Of the aggregate field, unless given.
    pub(crate) schedule: Schedule,
    /// Whether only that form of schedule belongs to the name.
    pub(crate) own_schedule: bool,
    pub(crate) derivative: Derivative,
}

/// How unrolled steps are differentiated, as far as the name of a method says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Derivative {
    /// Exactly, in any way.
    Exact,
    /// Without second derivatives.
    FirstOrder,
}

impl Derivative {
    /// Whether an adjoint is of this kind.
    pub(crate) fn allows(self, adjoint: AdjointChoice) -> bool {
        match self {
            Self::Exact => adjoint.is_exact(),
            Self::FirstOrder => adjoint == AdjointChoice::FirstOrder,
        }
    }

    /// The adjoint, unless given.
    pub(crate) fn adjoint(self) -> AdjointChoice {
        match self {
            Self::Exact => AdjointChoice::Reverse,
            Self::FirstOrder => AdjointChoice::FirstOrder,
        }
    }
}

/// What a method estimates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gives {
    /// The gradient of f after training, exactly: central differences agree.
    Exact,
    /// The same with an error that does not vanish.
    Biased,
}

impl Gives {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Biased => "biased",
        }
    }
}

/// An option that belongs to some methods alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opt {
    Field,
    Schedule,
    AggregateStepSize,
    Adjoint,
}

impl Opt {
    pub(crate) const ALL: [Self; 4] = [
        Self::Field,
        Self::Schedule,
        Self::AggregateStepSize,
        Self::Adjoint,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Field => "--field",
            Self::Schedule => "--schedule",
            Self::AggregateStepSize => "--aggregate-step-size",
            Self::Adjoint => "--adjoint",
        }
    }
}

/// How a method is built, in both precisions.
pub(crate) struct Build {
    pub(crate) single: fn(&Method) -> Box<dyn HyperGradient<f32>>,
    pub(crate) double: fn(&Method) -> Box<dyn HyperGradient<f64>>,
}

/// A precision that methods can be built for.
pub(crate) trait Precision: Real {
    fn build(build: &Build, method: &Method) -> Box<dyn HyperGradient<Self>>;
}

impl Precision for f32 {
    fn build(build: &Build, method: &Method) -> Box<dyn HyperGradient<Self>> {
        (build.single)(method)
    }
}

impl Precision for f64 {
    fn build(build: &Build, method: &Method) -> Box<dyn HyperGradient<Self>> {
        (build.double)(method)
    }
}

/// What `bilevel explain` prints. c is the cost of one inner gradient, K the number of inner steps, n and m
/// the lengths of x and y.
pub(crate) struct Page {
    pub(crate) summary: &'static str,
    /// One line a formula.
    pub(crate) update: &'static [&'static str],
    pub(crate) oracles: &'static str,
    pub(crate) time: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) when: &'static str,
    pub(crate) when_not: &'static str,
    pub(crate) reference: &'static str,
}

impl Entry {
    /// The name with the letter of its parameter.
    pub(crate) fn form_of_name(&self) -> String {
        match self.parameter {
            None => self.name.to_owned(),
            Some(Parameter { letter, .. }) => format!("{}:{letter}", self.name),
        }
    }

    /// The options that not every method has.
    pub(crate) fn options(&self) -> impl Iterator<Item = Opt> {
        Opt::ALL.into_iter().filter(|&option| self.takes(option))
    }

    /// Whether it has this option.
    pub(crate) fn takes(&self, option: Opt) -> bool {
        let form = match (&self.form, option) {
            (Form::Unrolled(_), Opt::Field | Opt::Adjoint) => true,
            (Form::Unrolled(steps), Opt::Schedule | Opt::AggregateStepSize) => {
                steps.field == FieldName::Aggregate
            }
            _ => false,
        };
        form || self.takes.contains(&option)
    }
}
