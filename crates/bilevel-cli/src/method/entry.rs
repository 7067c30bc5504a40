//! What the catalogue says of a method.

use bilevel::{HyperGradient, Problem, Schedule};
use bilevel_tasks::model::Real;

use super::Method;
use crate::arguments::FieldName;
use crate::parse::{AdjointChoice, OptimizerChoice};

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
    /// K unless given, where it is not that of the others.
    pub(crate) steps: Option<usize>,
    /// The exact derivative of the steps inside a hypergradient of another kind, unless given.
    pub(crate) adjoint: Option<AdjointChoice>,
    /// How x moves unless given, where that belongs to the method.
    pub(crate) optimizer: Option<fn(&Method) -> OptimizerChoice>,
    /// The options that are its own, besides those that its form takes.
    pub(crate) takes: &'static [Opt],
    /// Whether y can be kept in a set.
    pub(crate) keeps_set: bool,
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
    /// Exactly, in forward mode.
    Forward,
    /// The last steps, as many as the parameter says.
    Truncated,
    /// Without second derivatives.
    FirstOrder,
}

impl Derivative {
    /// Whether an adjoint is of this kind.
    pub(crate) fn allows(self, adjoint: AdjointChoice, parameter: Option<usize>) -> bool {
        match self {
            Self::Exact => adjoint.is_exact(),
            Self::Forward => adjoint == AdjointChoice::Forward,
            Self::Truncated => {
                Some(adjoint) == parameter.map(|last| AdjointChoice::Truncated { last })
            }
            Self::FirstOrder => adjoint == AdjointChoice::FirstOrder,
        }
    }

    /// The adjoint, unless given.
    pub(crate) fn adjoint(self, parameter: Option<usize>) -> AdjointChoice {
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
pub(crate) enum Gives {
    /// The gradient of f after training, exactly: central differences agree.
    Exact,
    /// The same with an error that does not vanish.
    Biased,
    /// The same on average.
    Unbiased,
    /// The gradient at the solution of the inner problem.
    Implicit,
    /// A direction towards the solution that is not the gradient of f after so many steps.
    Direction,
}

impl Gives {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Biased => "biased",
            Self::Unbiased => "unbiased",
            Self::Implicit => "implicit",
            Self::Direction => "direction",
        }
    }
}

/// An option that belongs to some methods alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opt {
    Steps,
    StepSize,
    Field,
    Schedule,
    AggregateStepSize,
    Adjoint,
    Dynamics,
    Probability,
    Damping,
    LinearTolerance,
    LinearProducts,
    YStepSize,
    Penalty,
}

impl Opt {
    pub(crate) const ALL: [Self; 13] = [
        Self::Steps,
        Self::StepSize,
        Self::Field,
        Self::Schedule,
        Self::AggregateStepSize,
        Self::Adjoint,
        Self::Dynamics,
        Self::Probability,
        Self::Damping,
        Self::LinearTolerance,
        Self::LinearProducts,
        Self::YStepSize,
        Self::Penalty,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Field => "--field",
            Self::Schedule => "--schedule",
            Self::AggregateStepSize => "--aggregate-step-size",
            Self::Adjoint => "--adjoint",
            Self::Steps => "--steps",
            Self::StepSize => "--step-size",
            Self::YStepSize => "--y-step-size",
            Self::Penalty => "--penalty",
            Self::Dynamics => "--dynamics",
            Self::Probability => "--probability",
            Self::Damping => "--damping",
            Self::LinearTolerance => "--linear-tolerance",
            Self::LinearProducts => "--linear-products",
        }
    }
}

/// How a method is built, in both precisions.
pub(crate) struct Build {
    pub(crate) single: fn(&Method, &Problem<f32>) -> Box<dyn HyperGradient<f32>>,
    pub(crate) double: fn(&Method, &Problem<f64>) -> Box<dyn HyperGradient<f64>>,
}

/// A precision that methods can be built for.
pub(crate) trait Precision: Real {
    fn build(
        build: &Build,
        method: &Method,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>>;
}

impl Precision for f32 {
    fn build(
        build: &Build,
        method: &Method,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>> {
        (build.single)(method, problem)
    }
}

impl Precision for f64 {
    fn build(
        build: &Build,
        method: &Method,
        problem: &Problem<Self>,
    ) -> Box<dyn HyperGradient<Self>> {
        (build.double)(method, problem)
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
            (
                Form::Unrolled(_),
                Opt::Steps | Opt::StepSize | Opt::Field | Opt::Adjoint | Opt::Dynamics,
            ) => true,
            (Form::Unrolled(steps), Opt::Schedule | Opt::AggregateStepSize) => {
                steps.field == FieldName::Aggregate
            }
            _ => false,
        };
        form || self.takes.contains(&option)
    }
}
