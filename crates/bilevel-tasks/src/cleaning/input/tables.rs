//! Tables and NPY features: training, trusted and test rows with the same columns.

use std::path::{Path, PathBuf};

use bilevel::Key;

use super::super::findings::MissingValues;
use super::super::problem::CleaningProblem;
use super::super::specification::DataSpecification;
use super::super::split::{CleaningData, RowNumbers};
use super::rows::{Rows, draw, of_rows};
use crate::Error;
use crate::corruption::Corruption;
use crate::data::Dataset;
use crate::data::table::{FeatureColumns, Known, Preparation, Prepared, Table, TableColumns};

/// A file of features, and the file of labels if separate.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) features: &'a Path,
    pub(super) labels: Option<&'a Path>,
}

impl Files<'_> {
    fn read(self, columns: &TableColumns) -> Result<Table, Error> {
        match self.labels {
            None => Table::read(self.features, columns),
            Some(labels) => Table::read_npy(self.features, labels, columns),
        }
    }
}

pub(super) fn read(
    given: &DataSpecification,
    first: Files<'_>,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<Rows, Error> {
    let npy = first.labels.is_some();
    let [trusted, test] = others(given, npy);
    let chosen = [
        trusted.is_some(),
        given.trusted_column.is_some(),
        given.trusted_rows.is_some(),
    ];
    if !chosen.contains(&true) {
        return Err(CleaningProblem::NoTrust {
            keys: if npy {
                &[
                    ("trusted_features", "FILE"),
                    ("trusted_column", "COLUMN"),
                    ("trusted_rows", "N (drawn at random)"),
                ]
            } else {
                &[
                    ("trusted", "FILE"),
                    ("trusted_column", "COLUMN"),
                    ("trusted_rows", "N (drawn at random)"),
                ]
            },
        }
        .into());
    }
    let all = [Some(first), trusted, test];
    check_ignored(given, all.into_iter().flatten())?;

    let mut columns = TableColumns {
        label: given.label.clone(),
        id: given.id.clone(),
        trusted: given.trusted_column.clone(),
        ignore: given.ignore.clone(),
        features: FeatureColumns::Others,
    };
    let table = first.read(&columns)?;
    let policy = given.missing.unwrap_or_default();
    let preparation = Preparation::fit(&table, policy)?;
    let prepared = preparation.apply(&table)?;
    let ids = table.ids().map(<[String]>::to_vec);
    let flags = table.trusted().map(<[bool]>::to_vec);

    columns.id = table.id_column().map(str::to_owned);
    columns.ignore.extend(columns.trusted.take());
    columns.features = FeatureColumns::Same {
        table: first.features.display().to_string(),
        columns: table.columns().to_vec(),
    };
    // The largest object here, no longer needed.
    drop(table);
    let other = |files: Option<Files<'_>>| -> Result<Option<Prepared>, Error> {
        let Some(files) = files else {
            return Ok(None);
        };
        let table = files.read(&columns)?;
        preparation.apply(&table).map(Some)
    };
    let (trusted_rows, test_rows) = (other(trusted)?, other(test)?);
    let read = [
        Some((first.features, &prepared)),
        trusted
            .map(|files| files.features)
            .zip(trusted_rows.as_ref()),
        test.map(|files| files.features).zip(test_rows.as_ref()),
    ];
    let missing = MissingValues::new(policy, read.into_iter().flatten());

    let mut numbers = RowNumbers {
        train: prepared.rows.clone(),
        trusted: trusted_rows
            .as_ref()
            .map_or_else(|| prepared.rows.clone(), |rows| rows.rows.clone()),
        test: test_rows
            .as_ref()
            .map_or_else(Vec::new, |rows| rows.rows.clone()),
    };
    let test = test_rows.map(|rows| rows.data);
    let data = match (trusted_rows, flags, given.trusted_rows) {
        (Some(trusted), ..) => {
            let candidates: Vec<usize> = (0..prepared.data.rows()).collect();
            let parts = (trusted.data, test);
            draw_train(
                given,
                &prepared,
                first,
                &candidates,
                (parts, corruption),
                key,
            )?
        }
        (None, Some(flags), _) => {
            let rows = 0..prepared.data.rows();
            let (trusted, candidates): (Vec<_>, Vec<_>) =
                rows.partition(|&row| flags[prepared.rows[row]]);
            let column = given.trusted_column.as_deref().unwrap_or_default();
            if trusted.is_empty() || candidates.is_empty() {
                return Err(CleaningProblem::TrustedColumn {
                    file: first.labels.unwrap_or(first.features).to_owned(),
                    column: column.to_owned(),
                    trusted: trusted.len(),
                    rows: prepared.data.rows(),
                }
                .into());
            }
            let chosen = prepared.data.select(&trusted)?;
            numbers.trusted = trusted.iter().map(|&row| prepared.rows[row]).collect();
            let parts = (chosen, test);
            draw_train(
                given,
                &prepared,
                first,
                &candidates,
                (parts, corruption),
                key,
            )?
        }
        (None, None, trusted) => {
            let trusted = trusted.unwrap_or_default();
            let data = draw(
                given,
                &prepared.data,
                trusted,
                first.features,
                corruption,
                key,
            )?;
            match test {
                None => data,
                Some(test) => data.with_test(test)?,
            }
        }
    };
    Ok(Rows {
        data: data.renumbered(&numbers)?,
        scaling: Some(preparation.scaling().to_vec()),
        ids,
        missing: Some(missing),
    })
}

/// Trusted and test rows, and how labels are corrupted.
type Parts<'a> = ((Dataset, Option<Dataset>), Option<&'a Corruption>);

fn draw_train(
    given: &DataSpecification,
    prepared: &Prepared,
    first: Files<'_>,
    candidates: &[usize],
    (parts, corruption): Parts<'_>,
    key: Key,
) -> Result<CleaningData, Error> {
    let count = given.train_rows;
    CleaningData::draw_train(&prepared.data, candidates, count, parts, corruption, key).map_err(
        |error| {
            let keys = count.map(|count| ("train_rows", Some(count)));
            of_rows(keys.into_iter().collect(), Some(first.features), error)
        },
    )
}

/// The files of trusted and test rows.
fn others(given: &DataSpecification, npy: bool) -> [Option<Files<'_>>; 2] {
    fn pair<'a>(features: Option<&'a PathBuf>, labels: Option<&'a PathBuf>) -> Option<Files<'a>> {
        Some(Files {
            features: features?,
            labels: Some(labels?),
        })
    }
    let a = given;
    if npy {
        [
            pair(a.trusted_features.as_ref(), a.trusted_labels.as_ref()),
            pair(a.test_features.as_ref(), a.test_labels.as_ref()),
        ]
    } else {
        [&a.trusted, &a.test].map(|file| {
            file.as_ref().map(|features| Files {
                features,
                labels: None,
            })
        })
    }
}

/// A column to leave out must exist in at least one of the tables.
fn check_ignored<'a>(
    given: &DataSpecification,
    files: impl Iterator<Item = Files<'a>> + Clone,
) -> Result<(), Error> {
    if given.ignore.is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    for file in files {
        let more = Table::column_names(file.features)?;
        names.extend(
            more.into_iter()
                .filter(|name| !names.contains(name))
                .collect::<Vec<_>>(),
        );
    }
    match given.ignore.iter().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(CleaningProblem::Ignored {
            name: name.clone(),
            known: Known::new(name, &names).to_string(),
        }
        .into()),
    }
}
