//! What is wrong with a specification of a cleaning job, as long as it is about its keys.

use std::fmt;
use std::path::PathBuf;

use bilevel::Hint;

/// What another part said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What is wrong. Keys have the names of the fields of
/// [`DataSpecification`](super::DataSpecification) and the others.
#[derive(Debug)]
#[non_exhaustive]
pub enum CleaningProblem {
    /// A key of another source of rows.
    OtherSource {
        /// The key.
        key: &'static str,
        /// The source: the key of its file, or none for the digits.
        source: Option<&'static str>,
        /// The keys of the sources that it belongs to.
        belongs: &'static [&'static str],
    },
    /// Two keys that exclude each other.
    Exclusive {
        /// The keys.
        keys: [&'static str; 2],
    },
    /// A key that another one needs.
    Needs {
        /// The key that was given.
        key: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A kind of corruption without a share.
    NoRate,
    /// Patience where nothing is held out.
    Patience,
    /// No rows whose labels are known to be right.
    NoTrust {
        /// The keys that name such rows, with what stands behind each.
        keys: &'static [(&'static str, &'static str)],
    },
    /// A column to leave out that no table has.
    Ignored {
        /// The column.
        name: String,
        /// The columns there are.
        known: String,
    },
    /// A column that trusts all rows, or none.
    TrustedColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// Rows that are trusted.
        trusted: usize,
        /// All rows.
        rows: usize,
    },
    /// Numbers of rows that cannot be drawn.
    Rows {
        /// The keys that say how many, with their numbers, where they are worth saying.
        keys: Vec<(&'static str, Option<usize>)>,
        /// The file; None for the digits.
        file: Option<PathBuf>,
        /// Why.
        source: Cause,
    },
    /// What is wrong with the rows that a key names.
    Of {
        /// The key.
        key: &'static str,
        /// What it is.
        source: Cause,
    },
}

impl CleaningProblem {
    /// What it is, with keys spelled by `spell`.
    #[must_use]
    pub fn message(&self, spell: &dyn Fn(&str) -> String) -> String {
        let source_name = |key: &&str| match *key {
            "table" => "a table".to_owned(),
            key => spell(key),
        };
        match self {
            Self::OtherSource {
                key,
                source,
                belongs,
            } => format!(
                "{} has no meaning with {}: it belongs to {}",
                spell(key),
                source.as_ref().map_or_else(
                    || "the digits that come with the program".to_owned(),
                    source_name
                ),
                belongs
                    .iter()
                    .map(source_name)
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
            Self::Exclusive { keys: [one, other] } => {
                format!("{} cannot be used with {}", spell(one), spell(other))
            }
            Self::Needs { key, needs } => format!("{} needs {}", spell(key), spell(needs)),
            Self::NoRate => format!(
                "{} has no meaning without {1}: expected the share of the labels to be made wrong, such as {1} 0.5",
                spell("corruption"),
                spell("corrupt")
            ),
            Self::Patience => format!(
                "{} has no meaning with {} off",
                spell("patience"),
                spell("early_stopping")
            ),
            Self::NoTrust { keys } => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{} {value}", spell(key)))
                    .collect();
                format!(
                    "expected {} to tell which rows have labels that you know to be right; found none, and without them nothing can be learned",
                    either(&keys)
                )
            }
            Self::Ignored { name, known } => format!(
                "{} {name}: expected a column of the tables, found {known}",
                spell("ignore")
            ),
            Self::TrustedColumn {
                file,
                column,
                trusted,
                rows,
            } => format!(
                "{}: column {column:?}: expected some rows that are trusted and some that are not, found {trusted} of {rows} trusted",
                file.display()
            ),
            Self::Rows { keys, file, source } => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, count)| match count {
                        None => spell(key),
                        Some(count) => format!("{} {count}", spell(key)),
                    })
                    .collect();
                let of = file.as_ref().map_or_else(
                    || "the digits".to_owned(),
                    |file| file.display().to_string(),
                );
                if keys.is_empty() {
                    format!("{of}: {source}")
                } else {
                    format!("{} of {of}: {source}", keys.join(" and "))
                }
            }
            Self::Of { key, source } => format!("{}: {source}", spell(key)),
        }
    }
}

impl CleaningProblem {
    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Exclusive { keys } => Some(Hint::LeaveOneOut(keys.to_vec())),
            Self::Patience => Some(Hint::LeaveOneOut(vec!["patience", "early_stopping"])),
            Self::OtherSource { key, .. } => Some(Hint::LeaveOut(key)),
            _ => None,
        }
    }
}

/// "a, b or c".
fn either(texts: &[String]) -> String {
    match texts {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => texts.concat(),
    }
}

impl fmt::Display for CleaningProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message(&|key| format!("`{key}`")))
    }
}
