//! Rows as read, and rows drawn from them.

use std::path::Path;

use bilevel::Key;

use super::super::findings::Read;
use super::super::problem::CleaningProblem;
use super::super::specification::DataSpecification;
use super::super::split::{CleaningData, Split};
use super::features::Features;
use crate::Error;
use crate::corruption::Corruption;
use crate::data::Dataset;
use crate::data::preparation::ColumnScale;

/// Rows, and what was learned from their tables.
pub(super) struct Rows {
    pub(super) data: CleaningData,
    pub(super) scaling: Option<Vec<ColumnScale>>,
    pub(super) ids: Option<Vec<String>>,
    /// What a person should know about the files.
    pub(super) read: Read,
    /// The noun for the rows, after a number.
    pub(super) text: String,
    /// How the rows of a file became features.
    pub(super) features: Option<Features>,
}

/// Training and trusted rows of one source, drawn at random.
pub(super) fn draw(
    given: &DataSpecification,
    source: &Dataset,
    trusted: usize,
    file: &Path,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Error> {
    let split = Split {
        train: given
            .train_rows
            .unwrap_or(source.rows().saturating_sub(trusted)),
        trusted,
        test: 0,
    };
    CleaningData::draw(source, split, corruption, key).map_err(|error| {
        let keys = vec![
            ("train_rows", Some(split.train)),
            ("trusted_rows", Some(trusted)),
        ];
        of_rows(keys, Some(file), error)
    })
}

/// Describes the requested numbers of rows.
pub(super) fn of_rows(
    keys: Vec<(&'static str, Option<usize>)>,
    file: Option<&Path>,
    error: Error,
) -> Error {
    CleaningProblem::Rows {
        keys,
        file: file.map(Path::to_owned),
        source: Box::new(error),
    }
    .into()
}
