//! Files of any format: training, trusted and test rows with the same features and classes.

use std::path::Path;

use bilevel::Key;

use super::super::findings::{LabelsFound, MissingValues, Read};
use super::super::problem::CleaningProblem;
use super::super::specification::DataSpecification;
use super::super::split::{CleaningData, RowNumbers};
use super::super::text_form::DecimalMark;
use super::checks::{Seen, check_columns, check_standard_input};
use super::features::Features;
use super::grouped::{GroupTexts, group_columns, with_groups};
use super::rows::{Rows, draw, of_rows};
use crate::Error;
use crate::corruption::Corruption;
use crate::data::labels::{Classes, Labels, classes};
use crate::data::preparation::{Policy, Preparation, Prepared};
use crate::data::problem::listed;
use crate::data::table::{FeatureColumns, LabelsWanted, NO_NAMES, Table, TableColumns, TextForm};
use crate::data::{Dataset, STANDARD_INPUT, TableProblem};

/// A file of rows, and the file of their labels if they are apart.
#[derive(Clone, Copy)]
pub(in crate::cleaning) struct Files<'a> {
    rows: &'a Path,
    labels: Option<&'a Path>,
    /// The key that names the file of labels.
    labels_key: &'static str,
}

impl<'a> Files<'a> {
    /// The rows to check.
    pub(in crate::cleaning) fn first(given: &'a DataSpecification, rows: &'a Path) -> Self {
        Self {
            rows,
            labels: given.labels.as_deref(),
            labels_key: "labels",
        }
    }

    /// What is wanted of the file of the rows to check, or of the file of their labels.
    pub(in crate::cleaning) fn wanted(
        self,
        given: &DataSpecification,
        labels: bool,
    ) -> TableColumns {
        let wanted = wanted(given);
        match (self.labels, labels) {
            (None, _) => wanted,
            (Some(_), false) => Self::of_features(&wanted),
            (Some(_), true) => Self::of_labels_only(&wanted),
        }
    }

    fn of_features(wanted: &TableColumns) -> TableColumns {
        TableColumns {
            labels: LabelsWanted::No,
            ..wanted.clone()
        }
    }

    fn of_labels_only(wanted: &TableColumns) -> TableColumns {
        TableColumns {
            labels: LabelsWanted::Only,
            features: FeatureColumns::None,
            ignore: Vec::new(),
            ..wanted.clone()
        }
    }

    fn of(
        rows: Option<&'a Path>,
        labels: Option<&'a Path>,
        labels_key: &'static str,
    ) -> Option<Self> {
        rows.map(|rows| Self {
            rows,
            labels,
            labels_key,
        })
    }

    /// Rows with labels.
    fn read(self, wanted: &TableColumns) -> Result<Table, Error> {
        let Some(labels) = self.labels else {
            let table = Table::read(self.rows, wanted)?;
            return match table.labels() {
                Some(_) => Ok(table),
                None => {
                    let key = self.labels_key;
                    Err(TableProblem::LabelsApart { key }.at(self.rows))
                }
            };
        };
        let table = Table::read(self.rows, &Self::of_features(wanted))?;
        table.with_labels_of(Table::read(labels, &Self::of_labels_only(wanted))?)
    }

    /// The file of labels.
    fn of_labels(self) -> &'a Path {
        self.labels.unwrap_or(self.rows)
    }
}

pub(super) fn read(
    given: &DataSpecification,
    file: &Path,
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<Rows, Error> {
    let first = Files::first(given, file);
    let trusted = Files::of(
        given.trusted.as_deref(),
        given.trusted_labels.as_deref(),
        "trusted_labels",
    );
    let test = Files::of(
        given.test.as_deref(),
        given.test_labels.as_deref(),
        "test_labels",
    );
    check_standard_input(given)?;
    let mut wanted = wanted(given);
    let say = |mut table: Table| {
        table.say(&given.label_text, &given.missing_text);
        table
    };
    let mut table = say(first.read(&wanted)?);
    check_columns(given, &table)?;
    let mut seen = Seen::default();
    seen.see(&table);
    let ids = table.ids().map(<[String]>::to_vec);
    let flags = table.trusted().map(<[bool]>::to_vec);
    let own_groups = std::mem::take(&mut table.groups);
    wanted.id = table.id_column().map(str::to_owned);
    let kind = table.kind().to_owned();
    let policy = Policy {
        missing: given.missing.unwrap_or_default(),
        keep: given.keep.clone(),
        scale: given.scale,
    };
    let (preparation, prepared) = Preparation::fit(table, &policy)?;
    if given.missing.is_some() && preparation.scaling().is_none() {
        let because = "pixels are never missing".to_owned();
        return Err(CleaningProblem::Unused {
            key: "missing",
            because,
        }
        .into());
    }

    wanted.ignore.extend(wanted.trusted.take());
    wanted.ignore.extend_from_slice(preparation.left_out());
    if kind.contains(NO_NAMES) {
        // The others have none either.
        wanted.text.header = Some(false);
    }
    wanted.category = preparation.categories().cloned().collect();
    wanted.features = FeatureColumns::Same {
        table: file.display().to_string(),
        columns: preparation.source_names(),
    };
    let mut read_other =
        |files: Option<Files<'_>>| -> Result<Option<(Prepared, GroupTexts)>, Error> {
            let Some(files) = files else {
                return Ok(None);
            };
            let mut table = say(files.read(&wanted)?);
            seen.see(&table);
            let groups = std::mem::take(&mut table.groups);
            Ok(Some((preparation.apply(table)?, groups)))
        };
    let (trusted_rows, trusted_groups) = read_other(trusted)?.unzip();
    let test_rows = read_other(test)?.map(|(rows, _)| rows);
    seen.check(given)?;

    let paths = [Some(file), given.trusted.as_deref(), given.test.as_deref()];
    let all: Vec<(&Path, &Prepared)> = paths
        .into_iter()
        .zip([Some(&prepared), trusted_rows.as_ref(), test_rows.as_ref()])
        .filter_map(|(path, rows)| path.zip(rows))
        .collect();
    let labels: Vec<&Labels> = all.iter().filter_map(|(_, rows)| rows.labels()).collect();
    let found = classes(&labels, given.merge_labels)?;
    if trusted_rows.is_some() {
        expect_common(file, &labels, &found)?;
    }
    let read = Read {
        missing: preparation
            .scaling()
            .map(|_| MissingValues::new(policy.missing, all.iter().copied())),
        labels: LabelsFound::new(&found, all.iter().copied()),
        columns: preparation
            .notes()
            .iter()
            .map(|note| (file.to_owned(), note.clone()))
            .chain(all.iter().flat_map(|(path, rows)| {
                rows.notes
                    .iter()
                    .map(|note| ((*path).to_owned(), note.clone()))
            }))
            .collect(),
        left_out: preparation.left_out().to_vec(),
        ids: repeated(ids.as_deref()),
    };
    let scaling = preparation.scaling().map(<[_]>::to_vec);
    let mut of = found.of.iter();
    let mut parts = |rows: Option<Prepared>| -> Result<Option<Part>, Error> {
        let Some(rows) = rows else {
            return Ok(None);
        };
        // One list for each file that there is.
        let of = of.next().ok_or(Error::NoRows)?;
        Part::new(rows, of, &found).map(Some)
    };
    let Some(own) = parts(Some(prepared))? else {
        return Err(Error::NoRows);
    };
    let (trusted, test) = (parts(trusted_rows)?, parts(test_rows)?);
    let unlabelled = own.unlabelled;
    let splitting = Splitting {
        given,
        first,
        corruption,
        key,
    };
    let data = splitting.split((own.data, own.rows), flags, trusted, test)?;
    let data = match unlabelled {
        None => data,
        Some((rows, numbers)) => data.with_unlabelled(rows, numbers)?,
    };
    let data = with_groups(given, data, &own_groups, trusted_groups.as_ref())?;
    let text = match data.train().image_shape() {
        Some(_) => "images".to_owned(),
        None if file.as_os_str() == STANDARD_INPUT => "rows of standard input".to_owned(),
        None => format!("rows of {}", file.display()),
    };
    Ok(Rows {
        data,
        scaling,
        ids,
        read,
        text,
        features: Some(Features {
            wanted,
            preparation,
        }),
    })
}

/// Fails if the trusted rows, the second file, have no class of the first: they would say nothing about it.
fn expect_common(file: &Path, labels: &[&Labels], found: &Classes) -> Result<(), Error> {
    let mut present = vec![[false; 2]; found.names.len()];
    for (number, of) in found.of.iter().take(2).enumerate() {
        of.iter()
            .flatten()
            .for_each(|&class| present[class as usize][number] = true);
    }
    if present.contains(&[true, true]) {
        return Ok(());
    }
    let names = |number: usize| {
        let names = found.names.iter().zip(&present);
        let names: Vec<String> = names
            .filter(|(_, present)| present[number])
            .map(|(name, _)| name.clone())
            .collect();
        listed(&names)
    };
    Err(TableProblem::NoCommonClass {
        first: file.display().to_string(),
        own: names(0),
        here: names(1),
    }
    .at(labels[1].path()))
}

/// What is wanted of the first file.
fn wanted(given: &DataSpecification) -> TableColumns {
    TableColumns {
        label: given.label.clone(),
        labels: LabelsWanted::Yes,
        id: given.id.clone(),
        trusted: given.trusted_column.clone(),
        groups: group_columns(given),
        ignore: given.ignore.clone(),
        keep: given.keep.clone(),
        category: given.category.clone(),
        features: FeatureColumns::Others,
        missing: given.missing_text.clone(),
        image_size: given.image_size.map(|size| (size.height, size.width)),
        text: TextForm {
            separator: given.separator.map(|separator| separator.0),
            decimal: given.decimal.map(DecimalMark::byte),
            header: given.header,
        },
    }
}

/// Names that several rows have, and how many rows have one of them.
fn repeated(ids: Option<&[String]>) -> Option<(Vec<String>, usize)> {
    let mut counts = std::collections::BTreeMap::<&String, usize>::new();
    for id in ids?.iter().filter(|id| !id.is_empty()) {
        *counts.entry(id).or_default() += 1;
    }
    let several: Vec<(&String, usize)> = counts.into_iter().filter(|(_, rows)| *rows > 1).collect();
    let rows = several.iter().map(|(_, rows)| rows).sum();
    let names = several.into_iter().map(|(name, _)| name.clone()).collect();
    (rows > 0).then_some((names, rows))
}

/// The labelled rows of a file, and the others.
struct Part {
    data: Dataset,
    /// Their rows in the file.
    rows: Vec<usize>,
    unlabelled: Option<(Dataset, Vec<usize>)>,
}

impl Part {
    /// `of` has the class of each row of the file.
    fn new(prepared: Prepared, of: &[Option<u32>], found: &Classes) -> Result<Self, Error> {
        let rows = prepared.rows;
        // A row without a label needs one all the same.
        let labels = rows
            .iter()
            .map(|&row| of[row].unwrap_or_default())
            .collect();
        let names = found.names.clone();
        let mut data = Dataset::of_values(prepared.features, prepared.columns, labels, names)?;
        if let Some(shape) = prepared.image {
            data = data.with_image_shape(shape)?;
        }
        let (with, without): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|&position| of[rows[position]].is_some());
        if without.is_empty() {
            return Ok(Self {
                data,
                rows,
                unlabelled: None,
            });
        }
        let numbers = |positions: &[usize]| positions.iter().map(|&p| rows[p]).collect();
        Ok(Self {
            unlabelled: Some((data.select(&without)?, numbers(&without))),
            rows: numbers(&with),
            data: data.select(&with)?,
        })
    }
}

/// How rows are split.
struct Splitting<'a> {
    given: &'a DataSpecification,
    first: Files<'a>,
    corruption: Option<&'a Corruption>,
    key: Key,
}

impl Splitting<'_> {
    /// The training, trusted and test rows; `flags` marks the trusted ones among the rows of the first file.
    fn split(
        &self,
        (own, own_rows): (Dataset, Vec<usize>),
        flags: Option<Vec<bool>>,
        trusted: Option<Part>,
        test: Option<Part>,
    ) -> Result<CleaningData, Error> {
        let Self {
            given,
            first,
            corruption,
            key,
        } = *self;
        let mut numbers = RowNumbers {
            train: own_rows.clone(),
            trusted: trusted
                .as_ref()
                .map_or_else(|| own_rows.clone(), |part| part.rows.clone()),
            test: test
                .as_ref()
                .map_or_else(Vec::new, |part| part.rows.clone()),
            unlabelled: Vec::new(),
        };
        let test = test.map(|part| part.data);
        let draw_train = |candidates: &[usize], parts: (Dataset, Option<Dataset>)| {
            let count = given.train_rows;
            CleaningData::draw_train(&own, candidates, count, parts, corruption, key).map_err(
                |error| {
                    let keys = count.map(|count| ("train_rows", Some(count)));
                    of_rows(keys.into_iter().collect(), Some(first.rows), error)
                },
            )
        };
        let data = match (trusted, flags) {
            (Some(trusted), _) => {
                let candidates: Vec<usize> = (0..own.rows()).collect();
                draw_train(&candidates, (trusted.data, test))?
            }
            (None, Some(flags)) => {
                let (trusted, candidates): (Vec<_>, Vec<_>) =
                    (0..own.rows()).partition(|&row| flags[own_rows[row]]);
                if trusted.is_empty() || candidates.is_empty() {
                    return Err(CleaningProblem::TrustedColumn {
                        file: first.of_labels().to_owned(),
                        column: given.trusted_column.clone().unwrap_or_default(),
                        trusted: trusted.len(),
                        rows: own.rows(),
                    }
                    .into());
                }
                numbers.trusted = trusted.iter().map(|&row| own_rows[row]).collect();
                draw_train(&candidates, (own.select(&trusted)?, test))?
            }
            (None, None) => {
                let trusted = given.trusted_rows.unwrap_or_default();
                let data = draw(given, &own, trusted, first.rows, corruption, key)?;
                match test {
                    None => data,
                    Some(test) => data.with_test(test)?,
                }
            }
        };
        data.renumbered(&numbers)
    }
}
