//! What is odd about the input: said before the run, and kept in `result.json`.

use std::collections::BTreeMap;
use std::path::Path;

use bilevel_tasks::cleaning::CleaningData;
use bilevel_tasks::data::Dataset;
use bilevel_tasks::data::duplicates::{same_features, shared_rows};
use bilevel_tasks::data::table::{ColumnScale, Prepared};
use serde::Serialize;

use crate::arguments::MissingName;

/// Examples in a message.
const SHOWN: usize = 3;
/// Groups and pairs in `result.json`; how many there are is said in any case.
const LISTED: usize = 100;

/// The part of `result.json` about the input.
#[derive(Serialize)]
pub(crate) struct Findings {
    /// None where nothing can be missing, as in images.
    missing: Option<MissingValues>,
    /// Columns whose values are all the same.
    constant_columns: Vec<String>,
    duplicates: Duplicates,
    /// Classes that no trusted row has.
    untrusted_classes: Vec<String>,
    /// All of this that needs a person's attention, in words.
    pub(crate) warnings: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct MissingValues {
    /// `error`, `mean` or `drop`.
    policy: &'static str,
    files: Vec<MissingInFile>,
}

#[derive(Serialize)]
struct MissingInFile {
    file: String,
    rows: usize,
    cells: usize,
    labels: usize,
    columns: BTreeMap<String, usize>,
}

/// Row numbers are those of the source.
#[derive(Serialize)]
struct Duplicates {
    /// Training rows with the features and the label of another.
    same_label: Groups,
    /// Training rows with the features of another and a different label.
    other_label: Groups,
    /// Trusted rows with the features of a training row.
    trusted_in_training: Pairs,
    /// Test rows with the features of a training row.
    test_in_training: Pairs,
}

#[derive(Serialize)]
struct Groups {
    groups: usize,
    rows: usize,
    /// The first of them.
    first: Vec<Vec<LabelledRow>>,
}

#[derive(Serialize)]
struct Pairs {
    rows: usize,
    /// Those whose labels differ.
    other_label: usize,
    /// The first of them, those with different labels before the others.
    first: Vec<Pair>,
}

#[derive(Clone, Serialize)]
struct LabelledRow {
    row: usize,
    label: String,
}

#[derive(Serialize)]
struct Pair {
    /// The trusted or test row.
    this: LabelledRow,
    training: LabelledRow,
}

impl MissingValues {
    /// What was missing in the files that were read.
    pub(crate) fn new<'a>(
        policy: Option<MissingName>,
        files: impl IntoIterator<Item = (&'a Path, &'a Prepared)>,
    ) -> Self {
        Self {
            policy: match policy {
                None | Some(MissingName::Error) => "error",
                Some(MissingName::Mean) => "mean",
                Some(MissingName::Drop) => "drop",
            },
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
                    "drop" => "these rows are left out",
                    _ => "each becomes the mean of its column",
                };
                let labels = match file.labels {
                    0 => String::new(),
                    labels => format!(", and {labels} labels,"),
                };
                let columns: Vec<&String> = file.columns.keys().take(SHOWN).collect();
                let more = if file.columns.len() > SHOWN { ", …" } else { "" };
                format!(
                    "{}: {} cells{labels} are missing in {} rows (columns {columns:?}{more}): {done}",
                    file.file, file.cells, file.rows
                )
            })
            .collect()
    }
}

impl Findings {
    pub(crate) fn new(
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
                "no trusted row has the label {}: rows with such labels will be suspected",
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
    /// What was done about missing values, where there could be any.
    pub(crate) fn missing_policy(&self) -> Option<&'static str> {
        self.missing.as_ref().map(|missing| missing.policy)
    }
}

impl Duplicates {
    fn new(data: &CleaningData) -> Self {
        let train = data.train();
        // Labels that were made wrong on purpose say nothing about the input.
        let labels = data.true_labels().unwrap_or(train.labels());
        let numbers = data.row_numbers();
        let labelled = |row: usize| LabelledRow {
            row: numbers.train[row],
            label: train.class_names()[labels[row] as usize].clone(),
        };
        let mut groups: Vec<Vec<LabelledRow>> = same_features(train)
            .into_iter()
            .map(|rows| {
                let mut group: Vec<_> = rows.into_iter().map(labelled).collect();
                group.sort_by_key(|row| row.row);
                group
            })
            .collect();
        groups.sort_by_key(|group| group[0].row);
        let (same, other) = groups
            .into_iter()
            .partition(|group| group.iter().all(|row| row.label == group[0].label));
        let pairs = |others: &Dataset, numbers: &[usize]| {
            let pair = |(row, other): (usize, usize)| Pair {
                this: LabelledRow {
                    row: numbers[other],
                    label: others.class_names()[others.labels()[other] as usize].clone(),
                },
                training: labelled(row),
            };
            Pairs::new(shared_rows(train, others).into_iter().map(pair).collect())
        };
        Self {
            same_label: Groups::new(same),
            other_label: Groups::new(other),
            trusted_in_training: pairs(data.trusted(), &numbers.trusted),
            test_in_training: data
                .test()
                .map_or_else(|| Pairs::new(Vec::new()), |test| pairs(test, &numbers.test)),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let rows = |group: &Vec<LabelledRow>| examples(group.iter().map(|row| row.row.to_string()));
        let labelled = |group: &Vec<LabelledRow>| {
            examples(
                group
                    .iter()
                    .map(|row| format!("{} ({})", row.row, row.label)),
            )
        };
        let pair = |pair: &Pair| {
            format!(
                "{} ({}) = training row {} ({})",
                pair.this.row, pair.this.label, pair.training.row, pair.training.label
            )
        };
        let mut warnings = Vec::new();
        if self.same_label.groups > 0 {
            warnings.push(format!(
                "{} training rows have the features and the label of another: {}",
                self.same_label.rows,
                groups(&self.same_label, rows)
            ));
        }
        if self.other_label.groups > 0 {
            warnings.push(format!(
                "{} training rows have the features of another and a different label, so that some of these labels are wrong, or the features do not tell: {}",
                self.other_label.rows,
                groups(&self.other_label, labelled)
            ));
        }
        for (pairs, what, consequence) in [
            (&self.trusted_in_training, "trusted", "they count twice"),
            (
                &self.test_in_training,
                "test",
                "accuracy on test rows is flattered",
            ),
        ] {
            if pairs.rows > 0 {
                warnings.push(format!(
                    "{} {what} rows have the features of a training row, {} of them with another label there; {consequence}: {what} row {}",
                    pairs.rows,
                    pairs.other_label,
                    limited(pairs.first.iter().map(pair), pairs.rows, "; ")
                ));
            }
        }
        warnings
    }
}

impl Groups {
    fn new(mut groups: Vec<Vec<LabelledRow>>) -> Self {
        let (count, rows) = (groups.len(), groups.iter().map(Vec::len).sum());
        groups.truncate(LISTED);
        for group in &mut groups {
            group.truncate(LISTED);
        }
        Self {
            groups: count,
            rows,
            first: groups,
        }
    }
}

impl Pairs {
    fn new(mut pairs: Vec<Pair>) -> Self {
        let agrees = |pair: &Pair| pair.this.label == pair.training.label;
        pairs.sort_by_key(|pair| (agrees(pair), pair.this.row));
        let rows = pairs.len();
        let other_label = pairs.iter().filter(|pair| !agrees(pair)).count();
        pairs.truncate(LISTED);
        Self {
            rows,
            other_label,
            first: pairs,
        }
    }
}

fn groups(found: &Groups, text: impl Fn(&Vec<LabelledRow>) -> String) -> String {
    let rows = found
        .first
        .iter()
        .map(|group| format!("rows {}", text(group)));
    limited(rows, found.groups, "; ")
}

fn examples(texts: impl ExactSizeIterator<Item = String>) -> String {
    let count = texts.len();
    limited(texts, count, ", ")
}

/// The first few of `count` texts.
fn limited(texts: impl Iterator<Item = String>, count: usize, separator: &str) -> String {
    let mut shown: Vec<String> = texts.take(SHOWN).collect();
    if count > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(separator)
}
