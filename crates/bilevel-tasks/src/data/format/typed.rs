//! Columns of files whose cells have types.

use std::path::Path;
use std::sync::Arc;

use crate::Error;
use crate::data::cell::{Decimal, number_text};
use crate::data::cells::{Cells, trusted};
use crate::data::column::{Column, Reading};
use crate::data::header::{Assigned, Header, Role};
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::problem::{Place, TableProblem};
use crate::data::roles::TableColumns;
use crate::data::room::Room;
use crate::data::table::Table;

/// Bytes of a cell, about.
const CELL: usize = 8;

/// A column while it is read, by its role.
pub(super) enum Sink {
    Unused,
    Feature(Column),
    Labels(Labels),
    Ids(Vec<String>),
    Groups(Vec<String>),
    Trusted(Vec<bool>),
}

/// What a sink does with cells, and where it is.
pub(super) struct Filling<'a> {
    pub(super) sink: Sink,
    pub(super) name: &'a str,
    pub(super) wanted: &'a TableColumns,
    rows: usize,
    /// Bytes of cells that are not counted yet.
    uncounted: usize,
    room: Arc<Room>,
}

impl<'a> Filling<'a> {
    pub(super) fn new(
        role: Role,
        name: &'a str,
        path: &Path,
        wanted: &'a TableColumns,
        room: &Arc<Room>,
    ) -> Self {
        let category = wanted.category.iter().any(|known| known == name);
        let reading = if category {
            Reading::Category
        } else {
            Reading::Found
        };
        Self {
            sink: match role {
                Role::Unused => Sink::Unused,
                Role::Feature(_) => Sink::Feature(Column::new(name, reading)),
                Role::Label => Sink::Labels(Labels::new(path, Some(name.to_owned()))),
                Role::Id => Sink::Ids(Vec::new()),
                Role::Group(_) => Sink::Groups(Vec::new()),
                Role::Trusted => Sink::Trusted(Vec::new()),
            },
            name,
            wanted,
            rows: 0,
            uncounted: 0,
            room: Arc::clone(room),
        }
    }

    /// Counts the bytes of cells, many at a time.
    fn count(&mut self, bytes: usize) -> Result<(), TableProblem> {
        self.uncounted += bytes;
        if self.uncounted >= self.room.piece() {
            let bytes = std::mem::take(&mut self.uncounted);
            self.room.count(bytes as u64)?;
        }
        Ok(())
    }

    /// The memory that the file may take.
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Makes room for so many cells.
    pub(super) fn reserve(&mut self, cells: usize) {
        if let Sink::Feature(column) = &mut self.sink {
            column.reserve(cells);
        }
    }

    pub(super) fn number(&mut self, value: f64) -> Result<(), TableProblem> {
        if self.is_missing(value) && matches!(self.sink, Sink::Feature(_)) {
            return self.missing();
        }
        self.count(CELL)?;
        self.rows += 1;
        match &mut self.sink {
            Sink::Unused => {}
            Sink::Feature(column) => column.push_number(value),
            Sink::Labels(labels) => labels.push_number(value),
            Sink::Ids(texts) | Sink::Groups(texts) => texts.push(number_text(value)),
            Sink::Trusted(_) => {
                self.rows -= 1;
                return self.text(&number_text(value));
            }
        }
        Ok(())
    }

    /// Whether the user says that this number stands for no value.
    fn is_missing(&self, value: f64) -> bool {
        let words = self.wanted.missing.iter();
        words
            .filter_map(|word| word.trim().parse::<f64>().ok())
            .any(|word| word == value)
    }

    /// An integer, however large.
    pub(super) fn unsigned(&mut self, value: u64) -> Result<(), TableProblem> {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => match &mut self.sink {
                Sink::Labels(_) | Sink::Ids(_) | Sink::Groups(_) => self.text(&value.to_string()),
                _ => self.number(value as f64),
            },
        }
    }

    /// Several numbers at once.
    pub(super) fn numbers<T: Copy + Into<f64>>(
        &mut self,
        values: &[T],
    ) -> Result<(), TableProblem> {
        if self.wanted.missing.is_empty()
            && let Sink::Feature(column) = &mut self.sink
        {
            self.rows += values.len();
            column.extend_numbers(values);
            self.count(CELL * values.len())?;
            return Ok(());
        }
        values
            .iter()
            .try_for_each(|&value| self.number(value.into()))
    }

    pub(super) fn integer(&mut self, value: i64) -> Result<(), TableProblem> {
        match &mut self.sink {
            Sink::Labels(labels) => labels.push(&value.to_string()),
            Sink::Ids(texts) | Sink::Groups(texts) => texts.push(value.to_string()),
            _ => return self.number(value as f64),
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn boolean(&mut self, value: bool) -> Result<(), TableProblem> {
        self.count(CELL)?;
        self.rows += 1;
        match &mut self.sink {
            Sink::Unused => {}
            Sink::Feature(column) => column.push_boolean(value),
            Sink::Labels(labels) => labels.push_boolean(value),
            Sink::Ids(texts) | Sink::Groups(texts) => texts.push(value.to_string()),
            Sink::Trusted(all) => all.push(value),
        }
        Ok(())
    }

    /// Days since 1970-01-01.
    pub(super) fn date(&mut self, days: f64) -> Result<(), TableProblem> {
        self.count(CELL)?;
        if let Sink::Feature(column) = &mut self.sink {
            column.push_date(days);
            self.rows += 1;
            return Ok(());
        }
        self.number(days)
    }

    /// A text is read as a cell of a CSV file is: it may say a number.
    pub(super) fn text(&mut self, text: &str) -> Result<(), TableProblem> {
        self.count(CELL + text.len())?;
        let place = || Place {
            row: self.rows,
            line: None,
            column: Some(self.name.to_owned()),
        };
        match &mut self.sink {
            Sink::Unused => {}
            Sink::Feature(column) => {
                column.push(text.trim(), Decimal::Point, &self.wanted.missing);
            }
            Sink::Labels(labels) => labels.push(text.trim()),
            Sink::Ids(texts) | Sink::Groups(texts) => texts.push(text.to_owned()),
            Sink::Trusted(all) => all.push(trusted(text.trim(), &place)?),
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn missing(&mut self) -> Result<(), TableProblem> {
        self.count(CELL)?;
        if let Sink::Feature(column) = &mut self.sink {
            column.push_missing();
            self.rows += 1;
            return Ok(());
        }
        self.text("")
    }
}

/// What a table has of its columns.
pub(super) struct Typed<'a> {
    pub(super) path: &'a Path,
    pub(super) kind: &'static str,
    pub(super) header: Header,
    pub(super) assigned: Assigned,
    pub(super) rows: usize,
}

impl Typed<'_> {
    /// The table of the sinks, which are in the order of the columns; a column of lists has several sinks.
    pub(super) fn table(
        self,
        sinks: Vec<Vec<Sink>>,
        wanted: &TableColumns,
    ) -> Result<Table, Error> {
        let mut cells = Cells::new(self.path, &self.assigned, wanted);
        cells.rows = self.rows;
        cells.features.clear();
        // Features stand in the order that the first table has them in.
        let mut features: Vec<(usize, Vec<Column>)> = Vec::new();
        for (column, role) in sinks.into_iter().zip(&self.assigned.roles) {
            let (mut own, mut groups) = (Vec::new(), None);
            for sink in column {
                match sink {
                    Sink::Unused => {}
                    Sink::Feature(column) => own.push(column),
                    Sink::Labels(labels) => cells.labels = Some(labels),
                    Sink::Ids(ids) => cells.ids = Some(ids),
                    Sink::Groups(texts) => groups = Some(texts),
                    Sink::Trusted(trusted) => cells.trusted = Some(trusted),
                }
            }
            match *role {
                Role::Feature(position) => features.push((position, own)),
                Role::Group(position) => cells.groups[position] = groups,
                Role::Unused | Role::Label | Role::Id | Role::Trusted => {}
            }
        }
        features.sort_by_key(|(position, _)| *position);
        cells.features = features
            .into_iter()
            .flat_map(|(_, columns)| columns)
            .collect();
        let lengths = cells.features.iter().map(Column::len);
        let labels = cells.labels.iter().map(Labels::rows);
        if let Some(found) = lengths.chain(labels).find(|&length| length != self.rows) {
            let expected = format!("{} cells in each column", self.rows);
            return Err(Malformed::new(expected, found.to_string()).at(self.path));
        }
        if self.rows == 0 {
            return Err(TableProblem::NoRows.at(self.path));
        }
        Ok(cells.into_table(self.path, self.kind.to_owned(), self.header, self.assigned))
    }
}
