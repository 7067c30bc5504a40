//! Rows with the same features, as far as they affect cleaning.

use super::super::split::CleaningData;
use crate::data::Dataset;
use crate::data::duplicates::{same_features, shared_rows};
use serde::Serialize;

use super::examples::{examples, limited};
use super::warning::Warning;
use crate::count::count;

/// At most this many groups and pairs in `result.json`; their total is always reported.
const LISTED: usize = 100;

/// Rows with the same features, with their row numbers in the source.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Duplicates {
    /// Training rows with the same features and the same label as another.
    same_label: Groups,
    /// Training rows with the same features as another but a different label.
    other_label: Groups,
    /// Trusted rows with the same features as a training row.
    trusted_in_training: Pairs,
    /// Test rows with the same features as a training row.
    test_in_training: Pairs,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
struct Groups {
    groups: usize,
    rows: usize,
    /// The first of them.
    first: Vec<Vec<LabelledRow>>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
struct Pairs {
    rows: usize,
    /// Those whose labels differ.
    other_label: usize,
    /// The first of them, those with different labels before the others.
    first: Vec<Pair>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
struct LabelledRow {
    row: usize,
    label: String,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
struct Pair {
    /// The trusted or test row.
    this: LabelledRow,
    training: LabelledRow,
}

impl Duplicates {
    pub(super) fn new(data: &CleaningData) -> Self {
        let train = data.train();
        // Labels corrupted on purpose say nothing about the input.
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

    pub(super) fn warnings(&self) -> Vec<Warning> {
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
            let message = format!(
                "{} training rows have the same features and the same label as another: {}",
                self.same_label.rows,
                groups(&self.same_label, rows)
            );
            warnings.push(Warning::new(
                "duplicate_rows",
                self.same_label.rows,
                message,
            ));
        }
        if self.other_label.groups > 0 {
            let message = format!(
                "{} training rows have the same features as another but a different label (some of these labels are wrong, or the features do not determine the label): {}",
                self.other_label.rows,
                groups(&self.other_label, labelled)
            );
            warnings.push(Warning::new(
                "conflicting_rows",
                self.other_label.rows,
                message,
            ));
        }
        for (kind, pairs, what, consequence) in [
            (
                "trusted_in_training",
                &self.trusted_in_training,
                "trusted",
                "such rows count twice",
            ),
            (
                "test_in_training",
                &self.test_in_training,
                "test",
                "accuracy on test rows is overestimated",
            ),
        ] {
            if pairs.rows > 0 {
                let message = format!(
                    "{} {} the same features as a training row, {} of them with a different label; {consequence}: {what} row {}",
                    count(pairs.rows, &format!("{what} row")),
                    if pairs.rows == 1 { "has" } else { "have" },
                    pairs.other_label,
                    limited(pairs.first.iter().map(pair), pairs.rows, "; ")
                );
                warnings.push(Warning::new(kind, pairs.rows, message));
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
