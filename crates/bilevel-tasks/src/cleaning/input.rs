//! From files to training, trusted and test rows.

mod rows;
mod tables;

use std::path::Path;

use bilevel::Key;

use rows::{draw, of_rows};
use tables::Files;

use super::findings::Findings;
use super::problem::CleaningProblem;
use super::specification::DataSpecification;
use super::split::{CleaningData, Split};
use crate::Error;
use crate::corruption::Corruption;
use crate::data::digits::digits;
use crate::data::idx::read_idx;
use crate::data::table::{ColumnScale, is_npy};
use crate::data::{Dataset, numbered_classes};

/// The digits: rows by default.
const DIGITS: Split = Split {
    train: 1000,
    trusted: 297,
    test: 500,
};
const DIGITS_CORRUPT: f64 = 0.5;

/// The data to clean.
pub(super) struct Input {
    pub(super) data: CleaningData,
    pub(super) corruption: Option<Corruption>,
    /// How features were standardised, if they were.
    pub(super) scaling: Option<Vec<ColumnScale>>,
    /// Names of the rows, by row number of the source.
    pub(super) ids: Option<Vec<String>>,
    pub(super) findings: Findings,
}

/// Where the rows come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'a> {
    Digits,
    Table(&'a Path),
    Npy {
        features: &'a Path,
        labels: &'a Path,
    },
    Idx {
        images: &'a Path,
        labels: &'a Path,
    },
}

impl<'a> Source<'a> {
    pub(super) fn of(given: &'a DataSpecification) -> Self {
        let labels = given.labels.as_deref();
        if let Some(data) = &given.table {
            Self::Table(data)
        } else if let Some((features, labels)) = given.features.as_deref().zip(labels) {
            Self::Npy { features, labels }
        } else if let Some((images, labels)) = given.images.as_deref().zip(labels) {
            Self::Idx { images, labels }
        } else {
            Self::Digits
        }
    }

    /// The noun for its rows, after a number.
    pub(super) fn rows_text(self) -> String {
        match self {
            Self::Digits => "images of handwritten digits (they come with the program)".to_owned(),
            Self::Idx { .. } => "images".to_owned(),
            Self::Table(file) | Self::Npy { features: file, .. } => {
                format!("rows of {}", file.display())
            }
        }
    }

    /// The key of its file.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Digits => None,
            Self::Table(_) => Some("table"),
            Self::Npy { .. } => Some("features"),
            Self::Idx { .. } => Some("images"),
        }
    }
}

/// Rejects keys of another source.
fn check_source(given: &DataSpecification, source: Source<'_>) -> Result<(), Error> {
    let table = matches!(source, Source::Table(_));
    let npy = matches!(source, Source::Npy { .. });
    let idx = matches!(source, Source::Idx { .. });
    // NPY files have no column names, but the table of their labels has.
    let named = table
        || [&given.labels, &given.trusted_labels, &given.test_labels]
            .into_iter()
            .flatten()
            .any(|labels| npy && !is_npy(labels));
    let a = given;
    let tables: &'static [&'static str] = &["table"];
    for (key, given, fits, belongs) in [
        ("label", a.label.is_some(), named, tables),
        ("id", a.id.is_some(), named, tables),
        ("trusted_column", a.trusted_column.is_some(), named, tables),
        ("ignore", !a.ignore.is_empty(), table, tables),
        ("trusted", a.trusted.is_some(), table, tables),
        ("test", a.test.is_some(), table, tables),
        (
            "missing",
            a.missing.is_some(),
            table || npy,
            &["table", "features"],
        ),
        (
            "labels",
            a.labels.is_some(),
            npy || idx,
            &["features", "images"],
        ),
        (
            "trusted_features",
            a.trusted_features.is_some(),
            npy,
            &["features"],
        ),
        (
            "test_features",
            a.test_features.is_some(),
            npy,
            &["features"],
        ),
        ("test_images", a.test_images.is_some(), idx, &["images"]),
        (
            "test_labels",
            a.test_labels.is_some(),
            a.test_features.is_some() || a.test_images.is_some(),
            &["test_features", "test_images"],
        ),
    ] {
        if given && !fits {
            let source = source.key();
            return Err(CleaningProblem::OtherSource {
                key,
                source,
                belongs,
            }
            .into());
        }
    }
    Ok(())
}

/// Rejects keys that exclude each other, and keys that need another one.
fn check_keys(a: &DataSpecification) -> Result<(), Error> {
    let sources = [
        ("table", a.table.is_some()),
        ("features", a.features.is_some()),
        ("images", a.images.is_some()),
    ];
    let trust = [
        ("trusted", a.trusted.is_some()),
        ("trusted_column", a.trusted_column.is_some()),
        ("trusted_features", a.trusted_features.is_some()),
        ("trusted_rows", a.trusted_rows.is_some()),
    ];
    for group in [&sources[..], &trust] {
        let mut given = group.iter().filter(|(_, given)| *given);
        if let (Some(&(one, _)), Some(&(other, _))) = (given.next(), given.next()) {
            return Err(CleaningProblem::Exclusive { keys: [one, other] }.into());
        }
    }
    for (key, given, needs, there) in [
        (
            "features",
            a.features.is_some(),
            "labels",
            a.labels.is_some(),
        ),
        ("images", a.images.is_some(), "labels", a.labels.is_some()),
        (
            "trusted_features",
            a.trusted_features.is_some(),
            "trusted_labels",
            a.trusted_labels.is_some(),
        ),
        (
            "trusted_labels",
            a.trusted_labels.is_some(),
            "trusted_features",
            a.trusted_features.is_some(),
        ),
        (
            "test_features",
            a.test_features.is_some(),
            "test_labels",
            a.test_labels.is_some(),
        ),
        (
            "test_images",
            a.test_images.is_some(),
            "test_labels",
            a.test_labels.is_some(),
        ),
    ] {
        if given && !there {
            return Err(CleaningProblem::Needs { key, needs }.into());
        }
    }
    Ok(())
}

impl Input {
    pub(super) fn read(given: &DataSpecification, key: Key) -> Result<Self, Error> {
        let source = Source::of(given);
        check_keys(given)?;
        check_source(given, source)?;
        let rate = match source {
            Source::Digits => Some(given.corrupt.unwrap_or(DIGITS_CORRUPT)),
            _ => given.corrupt,
        };
        if rate.is_none() && given.corruption.is_some() {
            return Err(CleaningProblem::NoRate.into());
        }
        let corruption = rate.map(|rate| Corruption {
            kind: given.corruption.unwrap_or_default(),
            rate,
        });
        let rows = match source {
            Source::Digits => embedded(given, corruption.as_ref(), key)?.into(),
            Source::Idx { images, labels } => {
                idx(given, (images, labels), corruption.as_ref(), key)?.into()
            }
            Source::Table(features) => {
                let labels = None;
                let files = Files { features, labels };
                tables::read(given, files, corruption.as_ref(), key)?
            }
            Source::Npy { features, labels } => {
                let labels = Some(labels);
                let files = Files { features, labels };
                tables::read(given, files, corruption.as_ref(), key)?
            }
        };
        Ok(Self {
            findings: Findings::new(&rows.data, rows.missing, rows.scaling.as_deref()),
            data: rows.data,
            corruption,
            scaling: rows.scaling,
            ids: rows.ids,
        })
    }
}

fn embedded(
    given: &DataSpecification,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Error> {
    let source = digits();
    let train = given.train_rows.unwrap_or(DIGITS.train);
    let trusted = given.trusted_rows.unwrap_or(DIGITS.trusted);
    // Fewer test rows if the other parts take more than by default.
    let rest = source.rows().saturating_sub(train.saturating_add(trusted));
    let test = DIGITS.test.min(rest);
    let split = Split {
        train,
        trusted,
        test,
    };
    CleaningData::draw(&source, split, corruption, key).map_err(|error| {
        let keys = vec![("train_rows", None), ("trusted_rows", None)];
        of_rows(keys, None, error)
    })
}

fn idx(
    given: &DataSpecification,
    (images, labels): (&Path, &Path),
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Error> {
    let trusted = given.trusted_rows.ok_or(CleaningProblem::NoTrust {
        keys: &[("trusted_rows", "N (how many rows, drawn at random)")],
    })?;
    let mut source = read_idx(images, labels, None)?;
    source
        .expect_two_classes()
        .map_err(|error| of_rows(Vec::new(), Some(labels), error))?;
    let mut test = given
        .test_images
        .as_deref()
        .zip(given.test_labels.as_deref())
        .map(|(images, labels)| read_idx(images, labels, None))
        .transpose()?;
    if let Some(rows) = &mut test {
        let classes = numbered_classes(source.classes().max(rows.classes()));
        let named = |data: &Dataset| data.clone().with_class_names(classes.clone());
        source = named(&source)?;
        *rows = named(rows)?;
    }
    let data = draw(given, &source, trusted, images, corruption, key)?;
    match test {
        None => Ok(data),
        Some(test) => data.with_test(test).map_err(|error| {
            let source = Box::new(error);
            CleaningProblem::Of {
                key: "test_images",
                source,
            }
            .into()
        }),
    }
}
