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

/// The rows of a file of several arrays: other arrays than those of features and labels may have as many, as names of
/// the rows do, and are of the same rows then.
pub(super) struct FileRows {
    pub(super) count: usize,
    /// The number of the array of labels.
    pub(super) labels: Option<usize>,
    chosen: Vec<usize>,
    /// For which use the rows are, if a name says it: `test` of `y_test`.
    part: Option<&'static str>,
}

/// Words for rows that are not those of training, however many there are.
const PARTS: [&str; 6] = ["test", "val", "valid", "validation", "dev", "holdout"];

impl FileRows {
    pub(super) fn of(arrays: &[(String, Vec<usize>)], choice: &Choice) -> Self {
        let chosen: Vec<usize> = choice.labels.into_iter().chain(choice.features).collect();
        let count = chosen.first().map(|&first| match arrays[first].1[..] {
            [1, columns] if choice.labels.is_some() => columns,
            [rows, ..] => rows,
            [] => 0,
        });
        let names = chosen.iter().map(|&array| part(&arrays[array].0));
        Self {
            count: count.unwrap_or_default(),
            labels: choice.labels,
            part: names.flatten().next(),
            chosen,
        }
    }

    /// The axis of an array that counts the rows, if it is an array of them.
    pub(super) fn axis(&self, array: usize, name: &str, shape: &[usize]) -> Option<usize> {
        if !self.chosen.contains(&array) && part(name) != self.part {
            return None;
        }
        match *shape {
            [first, ..] if first == self.count => Some(0),
            [1, second] if second == self.count => Some(1),
            _ => None,
        }
    }
}

/// What a name says about the use of its rows: `x_test` and `testX` do.
fn part(name: &str) -> Option<&'static str> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        if begins || !letter.is_alphabetic() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphabetic(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    let is = |part: &str| {
        let of_word = |word: &String| {
            let rest = word.strip_prefix(['x', 'y']);
            word == part || rest == Some(part)
        };
        words.iter().any(of_word)
    };
    PARTS.into_iter().find(|part| is(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_other_rows_are_known_by_their_names() {
        let shape = |rows| vec![rows, 2];
        let arrays: Vec<(String, Vec<usize>)> = [
            ("x_train", shape(5)),
            ("y_train", vec![1, 5]),
            ("x_test", shape(5)),
            ("ids", vec![5]),
            ("latest", vec![5]),
            ("scale", shape(3)),
            ("Yval", vec![5]),
        ]
        .map(|(name, shape)| (name.to_owned(), shape))
        .to_vec();
        let choice = Choice::of(&arrays, &TableColumns::default()).unwrap();
        let rows = FileRows::of(&arrays, &choice);
        assert_eq!((rows.count, rows.labels), (5, Some(1)));
        let axes: Vec<Option<usize>> = arrays
            .iter()
            .enumerate()
            .map(|(index, (name, shape))| rows.axis(index, name, shape))
            .collect();
        assert_eq!(axes, [Some(0), Some(1), None, Some(0), Some(0), None, None]);
        let test = Choice {
            features: Some(2),
            labels: None,
        };
        let rows = FileRows::of(&arrays, &test);
        assert_eq!(rows.axis(0, "x_train", &[5, 2]), None);
        assert_eq!(rows.axis(2, "x_test", &[5, 2]), Some(0));
        assert_eq!(rows.axis(3, "testY", &[5]), Some(0));
    }

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
