//! Why a method is refused before it is built.

use std::fmt;

use super::choice::{AdjointChoice, FieldChoice};
use super::name::MethodChoice;
use super::setting::Setting;
use crate::Schedule;
use crate::hint::Hint;

/// A combination that makes no sense, with the reason.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A named method has another field.
    Field {
        /// The method.
        method: MethodChoice,
        /// The field that was given.
        field: FieldChoice,
    },
    /// A named method has another derivative.
    Adjoint {
        /// The method.
        method: MethodChoice,
        /// Its field.
        field: FieldChoice,
        /// The adjoint that was given.
        adjoint: AdjointChoice,
    },
    /// The formula of an implicit method holds where the inner gradient is zero.
    ImplicitAggregate {
        /// The method.
        method: &'static str,
    },
    /// A setting of the aggregate field for a method with the inner field.
    OfAggregate {
        /// The setting.
        setting: Setting,
        /// The method, where it was named.
        method: Option<MethodChoice>,
        /// Whether the method takes a field.
        takes_field: bool,
    },
    /// A setting that the method does not have.
    NotIts {
        /// The setting.
        setting: Setting,
        /// The method, where it was named.
        method: Option<MethodChoice>,
        /// The methods that have it.
        others: Vec<String>,
    },
    /// An inexact derivative where an exact one is needed.
    ExactInside {
        /// The method.
        method: &'static str,
        /// The adjoint that was given.
        adjoint: AdjointChoice,
    },
    /// A single loop that gives the outer objective no weight.
    NoOuterWeight {
        /// The method.
        method: &'static str,
        /// The schedule that was given.
        schedule: Schedule,
    },
    /// A schedule over inner steps for a method that makes one step at a time.
    SingleLoop {
        /// The method.
        method: &'static str,
        /// The schedule that was given.
        schedule: Schedule,
    },
    /// A form of schedule other than the one that the method's name stands for.
    OwnSchedule {
        /// The method.
        method: &'static str,
        /// Its form.
        form: String,
        /// The schedule that was given.
        schedule: Schedule,
    },
    /// A learned schedule, where x has no numbers for it.
    LearnedSchedule {
        /// The schedule.
        schedule: Schedule,
    },
    /// A method that cannot keep y in a set.
    KeepsNoSet {
        /// The method.
        method: MethodChoice,
    },
    /// A step size that is to be measured, where nothing measures it.
    NotMeasured,
    /// A schedule that keeps x out of training.
    NoInnerWeight {
        /// The schedule.
        schedule: Schedule,
        /// Inner steps.
        steps: usize,
    },
}

impl Refusal {
    /// The reason; `spell` turns the name of a setting into the way the caller writes it.
    #[must_use]
    pub fn message(&self, spell: &dyn Fn(&str) -> String) -> String {
        let of_method = |method: &dyn fmt::Display| format!("{} {method}", spell("method"));
        let named = |method: &Option<MethodChoice>| match method {
            Some(method) => of_method(method),
            None => format!("{} inner", spell("field")),
        };
        match self {
            Self::Field { method, field } => format!(
                "{} and {} {field} contradict each other",
                of_method(method),
                spell("field")
            ),
            Self::Adjoint {
                method, adjoint, ..
            } => format!(
                "{} and {} {adjoint} contradict each other",
                of_method(method),
                spell("adjoint")
            ),
            Self::NotMeasured => format!(
                "{} auto has no meaning here: no training is followed to measure it; expected a positive number",
                spell("step_size")
            ),
            Self::ImplicitAggregate { method } => format!(
                "{method} has no implicit derivative with {} aggregate: its formula holds only where the inner gradient is zero, and an aggregate field leads elsewhere; expected an unrolled method",
                spell("field")
            ),
            Self::OfAggregate {
                setting,
                method,
                takes_field,
            } => format!(
                "{} has no meaning here: it belongs to the aggregate field, and {} has the inner field{}",
                spell(setting.name()),
                named(method),
                if *takes_field { " by default" } else { "" }
            ),
            Self::NotIts {
                setting,
                method,
                others,
            } => format!(
                "{} has no meaning with {}; it belongs to {}",
                spell(setting.name()),
                named(method),
                others.join(", ")
            ),
            Self::ExactInside { method, adjoint } => format!(
                "{} needs an exact derivative, found {} {adjoint}: expected reverse, reverse:tape, checkpointed:C or forward",
                of_method(method),
                spell("adjoint")
            ),
            Self::NoOuterWeight { method, schedule } => format!(
                "{} needs a weight of the outer objective above 0, found {} {schedule}",
                of_method(method),
                spell("schedule")
            ),
            Self::SingleLoop { method, schedule } => format!(
                "{} makes one step at a time and needs one weight per outer step, found {} {schedule}: expected constant:A or per-outer:MU0,P",
                of_method(method),
                spell("schedule")
            ),
            Self::OwnSchedule {
                method,
                form,
                schedule,
            } => format!(
                "{} uses the schedule {form}, found {} {schedule}",
                of_method(method),
                spell("schedule")
            ),
            Self::LearnedSchedule { schedule } => format!(
                "{} {schedule} takes its weights from numbers of x, and this x has none for them; expected a schedule with fixed weights",
                spell("schedule")
            ),
            Self::KeepsNoSet { method } => format!(
                "{} cannot keep y in a set, and this problem has one: its formula holds only where ∇_y g = 0; expected an unrolled method, implicit:fixed-point or a method that uses gradients only",
                of_method(method)
            ),
            Self::NoInnerWeight { schedule, steps } => format!(
                "the hypergradient is identically zero: x enters only through the inner gradient, and {} {schedule} gives it no weight at any of {steps} inner steps; expected a schedule that falls below 1 within them",
                spell("schedule")
            ),
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        let choose = |name: &'static str, value: &str| Hint::Use(vec![(name, value.to_owned())]);
        match self {
            Self::Field { .. } => Some(Hint::LeaveOneOut(vec!["method", "field"])),
            Self::Adjoint { field, adjoint, .. } => Some(Hint::Use(vec![
                ("field", field.to_string()),
                ("adjoint", adjoint.to_string()),
            ])),
            Self::OfAggregate {
                method: Some(_),
                takes_field: false,
                ..
            }
            | Self::OwnSchedule { .. } => Some(choose("method", "improved")),
            Self::OfAggregate { .. } => Some(choose("field", "aggregate")),
            Self::NotIts { setting, .. } => Some(Hint::LeaveOut(setting.name())),
            Self::NotMeasured => Some(Hint::LeaveOut("step_size")),
            Self::ImplicitAggregate { .. }
            | Self::ExactInside { .. }
            | Self::NoOuterWeight { .. }
            | Self::SingleLoop { .. }
            | Self::LearnedSchedule { .. }
            | Self::KeepsNoSet { .. }
            | Self::NoInnerWeight { .. } => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message(&|name| format!("`{name}`")))
    }
}

impl std::error::Error for Refusal {}
