//! Columns that look like something other than features.

use std::collections::HashMap;

use super::super::column::NO_TEXT;
use super::super::labels::Labels;
use super::super::problem::listed;
use super::super::table::{ReadNote, Table};
use super::read::Read;

/// Below this number of rows, what numbers look like may be chance.
const FEWEST: usize = 20;
/// The largest share of rows that may differ from the others, in a column that is nearly constant.
const NEARLY: f64 = 0.001;
/// The smallest share of rows in which a column that is nearly a copy of the label says the label.
const COPY: f64 = 0.98;

/// Names of columns that number the rows.
const INDEX_NAMES: [&str; 6] = ["unnamed: 0", "index", "idx", "row", "rowid", "row_id"];

/// Whether a column numbers the rows: integers that increase or decrease from row to row, or that are all different
/// and leave few gaps.
pub(super) fn index(name: &str, values: &[f64], dates: bool) -> Option<ReadNote> {
    let named = INDEX_NAMES.contains(&name.to_lowercase().as_str());
    if values.len() < if named { 3 } else { FEWEST } {
        return None;
    }
    if !values.iter().all(|value| value.fract() == 0.0) {
        return None;
    }
    let increasing = values.windows(2).all(|pair| pair[0] < pair[1]);
    let decreasing = values.windows(2).all(|pair| pair[0] > pair[1]);
    let what = if dates && (increasing || decreasing) {
        "dates in order"
    } else if dates {
        return None;
    } else if increasing {
        "whole numbers that increase from row to row"
    } else if decreasing {
        "whole numbers that decrease from row to row"
    } else if numbers_rows(values) {
        "whole numbers that are all different and nearly without gaps"
    } else {
        return None;
    };
    Some(ReadNote {
        kind: "index_column",
        column: Some(name.to_owned()),
        count: values.len(),
        message: format!(
            "column {name:?} seems to number the rows ({what}), and is left out of the features (`keep` keeps it)"
        ),
    })
}

/// So many different numbers in so small a range are no chance: numbers drawn from it would meet again ten times.
fn numbers_rows(values: &[f64]) -> bool {
    let (low, high) = values
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
    let rows = values.len() as f64;
    if high - low > rows * rows / 20.0 {
        return false;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[0] < pair[1])
}

/// A column of texts that are all different.
pub(super) fn names(name: &str) -> ReadNote {
    ReadNote {
        kind: "index_column",
        column: Some(name.to_owned()),
        count: 0,
        message: format!(
            "column {name:?} names the rows (every row has a text of its own), and is left out of the features (`id` copies it to scores.csv)"
        ),
    }
}

/// Columns that are nearly constant, or nearly a copy of the label.
pub(super) fn columns(
    read: &[Read],
    names: &[String],
    table: &Table,
    rows: &[usize],
) -> Vec<ReadNote> {
    let mut notes = Vec::new();
    if rows.len() < FEWEST {
        return notes;
    }
    let mut nearly: Vec<String> = Vec::new();
    let labels = of_label(table, rows);
    let few = (NEARLY * rows.len() as f64).max(1.0);
    // With more values, a column is neither.
    let classes = labels.as_ref().map_or(0, |(_, counts)| counts.len());
    let most_values = MOST_VALUES.min((few as usize + 1).max(2 * classes));
    for (column, name) in read.iter().zip(names) {
        let Some(counts) = counts(column, rows, most_values) else {
            continue;
        };
        let most = counts.values().copied().max().unwrap_or_default();
        let others = rows.len() - most;
        if others > 0 && others as f64 <= few {
            nearly.push(name.clone());
        }
        if let Some((labels, of_label)) = &labels {
            let different = counts.len();
            notes.extend(copy(column, name, rows, different, (labels, of_label)));
        }
    }
    if !nearly.is_empty() {
        notes.push(ReadNote {
            kind: "near_constant",
            column: (nearly.len() == 1).then(|| nearly[0].clone()),
            count: nearly.len(),
            message: format!(
                "columns that have nearly always the same value: {}",
                listed(&nearly)
            ),
        });
    }
    notes
}

/// More different values than this are not counted.
const MOST_VALUES: usize = 1000;

/// What a cell is, for comparisons.
fn key(column: &Read, row: usize) -> Option<u64> {
    match column {
        Read::Numbers(values) if values[row].is_nan() => None,
        Read::Numbers(values) => Some((values[row] + 0.0).to_bits()),
        Read::Texts(texts) if texts[row] == NO_TEXT => None,
        Read::Texts(texts) => Some(u64::from(texts[row])),
    }
}

/// How often each value occurs; None if there are more.
fn counts(column: &Read, rows: &[usize], most: usize) -> Option<HashMap<u64, usize>> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for &row in rows {
        let Some(key) = key(column, row) else {
            continue;
        };
        *counts.entry(key).or_default() += 1;
        if counts.len() > most {
            return None;
        }
    }
    Some(counts)
}

/// The labels, and how often each occurs; None if there are many.
fn of_label<'t>(table: &'t Table, rows: &[usize]) -> Option<(&'t Labels, HashMap<&'t str, usize>)> {
    let labels = table.labels.as_ref()?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for &row in rows {
        *counts.entry(labels.text(row)).or_default() += 1;
        if counts.len() > MOST_VALUES {
            return None;
        }
    }
    Some((labels, counts))
}

/// Whether each value stands for one label, and each label for one value, in nearly all rows.
fn copy(
    column: &Read,
    name: &str,
    rows: &[usize],
    different: usize,
    (labels, of_label): (&Labels, &HashMap<&str, usize>),
) -> Option<ReadNote> {
    if different < 2 || different > 2 * of_label.len() {
        return None;
    }
    let mut pairs: HashMap<(u64, &str), usize> = HashMap::new();
    for &row in rows {
        if let Some(key) = key(column, row) {
            *pairs.entry((key, labels.text(row))).or_default() += 1;
        }
    }
    let mut best: HashMap<u64, (usize, &str)> = HashMap::new();
    for (&(key, label), &count) in &pairs {
        let known = best.entry(key).or_insert((0, label));
        // The same choice every time, also in a tie.
        if (count, label) > *known {
            *known = (count, label);
        }
    }
    let mut said: Vec<&str> = best.values().map(|(_, label)| *label).collect();
    said.sort_unstable();
    let all = said.len();
    said.dedup();
    let right: usize = best.values().map(|(count, _)| count).sum();
    let largest = of_label.values().copied().max().unwrap_or_default();
    let copies = said.len() == all
        && said.len() == of_label.len()
        && right as f64 >= COPY * rows.len() as f64
        && largest < right;
    copies.then(|| ReadNote {
        kind: "label_copy",
        column: Some(name.to_owned()),
        count: right,
        message: format!(
            "column {name:?} says the label in {right} of {} rows: if it was made from the labels, it hides wrong ones",
            rows.len()
        ),
    })
}
