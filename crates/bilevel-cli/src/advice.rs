//! Advice for errors: the libraries say what is wrong and which kind of change helps; this file turns that into words
//! and options.

use std::error::Error as Cause;

use bilevel::catalogue::Refusal;
use bilevel::{Hint, Quantity};
use bilevel_tasks::ColumnRemedies;
use bilevel_tasks::Hint as DataHint;
use bilevel_tasks::cleaning::CleaningJob;

use crate::visible::{LONGEST, short};

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
        self.column("ignore", column)
    }

    /// A setting that lists columns, with this column.
    fn column(self, setting: &str, column: &str) -> String {
        let plain = |c: char| c.is_alphanumeric() || "-_./:,=@%+".contains(c);
        match self {
            Self::Options if column.is_empty() || !column.chars().all(plain) => {
                let quoted = column.replace('\'', "'\\''");
                format!("{} '{}'", spelled(setting), short(&quoted, LONGEST))
            }
            Self::Options => format!("{} {column}", spelled(setting)),
            Self::File => format!("{column:?} in {setting}"),
        }
    }
}

/// A setting as it is typed: `--step-size`.
pub(crate) fn spelled(setting: &str) -> String {
    match setting {
        "file" => "DATA".to_owned(),
        setting => format!("--{}", setting.replace('_', "-")),
    }
}

/// A sentence with settings in backticks, as the user writes them.
pub(crate) fn with_settings(text: &str, writing: Writing) -> String {
    const SETTINGS: [&str; 3] = ["keep", "id", "merge_labels"];
    SETTINGS.iter().fold(text.to_owned(), |text, setting| {
        text.replace(&format!("`{setting}`"), &writing.spell(setting))
    })
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
        Method(bilevel::Error::NotDescended { .. }) => &Quantity::InnerVariable,
        BaselineDiverged { .. } => return Some("try features of a smaller scale".to_owned()),
        _ => return None,
    };
    let smaller = |setting, than: &dyn std::fmt::Display| {
        format!("a smaller {} than {than}", writing.spell(setting))
    };
    let learning = job.learning.as_ref()?;
    let step_size = learning.method.settings.step_size;
    let decay = job.settings.weight_decay;
    Some(match what {
        Quantity::OuterVariable => format!(
            "try a smaller rate than {}",
            writing.set("outer_optimizer", &learning.optimizer.to_string())
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
            let step_size = match learning.measured {
                // Smaller by itself is what the rows ask for.
                None => format!(
                    "{} or {}",
                    writing.set("step_size", "auto"),
                    smaller("step_size", &step_size)
                ),
                Some(_) => smaller("step_size", &step_size),
            };
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
        DataHint::NoHeader => match writing {
            Writing::Options => "--header no reads a file whose first line has no names".to_owned(),
            Writing::File => "header = false reads a file whose first line has no names".to_owned(),
        },
        DataHint::NameLabel => format!("name it: {}", set("label", "COLUMN")),
        DataHint::IgnoreColumn(column) => {
            format!("{} leaves the column out", writing.ignore(column))
        }
        DataHint::Columns(remedies) => of_columns(remedies, writing),
        DataHint::Fill => format!("{} fills missing features", set("missing", "mean")),
        DataHint::NameLabels(key) => format!("name their file: {}", set(key, "FILE")),
        DataHint::NameRows => format!(
            "if these are the labels of another file, name that as {} and this one with {}",
            writing.spell("file"),
            writing.spell("labels")
        ),
        DataHint::LessMemory => format!(
            "try a smaller {} or fewer rows ({})",
            writing.spell("model"),
            writing.spell("train_rows")
        ),
        DataHint::LessTime => format!(
            "try fewer {} or {}, or a part of the rows in each step ({}); {} ends it with the best result so far, --force starts it all the same",
            writing.spell("steps"),
            writing.spell("outer_steps"),
            writing.spell("batch"),
            writing.set("time_limit", "1h")
        ),
        DataHint::ImageSize(size) => format!(
            "{} resizes all of them",
            set("image_size", &size.to_string())
        ),
    })
}

/// What can be done about columns: all that helps, each for its columns.
fn of_columns(remedies: &ColumnRemedies, writing: Writing) -> String {
    const SHOWN: usize = 10;
    let set = |setting, value| writing.set(setting, value);
    let list = |columns: &[String], one: &dyn Fn(&str) -> String| {
        let shown: Vec<String> = columns
            .iter()
            .take(SHOWN)
            .map(|column| one(column))
            .collect();
        shown.join(" ")
    };
    let mut parts = Vec::new();
    if remedies.missing {
        parts.push(format!(
            "{} fills them, {} fills them and says where, {} leaves such rows out",
            set("missing", "mean"),
            set("missing", "indicator"),
            set("missing", "drop")
        ));
    }
    if remedies.decimal {
        parts.push(format!(
            "say which it is: {} or {}",
            set("decimal", "point"),
            set("decimal", "comma")
        ));
    }
    if remedies.few_texts {
        parts.push(format!(
            "a few such cells can be missing values: {}, with {}",
            set("missing_text", "TEXT"),
            set("missing", "drop")
        ));
    }
    if !remedies.ignore.is_empty() {
        let what = match remedies.ignore.len() {
            1 => "leaves the column out",
            _ => "leave the columns out",
        };
        parts.push(format!(
            "{} {what}",
            list(&remedies.ignore, &|column| writing.ignore(column))
        ));
    }
    if !remedies.category.is_empty() {
        parts.push(format!(
            "{} a category of each text",
            match remedies.category.len() {
                1 => format!(
                    "{} makes",
                    list(&remedies.category, &|column| writing
                        .column("category", column))
                ),
                _ => format!("{} in the same way make", writing.spell("category")),
            }
        ));
    }
    parts.join("; ")
}
