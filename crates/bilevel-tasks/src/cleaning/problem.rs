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
    /// A key that needs a file of rows.
    Digits {
        /// The key.
        key: &'static str,
    },
    /// A key that changes nothing, because of the files.
    Unused {
        /// The key.
        key: &'static str,
        /// Why.
        because: String,
    },
    /// A column that no table has.
    NoColumn {
        /// The key that names it.
        key: &'static str,
        /// The column.
        name: String,
        /// What the files have.
        known: String,
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
        /// What needs them.
        what: String,
        /// The keys that name such rows, each with a placeholder for its value.
        keys: &'static [(&'static str, &'static str)],
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
}

impl CleaningProblem {
    /// The message; `spell` turns a key into the way the caller writes it.
    #[must_use]
    pub fn message(&self, spell: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Digits { key } => format!(
                "{} has no meaning with the digits that come with the program: it needs {}",
                spell(key),
                spell("file")
            ),
            Self::Unused { key, because } => {
                format!("{} has no meaning here: {because}", spell(key))
            }
            Self::NoColumn { key, name, known } => format!(
                "{} {name}: expected a column of the files, found {known}",
                spell(key)
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
            Self::NoTrust { what, keys } => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{} {value}", spell(key)))
                    .collect();
                format!(
                    "expected {} to tell which rows have labels that you know to be right; found none, and {what} cannot do without them ({} auto can)",
                    either(&keys),
                    spell("method")
                )
            }
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
            Self::Digits { key } | Self::Unused { key, .. } => Some(Hint::LeaveOut(key)),
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
