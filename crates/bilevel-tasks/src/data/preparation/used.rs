//! Which rows of a table are used.

use super::missing::{Missing, MissingFound};
use super::prepared::Prepared;
use super::read::Read;
use crate::Error;
use crate::data::image_shape::ImageShape;
use crate::data::labels::Labels;
use crate::data::problem::{ColumnProblem, ColumnRemedy, TableProblem, listed};
use crate::data::sparse::FeatureValues;
use crate::data::table::{Matrix, Numbers, Table};

/// Which rows have a label; all, if the labels are not here.
pub(super) fn labelled(table: &Table) -> Vec<bool> {
    match &table.labels {
        Some(labels) => labels.present(),
        None => vec![true; table.rows],
    }
}

/// The rows that are used.
pub(super) struct Used {
    pub(super) rows: Vec<usize>,
    /// Those of them that have a label: scaling is learned from these.
    pub(super) fitted: Vec<usize>,
    found: MissingFound,
    /// By column: missing cells.
    pub(super) missing: Vec<usize>,
    /// By column: other cells.
    pub(super) there: Vec<usize>,
}

impl Used {
    pub(super) fn of_columns(
        table: &Table,
        names: &[String],
        read: &[Read],
        labelled: &[bool],
        policy: Missing,
    ) -> Result<Self, Error> {
        let mut gaps = vec![0_u32; table.rows];
        let mut missing = vec![0; read.len()];
        let mut first: Option<(usize, usize)> = None;
        for (number, column) in read.iter().enumerate() {
            for (row, gaps) in gaps.iter_mut().enumerate() {
                if column.is_missing(row) {
                    *gaps += 1;
                    missing[number] += 1;
                    first = Some(first.map_or((row, number), |first| first.min((row, number))));
                }
            }
        }
        Self::new(table, names, &gaps, missing, first, (labelled, policy))
    }

    pub(super) fn of_matrix(
        table: &Table,
        matrix: &Matrix,
        labelled: &[bool],
        policy: Missing,
    ) -> Result<Self, Error> {
        let width = matrix.width;
        let mut gaps = vec![0_u32; table.rows];
        let mut missing = vec![0; width];
        let mut first = None;
        let mut infinite = None;
        let mut see = |row: usize, column: usize, value: f64| {
            if value.is_nan() {
                gaps[row] += 1;
                missing[column] += 1;
                first.get_or_insert((row, column));
            } else if value.is_infinite() {
                infinite.get_or_insert((row, column, value));
            }
        };
        match &matrix.values {
            Numbers::F32(values) => {
                for (place, &value) in values.iter().enumerate().filter(|(_, v)| !v.is_finite()) {
                    see(place / width, place % width, f64::from(value));
                }
            }
            Numbers::F64(values) => {
                for (place, &value) in values.iter().enumerate().filter(|(_, v)| !v.is_finite()) {
                    see(place / width, place % width, value);
                }
            }
            Numbers::Sparse(sparse) => {
                for row in 0..table.rows {
                    let (columns, values) = sparse.row(row);
                    for (&column, &value) in columns.iter().zip(values) {
                        see(row, column as usize, f64::from(value));
                    }
                }
            }
        }
        let name = |column: usize| matrix.name(column);
        if let Some((row, column, value)) = infinite {
            return Err(table.wrong(TableProblem::Infinite {
                place: table.place(row, Some(name(column))),
                found: value.to_string(),
            }));
        }
        // Names only where they are needed: a matrix may be wide.
        let names: Vec<String> = if first.is_some() {
            (0..width).map(name).collect()
        } else {
            Vec::new()
        };
        Self::new(table, &names, &gaps, missing, first, (labelled, policy))
    }

    fn new(
        table: &Table,
        names: &[String],
        gaps: &[u32],
        missing: Vec<usize>,
        first: Option<(usize, usize)>,
        (labelled, policy): (&[bool], Missing),
    ) -> Result<Self, Error> {
        let with_gaps = gaps.iter().filter(|&&gaps| gaps > 0).count();
        let found = MissingFound {
            cells: missing.iter().sum(),
            rows: with_gaps,
            columns: names
                .iter()
                .cloned()
                .zip(missing.iter().copied())
                .filter(|(_, cells)| *cells > 0)
                .collect(),
            labels: table.labels.as_ref().map_or_else(Vec::new, Labels::missing),
        };
        if let (Missing::Error, Some((row, column))) = (policy, first) {
            let columns: Vec<_> = found.columns.into_iter().map(|(name, _)| name).collect();
            let place = table.place(row, Some(names[column].clone()));
            return Err(table.wrong(TableProblem::Columns {
                columns: vec![ColumnProblem {
                    column: names[column].clone(),
                    message: format!(
                        "{place}: expected a value, found a missing one; missing cells: {}, in {with_gaps} of {} rows, in columns {}",
                        found.cells,
                        table.rows,
                        listed(&columns)
                    ),
                    remedy: ColumnRemedy::Missing,
                }],
            }));
        }
        let rows: Vec<usize> = (0..table.rows)
            .filter(|&row| policy != Missing::Drop || gaps[row] == 0)
            .collect();
        if rows.is_empty() {
            return Err(table.wrong(TableProblem::AllDropped { of: table.rows }));
        }
        let fitted: Vec<usize> = rows.iter().copied().filter(|&row| labelled[row]).collect();
        if fitted.is_empty() {
            let labels = table.labels.as_ref();
            let column = labels.map_or_else(String::new, Labels::column_name);
            return Err(table.wrong(TableProblem::NoLabels { column }));
        }
        Ok(Self {
            there: missing.iter().map(|missing| table.rows - missing).collect(),
            rows,
            fitted,
            found,
            missing,
        })
    }

    pub(super) fn prepared(
        self,
        features: FeatureValues,
        columns: usize,
        image: Option<ImageShape>,
        table: Table,
    ) -> Prepared {
        Prepared {
            features,
            columns,
            image,
            rows: self.rows,
            labels: table.labels,
            missing: self.found,
            notes: table.notes,
        }
    }
}
