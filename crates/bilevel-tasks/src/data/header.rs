//! The names of a table's columns, and the role of each.

use std::collections::{HashMap, HashSet};

use super::problem::{Known, TableProblem, listed};
use super::roles::{FeatureColumns, LabelsWanted, TableColumns};

/// The role of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Unused,
    /// The feature at this position.
    Feature(usize),
    Label,
    Id,
    Trusted,
    /// The column of groups at this position.
    Group(usize),
}

/// The names of the columns.
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// Columns whose name was made up, because they had none.
    pub(super) nameless: Vec<usize>,
    /// Names that several columns have, with the names of the later ones.
    pub(super) repeated: Vec<(String, Vec<String>)>,
    /// The line of the names.
    line: u64,
    /// What to say if a column does not exist.
    hint: &'static str,
}

/// The role of each column.
pub(super) struct Assigned {
    /// By column of the file.
    pub(super) roles: Vec<Role>,
    /// The names of the features, in their order.
    pub(super) features: Vec<String>,
    pub(super) label: Option<String>,
    pub(super) id: Option<String>,
    pub(super) trusted: bool,
    /// Which of the columns of groups that are wanted there are.
    pub(super) groups: Vec<bool>,
}

const LABEL: &str = "the labels";
const ID: &str = "the names of the rows";
const TRUSTED: &str = "which rows are trusted";
const GROUP: &str = "groups of rows";
const IGNORED: &str = "left out";

impl Header {
    /// These names, made unique: the second `a` is called `a.1`. The first column may have no name: it numbers the
    /// rows, as pandas and R write it. The n-th other column without a name is called `Unnamed: n`, as pandas does.
    pub(super) fn new(mut names: Vec<String>, line: u64) -> Self {
        let mut nameless = Vec::new();
        for (index, name) in names.iter_mut().enumerate().skip(1) {
            if name.is_empty() {
                nameless.push(index);
                *name = format!("Unnamed: {index}");
            }
        }
        let mut taken: HashSet<String> = names.iter().cloned().collect();
        let mut repeated: Vec<(String, Vec<String>)> = Vec::new();
        if taken.len() < names.len() {
            let mut seen: HashMap<String, usize> = HashMap::new();
            for name in &mut names {
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                if *times == 1 {
                    continue;
                }
                let mut number = *times - 1;
                let mut new = format!("{name}.{number}");
                while !taken.insert(new.clone()) {
                    number += 1;
                    new = format!("{name}.{number}");
                }
                match repeated.iter_mut().find(|(known, _)| known == name) {
                    Some((_, later)) => later.push(new.clone()),
                    None => repeated.push((name.clone(), vec![new.clone()])),
                }
                *name = new;
            }
        }
        Self {
            names,
            nameless,
            repeated,
            line,
            hint: "",
        }
    }

    /// The names `0`, `1`, …, for a table without names.
    pub(super) fn numbered(columns: usize, hint: &'static str) -> Self {
        let names = (0..columns).map(|column| column.to_string()).collect();
        Self {
            hint,
            ..Self::new(names, 1)
        }
    }

    /// The role of each column.
    ///
    /// # Errors
    /// A column that does not exist, or has two roles.
    pub(super) fn assign(&self, wanted: &TableColumns) -> Result<Assigned, TableProblem> {
        let same = matches!(wanted.features, FeatureColumns::Same { .. });
        // Where labels are apart, the caller finds out whether either file has a column.
        let first = !same && wanted.labels == LabelsWanted::Yes;
        let label = match (&wanted.label, wanted.labels) {
            (_, LabelsWanted::No) | (None, LabelsWanted::IfThere) => None,
            (Some(label), _) => Some(label),
            (None, _) if self.names.len() == 1 => Some(&self.names[0]),
            (None, _) => {
                let columns = listed(&self.names);
                return Err(TableProblem::LabelNotNamed { columns });
            }
        };
        let mut purposes: Vec<Option<(Role, &'static str)>> = vec![None; self.names.len()];
        let mut give = |name: &str, role, purpose, needed: bool| -> Result<bool, TableProblem> {
            let Some(column) = self.names.iter().position(|known| known == name) else {
                return if needed {
                    Err(self.no_column(name, purpose))
                } else {
                    Ok(false)
                };
            };
            if let Some((_, earlier)) = purposes[column] {
                return Err(TableProblem::TwoPurposes {
                    name: name.to_owned(),
                    first: earlier,
                    second: purpose,
                });
            }
            let repeated = self.repeated.iter().find(|(known, _)| known == name);
            if let Some((_, later)) = repeated
                && !later.iter().all(|later| wanted.ignore.contains(later))
                && role != Role::Unused
            {
                return Err(TableProblem::SameName {
                    line: self.line,
                    purpose,
                    name: name.to_owned(),
                    later: later.clone(),
                });
            }
            purposes[column] = Some((role, purpose));
            Ok(true)
        };
        let mut has_label = false;
        if let Some(label) = label {
            let needed = wanted.labels != LabelsWanted::IfThere;
            has_label = give(label, Role::Label, LABEL, needed)?;
        }
        let trusted = match &wanted.trusted {
            None => false,
            Some(name) => give(name, Role::Trusted, TRUSTED, first)?,
        };
        let mut groups = vec![false; wanted.groups.len()];
        for (position, name) in wanted.groups.iter().enumerate() {
            groups[position] = give(name, Role::Group(position), GROUP, first)?;
        }
        for name in &wanted.ignore {
            // The caller checks whether any of several tables has it.
            give(name, Role::Unused, IGNORED, false)?;
        }
        let id = match &wanted.id {
            Some(name) => give(name, Role::Id, ID, first)?.then(|| name.clone()),
            None => None,
        };
        let mut purposes: Vec<Option<Role>> = purposes
            .into_iter()
            .map(|purpose| purpose.map(|(role, _)| role))
            .collect();
        let first = self.names.first();
        let nameless = first.is_some_and(String::is_empty) && purposes[0].is_none();
        let id = if wanted.id.is_some() {
            id
        } else {
            let called_id = |name: &String| name.eq_ignore_ascii_case("id");
            let column = self.names.iter().position(called_id).filter(|&column| {
                purposes[column].is_none()
                    && !self.is_feature(column, &wanted.features)
                    && !wanted.keep.contains(&self.names[column])
            });
            let column = column.or(nameless.then_some(0));
            column.map(|column| {
                purposes[column] = Some(Role::Id);
                self.names[column].clone()
            })
        };
        // A column without a name is an index, which carries no information.
        if nameless && purposes[0].is_none() {
            purposes[0] = Some(Role::Unused);
        }
        // Where even labels need not be there, there may be columns of which nothing is known.
        let others = wanted.labels == LabelsWanted::IfThere;
        let features = self.features(&mut purposes, &wanted.features, others)?;
        Ok(Assigned {
            roles: purposes
                .into_iter()
                .map(|role| role.unwrap_or(Role::Unused))
                .collect(),
            features,
            label: label.filter(|_| has_label).cloned(),
            id,
            trusted,
            groups,
        })
    }

    fn is_feature(&self, column: usize, wanted: &FeatureColumns) -> bool {
        match wanted {
            FeatureColumns::Same { columns, .. } => columns.contains(&self.names[column]),
            FeatureColumns::Others | FeatureColumns::None => false,
        }
    }

    /// Turns columns without a role into features; `others` are allowed beside those of an earlier table.
    fn features(
        &self,
        roles: &mut [Option<Role>],
        wanted: &FeatureColumns,
        others: bool,
    ) -> Result<Vec<String>, TableProblem> {
        let free = |roles: &[Option<Role>]| -> Vec<usize> {
            (0..roles.len())
                .filter(|&column| roles[column].is_none())
                .collect()
        };
        match wanted {
            FeatureColumns::None => Ok(Vec::new()),
            FeatureColumns::Others => {
                let columns = free(roles);
                if columns.is_empty() {
                    let columns = listed(&self.names);
                    return Err(TableProblem::NoFeatures { columns });
                }
                for (position, &column) in columns.iter().enumerate() {
                    roles[column] = Some(Role::Feature(position));
                }
                Ok(columns
                    .iter()
                    .map(|&column| self.names[column].clone())
                    .collect())
            }
            FeatureColumns::Same { table, columns } => {
                // Names differ here.
                let places: HashMap<&String, usize> = self.names.iter().zip(0..).collect();
                for (position, name) in columns.iter().enumerate() {
                    match places.get(name).copied() {
                        Some(column) if roles[column].is_none() => {
                            roles[column] = Some(Role::Feature(position));
                        }
                        _ => return Err(self.no_column(name, "a feature")),
                    }
                }
                // Columns without a name are usually empty, and cannot be those of the first table.
                let extra = free(roles)
                    .into_iter()
                    .find(|column| !others && !self.nameless.contains(column));
                match extra {
                    None => Ok(columns.clone()),
                    Some(column) => {
                        let name = self.names[column].clone();
                        let known = Known::new(&name, columns);
                        let first = table.clone();
                        Err(TableProblem::ExtraColumn { name, first, known })
                    }
                }
            }
        }
    }

    fn no_column(&self, name: &str, purpose: &'static str) -> TableProblem {
        TableProblem::NoColumn {
            name: name.to_owned(),
            purpose,
            known: Known::new(name, &self.names),
            hint: self.hint,
        }
    }
}
