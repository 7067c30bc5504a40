//! From files to training, trusted and test rows.

mod tables;

use std::path::Path;

use anyhow::{Context, anyhow};
use bilevel::Key;
use bilevel_tasks::cleaning::{CleaningData, Split};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::data::idx::read_idx;
use bilevel_tasks::data::table::{ColumnScale, is_npy};
use bilevel_tasks::data::{Dataset, numbered_classes};

use tables::Files;

use super::findings::{Findings, MissingValues};
use crate::arguments::{CleanArguments, CorruptionName};
use crate::failure::Failure;

/// The digits: rows by default.
const DIGITS: Split = Split {
    train: 1000,
    trusted: 297,
    test: 500,
};
const DIGITS_CORRUPT: f64 = 0.5;

/// What is to be cleaned.
pub(crate) struct Input {
    pub(crate) data: CleaningData,
    pub(crate) corruption: Option<Corruption>,
    /// How features were standardised, where they were.
    pub(crate) scaling: Option<Vec<ColumnScale>>,
    /// Names of the rows, by row number of the source.
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) findings: Findings,
}

/// Rows, and what was learned of the tables that they come from.
struct Rows {
    data: CleaningData,
    scaling: Option<Vec<ColumnScale>>,
    ids: Option<Vec<String>>,
    missing: Option<MissingValues>,
}

impl From<CleaningData> for Rows {
    fn from(data: CleaningData) -> Self {
        Self {
            data,
            scaling: None,
            ids: None,
            missing: None,
        }
    }
}

/// Where the rows come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source<'a> {
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
    pub(crate) fn of(arguments: &'a CleanArguments) -> Self {
        let labels = arguments.labels.as_deref();
        if let Some(data) = &arguments.data {
            Self::Table(data)
        } else if let Some((features, labels)) = arguments.features.as_deref().zip(labels) {
            Self::Npy { features, labels }
        } else if let Some((images, labels)) = arguments.images.as_deref().zip(labels) {
            Self::Idx { images, labels }
        } else {
            Self::Digits
        }
    }

    /// Its name in `config.toml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Table(_) => "table",
            Self::Npy { .. } => "npy",
            Self::Idx { .. } => "idx",
        }
    }

    /// What its rows are, after a number.
    pub(crate) fn rows_text(self) -> String {
        match self {
            Self::Digits => {
                "pictures of handwritten digits (they come with the program)".to_owned()
            }
            Self::Idx { .. } => "pictures".to_owned(),
            Self::Table(file) | Self::Npy { features: file, .. } => {
                format!("rows of {}", file.display())
            }
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Digits => "the digits that come with the program",
            Self::Table(_) => "a table",
            Self::Npy { .. } => "--features",
            Self::Idx { .. } => "--images",
        }
    }
}

/// Refuses options of another source.
fn check_options(arguments: &CleanArguments, source: Source<'_>) -> Result<(), Failure> {
    let table = matches!(source, Source::Table(_));
    let npy = matches!(source, Source::Npy { .. });
    let idx = matches!(source, Source::Idx { .. });
    // NPY files have no columns with names, but the table of their labels has.
    let named = table
        || [
            &arguments.labels,
            &arguments.trusted_labels,
            &arguments.test_labels,
        ]
        .into_iter()
        .flatten()
        .any(|labels| npy && !is_npy(labels));
    let a = arguments;
    for (option, given, fits, belongs) in [
        ("--label", a.label.is_some(), named, "a table"),
        ("--id", a.id.is_some(), named, "a table"),
        (
            "--trusted-column",
            a.trusted_column.is_some(),
            named,
            "a table",
        ),
        (
            "--ignore",
            !a.ignore.is_empty(),
            table,
            "a table (bilevel clean FILE)",
        ),
        (
            "--trusted",
            a.trusted.is_some(),
            table,
            "a table (bilevel clean FILE)",
        ),
        (
            "--test",
            a.test.is_some(),
            table,
            "a table (bilevel clean FILE)",
        ),
        (
            "--missing",
            a.missing.is_some(),
            table || npy,
            "a table or --features",
        ),
        (
            "--labels",
            a.labels.is_some(),
            npy || idx,
            "--features or --images",
        ),
        (
            "--trusted-features",
            a.trusted_features.is_some(),
            npy,
            "--features",
        ),
        (
            "--test-features",
            a.test_features.is_some(),
            npy,
            "--features",
        ),
        ("--test-images", a.test_images.is_some(), idx, "--images"),
        (
            "--test-labels",
            a.test_labels.is_some(),
            a.test_features.is_some() || a.test_images.is_some(),
            "--test-features or --test-images",
        ),
    ] {
        if given && !fits {
            return Err(Failure::usage(anyhow!(
                "{option} has no meaning with {}: it belongs to {belongs}",
                source.text()
            )));
        }
    }
    Ok(())
}

impl Input {
    pub(crate) fn read(arguments: &CleanArguments, key: Key) -> Result<Self, Failure> {
        let source = Source::of(arguments);
        check_options(arguments, source)?;
        let rate = match source {
            Source::Digits => Some(arguments.corrupt.unwrap_or(DIGITS_CORRUPT)),
            _ => arguments.corrupt,
        };
        if rate.is_none() && arguments.corruption.is_some() {
            return Err(Failure::usage(anyhow!(
                "--corruption has no meaning without --corrupt: expected the share of the labels to be made wrong, such as --corrupt 0.5"
            )));
        }
        let corruption = rate.map(|rate| Corruption {
            kind: match arguments.corruption {
                None | Some(CorruptionName::Other) => CorruptionKind::Other,
                Some(CorruptionName::Uniform) => CorruptionKind::Uniform,
                Some(CorruptionName::Pairwise) => CorruptionKind::Pairwise,
            },
            rate,
        });
        let rows = match source {
            Source::Digits => embedded(arguments, corruption.as_ref(), key)?.into(),
            Source::Idx { images, labels } => {
                idx(arguments, (images, labels), corruption.as_ref(), key)?.into()
            }
            Source::Table(features) => {
                let labels = None;
                let files = Files { features, labels };
                tables::read(arguments, files, corruption.as_ref(), key)?
            }
            Source::Npy { features, labels } => {
                let labels = Some(labels);
                let files = Files { features, labels };
                tables::read(arguments, files, corruption.as_ref(), key)?
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
    arguments: &CleanArguments,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Failure> {
    let source = digits();
    let train = arguments.train_rows.unwrap_or(DIGITS.train);
    let trusted = arguments.trusted_rows.unwrap_or(DIGITS.trusted);
    // Fewer test rows where the other parts take more than by default.
    let rest = source.rows().saturating_sub(train.saturating_add(trusted));
    let test = DIGITS.test.min(rest);
    let split = Split {
        train,
        trusted,
        test,
    };
    CleaningData::draw(&source, split, corruption, key)
        .context("--train-rows and --trusted-rows of the digits")
        .map_err(Failure::usage)
}

fn idx(
    arguments: &CleanArguments,
    (images, labels): (&Path, &Path),
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Failure> {
    let trusted = arguments
        .trusted_rows
        .ok_or_else(|| without_trust("--trusted-rows N (how many rows, drawn at random)"))?;
    let mut source = read_idx(images, labels, None).map_err(Failure::usage)?;
    source
        .expect_two_classes()
        .with_context(|| labels.display().to_string())
        .map_err(Failure::usage)?;
    let mut test = arguments
        .test_images
        .as_deref()
        .zip(arguments.test_labels.as_deref())
        .map(|(images, labels)| read_idx(images, labels, None))
        .transpose()
        .map_err(Failure::usage)?;
    if let Some(rows) = &mut test {
        let classes = numbered_classes(source.classes().max(rows.classes()));
        let named = |data: &Dataset| data.clone().with_class_names(classes.clone());
        source = named(&source).map_err(Failure::usage)?;
        *rows = named(rows).map_err(Failure::usage)?;
    }
    let data = draw(arguments, &source, trusted, images, corruption, key)?;
    match test {
        None => Ok(data),
        Some(test) => data
            .with_test(test)
            .context("--test-images")
            .map_err(Failure::usage),
    }
}

/// Training and trusted rows of one source, drawn at random.
fn draw(
    arguments: &CleanArguments,
    source: &Dataset,
    trusted: usize,
    file: &Path,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Failure> {
    let split = Split {
        train: arguments
            .train_rows
            .unwrap_or(source.rows().saturating_sub(trusted)),
        trusted,
        test: 0,
    };
    CleaningData::draw(source, split, corruption, key)
        .with_context(|| {
            format!(
                "--train-rows {} and --trusted-rows {trusted} of {}",
                split.train,
                file.display()
            )
        })
        .map_err(Failure::usage)
}

fn without_trust(options: &str) -> Failure {
    Failure::usage(anyhow!(
        "expected {options} to tell which rows have labels that you know to be right; found none, and without them nothing can be learned"
    ))
}
