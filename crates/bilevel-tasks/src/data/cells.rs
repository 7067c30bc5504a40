//! The cells of a table by role, while it is read.

use std::path::Path;

use super::cell::Decimal;
use super::column::{Column, Reading};
use super::header::{Assigned, Header, Role};
use super::labels::Labels;
use super::problem::{Place, TableProblem, listed};
use super::roles::TableColumns;
use super::table::{Features, ReadNote, Table};

/// The cells of some rows.
pub(crate) struct Cells {
    pub(crate) rows: usize,
    pub(crate) features: Vec<Column>,
    pub(crate) labels: Option<Labels>,
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) trusted: Option<Vec<bool>>,
    /// The texts of the columns of groups that there are.
    pub(crate) groups: Vec<Option<Vec<String>>>,
    /// The line of each row, where the file has lines.
    pub(crate) lines: Vec<u64>,
}

impl Cells {
    pub(crate) fn new(path: &Path, assigned: &Assigned, wanted: &TableColumns) -> Self {
        let reading = |name: &String| {
            if wanted.category.contains(name) {
                Reading::Category
            } else {
                Reading::Found
            }
        };
        let features = assigned.features.iter();
        Self {
            rows: 0,
            features: features
                .map(|name| Column::new(name, reading(name)))
                .collect(),
            labels: assigned
                .label
                .as_ref()
                .map(|label| Labels::new(path, Some(label.clone()))),
            ids: assigned.id.is_some().then(Vec::new),
            trusted: assigned.trusted.then(Vec::new),
            groups: assigned
                .groups
                .iter()
                .map(|there| there.then(Vec::new))
                .collect(),
            lines: Vec::new(),
        }
    }

    /// Adds a text in a role.
    pub(crate) fn push(
        &mut self,
        role: Role,
        text: &str,
        place: &dyn Fn() -> Place,
        (decimal, missing): (Decimal, &[String]),
    ) -> Result<(), TableProblem> {
        match role {
            Role::Unused => {}
            Role::Feature(position) => self.features[position].push(text, decimal, missing),
            Role::Label => {
                if let Some(labels) = &mut self.labels {
                    labels.push(text);
                }
            }
            Role::Id => {
                if let Some(ids) = &mut self.ids {
                    ids.push(text.to_owned());
                }
            }
            Role::Group(position) => {
                if let Some(Some(texts)) = self.groups.get_mut(position) {
                    texts.push(text.to_owned());
                }
            }
            Role::Trusted => {
                let value = trusted(text, place)?;
                if let Some(all) = &mut self.trusted {
                    all.push(value);
                }
            }
        }
        Ok(())
    }

    /// Adds later rows.
    pub(crate) fn append(&mut self, other: &Self) {
        self.rows += other.rows;
        for (mine, theirs) in self.features.iter_mut().zip(&other.features) {
            mine.append(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.labels, &other.labels) {
            mine.append(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.ids, &other.ids) {
            mine.extend_from_slice(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.trusted, &other.trusted) {
            mine.extend_from_slice(theirs);
        }
        for mine_and_theirs in self.groups.iter_mut().zip(&other.groups) {
            if let (Some(mine), Some(theirs)) = mine_and_theirs {
                mine.extend_from_slice(theirs);
            }
        }
        self.lines.extend_from_slice(&other.lines);
    }

    /// The whole table. Columns without a name and without a value go.
    pub(crate) fn into_table(
        mut self,
        path: &Path,
        kind: String,
        header: Header,
        assigned: Assigned,
    ) -> Table {
        let nameless: Vec<&String> = header.nameless.iter().map(|&i| &header.names[i]).collect();
        let mut notes = Vec::new();
        let before = self.features.len();
        self.features
            .retain(|column| !(nameless.contains(&&column.name) && column.is_empty()));
        let gone = before - self.features.len();
        if gone > 0 {
            notes.push(ReadNote {
                kind: "empty_column",
                column: None,
                count: gone,
                message: format!("columns without a name and without a value are left out: {gone}"),
            });
        }
        for (name, later) in &header.repeated {
            notes.push(ReadNote {
                kind: "repeated_column",
                column: Some(name.clone()),
                count: 1,
                message: format!(
                    "several columns are called {name:?}: the later ones are read as {}",
                    listed(later)
                ),
            });
        }
        let lines = (!self.lines.is_empty()).then_some(self.lines);
        Table {
            features: if assigned.features.is_empty() {
                Features::None
            } else {
                Features::Columns(self.features)
            },
            labels: self.labels,
            lines,
            id_column: assigned.id,
            ids: self.ids,
            trusted: self.trusted,
            groups: self.groups,
            names: header.names,
            notes,
            ..Table::new(path, kind, self.rows)
        }
    }
}

/// Whether a row is trusted.
pub(crate) fn trusted(text: &str, place: &dyn Fn() -> Place) -> Result<bool, TableProblem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" | "1.0" => Ok(true),
        "false" | "no" | "n" | "f" | "0" | "0.0" => Ok(false),
        _ => Err(TableProblem::NotBoolean {
            place: place(),
            found: text.chars().take(40).collect(),
        }),
    }
}
