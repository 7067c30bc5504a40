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
    /// Labels are the array of the wanted name, or of a usual name, or the only one of one dimension; features are the
    /// array of as many rows: the only one, or one of a usual name. Arrays to ignore are neither.
    pub(super) fn of(
        arrays: &[(String, Vec<usize>)],
        columns: &TableColumns,
    ) -> Result<Self, Malformed> {
        let (label, wanted) = (columns.label.as_deref(), columns.labels);
        let present: Vec<usize> = (0..arrays.len())
            .filter(|&i| !columns.ignore.contains(&arrays[i].0))
            .collect();
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
        let vectors: Vec<usize> = present
            .iter()
            .copied()
            .filter(|&i| is_vector(&arrays[i].1))
            .collect();
        let named = |names: &[&str], among: &[usize]| {
            names
                .iter()
                .find_map(|name| among.iter().copied().find(|&i| arrays[i].0 == *name))
        };
        let Some(&first) = present.first() else {
            let found = match arrays.len() {
                0 => "none".to_owned(),
                _ => format!("only arrays to ignore: {}", listed()),
            };
            return Err(Malformed::new("at least one array", found));
        };
        let alone = present.len() == 1;
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
            None if alone && wanted == LabelsWanted::Only => Some(first),
            None if alone => None,
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
        let candidates: Vec<usize> = present
            .iter()
            .copied()
            .filter(|&i| Some(i) != labels && arrays[i].1.len() >= 2)
            .filter(|&i| !(is_vector(&arrays[i].1) && LABELS.contains(&arrays[i].0.as_str())))
            .filter(|&i| count.is_none_or(|count| arrays[i].1[0] == count))
            .collect();
        let features = match candidates[..] {
            [only] => Some(only),
            _ => named(&FEATURES, &candidates),
        };
        let only = alone && !LABELS.contains(&arrays[first].0.as_str());
        if features.is_none() && !(only && wanted != LabelsWanted::Yes) {
            let rows = count.map_or_else(String::new, |rows| format!(" of {rows} rows"));
            return Err(Malformed::new(
                format!(
                    "one array of features{rows}, or one called {}",
                    FEATURES.join(", ")
                ),
                listed(),
            )
            .remedy("name the arrays to ignore, or save the features alone with numpy.save"));
        }
        Ok(Self {
            features: features.or(Some(first)),
            labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ignore: &[&str]) -> Result<(Option<usize>, Option<usize>), String> {
        let arrays = [
            ("raw", &[10, 7][..]),
            ("emb", &[10, 3]),
            ("when", &[10]),
            ("kind", &[10]),
        ];
        let arrays = arrays.map(|(name, shape)| (name.to_owned(), shape.to_vec()));
        let columns = TableColumns {
            ignore: ignore.iter().map(|&name| name.to_owned()).collect(),
            ..TableColumns::default()
        };
        let choice = Choice::of(&arrays, &columns);
        choice
            .map(|choice| (choice.features, choice.labels))
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn arrays_to_ignore_are_not_chosen() {
        let told = chosen(&[]).unwrap_err();
        assert!(told.contains("expected one array of labels"), "{told}");
        let told = chosen(&["when"]).unwrap_err();
        assert!(
            told.contains("expected one array of features of 10 rows"),
            "{told}"
        );
        assert_eq!(chosen(&["when", "raw"]), Ok((Some(1), Some(3))));
        assert_eq!(chosen(&["kind", "emb"]), Ok((Some(0), Some(2))));
        let told = chosen(&["raw", "emb", "when", "kind"]).unwrap_err();
        assert!(
            told.contains("found only arrays to ignore: raw (10×7)"),
            "{told}"
        );
    }
}
