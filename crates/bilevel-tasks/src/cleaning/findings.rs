//! Problems found in the input: reported before the run, and kept in `result.json`.

mod duplicates;
mod examples;
mod labels;
mod warning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::split::CleaningData;
use crate::count::{are, count};
use crate::data::preparation::{ColumnScale, Missing, Prepared};
use crate::data::table::ReadNote;
use duplicates::Duplicates;
use examples::examples;
pub(super) use labels::LabelsFound;
pub use warning::Warning;

/// The part of `result.json` about the input.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Findings {
    /// None if nothing can be missing, as in images.
    missing: Option<MissingValues>,
    /// Constant columns.
    constant_columns: Vec<String>,
    /// Columns that only number the rows.
    left_out_columns: Vec<String>,
    duplicates: Duplicates,
    /// Classes without a trusted row.
    untrusted_classes: Vec<String>,
    /// All findings that need a person's attention.
    pub warnings: Vec<Warning>,
}

/// What was found while the files were read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) missing: Option<MissingValues>,
    pub(super) labels: LabelsFound,
    /// About columns, each with its file.
    pub(super) columns: Vec<(PathBuf, ReadNote)>,
    pub(super) left_out: Vec<String>,
    /// Names that several rows have, and the number of these rows.
    pub(super) ids: Option<(Vec<String>, usize)>,
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
                    labels: prepared.missing.labels.iter().map(|(_, rows)| rows).sum(),
                    columns: prepared.missing.columns.iter().cloned().collect(),
                })
                .collect(),
        }
    }

    fn warnings(&self) -> impl Iterator<Item = Warning> {
        let files = self.files.iter().filter(|file| file.rows > 0);
        files.map(|file| {
            let done = match self.policy {
                Missing::Drop if file.rows == 1 => "it is left out",
                Missing::Drop => "these rows are left out",
                Missing::Error | Missing::Mean => "each becomes the mean of its column",
                Missing::Indicator => {
                    "each becomes the mean of its column, and is marked if the first file lacks cells of this column"
                }
            };
            let columns = examples(file.columns.keys().map(|name| format!("{name:?}")));
            let message = format!(
                "{}: {} {} missing in {} (columns {columns}): {done}",
                file.file,
                count(file.cells, "cell"),
                are(file.cells),
                count(file.rows, "row")
            );
            Warning::new("missing_values", file.cells, message)
        })
    }
}

impl Findings {
    pub(super) fn new(data: &CleaningData, read: Read, scaling: Option<&[ColumnScale]>) -> Self {
        let missing = read.missing;
        let constant_columns: Vec<String> = scaling
            .unwrap_or_default()
            .iter()
            .filter(|column| column.constant)
            .map(|column| column.name.clone())
            .collect();
        let rounded: Vec<&String> = scaling
            .unwrap_or_default()
            .iter()
            .filter(|column| column.rounding)
            .map(|column| &column.name)
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
            .filter(|&(class, _)| present[class] && trusted.rows() > 0)
            .map(|(_, name)| name.clone())
            .collect();

        let mut warnings = read.labels.warnings();
        warnings.extend(missing.iter().flat_map(MissingValues::warnings));
        warnings.extend(read.columns.into_iter().map(|(file, note)| Warning {
            kind: note.kind,
            column: note.column,
            count: note.count,
            message: format!("{}: {}", file.display(), note.message),
        }));
        if let Some((names, rows)) = &read.ids {
            let names = examples(names.iter().map(|name| format!("{name:?}")));
            warnings.push(Warning::new(
                "duplicate_ids",
                *rows,
                format!("{rows} rows share their name with another row: {names}"),
            ));
        }
        if !constant_columns.is_empty() {
            let names = examples(constant_columns.iter().map(|name| format!("{name:?}")));
            warnings.push(Warning::new(
                "constant_column",
                constant_columns.len(),
                format!(
                    "nothing can be learned from columns whose values are all the same: {names}"
                ),
            ));
        }
        if !rounded.is_empty() {
            let names = examples(rounded.iter().map(|name| format!("{name:?}")));
            warnings.push(Warning::new(
                "near_constant",
                rounded.len(),
                format!(
                    "columns whose values differ by no more than the rounding of their digits are taken as constant: {names}"
                ),
            ));
        }
        warnings.extend(duplicates.warnings());
        if !untrusted_classes.is_empty() {
            let names = examples(untrusted_classes.iter().map(|name| format!("{name:?}")));
            warnings.push(Warning::new(
                "untrusted_class",
                untrusted_classes.len(),
                format!(
                    "no trusted row has the label {names}: rows with such labels may be suspected without cause"
                ),
            ));
        }
        Self {
            missing,
            constant_columns,
            left_out_columns: read.left_out,
            duplicates,
            untrusted_classes,
            warnings,
        }
    }
}

impl Findings {
    /// The warnings that a person reads: the first few of each kind; and for each kind with more, how many more.
    #[must_use]
    pub fn shown(&self) -> (Vec<&Warning>, BTreeMap<&'static str, usize>) {
        const MOST: usize = 5;
        let mut of_kind = BTreeMap::new();
        let shown = self.warnings.iter().filter(|warning| {
            let count = of_kind.entry(warning.kind).or_insert(0_usize);
            *count += 1;
            *count <= MOST
        });
        let shown = shown.collect();
        of_kind.retain(|_, count| *count > MOST);
        of_kind.values_mut().for_each(|count| *count -= MOST);
        (shown, of_kind)
    }

    /// How missing values were handled, where there could be any.
    pub(super) fn missing_policy(&self) -> Option<Missing> {
        self.missing.as_ref().map(|missing| missing.policy)
    }
}
