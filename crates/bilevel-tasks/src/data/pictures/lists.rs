//! What the classes of a tree are: its folders, or the lists of a data set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::split::Split;
use crate::Error;
use crate::data::malformed::Malformed;

/// The pictures of a class, by the number of each in its tree.
pub(super) struct Found {
    pub(super) split: Option<Split>,
    pub(super) pictures: Vec<usize>,
}

/// A list of pictures with their labels, as in Mini-ImageNet.
pub(super) struct List {
    pub(super) name: String,
    pub(super) split: Split,
    pub(super) bytes: Vec<u8>,
}

impl List {
    /// The list in a file of this name, if it is one of them.
    pub(super) fn named(name: &str, bytes: &[u8]) -> Option<Self> {
        let base = name.rsplit('/').next().unwrap_or(name);
        let split = split_named(base.strip_suffix(".csv")?)?;
        Some(Self {
            name: name.to_owned(),
            split,
            bytes: bytes.to_vec(),
        })
    }

    /// File names and labels.
    fn rows(&self, root: &Path) -> Result<Vec<(String, String)>, Error> {
        let wrong = |found: String| {
            Malformed::new("a list with the columns filename and label", found)
                .in_place(self.name.clone())
                .at(root)
        };
        let mut reader = csv::Reader::from_reader(&self.bytes[..]);
        let headers = reader.headers().map_err(|error| wrong(error.to_string()))?;
        let column = |name: &str| headers.iter().position(|header| header.trim() == name);
        let (Some(file), Some(label)) = (column("filename"), column("label")) else {
            let found: Vec<&str> = headers.iter().collect();
            return Err(wrong(format!("the columns {}", found.join(", "))));
        };
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let cell = |column| record.get(column).unwrap_or_default().trim().to_owned();
            rows.push((cell(file), cell(label)));
        }
        Ok(rows)
    }
}

fn split_named(name: &str) -> Option<Split> {
    match name.to_ascii_lowercase().as_str() {
        "train" => Some(Split::Train),
        "val" | "validation" => Some(Split::Validation),
        "test" => Some(Split::Test),
        _ => None,
    }
}

/// The classes by name: each folder that holds pictures, its name without the folders that all have. Folders called
/// train, val and test above the classes say what these are for.
pub(super) fn of_folders(root: &Path, names: &[String]) -> Result<BTreeMap<String, Found>, Error> {
    let mut folders: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    for (number, name) in names.iter().enumerate() {
        let mut parts: Vec<&str> = name.split('/').collect();
        parts.pop();
        if parts.is_empty() {
            return Err(Malformed::new(
                "pictures in a folder for each class",
                format!("the picture {name} beside them"),
            )
            .at(root));
        }
        folders.entry(parts).or_default().push(number);
    }
    let shared = shared(folders.keys());
    let splits: BTreeSet<&str> = folders
        .keys()
        .filter(|parts| parts.len() > shared + 1)
        .map(|parts| parts[shared])
        .collect();
    let all_deeper = folders.keys().all(|parts| parts.len() > shared + 1);
    let splits_named =
        all_deeper && !splits.is_empty() && splits.iter().all(|name| split_named(name).is_some());
    let mut classes: BTreeMap<String, Found> = BTreeMap::new();
    for (parts, pictures) in folders {
        let (split, rest) = match splits_named {
            true => (split_named(parts[shared]), &parts[shared + 1..]),
            false => (None, &parts[shared..]),
        };
        let name = rest.join("/");
        let found = Found { split, pictures };
        if let Some(before) = classes.insert(name.clone(), found) {
            let two = |split: Option<Split>| {
                split.map_or("no", |split| match split {
                    Split::Train => "train",
                    Split::Validation => "val",
                    Split::Test => "test",
                })
            };
            return Err(Malformed::new(
                "each class in one of the folders train, val and test",
                format!("{name} in {} and {}", two(before.split), two(split)),
            )
            .at(root));
        }
    }
    Ok(classes)
}

/// How many leading folders all paths share, without the last folder of any.
fn shared<'p>(folders: impl Iterator<Item = &'p Vec<&'p str>>) -> usize {
    let mut folders = folders;
    let Some(first) = folders.next() else {
        return 0;
    };
    let mut shared = first.len() - 1;
    for parts in folders {
        let same = first.iter().zip(parts).take_while(|(a, b)| a == b).count();
        shared = shared.min(same).min(parts.len() - 1);
    }
    shared
}

/// The classes as the lists of a data set give them; folders that no list names are left out, and counted.
pub(super) fn of_lists(
    root: &Path,
    names: &[String],
    lists: &[List],
) -> Result<(BTreeMap<String, Found>, usize), Error> {
    // By the name of the file, and by folder and name: file names may repeat in folders of classes.
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, name) in names.iter().enumerate() {
        by_name
            .entry(name.rsplit('/').next().unwrap_or(name))
            .or_default()
            .push(number);
    }
    let folder_of = |number: usize| names[number].rsplit('/').nth(1);
    let mut classes: BTreeMap<String, Found> = BTreeMap::new();
    let mut listed = BTreeSet::new();
    for list in lists {
        for (row, (file, label)) in list.rows(root)?.into_iter().enumerate() {
            let place = format!("{}, row {}", list.name, row + 1);
            let base = file.rsplit('/').next().unwrap_or(&file);
            let candidates = by_name.get(base).map_or(&[][..], Vec::as_slice);
            let of_class = candidates.iter().find(|&&n| folder_of(n) == Some(&label));
            let picture = match (of_class, candidates) {
                (Some(&picture), _) | (None, &[picture]) => picture,
                (None, []) => {
                    return Err(
                        Malformed::new("the picture of each row", format!("no {file}"))
                            .in_place(place)
                            .at(root),
                    );
                }
                (None, several) => {
                    let found = format!(
                        "{} files called {file}, none in a folder {label}",
                        several.len()
                    );
                    return Err(Malformed::new("one picture for each row", found)
                        .in_place(place)
                        .at(root));
                }
            };
            if !listed.insert(picture) {
                return Err(Malformed::new("each picture once", format!("{file} again"))
                    .in_place(place)
                    .at(root));
            }
            let class = classes.entry(label.clone()).or_insert(Found {
                split: Some(list.split),
                pictures: Vec::new(),
            });
            if class.split != Some(list.split) {
                return Err(Malformed::new(
                    "classes that are in one list alone",
                    format!("{label}, which another list has too"),
                )
                .in_place(place)
                .at(root));
            }
            class.pictures.push(picture);
        }
    }
    Ok((classes, names.len() - listed.len()))
}
