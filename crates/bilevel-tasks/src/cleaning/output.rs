//! What a job writes besides its folder.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a job writes besides its folder.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct OutputSpecification {
    /// A new file with the rows to check, cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_cleaned: Option<PathBuf>,
    /// What becomes of suspects in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleaned_as: Option<CleanedAs>,
    /// A new file with the model that was trained on the kept rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_model: Option<PathBuf>,
    /// Files of rows that were checked by hand: `review.csv` of earlier runs, with decisions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reviewed: Vec<PathBuf>,
}

/// What becomes of suspects in a cleaned file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanedAs {
    /// They are left out.
    #[default]
    Drop,
    /// They get the suggested label.
    Relabel,
    /// All rows stay, with a column of their weights.
    Weight,
    /// All rows stay, with a column that marks suspects and one of suggested labels.
    Flag,
}

impl OutputSpecification {
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.write_cleaned, &mut self.save_model]
            .into_iter()
            .flatten()
            .chain(&mut self.reviewed)
    }

    /// The new files, with the keys that name them.
    #[must_use]
    pub fn new_files(&self) -> Vec<(&'static str, &PathBuf)> {
        [
            ("write_cleaned", &self.write_cleaned),
            ("save_model", &self.save_model),
        ]
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_ref()?)))
        .collect()
    }
}
