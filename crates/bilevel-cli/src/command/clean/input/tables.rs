//! Tables and NPY features: training, trusted and test rows with the same columns.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use bilevel::Key;
use bilevel_tasks::cleaning::{CleaningData, RowNumbers};
use bilevel_tasks::corruption::Corruption;
use bilevel_tasks::data::Dataset;
use bilevel_tasks::data::table::{
    FeatureColumns, Known, Missing, Preparation, Prepared, Table, TableColumns,
};

use super::super::findings::MissingValues;
use super::{Rows, draw, without_trust};
use crate::arguments::{CleanArguments, MissingName};
use crate::failure::Failure;

/// A file of features, and that of their labels where it is another.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    pub(super) features: &'a Path,
    pub(super) labels: Option<&'a Path>,
}

impl Files<'_> {
    fn read(self, columns: &TableColumns) -> Result<Table, Failure> {
        match self.labels {
            None => Table::read(self.features, columns),
            Some(labels) => Table::read_npy(self.features, labels, columns),
        }
        .map_err(Failure::usage)
    }
}

pub(super) fn read(
    arguments: &CleanArguments,
    first: Files<'_>,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<Rows, Failure> {
    let npy = first.labels.is_some();
    let [trusted, test] = others(arguments, npy);
    let chosen = [
        trusted.is_some(),
        arguments.trusted_column.is_some(),
        arguments.trusted_rows.is_some(),
    ];
    if !chosen.contains(&true) {
        return Err(without_trust(if npy {
            "--trusted-features FILE, --trusted-column COLUMN or --trusted-rows N (drawn at random)"
        } else {
            "--trusted FILE, --trusted-column COLUMN or --trusted-rows N (drawn at random)"
        }));
    }
    let all = [Some(first), trusted, test];
    check_ignored(arguments, all.into_iter().flatten())?;

    let mut columns = TableColumns {
        label: arguments.label.clone(),
        id: arguments.id.clone(),
        trusted: arguments.trusted_column.clone(),
        ignore: arguments.ignore.clone(),
        features: FeatureColumns::Others,
    };
    let table = first.read(&columns)?;
    let policy = match arguments.missing {
        None | Some(MissingName::Error) => Missing::Error,
        Some(MissingName::Mean) => Missing::Mean,
        Some(MissingName::Drop) => Missing::Drop,
    };
    let preparation = Preparation::fit(&table, policy).map_err(Failure::usage)?;
    let prepared = preparation.apply(&table).map_err(Failure::usage)?;
    let ids = table.ids().map(<[String]>::to_vec);
    let flags = table.trusted().map(<[bool]>::to_vec);

    columns.id = table.id_column().map(str::to_owned);
    columns.ignore.extend(columns.trusted.take());
    columns.features = FeatureColumns::Same {
        table: first.features.display().to_string(),
        columns: table.columns().to_vec(),
    };
    // The largest thing here, and not needed any more.
    drop(table);
    let other = |files: Option<Files<'_>>| -> Result<Option<Prepared>, Failure> {
        let Some(files) = files else {
            return Ok(None);
        };
        let table = files.read(&columns)?;
        preparation.apply(&table).map(Some).map_err(Failure::usage)
    };
    let (trusted_rows, test_rows) = (other(trusted)?, other(test)?);
    let read = [
        Some((first.features, &prepared)),
        trusted
            .map(|files| files.features)
            .zip(trusted_rows.as_ref()),
        test.map(|files| files.features).zip(test_rows.as_ref()),
    ];
    let missing = MissingValues::new(arguments.missing, read.into_iter().flatten());

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
    let data = match (trusted_rows, flags, arguments.trusted_rows) {
        (Some(trusted), ..) => {
            let candidates: Vec<usize> = (0..prepared.data.rows()).collect();
            let parts = (trusted.data, test);
            draw_train(
                arguments,
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
            let column = arguments.trusted_column.as_deref().unwrap_or_default();
            if trusted.is_empty() || candidates.is_empty() {
                return Err(Failure::usage(anyhow!(
                    "{}: column {column:?}: expected some rows that are trusted and some that are not, found {} of {} trusted",
                    first.labels.unwrap_or(first.features).display(),
                    trusted.len(),
                    prepared.data.rows()
                )));
            }
            let chosen = prepared.data.select(&trusted).map_err(Failure::usage)?;
            numbers.trusted = trusted.iter().map(|&row| prepared.rows[row]).collect();
            let parts = (chosen, test);
            draw_train(
                arguments,
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
                arguments,
                &prepared.data,
                trusted,
                first.features,
                corruption,
                key,
            )?;
            match test {
                None => data,
                Some(test) => data.with_test(test).map_err(Failure::usage)?,
            }
        }
    };
    Ok(Rows {
        data: data.renumbered(&numbers).map_err(Failure::usage)?,
        scaling: Some(preparation.scaling().to_vec()),
        ids,
        missing: Some(missing),
    })
}

/// Trusted and test rows, and how labels are corrupted.
type Parts<'a> = ((Dataset, Option<Dataset>), Option<&'a Corruption>);

fn draw_train(
    arguments: &CleanArguments,
    prepared: &Prepared,
    first: Files<'_>,
    candidates: &[usize],
    (parts, corruption): Parts<'_>,
    key: Key,
) -> Result<CleaningData, Failure> {
    let count = arguments.train_rows;
    CleaningData::draw_train(&prepared.data, candidates, count, parts, corruption, key)
        .with_context(|| match count {
            Some(count) => format!("--train-rows {count} of {}", first.features.display()),
            None => first.features.display().to_string(),
        })
        .map_err(Failure::usage)
}

/// The files of trusted and test rows.
fn others(arguments: &CleanArguments, npy: bool) -> [Option<Files<'_>>; 2] {
    fn pair<'a>(features: Option<&'a PathBuf>, labels: Option<&'a PathBuf>) -> Option<Files<'a>> {
        Some(Files {
            features: features?,
            labels: Some(labels?),
        })
    }
    let a = arguments;
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

/// A column to leave out must be in one of the tables at least.
fn check_ignored<'a>(
    arguments: &CleanArguments,
    files: impl Iterator<Item = Files<'a>> + Clone,
) -> Result<(), Failure> {
    if arguments.ignore.is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    for file in files {
        let more = Table::column_names(file.features).map_err(Failure::usage)?;
        names.extend(
            more.into_iter()
                .filter(|name| !names.contains(name))
                .collect::<Vec<_>>(),
        );
    }
    match arguments.ignore.iter().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(anyhow!(
            "--ignore {name}: expected a column of the tables, found {}",
            Known::new(name, &names)
        ))),
    }
}
