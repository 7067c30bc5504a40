//! What can be wrong with a table.

use std::borrow::Cow;
use std::fmt;

use super::malformed::Malformed;
use super::room::NoRoom;
use crate::hint::{ColumnRemedies, Hint};

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
            Some(column) => write!(f, ", column {:?}", cut(column)),
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
        let question = nearest.map_or_else(String::new, |(_, name)| {
            format!("; did you mean {:?}?", cut(name))
        });
        Self(format!("{}{question}", listed(names)).into())
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What there is beside labels.
fn missing_labels(missing: &[(String, usize)]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let texts: Vec<String> = missing.iter().map(|(text, _)| text.clone()).collect();
    let rows: usize = missing.iter().map(|(_, rows)| rows).sum();
    format!(", and {rows} labels that are missing: {}", listed(&texts))
}

/// Characters shown of a long name.
const LONGEST: usize = 60;

/// The beginning of a text of the data.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The first names of a list, and how many there are in all.
pub(crate) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN);
    let mut text: Vec<_> = shown.map(|name| format!("{:?}", cut(name))).collect();
    if names.len() > SHOWN {
        text.push(format!("… ({} in all)", names.len()));
    }
    text.join(", ")
}

/// What is wrong with the contents of a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// An empty file.
    #[error("expected a first line with the names of the columns, found no text")]
    Empty,
    /// More contents than fit into memory.
    #[error("{0}")]
    Memory(Box<Malformed>),
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
    #[error(
        "line {line}, cell {cell}: expected a name in UTF-8, found other bytes; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)"
    )]
    HeaderText {
        /// Line of the header.
        line: u64,
        /// Position of the cell, counted from 1.
        cell: usize,
    },
    /// Two columns with the name of one that is to have a role.
    #[error(
        "line {line}: expected one column {name:?} ({purpose}), found several: the later ones are called {}",
        listed(later)
    )]
    SameName {
        /// Line of the header.
        line: u64,
        /// Its role.
        purpose: &'static str,
        /// The name.
        name: String,
        /// The names that the later ones were given.
        later: Vec<String>,
    },
    /// The column of labels was not given.
    #[error("expected the name of the column of labels, one of {columns}")]
    LabelNotNamed {
        /// The existing columns.
        columns: String,
    },
    /// A column that does not exist.
    #[error("expected a column {:?} ({purpose}), found {known}{hint}", cut(name))]
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
    #[error(
        "{place}: expected text in UTF-8, found other bytes: {found:?}; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)"
    )]
    Text {
        /// The cell.
        place: Place,
        /// The cell, as far as it is UTF-8.
        found: String,
    },
    /// Columns that cannot be used as they are.
    #[error("{}", columns_text(.columns))]
    Columns {
        /// The columns.
        columns: Vec<ColumnProblem>,
    },
    /// A feature that is infinite, or becomes so when it is standardised.
    #[error("{place}: expected a finite number, found {found}")]
    Infinite {
        /// The cell.
        place: Place,
        /// What was found.
        found: String,
    },
    /// The names of the rows differ between the file of rows and that of labels.
    #[error(
        "row {row}: expected the label of {:?}, the name of this row in {rows}, found that of {:?}: the files have their rows in different orders",
        cut(expected),
        cut(found)
    )]
    OtherRow {
        /// The row.
        row: usize,
        /// The file of rows.
        rows: String,
        /// The name there.
        expected: String,
        /// The name here.
        found: String,
    },
    /// No class is common to the rows to check and the trusted rows.
    #[error("expected labels of {first}, found none of them: they are {own}, and here {here}")]
    NoCommonClass {
        /// The file of the rows to check.
        first: String,
        /// Its labels.
        own: String,
        /// The labels here.
        here: String,
    },
    /// No row has a label.
    #[error("column {column:?}: expected labels, found only missing ones")]
    NoLabels {
        /// The column of labels.
        column: String,
    },
    /// Labels are in a file of their own, and no file was named.
    #[error("expected labels, found features only")]
    LabelsApart {
        /// The key that names it.
        key: &'static str,
    },
    /// A matrix has labels only.
    #[error("expected rows of features, found labels only: one number a row")]
    OnlyLabels,
    /// A role was given to a column, but the columns have no names.
    #[error("expected columns with names, because of {name:?} ({purpose}), found {found}")]
    NoNames {
        /// The requested column.
        name: String,
        /// Its role.
        purpose: &'static str,
        /// What the file has.
        found: String,
    },
    /// Every row has a missing value.
    #[error("expected at least one row without missing values, found none among {of}")]
    AllDropped {
        /// Rows in all.
        of: usize,
    },
    /// All rows have the same label.
    #[error(
        "column {:?}: expected at least two different labels, found only {:?}{}",
        cut(column),
        cut(label),
        missing_labels(missing)
    )]
    OneClass {
        /// The column of labels.
        column: String,
        /// The label.
        label: String,
        /// Texts that stand for a missing label, and how many rows have each.
        missing: Vec<(String, usize)>,
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
    /// Labels with fractions, nearly as many as rows.
    #[error(
        "column {column:?}: expected classes, found {different} different numbers with fractions: these are measurements"
    )]
    Measurements {
        /// The column of labels.
        column: String,
        /// How many are different.
        different: usize,
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

/// A column that cannot be used as it is.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnProblem {
    /// The column.
    pub column: String,
    /// What was expected and found, with the place.
    pub message: String,
    /// What helps.
    pub remedy: ColumnRemedy,
}

/// What can be done about a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnRemedy {
    /// Leave it out, or read it as categories.
    IgnoreOrCategory,
    /// Leave it out, or take its few texts for missing values.
    FewTexts,
    /// Leave it out.
    Ignore,
    /// Say which mark a decimal comma is.
    Decimal,
    /// Fill, or leave out rows.
    Missing,
}

/// Problems shown of a long list.
const PROBLEMS_SHOWN: usize = 10;

fn columns_text(columns: &[ColumnProblem]) -> String {
    if let [only] = columns {
        return only.message.clone();
    }
    let mut text = format!("{} columns cannot be used as they are:", columns.len());
    for problem in columns.iter().take(PROBLEMS_SHOWN) {
        text.push_str("\n  ");
        text.push_str(&problem.message);
    }
    if columns.len() > PROBLEMS_SHOWN {
        text.push_str("\n  …");
    }
    text
}

impl From<NoRoom> for TableProblem {
    fn from(found: NoRoom) -> Self {
        Self::Memory(Box::new(found.into()))
    }
}

impl TableProblem {
    /// The same, in a row that comes `rows` later.
    pub(crate) fn later(mut self, rows: usize) -> Self {
        match &mut self {
            Self::Ragged { place, .. }
            | Self::Text { place, .. }
            | Self::NotBoolean { place, .. } => place.row += rows,
            _ => {}
        }
        self
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::LabelNotNamed { .. } => Some(Hint::NameLabel),
            // A number is the name of a column that has none.
            Self::NoColumn { name, hint, .. }
                if hint.is_empty() && name.parse::<usize>().is_ok() =>
            {
                Some(Hint::NoHeader)
            }
            Self::ExtraColumn { name: column, .. } => Some(Hint::IgnoreColumn(column.clone())),
            Self::SameName { later, .. } => later.first().cloned().map(Hint::IgnoreColumn),
            Self::Columns { columns } => Some(Hint::Columns(remedies(columns))),
            Self::LabelsApart { key } => Some(Hint::NameLabels(key)),
            Self::OnlyLabels => Some(Hint::NameRows),
            Self::AllDropped { .. } => Some(Hint::Fill),
            Self::Empty
            | Self::NoRows
            | Self::NoFeatures { .. }
            | Self::HeaderText { .. }
            | Self::NoColumn { .. }
            | Self::TwoPurposes { .. }
            | Self::Ragged { .. }
            | Self::UnclosedQuote { .. }
            | Self::BehindQuote { .. }
            | Self::Text { .. }
            | Self::Infinite { .. }
            | Self::OneClass { .. }
            | Self::NoLabels { .. }
            | Self::OtherRow { .. }
            | Self::NoCommonClass { .. }
            | Self::NoNames { .. }
            | Self::Measurements { .. }
            | Self::ManyClasses { .. }
            | Self::NotBoolean { .. }
            | Self::Memory(_) => None,
        }
    }
}

fn remedies(problems: &[ColumnProblem]) -> ColumnRemedies {
    let mut remedies = ColumnRemedies::default();
    for problem in problems {
        let column = || problem.column.clone();
        match problem.remedy {
            ColumnRemedy::IgnoreOrCategory => {
                remedies.ignore.push(column());
                remedies.category.push(column());
            }
            ColumnRemedy::FewTexts => {
                remedies.ignore.push(column());
                remedies.few_texts = true;
            }
            ColumnRemedy::Ignore => remedies.ignore.push(column()),
            ColumnRemedy::Decimal => remedies.decimal = true,
            ColumnRemedy::Missing => remedies.missing = true,
        }
    }
    remedies
}
