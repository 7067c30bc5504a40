//! From tables to compatible data sets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::problem::{Known, listed};
use super::{Table, TableProblem};
use crate::Error;
use crate::data::Dataset;

/// More classes than this must be shared by many rows.
const FEW_CLASSES: usize = 20;

/// How missing values are handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They are an error.
    #[default]
    Error,
    /// A missing feature becomes the mean of its column; a missing label is an error.
    Mean,
    /// Rows with a missing feature or label are left out.
    Drop,
}

/// How a feature column was standardised: (value − mean) / scale.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnScale {
    /// The name of the column.
    pub name: String,
    /// The mean of its values.
    pub mean: f64,
    /// Their standard deviation (of the population), or 1 where all are the same.
    pub scale: f64,
    /// Whether all values are equal, so that the column carries no information.
    pub constant: bool,
}

/// What was missing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MissingFound {
    /// Cells of features.
    pub cells: usize,
    /// Rows without a label.
    pub labels: usize,
    /// Rows with either.
    pub rows: usize,
    /// The feature columns with missing cells, and how many.
    pub columns: Vec<(String, usize)>,
}

/// A data set made from a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// Standardised features, and classes.
    pub data: Dataset,
    /// For each row, the row of the table.
    pub rows: Vec<usize>,
    /// What was missing.
    pub missing: MissingFound,
}

/// What is learned from a first table and applied to it and to others: classes, means for
/// missing values, scaling.
///
/// The classes are the labels of the first table, sorted by value if all are integers, else
/// lexicographically. Every feature is standardised: (value − mean) / standard
/// deviation of the first table's rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Preparation {
    missing: Missing,
    table: String,
    classes: Vec<String>,
    scaling: Vec<ColumnScale>,
}

impl Preparation {
    /// Learns classes, means and scaling from `table`.
    ///
    /// # Errors
    /// Missing values, unless `missing` says how to handle them; a column with only missing
    /// values; labels that are all the same, or nearly all different.
    pub fn fit(table: &Table, missing: Missing) -> Result<Self, Error> {
        let (rows, _) = used(table, missing)?;
        Ok(Self {
            missing,
            table: table.label_path.display().to_string(),
            classes: classes(table, &rows)?,
            scaling: (0..table.columns.len())
                .map(|column| scale(table, &rows, column))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The standardisation of each column.
    #[must_use]
    pub fn scaling(&self) -> &[ColumnScale] {
        &self.scaling
    }

    /// Makes a data set from the first table, or from another with the same columns.
    ///
    /// # Errors
    /// Missing values, unless their handling was chosen; columns that differ from those of
    /// the first table; a label that it does not have; a value so far from its values that it has no
    /// standardised form.
    pub fn apply(&self, table: &Table) -> Result<Prepared, Error> {
        if table.columns.len() != self.scaling.len() {
            return Err(Error::Columns {
                path: table.path.clone(),
                expected: self.scaling.len(),
                found: table.columns.len(),
            });
        }
        let (rows, missing) = used(table, self.missing)?;
        let number: BTreeMap<&str, u32> = (0..)
            .zip(&self.classes)
            .map(|(i, c)| (c.as_str(), i))
            .collect();
        let mut features = Vec::with_capacity(rows.len() * self.scaling.len());
        let mut labels = Vec::with_capacity(rows.len());
        for &row in &rows {
            // Rows without a label have been left out or rejected.
            let label = table.labels.rows[row].map_or("", |label| &table.labels.names[label]);
            labels.push(*number.get(label).ok_or_else(|| {
                table.wrong_label(TableProblem::UnknownLabel {
                    place: table.label_place(row),
                    first: self.table.clone(),
                    found: label.to_owned(),
                    known: Known::new(label, &self.classes),
                })
            })?);
            for (column, (&value, scale)) in table.row(row).iter().zip(&self.scaling).enumerate() {
                let standard = if value.is_nan() {
                    0.0
                } else {
                    ((value - scale.mean) / scale.scale) as f32
                };
                if !standard.is_finite() {
                    return Err(table.wrong(TableProblem::Infinite {
                        place: table.feature_place(row, column),
                        found: format!(
                            "{value:e}, which is out of reach when it is standardised by {} ± {}",
                            scale.mean, scale.scale
                        ),
                    }));
                }
                features.push(standard);
            }
        }
        Ok(Prepared {
            data: Dataset::new(features, self.scaling.len(), labels, self.classes.clone())?,
            rows,
            missing,
        })
    }
}

/// The rows that are not left out, and what is missing.
fn used(table: &Table, policy: Missing) -> Result<(Vec<usize>, MissingFound), Error> {
    let mut found = MissingFound::default();
    let mut columns = vec![0_usize; table.columns.len()];
    let mut rows = Vec::with_capacity(table.rows());
    let (mut first_cell, mut first_label, mut rows_with_cells) = (None, None, 0);
    for row in 0..table.rows() {
        let mut cells = 0;
        for (column, value) in table.row(row).iter().enumerate() {
            if value.is_nan() {
                cells += 1;
                columns[column] += 1;
                first_cell.get_or_insert((row, column));
            }
        }
        let no_label = table.labels.rows[row].is_none();
        if no_label {
            first_label.get_or_insert(row);
        }
        found.cells += cells;
        found.labels += usize::from(no_label);
        found.rows += usize::from(cells > 0 || no_label);
        rows_with_cells += usize::from(cells > 0);
        if policy != Missing::Drop || (cells == 0 && !no_label) {
            rows.push(row);
        }
    }
    let named = table.columns.iter().cloned().zip(columns);
    found.columns = named.filter(|(_, cells)| *cells > 0).collect();
    match (policy, first_label, first_cell) {
        (Missing::Error | Missing::Mean, Some(row), _) => {
            Err(table.wrong_label(TableProblem::MissingLabel {
                place: table.label_place(row),
                rows: found.labels,
                of: table.rows(),
            }))
        }
        (Missing::Error, None, Some((row, column))) => {
            let columns: Vec<_> = found.columns.into_iter().map(|(name, _)| name).collect();
            Err(table.wrong(TableProblem::Missing {
                place: table.feature_place(row, column),
                cells: found.cells,
                rows: rows_with_cells,
                of: table.rows(),
                columns: listed(&columns),
            }))
        }
        (Missing::Drop, ..) if rows.is_empty() => {
            Err(table.wrong(TableProblem::AllDropped { of: table.rows() }))
        }
        _ => Ok((rows, found)),
    }
}

fn classes(table: &Table, rows: &[usize]) -> Result<Vec<String>, Error> {
    let mut present = vec![false; table.labels.names.len()];
    for label in rows.iter().filter_map(|&row| table.labels.rows[row]) {
        present[label] = true;
    }
    let names = table.labels.names.iter().zip(present);
    let mut names: Vec<String> = names
        .filter(|(_, present)| *present)
        .map(|(name, _)| name.clone())
        .collect();
    if names.len() > FEW_CLASSES && 2 * names.len() > rows.len() {
        return Err(table.wrong_label(TableProblem::ManyClasses {
            column: table.label_column.clone(),
            classes: names.len(),
            rows: rows.len(),
        }));
    }
    if let [label] = &names[..] {
        return Err(table.wrong_label(TableProblem::OneClass {
            column: table.label_column.clone(),
            label: label.clone(),
        }));
    }
    let integers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    names.sort();
    if integers.is_some() {
        // Two spellings of one number, such as 1 and 01, remain two classes.
        names.sort_by_key(|name| name.parse::<i64>().ok());
    }
    Ok(names)
}

/// Values are divided by the largest before they are summed, so that no sum overflows.
fn scale(table: &Table, rows: &[usize], column: usize) -> Result<ColumnScale, Error> {
    let values = || {
        rows.iter()
            .map(|&row| table.row(row)[column])
            .filter(|value| !value.is_nan())
    };
    let name = table.columns[column].clone();
    let (count, largest) = values().fold((0_usize, 0.0_f64), |(count, largest), value| {
        (count + 1, largest.max(value.abs()))
    });
    if count == 0 {
        return Err(table.wrong(TableProblem::NoNumbers { column: name }));
    }
    let unit = if largest > 0.0 { largest } else { 1.0 };
    let count = count as f64;
    let mean = values().map(|value| value / unit).sum::<f64>() / count;
    let variance = values()
        .map(|value| (value / unit - mean).powi(2))
        .sum::<f64>()
        / count;
    let deviation = unit * variance.sqrt();
    let constant = !deviation.is_normal();
    Ok(ColumnScale {
        name,
        mean: unit * mean,
        scale: if constant { 1.0 } else { deviation },
        constant,
    })
}
