//! Files of several arrays: which are features, which are labels.

use std::path::Path;

use super::npy_rows::{OpenedAs, of_array};
use crate::Error;
use crate::data::array::Array;
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::shape::shape_text;
use crate::data::table::{LabelsWanted, Table, TableColumns};

/// An array of a file.
pub(super) struct NamedArray {
    pub(super) name: String,
    pub(super) array: Array,
}

/// The table of features and labels from one file, which has arrays of these names.
pub(super) fn table(
    kind: &str,
    (features, labels): (Option<NamedArray>, Option<NamedArray>),
    names: Vec<String>,
    path: &Path,
    wanted: &TableColumns,
) -> Result<Table, Error> {
    let mut table = match features {
        Some(features) if wanted.labels != LabelsWanted::Only => {
            of_array(features.array, kind, false, &OpenedAs { path, wanted })?
        }
        _ => Table::new(path, kind, 0),
    };
    if let Some(NamedArray { name, array }) = labels {
        let labels = array
            .into_labels(Labels::new(path, Some(name)), false)
            .map_err(|problem| problem.at(path))?;
        if wanted.labels == LabelsWanted::Only {
            table.rows = labels.rows();
        }
        if labels.rows() != table.rows {
            let expected = format!("{} labels, one for each row", table.rows);
            return Err(Malformed::new(expected, labels.rows().to_string()).at(path));
        }
        table.labels = Some(labels);
    }
    table.names = names;
    Ok(table)
}

/// Names of features, in the order in which they are looked for.
const FEATURES: [&str; 10] = [
    "x_train",
    "X_train",
    "x",
    "X",
    "features",
    "data",
    "images",
    "imgs",
    "embeddings",
    "arr_0",
];
/// Names of labels.
const LABELS: [&str; 9] = [
    "y_train", "y", "Y", "labels", "label", "targets", "target", "classes", "arr_1",
];

/// Which of several arrays are features and labels.
pub(super) struct Choice {
    pub(super) features: Option<usize>,
    pub(super) labels: Option<usize>,
}

impl Choice {
    /// Labels are the array of that name, or of a usual name, or the only one of one dimension; features are the array
    /// of as many rows: the only one, or one of a usual name.
    pub(super) fn of(
        arrays: &[(String, Vec<usize>)],
        label: Option<&str>,
        wanted: LabelsWanted,
    ) -> Result<Self, Malformed> {
        let listed = || {
            let one =
                |(name, shape): &(String, Vec<usize>)| format!("{name} ({})", shape_text(shape));
            arrays
                .iter()
                .take(10)
                .map(one)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let is_vector = |shape: &[usize]| matches!(shape, [_] | [_, 1] | [1, _]);
        let vectors: Vec<usize> = (0..arrays.len())
            .filter(|&i| is_vector(&arrays[i].1))
            .collect();
        let named = |names: &[&str], among: &[usize]| {
            names
                .iter()
                .find_map(|name| among.iter().copied().find(|&i| arrays[i].0 == *name))
        };
        if arrays.is_empty() {
            return Err(Malformed::new("at least one array", "none"));
        }
        let labels = match label {
            _ if wanted == LabelsWanted::No => None,
            Some(label) => {
                let found = arrays.iter().position(|(name, _)| name == label);
                if found.is_none() {
                    let expected = format!("an array {label:?} (the labels)");
                    return Err(Malformed::new(expected, listed()));
                }
                found
            }
            // A file of one array, where labels are wanted, has them; NPY files may be packed like this.
            None if arrays.len() == 1 && wanted == LabelsWanted::Only => Some(0),
            None if arrays.len() == 1 => None,
            None => match (named(&LABELS, &vectors), vectors[..].as_ref()) {
                (Some(labels), _) => Some(labels),
                (None, &[only]) => Some(only),
                (None, _) if wanted == LabelsWanted::IfThere => None,
                (None, _) => {
                    let expected = "one array of labels";
                    return Err(
                        Malformed::new(expected, listed()).remedy("give its name as the label")
                    );
                }
            },
        };
        if wanted == LabelsWanted::Only {
            return Ok(Self {
                features: None,
                labels,
            });
        }
        let rows = |shape: &[usize]| match shape {
            [1, columns] => *columns,
            [rows, ..] => *rows,
            [] => 0,
        };
        let count = labels.map(|labels| rows(&arrays[labels].1));
        let candidates: Vec<usize> = (0..arrays.len())
            .filter(|&i| Some(i) != labels && arrays[i].1.len() >= 2)
            .filter(|&i| !(is_vector(&arrays[i].1) && LABELS.contains(&arrays[i].0.as_str())))
            .filter(|&i| count.is_none_or(|count| arrays[i].1[0] == count))
            .collect();
        let features = match candidates[..] {
            [only] => Some(only),
            _ => named(&FEATURES, &candidates),
        };
        let only = arrays.len() == 1 && !LABELS.contains(&arrays[0].0.as_str());
        if features.is_none() && !(only && wanted != LabelsWanted::Yes) {
            let rows = count.map_or_else(String::new, |rows| format!(" of {rows} rows"));
            return Err(Malformed::new(
                format!(
                    "one array of features{rows}, or one called {}",
                    FEATURES.join(", ")
                ),
                listed(),
            )
            .remedy("save the features alone with numpy.save, and name the labels apart"));
        }
        Ok(Self {
            features: features.or(Some(0)),
            labels,
        })
    }
}
