//! Labels that are missing, spelled in several ways, or in one file only.

use std::path::{Path, PathBuf};

use super::examples::examples;
use super::warning::Warning;
use crate::count::{are, count};
use crate::data::labels::{Alike, Classes, Labels};
use crate::data::preparation::Prepared;

/// What was found in the labels of all files.
#[derive(Default)]
pub(in super::super) struct LabelsFound {
    merged: Vec<Alike>,
    alike: Vec<Alike>,
    only_elsewhere: Vec<(String, PathBuf)>,
    missing: Vec<Missing>,
}

/// Labels that are missing in a file.
struct Missing {
    file: PathBuf,
    texts: Vec<(String, usize)>,
    rows: usize,
    /// Whether these are the rows to clean.
    first: bool,
}

impl LabelsFound {
    pub(in super::super) fn new<'a>(
        found: &Classes,
        files: impl Iterator<Item = (&'a Path, &'a Prepared)>,
    ) -> Self {
        let missing = files.enumerate().filter_map(|(number, (file, prepared))| {
            let texts = prepared.missing.labels.clone();
            (!texts.is_empty()).then(|| Missing {
                file: file.to_owned(),
                texts,
                rows: prepared.labels().map_or(0, Labels::rows),
                first: number == 0,
            })
        });
        Self {
            merged: found.merged.clone(),
            alike: found.alike.clone(),
            only_elsewhere: found.only_elsewhere.clone(),
            missing: missing.collect(),
        }
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let missing = self.missing.iter().map(|missing| {
            let rows = missing.texts.iter().map(|(_, rows)| rows).sum();
            let texts = missing.texts.iter().map(|(text, _)| match text.as_str() {
                "" => "empty".to_owned(),
                text => format!("{text:?}"),
            });
            let texts = examples(texts.collect::<Vec<_>>().into_iter());
            let done = if missing.first {
                "such rows are not trained on, and scores.csv has a suggestion for each"
            } else {
                "such rows are left out"
            };
            let message = format!(
                "{}: {} of {} {} missing ({texts}): {done}",
                missing.file.display(),
                count(rows, "label"),
                missing.rows,
                are(rows)
            );
            Warning::new("missing_labels", rows, message)
        });
        let rows = |alike: &Alike| alike.spellings.iter().map(|(_, rows)| rows).sum();
        let merged = self.merged.iter().map(|alike| {
            let message = format!(
                "labels with several spellings are one class: {}",
                alike.text()
            );
            Warning::new("label_spellings", rows(alike), message)
        });
        let alike = self.alike.iter().map(|alike| {
            let message = format!(
                "labels that look the same are different classes, and may be wrong labels: {} (`merge_labels` makes them one class)",
                alike.text()
            );
            Warning::new("labels_alike", rows(alike), message)
        });
        let elsewhere = self.only_elsewhere.iter().map(|(class, file)| {
            let message = format!(
                "only {} has the label {class:?}: rows that should have it have another",
                file.display()
            );
            Warning::new("class_only_elsewhere", 1, message)
        });
        missing
            .chain(merged)
            .chain(alike)
            .chain(elsewhere)
            .collect()
    }
}
