//! Tables: CSV and TSV files with a line of column names, or NPY features with labels.
//!
//! A file ending in `.tsv` or `.tab` (before `.gz`) is separated by tabs, any other by commas. It is
//! UTF-8, with or without byte order mark, gzipped or not, with lines that end in LF or CRLF;
//! cells may be quoted (RFC 4180), and blanks around a cell are ignored.
//!
//! A feature is a number, or `true` or `false`, read as 1 and 0. A cell is missing if it is empty or
//! one of `NA`, `N/A`, `NaN`, `null`, `None` and `?`, in upper or lower case. A label is any
//! text; only an empty label is missing.
//!
//! [`Table`] holds the contents of the file; a [`Preparation`] makes a
//! [`Dataset`](super::Dataset) of it.

mod cell;
mod columns;
mod header;
mod kind;
mod preparation;
mod problem;
mod text;

pub use columns::{FeatureColumns, TableColumns};
pub use kind::FileKind;
pub use preparation::{ColumnScale, Missing, MissingFound, Preparation, Prepared};
pub use problem::{Known, Place, TableProblem};

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};

use super::npy;
use crate::Error;
use cell::{Labels, boolean, number, utf8};
use header::{Header, Role};
use text::{Failure, Quotes};

/// The contents of a table: features, labels and their positions.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    path: PathBuf,
    label_path: PathBuf,
    label_column: String,
    columns: Vec<String>,
    /// Row by row; NaN where missing.
    values: Vec<f64>,
    labels: Labels,
    /// The line of each row, where the file of features has lines.
    lines: Option<Vec<u64>>,
    /// The same for the file of labels.
    label_lines: Option<Vec<u64>>,
    id_column: Option<String>,
    ids: Option<Vec<String>>,
    trusted: Option<Vec<bool>>,
}

impl Table {
    /// Reads a CSV or TSV file.
    ///
    /// Memory: 8 bytes per cell, plus labels and row names.
    ///
    /// # Errors
    /// A file that cannot be read; contents that are not a table; see [`TableProblem`].
    ///
    /// ```
    /// use bilevel_tasks::data::table::{Missing, Preparation, Table, TableColumns};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("pets.csv");
    /// std::fs::write(&path, "age,kind\n1,cat\n3,dog\n")?;
    /// let label = Some("kind".to_owned());
    /// let table = Table::read(&path, &TableColumns { label, ..TableColumns::default() })?;
    /// let pets = Preparation::fit(&table, Missing::Error)?.apply(&table)?.data;
    /// assert_eq!((pets.features(), pets.labels()), ([-1.0, 1.0].as_slice(), [0, 1].as_slice()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: &Path, columns: &TableColumns) -> Result<Self, Error> {
        text::open(path)
            .and_then(|file| Self::parse(file, path, columns))
            .map_err(|failure| failure.at(path))
    }

    /// Reads the bytes of a table; `name` stands for the file in messages, and its extension
    /// determines the separator.
    ///
    /// # Errors
    /// Those of [`Table::read`].
    pub fn from_bytes(bytes: Vec<u8>, name: &Path, columns: &TableColumns) -> Result<Self, Error> {
        text::plain(std::io::Cursor::new(bytes))
            .and_then(|file| Self::parse(file, name, columns))
            .map_err(|failure| failure.at(name))
    }

    /// The names of all columns of a CSV or TSV file.
    ///
    /// # Errors
    /// A file that cannot be read, or does not begin with column names.
    pub fn column_names(path: &Path) -> Result<Vec<String>, Error> {
        text::open(path)
            .and_then(|file| Header::read(&mut reader(file, path)))
            .map(|header| header.names)
            .map_err(|failure| failure.at(path))
    }

    /// Reads features from an NPY file of rows × columns, and labels from an NPY file of
    /// integers or from a table (with any other name).
    ///
    /// # Errors
    /// Those of [`NpyArray::read`](super::npy::NpyArray::read) and [`Table::read`]; different
    /// numbers of labels and rows.
    pub fn read_npy(features: &Path, labels: &Path, columns: &TableColumns) -> Result<Self, Error> {
        let (rows, width, values) = npy::read_matrix_f64(features)?;
        let mut table = if is_npy(labels) {
            let classes = npy::read_labels(labels)?;
            Self {
                labels: classes.iter().map(u32::to_string).collect(),
                ..Self::empty(labels, "label".to_owned())
            }
        } else {
            let columns = TableColumns {
                features: FeatureColumns::None,
                ..columns.clone()
            };
            Self::read(labels, &columns)?
        };
        if table.rows() != rows {
            return Err(Error::FeatureRows {
                features: features.to_owned(),
                rows,
                labels: labels.to_owned(),
                label_rows: table.rows(),
            });
        }
        let place = |position: usize| Place {
            row: position / width.max(1),
            line: None,
            column: Some((position % width.max(1)).to_string()),
        };
        if let Some(position) = values.iter().position(|value| value.is_infinite()) {
            let found = values[position].to_string();
            let place = place(position);
            return Err(Failure::from(TableProblem::Infinite { place, found }).at(features));
        }
        table.path = features.to_owned();
        table.columns = (0..width).map(|column| column.to_string()).collect();
        table.lines = None;
        table.values = values;
        table.expect_content()?;
        Ok(table)
    }

    fn empty(path: &Path, label_column: String) -> Self {
        Self {
            path: path.to_owned(),
            label_path: path.to_owned(),
            label_column,
            columns: Vec::new(),
            values: Vec::new(),
            labels: Labels::default(),
            lines: None,
            label_lines: None,
            id_column: None,
            ids: None,
            trusted: None,
        }
    }

    fn parse(file: impl Read, path: &Path, wanted: &TableColumns) -> Result<Self, Failure> {
        let mut reader = reader(file, path);
        let header = Header::read(&mut reader)?;
        let columns = header.assign(wanted)?;
        let mut table = Self {
            columns: columns.features,
            ids: columns.id.is_some().then(Vec::new),
            id_column: columns.id,
            trusted: columns.trusted.then(Vec::new),
            ..Self::empty(path, columns.label)
        };
        let mut lines = Vec::new();
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            let place = Place {
                row: lines.len(),
                line: Some(reader.get_mut().next_start()),
                column: None,
            };
            if record.len() != header.names.len() {
                return Err(TableProblem::Ragged {
                    place,
                    expected: header.names.len(),
                    found: record.len(),
                }
                .into());
            }
            lines.extend(place.line);
            let start = table.values.len();
            table.values.resize(start + table.columns.len(), f64::NAN);
            for ((cell, role), name) in record.iter().zip(&columns.roles).zip(&header.names) {
                let place = || Place {
                    column: Some(name.clone()),
                    ..place.clone()
                };
                match *role {
                    Role::Unused => {}
                    Role::Feature(position) => {
                        table.values[start + position] = number(cell, &place)?;
                    }
                    Role::Label => table.labels.push(utf8(cell, &place)?),
                    Role::Id => {
                        let id = utf8(cell, &place)?.to_owned();
                        table.ids.iter_mut().for_each(|ids| ids.push(id.clone()));
                    }
                    Role::Trusted => {
                        let trusted = boolean(cell, &place)?;
                        let all = table.trusted.iter_mut();
                        all.for_each(|all| all.push(trusted));
                    }
                }
            }
        }
        if lines.is_empty() {
            return Err(TableProblem::NoRows.into());
        }
        table.label_lines = Some(lines.clone());
        table.lines = Some(lines);
        Ok(table)
    }

    fn expect_content(&self) -> Result<(), Error> {
        let problem = if self.rows() == 0 {
            TableProblem::NoRows
        } else if self.columns.is_empty() {
            TableProblem::NoFeatures {
                columns: "a matrix without columns".to_owned(),
            }
        } else {
            return Ok(());
        };
        Err(Failure::from(problem).at(&self.path))
    }

    /// The file of features.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.labels.rows.len()
    }

    /// The names of the feature columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The column of row names, if there is one.
    #[must_use]
    pub fn id_column(&self) -> Option<&str> {
        self.id_column.as_deref()
    }

    /// The names of the rows, if they have any.
    #[must_use]
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// Which rows are trusted, if there is a column for it.
    #[must_use]
    pub fn trusted(&self) -> Option<&[bool]> {
        self.trusted.as_deref()
    }

    fn row(&self, row: usize) -> &[f64] {
        let width = self.columns.len();
        &self.values[row * width..(row + 1) * width]
    }

    fn feature_place(&self, row: usize, column: usize) -> Place {
        Place {
            row,
            line: self.lines.as_ref().map(|lines| lines[row]),
            column: Some(self.columns[column].clone()),
        }
    }

    fn label_place(&self, row: usize) -> Place {
        Place {
            row,
            line: self.label_lines.as_ref().map(|lines| lines[row]),
            column: Some(self.label_column.clone()),
        }
    }

    fn wrong(&self, problem: TableProblem) -> Error {
        Failure::from(problem).at(&self.path)
    }

    fn wrong_label(&self, problem: TableProblem) -> Error {
        Failure::from(problem).at(&self.label_path)
    }
}

/// Whether a file name ends in `.npy`; otherwise the labels of NPY features are read as a table.
#[must_use]
pub fn is_npy(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("npy"))
}

fn reader<R: Read>(file: R, path: &Path) -> Reader<Quotes<R>> {
    let name = path.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let tabs = name.ends_with(".tsv") || name.ends_with(".tab");
    let separator = if tabs { b'\t' } else { b',' };
    ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        // A row of another length is reported with its position below.
        .flexible(true)
        .trim(Trim::All)
        .from_reader(Quotes::new(file, separator))
}

mod tests;
