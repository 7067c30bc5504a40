//! From files to training, trusted and test rows.

mod checks;
mod features;
mod files;
mod grouped;
mod rows;

use bilevel::Key;

pub(super) use features::Features;
pub(super) use files::Files;
use rows::{Rows, of_rows};

use super::findings::{Findings, Read};
use super::problem::CleaningProblem;
use super::specification::DataSpecification;
use super::split::{CleaningData, Split};
use crate::Error;
use crate::corruption::Corruption;
use crate::data::digits::digits;
use crate::data::preparation::ColumnScale;

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
    /// The noun for the rows, after a number.
    pub(super) rows_text: String,
    /// How the rows of a file became features.
    pub(super) features: Option<Features>,
}

/// Rejects keys that need a file.
fn check_digits(a: &DataSpecification) -> Result<(), Error> {
    for (key, given) in [
        ("labels", a.labels.is_some()),
        ("label", a.label.is_some()),
        ("id", a.id.is_some()),
        ("annotator", a.annotator.is_some()),
        ("group", a.group.is_some()),
        ("ignore", !a.ignore.is_empty()),
        ("keep", !a.keep.is_empty()),
        ("category", !a.category.is_empty()),
        ("missing", a.missing.is_some()),
        ("scale", a.scale.is_some()),
        ("missing_text", !a.missing_text.is_empty()),
        ("label_text", !a.label_text.is_empty()),
        ("merge_labels", a.merge_labels),
        ("separator", a.separator.is_some()),
        ("decimal", a.decimal.is_some()),
        ("header", a.header.is_some()),
        ("image_size", a.image_size.is_some()),
        ("trusted", a.trusted.is_some()),
        ("trusted_labels", a.trusted_labels.is_some()),
        ("trusted_column", a.trusted_column.is_some()),
        ("test", a.test.is_some()),
        ("test_labels", a.test_labels.is_some()),
    ] {
        if given {
            return Err(CleaningProblem::Digits { key }.into());
        }
    }
    Ok(())
}

/// Rejects keys that exclude each other, and keys that need another one.
fn check_keys(a: &DataSpecification) -> Result<(), Error> {
    let trust = [
        ("trusted", a.trusted.is_some()),
        ("trusted_column", a.trusted_column.is_some()),
        ("trusted_rows", a.trusted_rows.is_some()),
    ];
    let mut given = trust.iter().filter(|(_, given)| *given);
    if let (Some(&(one, _)), Some(&(other, _))) = (given.next(), given.next()) {
        return Err(CleaningProblem::Exclusive { keys: [one, other] }.into());
    }
    for (key, columns) in [("keep", &a.keep), ("category", &a.category)] {
        if let Some(column) = columns.iter().find(|column| a.ignore.contains(column)) {
            let because = format!("column {column:?} is left out");
            return Err(CleaningProblem::Unused { key, because }.into());
        }
        let is_group = |column: &&String| {
            let mut groups = a.annotator.iter().chain(&a.group);
            groups.any(|group| group == *column)
        };
        if let Some(column) = columns.iter().find(is_group) {
            let because = format!("column {column:?} puts rows into groups, and is no feature");
            return Err(CleaningProblem::Unused { key, because }.into());
        }
    }
    for (key, given, needs, there) in [
        ("trusted_labels", &a.trusted_labels, "trusted", &a.trusted),
        ("test_labels", &a.test_labels, "test", &a.test),
    ] {
        if given.is_some() && there.is_none() {
            return Err(CleaningProblem::Needs { key, needs }.into());
        }
    }
    Ok(())
}

impl Input {
    /// Reads the rows. `needs_trusted` says what cannot do without trusted rows, if anything.
    pub(super) fn read(
        given: &DataSpecification,
        needs_trusted: Option<&str>,
        key: Key,
    ) -> Result<Self, Error> {
        check_keys(given)?;
        let names_trusted = given.trusted.is_some()
            || given.trusted_column.is_some()
            || given.trusted_rows.is_some();
        if let Some(what) = needs_trusted.filter(|_| given.file.is_some() && !names_trusted) {
            return Err(CleaningProblem::NoTrust {
                what: what.to_owned(),
                keys: &[
                    ("trusted", "FILE"),
                    ("trusted_column", "COLUMN"),
                    ("trusted_rows", "N (drawn at random)"),
                ],
            }
            .into());
        }
        let rate = match &given.file {
            None => Some(given.corrupt.unwrap_or(DIGITS_CORRUPT)),
            Some(_) => given.corrupt,
        };
        if rate.is_none() && given.corruption.is_some() {
            return Err(CleaningProblem::NoRate.into());
        }
        let corruption = rate.map(|rate| Corruption {
            kind: given.corruption.unwrap_or_default(),
            rate,
        });
        let rows = match &given.file {
            None => {
                check_digits(given)?;
                embedded(given, corruption.as_ref(), key)?
            }
            Some(file) => files::read(given, file, corruption.as_ref(), key)?,
        };
        Ok(Self {
            findings: Findings::new(&rows.data, rows.read, rows.scaling.as_deref()),
            data: rows.data,
            corruption,
            scaling: rows.scaling,
            ids: rows.ids,
            rows_text: rows.text,
            features: rows.features,
        })
    }
}

fn embedded(
    given: &DataSpecification,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<Rows, Error> {
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
    let data = CleaningData::draw(&source, split, corruption, key).map_err(|error| {
        let keys = vec![("train_rows", None), ("trusted_rows", None)];
        of_rows(keys, None, error)
    })?;
    Ok(Rows {
        data,
        scaling: None,
        ids: None,
        read: Read::default(),
        features: None,
        text: "images of handwritten digits (they come with the program)".to_owned(),
    })
}
