//! The rows of a data file, whatever its format.
//!
//! [`Table`] holds the contents of a file: features, labels and where they stand. A
//! [`Preparation`](super::preparation::Preparation) makes features of the same meaning of several tables, and
//! [`classes`](super::labels::classes) makes classes of their labels.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::column::Column;
use super::image_shape::ImageShape;
use super::labels::Labels;
use super::problem::{Place, TableProblem};
pub use super::roles::{FeatureColumns, LabelsWanted, TableColumns, TextForm};
use super::sparse::Sparse;
use crate::Error;

/// Part of the kind of a text without names of columns.
pub(crate) const NO_NAMES: &str = "without a line of names";

/// The contents of a file of rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    pub(crate) path: PathBuf,
    /// What kind of file it is.
    pub(crate) kind: String,
    pub(crate) rows: usize,
    pub(crate) features: Features,
    pub(crate) labels: Option<Labels>,
    /// The line of each row, where the file has lines.
    pub(crate) lines: Option<Vec<u64>>,
    pub(crate) id_column: Option<String>,
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) trusted: Option<Vec<bool>>,
    /// The texts of each column of groups that was wanted, if it is there.
    pub(crate) groups: Vec<Option<Vec<String>>>,
    /// The names of all columns, in the order of the file.
    pub(crate) names: Vec<String>,
    /// What a person should know about how the file was read.
    pub(crate) notes: Vec<ReadNote>,
}

/// Adds the names that are not among them yet; those of one table differ.
pub(crate) fn add_names(names: &mut Vec<String>, others: &[String]) {
    let known: HashSet<&String> = names.iter().collect();
    let new = others.iter().filter(|name| !known.contains(name));
    let new: Vec<String> = new.cloned().collect();
    names.extend(new);
}

/// What a person should know about how a file was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ReadNote {
    /// Its kind, for programs.
    pub(crate) kind: &'static str,
    /// The column that it is about.
    pub(crate) column: Option<String>,
    /// How many cells or columns it is about.
    pub(crate) count: usize,
    /// The sentence, without the name of the file.
    pub(crate) message: String,
}

/// Features as a file has them.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Features {
    /// None: the file has labels only.
    None,
    /// Columns with names.
    Columns(Vec<Column>),
    /// A matrix.
    Matrix(Matrix),
}

/// Numbers without names.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Matrix {
    /// Row by row.
    pub(crate) values: Numbers,
    /// Numbers of a row.
    pub(crate) width: usize,
    /// The numbers that its columns are called by; None if they are counted from 0.
    pub(crate) numbers: Option<Vec<u32>>,
    /// If rows are pictures.
    pub(crate) image: Option<ImageShape>,
    /// Whether the values are pixels from 0 to 1, which are not standardised.
    pub(crate) pixels: bool,
}

/// The numbers of a matrix; NaN where missing.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Numbers {
    /// In single precision.
    F32(Vec<f32>),
    /// In double precision.
    F64(Vec<f64>),
    /// Only those that are not zero.
    Sparse(Sparse),
}

impl Matrix {
    /// What a column is called.
    pub(crate) fn name(&self, column: usize) -> String {
        let number = self.numbers.as_ref().and_then(|all| all.get(column));
        number.map_or_else(|| column.to_string(), u32::to_string)
    }

    /// Pixels from 0 to 1 become numbers from 0 to 255, or the other way round, as the first file has them.
    pub(crate) fn match_pixels(&mut self, pixels: bool) {
        /// The largest pixel of a byte.
        const FULL: f64 = 255.0;
        let factor = match (self.pixels, pixels) {
            (true, false) => FULL,
            (false, true) => {
                let largest = match &self.values {
                    Numbers::F32(values) => {
                        values.iter().fold(0.0, |most, &v| f64::max(most, v.into()))
                    }
                    Numbers::F64(values) => values.iter().copied().fold(0.0, f64::max),
                    Numbers::Sparse(sparse) => sparse
                        .values
                        .iter()
                        .fold(0.0, |most, &v| f64::max(most, v.into())),
                };
                // Numbers up to 1 are pixels already.
                if largest <= 1.0 { 1.0 } else { 1.0 / FULL }
            }
            _ => 1.0,
        };
        self.pixels = pixels;
        if factor == 1.0 {
            return;
        }
        match &mut self.values {
            Numbers::F32(values) => values
                .iter_mut()
                .for_each(|v| *v = (f64::from(*v) * factor) as f32),
            Numbers::F64(values) => values.iter_mut().for_each(|v| *v *= factor),
            Numbers::Sparse(sparse) => {
                sparse
                    .values
                    .iter_mut()
                    .for_each(|v| *v = (f64::from(*v) * factor) as f32);
            }
        }
    }
}

impl Table {
    pub(crate) fn new(path: &Path, kind: impl Into<String>, rows: usize) -> Self {
        Self {
            path: path.to_owned(),
            kind: kind.into(),
            rows,
            features: Features::None,
            labels: None,
            lines: None,
            id_column: None,
            ids: None,
            trusted: None,
            groups: Vec::new(),
            names: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Says which texts are labels, and which stand for none, beside the usual ones.
    pub(crate) fn say(&mut self, labels: &[String], missing: &[String]) {
        if let Some(own) = &mut self.labels {
            own.say(labels, missing);
        }
    }

    /// The file of features.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of file it is, in words.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns of features, as the file has them.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.features {
            Features::None => 0,
            Features::Columns(columns) => columns.len(),
            Features::Matrix(matrix) => matrix.width,
        }
    }

    /// Whether its features are columns of cells, not a matrix.
    pub(crate) fn has_columns(&self) -> bool {
        matches!(self.features, Features::Columns(_))
    }

    /// The names of all columns, if they have names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The labels, if the file has any.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The column of row names, if there is one.
    #[must_use]
    pub fn id_column(&self) -> Option<&str> {
        self.id_column.as_deref()
    }

    /// The names of the rows, if they have any.
    #[must_use]
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// Which rows are trusted, if there is a column for it.
    #[must_use]
    pub fn trusted(&self) -> Option<&[bool]> {
        self.trusted.as_deref()
    }

    pub(crate) fn place(&self, row: usize, column: Option<String>) -> Place {
        Place {
            row,
            line: self
                .lines
                .as_ref()
                .and_then(|lines| lines.get(row).copied()),
            column,
        }
    }

    pub(crate) fn wrong(&self, problem: TableProblem) -> Error {
        problem.at(&self.path)
    }

    /// Fails unless there are rows with features.
    pub(crate) fn expect_content(&self) -> Result<(), Error> {
        let problem = if self.rows == 0 {
            TableProblem::NoRows
        } else if self.width() == 0 {
            TableProblem::NoFeatures {
                columns: "a matrix without columns".to_owned(),
            }
        } else {
            return Ok(());
        };
        Err(self.wrong(problem))
    }

    /// The same rows with labels, names and trust from another file.
    ///
    /// # Errors
    /// Another number of rows.
    pub(crate) fn with_labels_of(mut self, other: Self) -> Result<Self, Error> {
        if self.rows != other.rows {
            return Err(Error::FeatureRows {
                features: self.path,
                rows: self.rows,
                labels: other.path,
                label_rows: other.rows,
            });
        }
        if let (Some(mine), Some(theirs)) = (&self.ids, &other.ids)
            && let Some(row) = mine
                .iter()
                .zip(theirs)
                .position(|(mine, theirs)| mine != theirs)
        {
            return Err(TableProblem::OtherRow {
                row,
                rows: self.path.display().to_string(),
                expected: mine[row].clone(),
                found: theirs[row].clone(),
            }
            .at(&other.path));
        }
        if self.labels.is_some() {
            self.notes.push(ReadNote {
                kind: "labels_replaced",
                column: None,
                count: self.rows,
                message: format!(
                    "the labels of this file are not used: those of {} are",
                    other.path.display()
                ),
            });
        }
        self.labels = other.labels;
        if other.ids.is_some() {
            self.ids = other.ids;
            self.id_column = other.id_column;
        }
        if other.trusted.is_some() {
            self.trusted = other.trusted;
        }
        for (position, texts) in other.groups.into_iter().enumerate() {
            if self.groups.len() <= position {
                self.groups.push(None);
            }
            if texts.is_some() {
                self.groups[position] = texts;
            }
        }
        add_names(&mut self.names, &other.names);
        self.notes.extend(other.notes);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_added_once() {
        let names =
            |texts: &[&str]| -> Vec<String> { texts.iter().map(|&text| text.to_owned()).collect() };
        let mut all = names(&["a", "b"]);
        add_names(&mut all, &names(&["c", "b", "d"]));
        assert_eq!(all, names(&["a", "b", "c", "d"]));
    }
}
