//! Errors in the keys of a cleaning specification.

use std::fmt;
use std::path::PathBuf;

use bilevel::Hint;

/// The underlying error.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What is wrong with a cleaning specification. Keys are named like the fields of
/// [`DataSpecification`](super::DataSpecification) and its sibling structures.
#[derive(Debug)]
#[non_exhaustive]
pub enum CleaningProblem {
    /// A key that belongs to another source of rows.
    OtherSource {
        /// The key.
        key: &'static str,
        /// The chosen source: the key of its file; None for the digits.
        source: Option<&'static str>,
        /// The keys of the sources that the key belongs to.
        belongs: &'static [&'static str],
    },
    /// Two keys that exclude each other.
    Exclusive {
        /// The keys.
        keys: [&'static str; 2],
    },
    /// A missing key that another key needs.
    Needs {
        /// The key that was given.
        key: &'static str,
        /// The missing key.
        needs: &'static str,
    },
    /// A kind of corruption without the share of labels to corrupt.
    NoRate,
    /// Patience without held-out rows.
    Patience,
    /// No rows whose labels are known to be right.
    NoTrust {
        /// The keys that name such rows, each with a placeholder for its value.
        keys: &'static [(&'static str, &'static str)],
    },
    /// A column to leave out that does not exist in any table.
    Ignored {
        /// The column.
        name: String,
        /// The columns of the tables.
        known: String,
    },
    /// A column that marks all rows or no row as trusted.
    TrustedColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// Number of trusted rows.
        trusted: usize,
        /// Number of all rows.
        rows: usize,
    },
    /// Numbers of rows that cannot be drawn.
    Rows {
        /// The keys that set these numbers; each with its number if the message shows it.
        keys: Vec<(&'static str, Option<usize>)>,
        /// The file; None for the digits.
        file: Option<PathBuf>,
        /// Why.
        source: Cause,
    },
    /// An error in the rows that a key names.
    Of {
        /// The key.
        key: &'static str,
        /// The error.
        source: Cause,
    },
}

impl CleaningProblem {
    /// The message; `spell` turns a key into the way the caller writes it.
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
    /// What the user can do about it.
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
