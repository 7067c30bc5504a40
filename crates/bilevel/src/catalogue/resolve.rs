//! Which settings go together: combinations that make no sense are refused with the reason.

use super::choice::{AdjointChoice, FieldChoice};
use super::entry::{Derivative, Entry, Form, Gives, Steps};
use super::list::METHODS;
use super::name::MethodChoice;
use super::refusal::Refusal;
use super::setting::Setting;
use super::settings::Settings;
use super::unrolled;
use crate::{Field, Schedule};

/// The method that field and derivative name, where it is not named itself.
pub(crate) fn unnamed(given: &Settings, fallback: &'static Entry) -> MethodChoice {
    let field = given.field.unwrap_or(match &fallback.form {
        Form::Unrolled(steps) => steps.field,
        Form::Other(_) => FieldChoice::Inner,
    });
    let (entry, parameter) = match (field, given.adjoint) {
        (FieldChoice::Aggregate, _) => (&unrolled::IMPROVED, None),
        (FieldChoice::Inner, Some(AdjointChoice::Truncated { last })) => {
            (&unrolled::TRUNCATED, Some(last))
        }
        (FieldChoice::Inner, Some(AdjointChoice::FirstOrder)) => (&unrolled::FIRST_ORDER, None),
        (FieldChoice::Inner, Some(AdjointChoice::Forward)) => (&unrolled::FORWARD, None),
        (FieldChoice::Inner, _) => (&unrolled::BASIC, None),
    };
    MethodChoice { entry, parameter }
}

/// A named method has a field and a derivative: others have another name.
pub(crate) fn expect_parts(
    steps: &Steps,
    choice: &MethodChoice,
    is_named: bool,
    given: &Settings,
) -> Result<(), Refusal> {
    if !is_named {
        return Ok(());
    }
    if let Some(field) = given.field
        && field != steps.field
    {
        return Err(Refusal::Field {
            method: *choice,
            field,
        });
    }
    if let Some(adjoint) = given.adjoint
        && !steps.derivative.allows(adjoint, choice.parameter)
    {
        return Err(Refusal::Adjoint {
            method: *choice,
            field: steps.field,
            adjoint,
        });
    }
    Ok(())
}

/// A setting that has no meaning for a method is none of it.
pub(crate) fn expect_own_settings(
    entry: &Entry,
    named: Option<&MethodChoice>,
    given: &Settings,
) -> Result<(), Refusal> {
    for setting in given.given() {
        if entry.takes(setting) {
            continue;
        }
        if setting == Setting::Field && entry.gives == Gives::Implicit {
            if given.field == Some(FieldChoice::Inner) {
                continue;
            }
            return Err(Refusal::ImplicitAggregate { method: entry.name });
        }
        let method = named.copied();
        if matches!(setting, Setting::Schedule | Setting::AggregateStepSize)
            && matches!(entry.form, Form::Unrolled(_))
        {
            return Err(Refusal::OfAggregate {
                setting,
                method,
                takes_field: false,
            });
        }
        let others = METHODS.iter().filter(|entry| entry.takes(setting));
        return Err(Refusal::NotIts {
            setting,
            method,
            others: others.map(|entry| entry.form_of_name()).collect(),
        });
    }
    Ok(())
}

/// The field of a hypergradient of another kind, and what may be typed with it.
pub(crate) fn other_field(
    entry: &Entry,
    given: &Settings,
    step_size: f64,
) -> Result<Field, Refusal> {
    let name = entry.name;
    if let Some(adjoint) = given.adjoint
        && !adjoint.is_exact()
    {
        return Err(Refusal::ExactInside {
            method: name,
            adjoint,
        });
    }
    let aggregate = given.field == Some(FieldChoice::Aggregate);
    if !entry.takes(Setting::Field) {
        // A single loop has a weight for each outer step.
        return match &given.schedule {
            Some(schedule @ (Schedule::Constant { .. } | Schedule::PerOuter { .. })) => {
                let first = schedule.fixed_weights(1, 0);
                if first.is_some_and(|weights| weights.outer > 0.0) {
                    Ok(Field::Inner)
                } else {
                    Err(Refusal::NoOuterWeight {
                        method: name,
                        schedule: schedule.clone(),
                    })
                }
            }
            Some(schedule) => Err(Refusal::SingleLoop {
                method: name,
                schedule: schedule.clone(),
            }),
            None => Ok(Field::Inner),
        };
    }
    if !aggregate {
        let of_aggregate = [Setting::Schedule, Setting::AggregateStepSize];
        if let Some(setting) = given.given().find(|own| of_aggregate.contains(own)) {
            return Err(Refusal::OfAggregate {
                setting,
                method: given.method,
                takes_field: true,
            });
        }
        return Ok(Field::Inner);
    }
    let steps = Steps {
        field: FieldChoice::Aggregate,
        schedule: Schedule::Constant { weight: 0.5 },
        own_schedule: false,
        derivative: Derivative::Exact,
    };
    field(name, &steps, given, step_size)
}

/// The field of an unrolled method.
pub(crate) fn field(
    name: &'static str,
    steps: &Steps,
    given: &Settings,
    step_size: f64,
) -> Result<Field, Refusal> {
    if steps.field == FieldChoice::Inner {
        return Ok(Field::Inner);
    }
    let schedule = given.schedule.as_ref().unwrap_or(&steps.schedule);
    if steps.own_schedule && form(schedule) != form(&steps.schedule) {
        return Err(Refusal::OwnSchedule {
            method: name,
            form: form(&steps.schedule),
            schedule: schedule.clone(),
        });
    }
    if schedule.depends_on_x() {
        return Err(Refusal::LearnedSchedule {
            schedule: schedule.clone(),
        });
    }
    Ok(Field::Aggregate {
        schedule: schedule.clone(),
        outer_scale: given.aggregate_step_size.unwrap_or(step_size) / step_size,
    })
}

fn form(schedule: &Schedule) -> String {
    let text = schedule.to_string();
    text.split_once(':')
        .map_or(text.clone(), |(form, _)| form.to_owned())
}
