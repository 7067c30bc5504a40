//! What goes with what: pairs that make no sense are refused with the reason.

use anyhow::anyhow;
use bilevel::{Field, Schedule};

use super::METHODS;
use super::choice::MethodChoice;
use super::entry::{Derivative, Entry, Form, Gives, Opt, Steps};
use crate::arguments::{FieldName, MethodOptions};
use crate::failure::Failure;
use crate::parse::AdjointChoice;

pub(super) fn refuse<T>(text: String) -> Result<T, Failure> {
    Err(Failure::usage(anyhow!(text)))
}

/// The method that field and derivative name, where it is not named itself.
pub(super) fn unnamed(options: &MethodOptions, fallback: &str) -> Result<MethodChoice, Failure> {
    let field = options.field.unwrap_or(if fallback == "basic" {
        FieldName::Inner
    } else {
        FieldName::Aggregate
    });
    let name = match (field, options.adjoint) {
        (FieldName::Aggregate, _) => "improved".to_owned(),
        (FieldName::Inner, Some(adjoint)) if !adjoint.is_exact() => adjoint.to_string(),
        (FieldName::Inner, Some(AdjointChoice::Forward)) => "forward".to_owned(),
        (FieldName::Inner, _) => "basic".to_owned(),
    };
    name.parse()
        .map_err(|text: String| Failure::usage(anyhow!(text)))
}

/// A named method has a field and a derivative: others have another name.
pub(super) fn expect_parts(
    steps: &Steps,
    choice: &MethodChoice,
    is_named: bool,
    options: &MethodOptions,
) -> Result<(), Failure> {
    if !is_named {
        return Ok(());
    }
    if let Some(field) = options.field
        && field != steps.field
    {
        return refuse(format!(
            "--method {choice} and --field {} contradict each other: leave one of them out",
            field_text(field)
        ));
    }
    if let Some(adjoint) = options.adjoint
        && !steps.derivative.allows(adjoint, choice.parameter)
    {
        return refuse(format!(
            "--method {choice} and --adjoint {adjoint} contradict each other: leave one of them out; any field goes with any adjoint, as --field {} --adjoint {adjoint}",
            field_text(steps.field)
        ));
    }
    Ok(())
}

/// An option that has no meaning for a method is no option of it.
pub(super) fn expect_own_options(
    entry: &Entry,
    named: Option<&MethodChoice>,
    options: &MethodOptions,
) -> Result<(), Failure> {
    for option in options.given() {
        if entry.takes(option) {
            continue;
        }
        if option == Opt::Field && entry.gives == Gives::Implicit {
            if options.field == Some(FieldName::Inner) {
                continue;
            }
            return refuse(format!(
                "--field aggregate has no implicit derivative by {}: its formula describes the point where the inner gradient is zero, and an aggregate field leads elsewhere; expected an unrolled method with it",
                entry.name
            ));
        }
        let what = named.map_or("--field inner".to_owned(), |name| {
            format!("--method {name}")
        });
        let text = option.text();
        if matches!(option, Opt::Schedule | Opt::AggregateStepSize)
            && matches!(entry.form, Form::Unrolled(_))
        {
            return refuse(format!(
                "{text} has no meaning here: it belongs to the aggregate field, and {what} has the inner field; expected --method improved or --field aggregate with it"
            ));
        }
        let others: Vec<String> = METHODS
            .iter()
            .filter(|entry| entry.takes(option))
            .map(|entry| entry.form_of_name())
            .collect();
        return refuse(format!(
            "{text} has no meaning with {what}; it belongs to {}",
            others.join(", ")
        ));
    }
    Ok(())
}

/// The field of a hypergradient of another kind, and what may be typed with it.
pub(super) fn other_field(
    entry: &Entry,
    options: &MethodOptions,
    step_size: f64,
) -> Result<Field, Failure> {
    let name = entry.name;
    if let Some(adjoint) = options.adjoint
        && !adjoint.is_exact()
    {
        return refuse(format!(
            "--method {name} has an exact derivative inside, found --adjoint {adjoint}: expected reverse, reverse:tape, checkpointed:C or forward"
        ));
    }
    let aggregate = options.field == Some(FieldName::Aggregate);
    if !entry.takes(Opt::Field) {
        // A single loop has a weight for each outer step.
        return match &options.schedule {
            Some(schedule @ (Schedule::Constant { .. } | Schedule::PerOuter { .. })) => {
                let first = schedule.fixed_weights(1, 0);
                if first.is_some_and(|weights| weights.outer > 0.0) {
                    Ok(Field::Inner)
                } else {
                    refuse(format!(
                        "--method {name} needs a weight of the outer objective above 0, found --schedule {schedule}"
                    ))
                }
            }
            Some(schedule) => refuse(format!(
                "--method {name} makes one step at a time and has one weight for each outer step, found --schedule {schedule}: expected constant:A or per-outer:MU0,P"
            )),
            None => Ok(Field::Inner),
        };
    }
    if !aggregate {
        for option in options.given() {
            if matches!(option, Opt::Schedule | Opt::AggregateStepSize) {
                return refuse(format!(
                    "{} has no meaning here: it belongs to the aggregate field, and --method {name} has the inner field unless --field aggregate says otherwise",
                    option.text()
                ));
            }
        }
        return Ok(Field::Inner);
    }
    let steps = Steps {
        field: FieldName::Aggregate,
        schedule: Schedule::Constant { weight: 0.5 },
        own_schedule: false,
        derivative: Derivative::Exact,
    };
    field(name, &steps, options, step_size)
}

pub(super) fn field(
    name: &str,
    steps: &Steps,
    options: &MethodOptions,
    step_size: f64,
) -> Result<Field, Failure> {
    if steps.field == FieldName::Inner {
        return Ok(Field::Inner);
    }
    let schedule = options.schedule.as_ref().unwrap_or(&steps.schedule);
    if steps.own_schedule && form(schedule) != form(&steps.schedule) {
        return refuse(format!(
            "--method {name} is the schedule {}, found --schedule {schedule}: expected --method improved with another schedule",
            form(&steps.schedule)
        ));
    }
    if schedule.depends_on_x() {
        return refuse(format!(
            "--schedule {schedule} takes its weights from numbers of x, and no x here has numbers for that; expected a schedule with weights of its own"
        ));
    }
    Ok(Field::Aggregate {
        schedule: schedule.clone(),
        outer_scale: options.aggregate_step_size.unwrap_or(step_size) / step_size,
    })
}

pub(crate) fn field_text(field: FieldName) -> &'static str {
    match field {
        FieldName::Inner => "inner",
        FieldName::Aggregate => "aggregate",
    }
}

fn form(schedule: &Schedule) -> String {
    let text = schedule.to_string();
    text.split_once(':')
        .map_or(text.clone(), |(form, _)| form.to_owned())
}
