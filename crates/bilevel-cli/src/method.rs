//! From options to a method: what goes with what.

use anyhow::anyhow;
use bilevel::{Field, GradientDescent, Hyper, Scalar, Schedule, Unrolled};

use crate::arguments::{FieldName, MethodArguments, MethodName};
use crate::failure::Failure;
use crate::parse::AdjointChoice;

/// A method with all its settings.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) field: Field,
    pub(crate) adjoint: AdjointChoice,
    pub(crate) step_size: f64,
    pub(crate) steps: usize,
}

/// What a name stands for.
struct Meaning {
    text: &'static str,
    field: FieldName,
    first_order: bool,
    schedule: Schedule,
}

impl MethodName {
    fn meaning(self) -> Meaning {
        let constant = Schedule::Constant { weight: 0.5 };
        let (text, field, first_order, schedule) = match self {
            Self::Basic => ("basic", FieldName::Inner, false, constant),
            Self::Improved => ("improved", FieldName::Aggregate, false, constant),
            Self::Bigsam => {
                let (gamma, beta, cap) = (1.0, 0.5, 1.0);
                let schedule = Schedule::BigSam { gamma, beta, cap };
                ("bigsam", FieldName::Aggregate, false, schedule)
            }
            Self::Bda => {
                let schedule = Schedule::Harmonic { scale: 0.5 };
                ("bda", FieldName::Aggregate, false, schedule)
            }
            Self::FirstOrder => ("first-order", FieldName::Inner, true, constant),
        };
        Meaning {
            text,
            field,
            first_order,
            schedule,
        }
    }
}

impl Method {
    /// Resolves the options; a pair that makes no sense is refused. `outer_steps` is how far
    /// the schedule will be followed.
    pub(crate) fn new(arguments: &MethodArguments, outer_steps: usize) -> Result<Self, Failure> {
        let refuse = |text: String| Err(Failure::usage(anyhow!(text)));
        let first_order = arguments.adjoint == Some(AdjointChoice::FirstOrder);
        let named = arguments.method;
        let name = named.unwrap_or(match arguments.field {
            Some(FieldName::Inner) if first_order => MethodName::FirstOrder,
            Some(FieldName::Inner) => MethodName::Basic,
            _ => MethodName::Improved,
        });
        let meaning = name.meaning();
        let text = meaning.text;
        if let Some(field) = arguments.field
            && field != meaning.field
        {
            return refuse(format!(
                "--method {text} and --field {} contradict each other: leave one of them out",
                field_text(field)
            ));
        }
        if let (Some(_), Some(adjoint)) = (named, arguments.adjoint)
            && first_order != meaning.first_order
        {
            return refuse(format!(
                "--method {text} and --adjoint {adjoint} contradict each other: leave one of them out"
            ));
        }
        let inner = meaning.field == FieldName::Inner;
        for (given, option) in [
            (arguments.schedule.is_some(), "--schedule"),
            (
                arguments.aggregate_step_size.is_some(),
                "--aggregate-step-size",
            ),
        ] {
            if inner && given {
                return refuse(format!(
                    "{option} has no meaning here: it belongs to the aggregate field, and {} has the inner field; expected --method improved or --field aggregate with it",
                    named.map_or("--field inner".to_owned(), |_| format!("--method {text}"))
                ));
            }
        }
        let schedule = arguments
            .schedule
            .clone()
            .unwrap_or(meaning.schedule.clone());
        let own_form = matches!(name, MethodName::Bigsam | MethodName::Bda);
        if own_form && form(&schedule) != form(&meaning.schedule) {
            return refuse(format!(
                "--method {text} is the schedule {}, found --schedule {schedule}: expected --method improved with another schedule",
                form(&meaning.schedule)
            ));
        }
        if schedule.depends_on_x() {
            return refuse(format!(
                "--schedule {schedule} takes its weights from numbers of x, and here x is the weights of the rows alone; expected a schedule with weights of its own"
            ));
        }
        if !inner {
            expect_inner_weight(&schedule, arguments.steps, outer_steps)?;
        }
        let fallback = if meaning.first_order {
            AdjointChoice::FirstOrder
        } else {
            AdjointChoice::Reverse
        };
        Ok(Self {
            name: text,
            field: if inner {
                Field::Inner
            } else {
                let own = arguments.aggregate_step_size;
                Field::Aggregate {
                    schedule,
                    outer_scale: own.unwrap_or(arguments.step_size) / arguments.step_size,
                }
            },
            adjoint: arguments.adjoint.unwrap_or(fallback),
            step_size: arguments.step_size,
            steps: arguments.steps,
        })
    }

    /// The method, ready for use, with its own adjoint.
    pub(crate) fn build<T: Scalar>(&self) -> Unrolled<T> {
        self.build_with(self.adjoint)
    }

    /// The same with another adjoint.
    pub(crate) fn build_with<T: Scalar>(&self, adjoint: AdjointChoice) -> Unrolled<T> {
        Unrolled {
            dynamics: Box::new(GradientDescent {
                step_size: Hyper::Fixed(self.step_size),
                field: self.field.clone(),
                ..GradientDescent::default()
            }),
            steps: self.steps,
            adjoint: adjoint.build(),
        }
    }

    /// The schedule of the aggregate field.
    pub(crate) fn schedule(&self) -> Option<String> {
        match &self.field {
            Field::Inner => None,
            Field::Aggregate { schedule, .. } => Some(schedule.to_string()),
        }
    }

    /// The step size of the outer gradient in the aggregate field.
    pub(crate) fn aggregate_step_size(&self) -> Option<f64> {
        match &self.field {
            Field::Inner => None,
            Field::Aggregate { outer_scale, .. } => Some(outer_scale * self.step_size),
        }
    }
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

/// Where a schedule gives the inner gradient no weight at any inner step, the row weights do
/// not enter training, and their gradient is zero.
fn expect_inner_weight(
    schedule: &Schedule,
    steps: usize,
    outer_steps: usize,
) -> Result<(), Failure> {
    // No weight rises but between the steps of every: the first and the last step tell. No form
    // but per-outer depends on the outer step, and its weight falls.
    let enters = |t| {
        [1, steps].iter().any(|&k| {
            schedule
                .fixed_weights(k, t)
                .is_none_or(|weights| weights.inner != 0.0)
        })
    };
    if enters(0) || enters(outer_steps) {
        return Ok(());
    }
    Err(Failure::usage(anyhow!(
        "the hypergradient is identically zero: --schedule {schedule} gives the inner gradient, the only place where the weights of the rows enter, no weight at any of {steps} inner steps; expected a schedule that falls below 1 within them"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Verb};
    use clap::Parser;

    fn method(options: &str) -> Result<Method, String> {
        let words = ["bilevel", "clean"]
            .into_iter()
            .chain(options.split_whitespace());
        match Arguments::try_parse_from(words).unwrap().verb {
            Verb::Clean(clean) => {
                Method::new(&clean.method, 60).map_err(|failure| failure.error.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    fn summary(options: &str) -> (String, Option<String>, String) {
        let method = method(options).unwrap();
        (
            method.name.to_owned(),
            method.schedule(),
            method.adjoint.to_string(),
        )
    }

    #[test]
    fn names_and_parts() {
        for (options, name, schedule, adjoint) in [
            ("", "improved", Some("constant:0.5"), "reverse"),
            ("--method basic", "basic", None, "reverse"),
            (
                "--method rhg --adjoint checkpointed:5",
                "basic",
                None,
                "checkpointed:5",
            ),
            (
                "--method bigsam",
                "bigsam",
                Some("bigsam:1,0.5,1"),
                "reverse",
            ),
            (
                "--method bda --schedule harmonic:0.9",
                "bda",
                Some("harmonic:0.9"),
                "reverse",
            ),
            ("--method first-order", "first-order", None, "first-order"),
            ("--field inner", "basic", None, "reverse"),
            (
                "--field inner --adjoint first-order",
                "first-order",
                None,
                "first-order",
            ),
            (
                "--schedule harmonic:0.9",
                "improved",
                Some("harmonic:0.9"),
                "reverse",
            ),
        ] {
            let expected = (
                name.to_owned(),
                schedule.map(str::to_owned),
                adjoint.to_owned(),
            );
            assert_eq!(summary(options), expected, "{options}");
        }
    }

    #[test]
    fn the_aggregate_step_size_is_a_scale() {
        let method = method("--step-size 0.5 --aggregate-step-size 0.25").unwrap();
        let Field::Aggregate { outer_scale, .. } = method.field else {
            panic!("{method:?}");
        };
        assert_eq!(outer_scale, 0.5);
    }

    #[test]
    fn pairs_that_make_no_sense_are_refused() {
        for (options, part) in [
            (
                "--method basic --schedule constant:0.5",
                "--schedule has no meaning",
            ),
            (
                "--field inner --aggregate-step-size 1",
                "--aggregate-step-size has no meaning",
            ),
            ("--method basic --field aggregate", "contradict"),
            ("--method improved --field inner", "contradict"),
            ("--method improved --adjoint first-order", "contradict"),
            ("--method first-order --adjoint reverse", "contradict"),
            (
                "--method bda --schedule constant:0.5",
                "is the schedule harmonic",
            ),
            ("--schedule learned:0,1", "the weights of the rows alone"),
            ("--schedule constant:1", "identically zero"),
            ("--schedule harmonic:100 --steps 100", "identically zero"),
            ("--schedule every:1,constant:1", "identically zero"),
        ] {
            let message = method(options).unwrap_err();
            assert!(message.contains(part), "{options}: {message}");
        }
        assert!(method("--schedule per-outer:1,2").is_ok());
        assert!(method("--schedule every:2,constant:1").is_ok());
        assert!(method("--schedule harmonic:99 --steps 100").is_ok());
    }
}
