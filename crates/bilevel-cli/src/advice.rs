//! Advice for errors: the libraries say what is wrong and which kind of change helps; this file turns that into words
//! and options.

use std::error::Error as Cause;

use bilevel::catalogue::Refusal;
use bilevel::{Hint, Quantity};
use bilevel_tasks::Hint as DataHint;
use bilevel_tasks::cleaning::CleaningJob;
use bilevel_tasks::data::table::FileKind;

/// Where the user writes settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Writing {
    /// As options of the command.
    Options,
    /// As keys of a TOML file.
    File,
}

impl Writing {
    /// A setting as the user writes it.
    pub(crate) fn spell(self, setting: &str) -> String {
        match self {
            Self::Options => spelled(setting),
            Self::File => setting.to_owned(),
        }
    }

    /// A setting with its value, which is quoted in a file.
    fn set(self, setting: &str, value: &str) -> String {
        match self {
            Self::Options => format!("{} {value}", spelled(setting)),
            Self::File => format!("{setting} = {value:?}"),
        }
    }

    fn ignore(self, column: &str) -> String {
        match self {
            Self::Options if column.contains(char::is_whitespace) => {
                format!("--ignore '{column}'")
            }
            Self::Options => format!("--ignore {column}"),
            Self::File => format!("{column:?} in ignore"),
        }
    }
}

/// A setting as it is typed: `--step-size`.
pub(crate) fn spelled(setting: &str) -> String {
    match setting {
        "table" => "DATA".to_owned(),
        setting => format!("--{}", setting.replace('_', "-")),
    }
}

/// Advice for a cause, if anything is known to help.
pub(crate) fn advice(cause: &(dyn Cause + 'static), writing: Writing) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<bilevel_tasks::Error>() {
        return error.hint().and_then(|hint| of_data(&hint, writing));
    }
    let hint = match cause.downcast_ref::<bilevel::Error>() {
        Some(error) => error.hint(),
        None => cause.downcast_ref::<Refusal>()?.hint(),
    };
    hint.map(|hint| of_settings(&hint, writing))
}

/// Advice if a number of a run became non-finite; None for other errors.
pub(crate) fn after_divergence(
    error: &bilevel_tasks::Error,
    job: &CleaningJob,
    writing: Writing,
) -> Option<String> {
    use bilevel_tasks::Error::{BaselineDiverged, Method};
    let what = match error {
        Method(bilevel::Error::NonFinite { what, .. }) => what,
        BaselineDiverged { .. } => return Some("try features of a smaller scale".to_owned()),
        _ => return None,
    };
    let smaller = |setting, than: &dyn std::fmt::Display| {
        format!("a smaller {} than {than}", writing.spell(setting))
    };
    let (step_size, decay) = (job.method.settings.step_size, job.settings.weight_decay);
    Some(match what {
        Quantity::OuterVariable => format!(
            "try a smaller rate than {}",
            writing.set("outer_optimizer", &job.optimizer.to_string())
        ),
        Quantity::InnerVariable
        | Quantity::InnerCotangent
        | Quantity::InnerTangent
        | Quantity::Start
        | Quantity::InnerObjective
        | Quantity::OuterObjective
        | Quantity::OuterGradient
        | Quantity::HyperGradient
        | Quantity::Multiplier
        | Quantity::LinearSolution
        | Quantity::LinearProduct
        | Quantity::SimpleVariable
        | Quantity::Figure(_) => {
            let step_size = smaller("step_size", &step_size);
            if decay > 0.0 {
                let decay = smaller("weight_decay", &decay);
                format!("try {step_size} or {decay}")
            } else {
                format!("try {step_size}")
            }
        }
    })
}

fn of_settings(hint: &Hint, writing: Writing) -> String {
    match hint {
        Hint::LeaveOneOut(_) => "leave one of them out".to_owned(),
        Hint::LeaveOut(setting) => format!("leave {} out", writing.spell(setting)),
        Hint::Use(settings) => {
            let and = match writing {
                Writing::Options => " ",
                Writing::File => " and ",
            };
            format!("try {}", each(settings, writing).join(and))
        }
        Hint::OneOf(settings) => format!("try {}", each(settings, writing).join(" or ")),
        Hint::Smaller(setting) => format!("try a smaller {}", writing.spell(setting)),
        Hint::Damp => format!(
            "try a larger {} or {} (the inner Hessian is singular for a softmax and indefinite for an MLP)",
            writing.spell("damping"),
            writing.spell("weight_decay")
        ),
    }
}

/// Settings with their values, as the user writes them.
fn each(settings: &[(&str, String)], writing: Writing) -> Vec<String> {
    let equals = match writing {
        Writing::Options => " ",
        Writing::File => " = ",
    };
    let one = |(name, value): &(&str, String)| format!("{}{equals}{value}", writing.spell(name));
    settings.iter().map(one).collect()
}

fn of_data(hint: &DataHint, writing: Writing) -> Option<String> {
    let set = |setting, value| writing.set(setting, value);
    Some(match hint {
        DataHint::Settings(hint) => of_settings(hint, writing),
        DataHint::NameLabel => format!("name it: {}", set("label", "COLUMN")),
        DataHint::IgnoreColumn(column) => {
            format!("{} leaves the column out", writing.ignore(column))
        }
        DataHint::FillOrDrop => format!(
            "{} fills them, {} leaves such rows out",
            set("missing", "mean"),
            set("missing", "drop")
        ),
        DataHint::Fill => format!("{} fills missing features", set("missing", "mean")),
        DataHint::Drop => format!("{} leaves such rows out", set("missing", "drop")),
        DataHint::OtherKind(FileKind::Zip | FileKind::Parquet) => "save it as CSV".to_owned(),
        DataHint::OtherKind(FileKind::Utf16) => "save it as UTF-8".to_owned(),
        DataHint::OtherKind(FileKind::Npy) => read_with("features", writing),
        DataHint::OtherKind(FileKind::Idx) => read_with("images", writing),
        DataHint::OtherKind(FileKind::Png) => return None,
    })
}

fn read_with(setting: &str, writing: Writing) -> String {
    format!(
        "name it with {} and its labels with {}",
        writing.spell(setting),
        writing.spell("labels")
    )
}
