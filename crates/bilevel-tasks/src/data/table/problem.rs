//! What can be wrong with a table.

use std::fmt;
use std::io;

use super::kind::FileKind;
use crate::hint::Hint;

/// Number of names shown of a long list.
const SHOWN: usize = 10;
/// Names further than this from the input are not suggested.
const SIMILAR: f64 = 0.7;

/// A position in a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The row, counted from 0, without the header.
    pub row: usize,
    /// The line of the file, counted from 1, where the file has lines.
    pub line: Option<u64>,
    /// The column, if the problem is in one cell.
    pub column: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        match &self.column {
            Some(column) => write!(f, ", column {column:?}"),
            None => Ok(()),
        }
    }
}

/// The possible names, and the one nearest to the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known(Box<str>);

impl Known {
    /// The likely intended name for `given`.
    #[must_use]
    pub fn new(given: &str, names: &[String]) -> Self {
        let given = given.to_lowercase();
        let nearest = names
            .iter()
            .map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|&(similar, _)| similar >= SIMILAR);
        let question =
            nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name:?}?"));
        Self(format!("{}{question}", listed(names)).into())
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first names of a list, and how many there are in all.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN);
    let mut text: Vec<_> = shown.map(|name| format!("{name:?}")).collect();
    if names.len() > SHOWN {
        text.push(format!("… ({} in all)", names.len()));
    }
    text.join(", ")
}

/// What is wrong with the contents of a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// A file of another type.
    #[error("expected a table as UTF-8 text, found {found}")]
    Kind {
        /// The type, from the file's first bytes.
        found: FileKind,
    },
    /// A gzip stream that is cut short or damaged.
    #[error("expected a whole gzip file, found it cut short or damaged: {source}")]
    Gzip {
        /// The decoder's error.
        source: io::Error,
    },
    /// An empty file.
    #[error("expected a first line with the names of the columns, found no text")]
    Empty,
    /// A header without rows.
    #[error("expected rows below the names of the columns, found none")]
    NoRows,
    /// No feature columns remain.
    #[error(
        "expected at least one column of features in addition to the label, found none in {columns}"
    )]
    NoFeatures {
        /// The existing columns.
        columns: String,
    },
    /// A cell of the header that is not UTF-8.
    #[error("line {line}, cell {cell}: expected a name in UTF-8, found other bytes")]
    HeaderText {
        /// Line of the header.
        line: u64,
        /// Position of the cell, counted from 1.
        cell: usize,
    },
    /// A column without a name, which is allowed only for the first.
    #[error("line {line}: expected a name for each column, found none for column {cell} of {of}")]
    NoName {
        /// Line of the header.
        line: u64,
        /// Position of the column, counted from 1.
        cell: usize,
        /// Number of columns.
        of: usize,
    },
    /// Two columns with the same name.
    #[error("line {line}: expected unique column names, found {name:?} twice")]
    SameName {
        /// Line of the header.
        line: u64,
        /// The name.
        name: String,
    },
    /// The column of labels was not given.
    #[error("expected the name of the column of labels, one of {columns}")]
    LabelNotNamed {
        /// The existing columns.
        columns: String,
    },
    /// A column that does not exist.
    #[error("expected a column {name:?} ({purpose}), found {known}{hint}")]
    NoColumn {
        /// The requested column.
        name: String,
        /// Its role.
        purpose: &'static str,
        /// The existing columns.
        known: Known,
        /// The likely reason.
        hint: &'static str,
    },
    /// A column requested for two different roles.
    #[error("column {name:?}: expected one purpose, found two: {first} and {second}")]
    TwoPurposes {
        /// The column.
        name: String,
        /// The first role.
        first: &'static str,
        /// The second role.
        second: &'static str,
    },
    /// A column that the first table does not have.
    #[error("expected the columns of {first}, found {name:?} too: the columns are {known}")]
    ExtraColumn {
        /// The column.
        name: String,
        /// The first table.
        first: String,
        /// The columns of the first table.
        known: Known,
    },
    /// A row with more or fewer cells than the header.
    #[error("{place}: expected {expected} cells, as many as there are column names, found {found}")]
    Ragged {
        /// The row.
        place: Place,
        /// Cells of the header.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// The file ends inside quotes.
    #[error(
        "line {line}: expected the quote that opens here to be closed, found the end of the file"
    )]
    UnclosedQuote {
        /// The line of the opening quote.
        line: u64,
    },
    /// Text after a closing quote.
    #[error(
        "line {line}: expected a separator or the end of the line after the closing quote, found {found:?} (the quote opens in line {opened})"
    )]
    BehindQuote {
        /// The line of the closing quote.
        line: u64,
        /// The line of the opening quote.
        opened: u64,
        /// The text after it.
        found: char,
    },
    /// A cell that is not UTF-8.
    #[error("{place}: expected text in UTF-8, found other bytes: {found:?}")]
    Text {
        /// The cell.
        place: Place,
        /// The cell, as far as it is UTF-8.
        found: String,
    },
    /// A feature that is not a number.
    #[error("{place}: expected a number, found {found:?}")]
    NotNumber {
        /// The cell.
        place: Place,
        /// The cell's text.
        found: String,
    },
    /// A feature that is infinite, or becomes so when it is standardised.
    #[error("{place}: expected a finite number, found {found}")]
    Infinite {
        /// The cell.
        place: Place,
        /// What was found.
        found: String,
    },
    /// Missing features.
    #[error(
        "{place}: expected a number, found a missing value; missing cells: {cells}, in {rows} of {of} rows, in columns {columns}"
    )]
    Missing {
        /// The first missing cell.
        place: Place,
        /// How many there are.
        cells: usize,
        /// Rows with such cells.
        rows: usize,
        /// Rows in all.
        of: usize,
        /// Columns with such cells.
        columns: String,
    },
    /// Missing labels.
    #[error("{place}: expected a label, found an empty cell; rows without a label: {rows} of {of}")]
    MissingLabel {
        /// The first missing label.
        place: Place,
        /// Rows without a label.
        rows: usize,
        /// Rows in all.
        of: usize,
    },
    /// A column with only missing values has no mean.
    #[error("column {column:?}: expected at least one number, found only missing values")]
    NoNumbers {
        /// The column.
        column: String,
    },
    /// Every row has a missing value.
    #[error("expected at least one row without missing values, found none among {of}")]
    AllDropped {
        /// Rows in all.
        of: usize,
    },
    /// A label that the first table does not have.
    #[error(
        "{place}: expected a label that {first} has, found {found:?}: the labels of {first} are {known}"
    )]
    UnknownLabel {
        /// The cell.
        place: Place,
        /// The first table.
        first: String,
        /// The label.
        found: String,
        /// The labels of the first table.
        known: Known,
    },
    /// All rows have the same label.
    #[error("column {column:?}: expected at least two different labels, found only {label:?}")]
    OneClass {
        /// The column of labels.
        column: String,
        /// The label.
        label: String,
    },
    /// Nearly every row has a label of its own.
    #[error(
        "column {column:?}: expected labels that many rows share, found {classes} different labels in {rows} rows: is this the column of labels?"
    )]
    ManyClasses {
        /// The column of labels.
        column: String,
        /// Number of different labels.
        classes: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A cell of the column of trusted rows that is neither yes nor no.
    #[error("{place}: expected true or false, yes or no, 1 or 0, found {found:?}")]
    NotBoolean {
        /// The cell.
        place: Place,
        /// The cell's text.
        found: String,
    },
}

impl TableProblem {
    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Kind { found } => Some(Hint::OtherKind(*found)),
            Self::LabelNotNamed { .. } => Some(Hint::NameLabel),
            Self::ExtraColumn { name: column, .. } | Self::NoNumbers { column } => {
                Some(Hint::IgnoreColumn(column.clone()))
            }
            Self::NotNumber { place, .. } => place.column.clone().map(Hint::IgnoreColumn),
            Self::Missing { .. } => Some(Hint::FillOrDrop),
            Self::MissingLabel { .. } => Some(Hint::Drop),
            Self::AllDropped { .. } => Some(Hint::Fill),
            Self::Gzip { .. }
            | Self::Empty
            | Self::NoRows
            | Self::NoFeatures { .. }
            | Self::HeaderText { .. }
            | Self::NoName { .. }
            | Self::SameName { .. }
            | Self::NoColumn { .. }
            | Self::TwoPurposes { .. }
            | Self::Ragged { .. }
            | Self::UnclosedQuote { .. }
            | Self::BehindQuote { .. }
            | Self::Text { .. }
            | Self::Infinite { .. }
            | Self::UnknownLabel { .. }
            | Self::OneClass { .. }
            | Self::ManyClasses { .. }
            | Self::NotBoolean { .. } => None,
        }
    }
}
