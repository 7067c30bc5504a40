//! The names of a table's columns, and the role of each.

use std::io::Read;

use csv::{ByteRecord, Reader};

use super::columns::{FeatureColumns, TableColumns};
use super::problem::{Known, TableProblem, listed};
use super::text::{Failure, Quotes};

/// The role of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Unused,
    /// The feature at this position.
    Feature(usize),
    Label,
    Id,
    Trusted,
}

/// The first line of a table.
pub(super) struct Header {
    pub(super) names: Vec<String>,
}

/// The role of each column.
pub(super) struct Assigned {
    /// By column of the file.
    pub(super) roles: Vec<Role>,
    /// The names of the features, in their order.
    pub(super) features: Vec<String>,
    pub(super) label: String,
    pub(super) id: Option<String>,
    pub(super) trusted: bool,
}

const LABEL: &str = "the labels";
const ID: &str = "the names of the rows";
const TRUSTED: &str = "which rows are trusted";
const IGNORED: &str = "left out";

impl Header {
    pub(super) fn read<R: Read>(reader: &mut Reader<Quotes<R>>) -> Result<Self, Failure> {
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record)? {
            return Err(TableProblem::Empty.into());
        }
        let line = reader.get_mut().next_start();
        let mut names: Vec<String> = Vec::with_capacity(record.len());
        for (index, name) in record.iter().enumerate() {
            let cell = index + 1;
            let name = String::from_utf8(name.to_vec())
                .map_err(|_| TableProblem::HeaderText { line, cell })?;
            if name.is_empty() && index > 0 {
                let of = record.len();
                return Err(TableProblem::NoName { line, cell, of }.into());
            }
            names.push(name);
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let name = pair[0].clone();
            return Err(TableProblem::SameName { line, name }.into());
        }
        Ok(Self { names })
    }

    /// The role of each column.
    pub(super) fn assign(&self, wanted: &TableColumns) -> Result<Assigned, Failure> {
        let first = !matches!(wanted.features, FeatureColumns::Same { .. });
        let label = match &wanted.label {
            Some(label) => label,
            None if self.names.len() == 1 => &self.names[0],
            None => {
                let columns = listed(&self.names);
                return Err(TableProblem::LabelNotNamed { columns }.into());
            }
        };
        let mut purposes: Vec<Option<(Role, &'static str)>> = vec![None; self.names.len()];
        let mut give = |name: &str, role, purpose, needed: bool| -> Result<bool, Failure> {
            let Some(column) = self.names.iter().position(|known| known == name) else {
                return if needed {
                    Err(self.no_column(name, purpose).into())
                } else {
                    Ok(false)
                };
            };
            if let Some((_, earlier)) = purposes[column] {
                return Err(TableProblem::TwoPurposes {
                    name: name.to_owned(),
                    first: earlier,
                    second: purpose,
                }
                .into());
            }
            purposes[column] = Some((role, purpose));
            Ok(true)
        };
        give(label, Role::Label, LABEL, true)?;
        let trusted = match &wanted.trusted {
            None => false,
            Some(name) => give(name, Role::Trusted, TRUSTED, first)?,
        };
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
        let nameless = self.names[0].is_empty() && purposes[0].is_none();
        let id = if wanted.id.is_some() {
            id
        } else {
            let called_id = |name: &String| name.eq_ignore_ascii_case("id");
            let column = self.names.iter().position(called_id).filter(|&column| {
                purposes[column].is_none() && !self.is_feature(column, &wanted.features)
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
        let features = self.features(&mut purposes, &wanted.features)?;
        Ok(Assigned {
            roles: purposes
                .into_iter()
                .map(|role| role.unwrap_or(Role::Unused))
                .collect(),
            features,
            label: label.clone(),
            id,
            trusted,
        })
    }

    fn is_feature(&self, column: usize, wanted: &FeatureColumns) -> bool {
        match wanted {
            FeatureColumns::Same { columns, .. } => columns.contains(&self.names[column]),
            FeatureColumns::Others | FeatureColumns::None => false,
        }
    }

    /// Turns columns without a role into features.
    fn features(
        &self,
        roles: &mut [Option<Role>],
        wanted: &FeatureColumns,
    ) -> Result<Vec<String>, Failure> {
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
                    return Err(TableProblem::NoFeatures { columns }.into());
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
                for (position, name) in columns.iter().enumerate() {
                    match self.names.iter().position(|known| known == name) {
                        Some(column) if roles[column].is_none() => {
                            roles[column] = Some(Role::Feature(position));
                        }
                        _ => return Err(self.no_column(name, "a feature").into()),
                    }
                }
                match free(roles).first() {
                    None => Ok(columns.clone()),
                    Some(&column) => {
                        let name = self.names[column].clone();
                        let known = Known::new(&name, columns);
                        let first = table.clone();
                        Err(TableProblem::ExtraColumn { name, first, known }.into())
                    }
                }
            }
        }
    }

    fn no_column(&self, name: &str, purpose: &'static str) -> TableProblem {
        let hint = match &self.names[..] {
            [only] if only.contains(';') => {
                "; the columns seem to be separated by semicolons: expected commas, or tabs in a file that ends in .tsv"
            }
            [only] if only.contains('\t') => {
                "; the columns seem to be separated by tabs: expected commas, or a file that ends in .tsv"
            }
            [only] if only.contains(',') => {
                "; the columns seem to be separated by commas: expected tabs, or a file that ends in .csv"
            }
            _ => "",
        };
        TableProblem::NoColumn {
            name: name.to_owned(),
            purpose,
            known: Known::new(name, &self.names),
            hint,
        }
    }
}
