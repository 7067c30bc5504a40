//! Problems found in the input: reported before the run, and kept in `result.json`.

mod duplicates;
mod examples;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::split::CleaningData;
use crate::count::{are, count};
use crate::data::table::{ColumnScale, Missing, Prepared};
use duplicates::Duplicates;
use examples::examples;

/// The part of `result.json` about the input.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Findings {
    /// None if nothing can be missing, as in images.
    missing: Option<MissingValues>,
    /// Constant columns.
    constant_columns: Vec<String>,
    duplicates: Duplicates,
    /// Classes without a trusted row.
    untrusted_classes: Vec<String>,
    /// All findings that need a person's attention, as sentences.
    pub warnings: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct MissingValues {
    /// How they are handled.
    policy: Missing,
    files: Vec<MissingInFile>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
struct MissingInFile {
    file: String,
    rows: usize,
    cells: usize,
    labels: usize,
    columns: BTreeMap<String, usize>,
}

impl MissingValues {
    /// What was missing in the files.
    pub(super) fn new<'a>(
        policy: Missing,
        files: impl IntoIterator<Item = (&'a Path, &'a Prepared)>,
    ) -> Self {
        Self {
            policy,
            files: files
                .into_iter()
                .map(|(file, prepared)| MissingInFile {
                    file: file.display().to_string(),
                    rows: prepared.missing.rows,
                    cells: prepared.missing.cells,
                    labels: prepared.missing.labels,
                    columns: prepared.missing.columns.iter().cloned().collect(),
                })
                .collect(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let files = self.files.iter().filter(|file| file.rows > 0);
        files
            .map(|file| {
                let done = match self.policy {
                    Missing::Drop if file.rows == 1 => "it is left out",
                    Missing::Drop => "these rows are left out",
                    _ => "each becomes the mean of its column",
                };
                let labels = match file.labels {
                    0 => String::new(),
                    labels => format!(" and {}", count(labels, "label")),
                };
                let columns = examples(file.columns.keys().map(|name| format!("{name:?}")));
                let columns = if columns.is_empty() {
                    columns
                } else {
                    format!(" (columns {columns})")
                };
                let verb = are(file.cells + file.labels);
                format!(
                    "{}: {}{labels} {verb} missing in {}{columns}: {done}",
                    file.file,
                    count(file.cells, "cell"),
                    count(file.rows, "row")
                )
            })
            .collect()
    }
}

impl Findings {
    pub(super) fn new(
        data: &CleaningData,
        missing: Option<MissingValues>,
        scaling: Option<&[ColumnScale]>,
    ) -> Self {
        let constant_columns: Vec<String> = scaling
            .unwrap_or_default()
            .iter()
            .filter(|column| column.constant)
            .map(|column| column.name.clone())
            .collect();
        let duplicates = Duplicates::new(data);
        let trusted = data.trusted();
        let names = trusted.class_names().iter().enumerate();
        let mut present = vec![false; trusted.classes()];
        for labels in [data.train().labels(), data.true_labels().unwrap_or(&[])] {
            labels
                .iter()
                .for_each(|&label| present[label as usize] = true);
        }
        for &label in trusted.labels() {
            present[label as usize] = false;
        }
        let untrusted_classes: Vec<String> = names
            .filter(|&(class, _)| present[class])
            .map(|(_, name)| name.clone())
            .collect();

        let mut warnings = missing
            .as_ref()
            .map_or_else(Vec::new, MissingValues::warnings);
        if !constant_columns.is_empty() {
            warnings.push(format!(
                "nothing can be learned from columns whose values are all the same: {}",
                examples(constant_columns.iter().map(|name| format!("{name:?}")))
            ));
        }
        warnings.extend(duplicates.warnings());
        if !untrusted_classes.is_empty() {
            warnings.push(format!(
                "no trusted row has the label {}: rows with such labels may be suspected without cause",
                examples(untrusted_classes.iter().map(|name| format!("{name:?}")))
            ));
        }
        Self {
            missing,
            constant_columns,
            duplicates,
            untrusted_classes,
            warnings,
        }
    }
}

impl Findings {
    /// How missing values were handled, where there could be any.
    pub(super) fn missing_policy(&self) -> Option<Missing> {
        self.missing.as_ref().map(|missing| missing.policy)
    }
}
