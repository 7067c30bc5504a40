//! From tables to features of the same meaning.
//!
//! A [`Preparation`] learns from a first table how each column is read, which columns are left out, the categories of
//! texts and the scaling, and applies that to it and to others.

mod look;
mod missing;
mod prepared;
mod read;
mod scale;
mod trouble;
mod used;

use std::collections::HashMap;

use super::column::{Contents, NO_TEXT, Trouble};
use super::problem::{ColumnProblem, ColumnRemedy, TableProblem, cut, listed};
use super::room::Room;
use super::sparse::{FeatureValues, Sparse};
use super::table::{Features, Matrix, Numbers, ReadNote, Table};
use serde::{Deserialize, Serialize};

use crate::Error;
pub use missing::{Missing, MissingFound};
pub use prepared::Prepared;
use read::Read;
pub use scale::{ColumnScale, Scale};
use scale::{of_column, of_matrix, of_sparse, standardised};
use trouble::{nothing, out_of_reach, problem};
use used::{Used, labelled};

/// How columns are prepared.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Policy {
    /// How missing values are handled.
    pub missing: Missing,
    /// Columns that are kept, whatever they look like.
    pub keep: Vec<String>,
    /// How features are scaled; if not given, all but pixels are standardised.
    pub scale: Option<Scale>,
}

/// What is learned from a first table and applied to it and to others.
///
/// Numbers, booleans (0 and 1) and dates (days since 1970-01-01) are one feature each; a column of texts is one
/// feature for each text, 1 where the column has it and else 0. Every feature is standardised: (value − mean) / standard
/// deviation of the first table's rows, unless [`Policy::scale`] says otherwise. Pixels are left as they are; the features of a sparse matrix are divided by
/// their largest absolute value, which keeps zeros.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Preparation {
    missing: Missing,
    /// The columns that are used, in the order of the first table.
    sources: Vec<Source>,
    /// Columns that are left out.
    left_out: Vec<String>,
    features: Vec<Feature>,
    scaling: Vec<ColumnScale>,
    /// Whether the first table's values are pixels.
    pixels: bool,
    #[serde(skip)]
    notes: Vec<ReadNote>,
}

/// A column of the first table.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Source {
    name: String,
    dates: bool,
    /// Its texts, if it is a column of texts.
    categories: Option<Vec<String>>,
}

/// A feature, from the column of this number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Feature {
    Number(usize),
    /// Whether the column has its text of this number.
    Category(usize, u32),
    /// Whether the cell is missing.
    Missing(usize),
}

/// A text that the first table does not have.
const UNKNOWN_TEXT: u32 = NO_TEXT - 1;

impl Preparation {
    /// Learns from `table` and makes its features.
    ///
    /// # Errors
    /// Columns that cannot be used as they are; missing values, unless the policy says how to handle them.
    pub fn fit(mut table: Table, policy: &Policy) -> Result<(Self, Prepared), Error> {
        let mut own = Self {
            missing: policy.missing,
            sources: Vec::new(),
            left_out: Vec::new(),
            features: Vec::new(),
            scaling: Vec::new(),
            pixels: false,
            notes: Vec::new(),
        };
        let labelled = labelled(&table);
        let features = std::mem::replace(&mut table.features, Features::None);
        match features {
            Features::None => Err(table.wrong(TableProblem::OnlyLabels)),
            Features::Columns(columns) => {
                let read = own.read_first(columns, &table, policy)?;
                let used =
                    Used::of_columns(&table, &own.names(), &read, &labelled, policy.missing)?;
                own.learn(&read, &used, &table)?;
                own.leave_unscaled(policy);
                let prepared = own.columns(&read, used, table);
                Ok((own, prepared?))
            }
            Features::Matrix(matrix) => {
                let used = Used::of_matrix(&table, &matrix, &labelled, policy.missing)?;
                own.pixels = matrix.pixels;
                own.scaling = match &matrix.values {
                    _ if matrix.pixels && policy.scale != Some(Scale::Standard) => Vec::new(),
                    Numbers::F32(values) => of_matrix(values, matrix.width, &used.fitted),
                    Numbers::F64(values) => of_matrix(values, matrix.width, &used.fitted),
                    Numbers::Sparse(sparse) => of_sparse(sparse, matrix.width, &used.fitted),
                };
                own.features = (0..matrix.width).map(Feature::Number).collect();
                for (column, scale) in own.scaling.iter_mut().enumerate() {
                    scale.name = matrix.name(column);
                    own.sources.push(Source {
                        name: scale.name.clone(),
                        dates: false,
                        categories: None,
                    });
                }
                let empty = own.scaling.iter().zip(&used.there);
                let empty = empty.filter(|(_, there)| **there == 0);
                let problems: Vec<_> = empty.map(|(scale, _)| nothing(&scale.name)).collect();
                if !problems.is_empty() {
                    return Err(table.wrong(TableProblem::Columns { columns: problems }));
                }
                own.leave_unscaled(policy);
                let prepared = own.matrix(matrix, used, table)?;
                Ok((own, prepared))
            }
        }
    }

    /// Makes the same features of another table.
    ///
    /// # Errors
    /// Columns that differ from those of the first table; missing values, unless their handling was chosen; a value
    /// so far from those of the first table that it has no standardised form.
    pub fn apply(&self, mut table: Table) -> Result<Prepared, Error> {
        let labelled = labelled(&table);
        let features = std::mem::replace(&mut table.features, Features::None);
        let (expected, found) = match &features {
            Features::None => return Err(table.wrong(TableProblem::OnlyLabels)),
            Features::Columns(columns) => (self.sources.len(), columns.len()),
            Features::Matrix(matrix) => (self.features.len(), matrix.width),
        };
        if expected != found {
            return Err(Error::Columns {
                path: table.path,
                expected,
                found,
            });
        }
        match features {
            Features::None => Err(table.wrong(TableProblem::OnlyLabels)),
            Features::Columns(columns) => {
                let mut problems = Vec::new();
                let mut read = Vec::with_capacity(columns.len());
                let mut notes = Vec::new();
                for (column, source) in columns.into_iter().zip(&self.sources) {
                    let rows = column.len();
                    if column.is_dates() != source.dates && !column.is_empty() {
                        let (expected, found) = if source.dates {
                            ("dates", "something else")
                        } else {
                            ("no dates", "dates")
                        };
                        problems.push(ColumnProblem {
                            message: format!(
                                "column {:?}: expected {expected}, as in the first file, found {found}",
                                cut(&source.name)
                            ),
                            column: source.name.clone(),
                            remedy: ColumnRemedy::Ignore,
                        });
                        continue;
                    }
                    match (column.contents(), &source.categories) {
                        (Ok(Contents::Numbers(values)), None) => read.push(Read::Numbers(values)),
                        (Ok(Contents::Categories { names, rows }), Some(known)) => {
                            let (texts, note) = renumbered(&source.name, &names, &rows, known);
                            read.push(Read::Texts(texts));
                            notes.extend(note);
                        }
                        (Ok(Contents::Nothing), None) => {
                            read.push(Read::Numbers(vec![f64::NAN; rows]));
                        }
                        (Ok(Contents::Nothing), Some(_)) => {
                            read.push(Read::Texts(vec![NO_TEXT; rows]));
                        }
                        (Ok(_), _) => problems.push(ColumnProblem {
                            message: format!(
                                "column {:?}: expected {}",
                                cut(&source.name),
                                if source.categories.is_some() {
                                    "texts, as in the first file, found numbers"
                                } else {
                                    "numbers, as in the first file, found texts"
                                }
                            ),
                            column: source.name.clone(),
                            remedy: ColumnRemedy::IgnoreOrCategory,
                        }),
                        (Err(trouble), _) => {
                            problems.extend(problem(&table, &source.name, &trouble));
                        }
                    }
                }
                if !problems.is_empty() {
                    return Err(table.wrong(TableProblem::Columns { columns: problems }));
                }
                table.notes.extend(notes);
                let used = Used::of_columns(&table, &self.names(), &read, &labelled, self.missing)?;
                self.columns(&read, used, table)
            }
            Features::Matrix(mut matrix) => {
                matrix.match_pixels(self.pixels);
                let used = Used::of_matrix(&table, &matrix, &labelled, self.missing)?;
                self.matrix(matrix, used, table)
            }
        }
    }

    /// The scaling of each feature; none for pixels that stay as they are.
    #[must_use]
    pub fn scaling(&self) -> Option<&[ColumnScale]> {
        (!self.pixels || !self.scaling.is_empty()).then_some(&self.scaling)
    }

    fn leave_unscaled(&mut self, policy: &Policy) {
        if policy.scale == Some(Scale::None) {
            let scaling = std::mem::take(&mut self.scaling);
            self.scaling = scaling.into_iter().map(ColumnScale::unscaled).collect();
        }
    }

    /// The names of the columns that features are made of.
    #[must_use]
    pub fn source_names(&self) -> Vec<String> {
        self.names()
    }

    /// The columns that are left out, because they only number the rows.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The columns of texts.
    pub(crate) fn categories(&self) -> impl Iterator<Item = &String> {
        let sources = self.sources.iter();
        sources
            .filter(|source| source.categories.is_some())
            .map(|source| &source.name)
    }

    /// What a person should know about the columns of the first table.
    pub(crate) fn notes(&self) -> &[ReadNote] {
        &self.notes
    }

    fn names(&self) -> Vec<String> {
        self.sources
            .iter()
            .map(|source| source.name.clone())
            .collect()
    }

    /// What each column of the first table is. All problems are told at once.
    fn read_first(
        &mut self,
        columns: Vec<super::column::Column>,
        table: &Table,
        policy: &Policy,
    ) -> Result<Vec<Read>, Error> {
        let mut problems = Vec::new();
        let mut read = Vec::with_capacity(columns.len());
        let mut notes = Vec::new();
        for column in columns {
            let name = column.name.clone();
            let keep = policy.keep.contains(&name);
            let dates = column.is_dates();
            match column.contents() {
                Ok(Contents::Numbers(values)) => {
                    if !keep && let Some(note) = look::index(&name, &values, dates) {
                        notes.push(note);
                        self.left_out.push(name);
                        continue;
                    }
                    self.sources.push(Source {
                        name,
                        dates,
                        categories: None,
                    });
                    read.push(Read::Numbers(values));
                }
                Ok(Contents::Categories { names, rows }) => {
                    // In the order of the texts, whatever their order in the file.
                    let mut sorted = names.clone();
                    sorted.sort();
                    let (texts, _) = renumbered(&name, &names, &rows, &sorted);
                    self.sources.push(Source {
                        name,
                        dates: false,
                        categories: Some(sorted),
                    });
                    read.push(Read::Texts(texts));
                }
                Ok(Contents::Nothing) => problems.push(nothing(&name)),
                Err(Trouble::Names) if !keep => {
                    notes.push(look::names(&name));
                    self.left_out.push(name);
                }
                Err(trouble) => problems.extend(problem(table, &name, &trouble)),
            }
        }
        if !problems.is_empty() {
            return Err(table.wrong(TableProblem::Columns { columns: problems }));
        }
        if read.is_empty() {
            let columns = format!("{}: they only number the rows", listed(&self.left_out));
            return Err(table.wrong(TableProblem::NoFeatures { columns }));
        }
        self.notes = notes;
        Ok(read)
    }

    /// The features and their scaling.
    fn learn(&mut self, read: &[Read], used: &Used, table: &Table) -> Result<(), Error> {
        let mut problems = Vec::new();
        for (number, (column, source)) in read.iter().zip(&self.sources).enumerate() {
            match (column, &source.categories) {
                (Read::Numbers(_), _) | (_, None) => {
                    self.features.push(Feature::Number(number));
                }
                (Read::Texts(_), Some(categories)) => {
                    let all = 0..categories.len() as u32;
                    self.features
                        .extend(all.map(|text| Feature::Category(number, text)));
                }
            }
            if self.missing == Missing::Indicator && used.missing[number] > 0 {
                self.features.push(Feature::Missing(number));
            }
        }
        for &feature in &self.features {
            let name = self.feature_name(feature);
            match of_column(name.clone(), &used.fitted, |row| value(feature, read, row)) {
                Some(scale) => self.scaling.push(scale),
                None => problems.push(nothing(&name)),
            }
        }
        if problems.is_empty() {
            let mut notes = std::mem::take(&mut self.notes);
            notes.extend(look::columns(read, &self.names(), table, &used.fitted));
            self.notes = notes;
            Ok(())
        } else {
            Err(table.wrong(TableProblem::Columns { columns: problems }))
        }
    }

    fn feature_name(&self, feature: Feature) -> String {
        match feature {
            Feature::Number(column) => self.sources[column].name.clone(),
            Feature::Category(column, text) => {
                let source = &self.sources[column];
                let text = source.categories.as_ref().map(|all| &all[text as usize]);
                format!("{}={}", source.name, text.map_or("", String::as_str))
            }
            Feature::Missing(column) => format!("{} is missing", self.sources[column].name),
        }
    }

    fn columns(&self, read: &[Read], used: Used, table: Table) -> Result<Prepared, Error> {
        let width = self.features.len();
        let numbers = used.rows.len().saturating_mul(width);
        // Each category is a column of its own.
        let room = Room::default().ask(4 * numbers as u64);
        room.map_err(|full| TableProblem::from(full).at(&table.path))?;
        let mut values = vec![0.0_f32; numbers];
        for (position, (&feature, scale)) in self.features.iter().zip(&self.scaling).enumerate() {
            for (index, &row) in used.rows.iter().enumerate() {
                let value = value(feature, read, row);
                let standard = standardised(value, scale);
                if !standard.is_finite() {
                    return Err(out_of_reach(&table, row, value, scale));
                }
                values[index * width + position] = standard;
            }
        }
        Ok(used.prepared(FeatureValues::Dense(values.into()), width, None, table))
    }

    fn matrix(&self, matrix: Matrix, used: Used, table: Table) -> Result<Prepared, Error> {
        let width = matrix.width;
        let scale = |row: usize, column: usize, value: f64| {
            let Some(scale) = self.scaling.get(column) else {
                return Ok(value as f32);
            };
            let standard = standardised(value, scale);
            if standard.is_finite() {
                Ok(standard)
            } else {
                Err(out_of_reach(&table, row, value, scale))
            }
        };
        let features = match matrix.values {
            Numbers::F32(mut values) => {
                // In place: a row moves only forward.
                for (index, &row) in used.rows.iter().enumerate() {
                    for column in 0..width {
                        let value = f64::from(values[row * width + column]);
                        values[index * width + column] = scale(row, column, value)?;
                    }
                }
                values.truncate(used.rows.len() * width);
                FeatureValues::Dense(values.into())
            }
            Numbers::F64(values) => {
                let mut standard = Vec::with_capacity(used.rows.len() * width);
                for &row in &used.rows {
                    for column in 0..width {
                        standard.push(scale(row, column, values[row * width + column])?);
                    }
                }
                FeatureValues::Dense(standard.into())
            }
            Numbers::Sparse(values) => {
                let mut standard = Sparse {
                    starts: vec![0],
                    ..Sparse::default()
                };
                for &row in &used.rows {
                    let (columns, values) = values.row(row);
                    for (&column, &value) in columns.iter().zip(values) {
                        let value = if value.is_nan() { 0.0 } else { value };
                        standard.columns.push(column);
                        standard
                            .values
                            .push(scale(row, column as usize, f64::from(value))?);
                    }
                    standard.starts.push(standard.columns.len());
                }
                FeatureValues::of(standard, width)
            }
        };
        Ok(used.prepared(features, width, matrix.image, table))
    }
}

/// A feature of a row; NaN where missing.
fn value(feature: Feature, read: &[Read], row: usize) -> f64 {
    match feature {
        Feature::Number(column) => match &read[column] {
            Read::Numbers(values) => values[row],
            Read::Texts(_) => f64::NAN,
        },
        Feature::Category(column, text) => match &read[column] {
            Read::Texts(texts) if texts[row] == NO_TEXT => f64::NAN,
            Read::Texts(texts) => f64::from(texts[row] == text),
            Read::Numbers(_) => f64::NAN,
        },
        Feature::Missing(column) => f64::from(read[column].is_missing(row)),
    }
}

/// Texts by their number in the first table, and how many it does not have.
fn renumbered(
    column: &str,
    names: &[String],
    rows: &[u32],
    known: &[String],
) -> (Vec<u32>, Option<ReadNote>) {
    let numbers: HashMap<&String, u32> = known.iter().zip(0..).collect();
    let of: Vec<u32> = names
        .iter()
        .map(|name| numbers.get(name).copied().unwrap_or(UNKNOWN_TEXT))
        .collect();
    let texts: Vec<u32> = rows
        .iter()
        .map(|&row| {
            if row == NO_TEXT {
                NO_TEXT
            } else {
                of[row as usize]
            }
        })
        .collect();
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !numbers.contains_key(name))
        .cloned()
        .collect();
    let count = texts.iter().filter(|&&text| text == UNKNOWN_TEXT).count();
    let note = (!unknown.is_empty()).then(|| ReadNote {
        kind: "unknown_category",
        column: Some(column.to_owned()),
        count,
        message: format!(
            "column {column:?}: {count} cells have a text that the first file does not have ({}): none of the features of this column is set",
            listed(&unknown)
        ),
    });
    (texts, note)
}
