//! The formats of data files: a format is one module below and one line of [`FORMATS`].
//!
//! What kind of file this is is decided here, from its first bytes, for every argument that is a file.

mod arrays;
#[cfg(feature = "columnar")]
mod arrow;
mod cifar;
mod ecosystems;
mod file;
mod idx_rows;
mod images;
mod libsvm;
mod mat;
mod npy_rows;
mod npz;
#[cfg(feature = "columnar")]
mod parquet;
mod row_bytes;
mod text;
mod too_much;
#[cfg(feature = "columnar")]
mod typed;
mod unread;
mod written;
mod wrong;

use std::io;
use std::path::Path;

use super::changes::{Changes, Rewrite};
use super::malformed::Malformed;
use super::own_cells::OwnCells;
use super::roles::TableColumns;
use super::source::Source;
use super::table::Table;
use crate::Error;
use file::{Format, Opened, Start};

/// In the order in which they are tried.
const FORMATS: &[Format] = &[
    npy_rows::FORMAT,
    npz::FORMAT,
    idx_rows::FORMAT,
    mat::FORMAT,
    #[cfg(feature = "columnar")]
    parquet::FORMAT,
    #[cfg(feature = "columnar")]
    arrow::FORMAT,
    cifar::FORMAT,
    libsvm::FORMAT,
    // Any other text.
    text::FORMAT,
];

impl Table {
    /// Reads a file of any known format, or a folder of pictures; `-` is standard input.
    ///
    /// Memory: 8 bytes a cell of a table, 4 or 8 a number of a matrix, as the file has it; plus labels and row names.
    ///
    /// # Errors
    /// A file that cannot be read, is of no known format, or has contents that do not fit it.
    ///
    /// ```
    /// use bilevel_tasks::data::table::{Table, TableColumns};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("pets.csv");
    /// std::fs::write(&path, "age;kind\n1,5;cat\n3;dog\n")?;
    /// let label = Some("kind".to_owned());
    /// let table = Table::read(&path, &TableColumns { label, ..TableColumns::default() })?;
    /// assert_eq!((table.rows(), table.names()), (2, ["age".to_owned(), "kind".to_owned()].as_slice()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: &Path, wanted: &TableColumns) -> Result<Self, Error> {
        if path.is_dir() {
            return images::read(path, wanted);
        }
        read(Source::open(path), path, wanted)
    }

    /// Reads the bytes of a file; `name` stands for the file in messages.
    ///
    /// # Errors
    /// Those of [`Table::read`].
    pub fn from_bytes(bytes: Vec<u8>, name: &Path, wanted: &TableColumns) -> Result<Self, Error> {
        read(Source::of(io::Cursor::new(bytes)), name, wanted)
    }
}

/// Fails unless a file can be written again with such changes.
pub(super) fn rewritable(path: &Path, changes: Changes) -> Result<(), Error> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::reading(path, error))?;
    if metadata.is_dir() {
        return match changes {
            Changes::Rows => Ok(()),
            Changes::Columns => Err(no_columns("a folder of pictures").at(path)),
        };
    }
    if !metadata.is_file() {
        let found = "one that can be read only once";
        return Err(Malformed::new("a file that can be read again", found).at(path));
    }
    let source = Source::open(path).map_err(|error| Error::reading(path, error))?;
    let start = Start {
        bytes: source.start(),
        whole: source.is_short(),
    };
    let Some(format) = FORMATS.iter().find(|format| (format.is)(&start)) else {
        return Ok(());
    };
    if format.rewrite.is_none() {
        let known = FORMATS.iter().filter(|format| format.rewrite.is_some());
        let known: Vec<&str> = known.map(|format| format.name).collect();
        let expected = format!("a format that can be written: {}", known.join(", "));
        return Err(Malformed::new(expected, format.name).at(path));
    }
    match changes {
        Changes::Columns if !format.columns => Err(no_columns(format.name).at(path)),
        _ => Ok(()),
    }
}

fn no_columns(found: &str) -> Malformed {
    Malformed::new("a format with columns, to which one can be added", found)
}

/// The names of the first columns and their cells in these rows of a text.
pub(super) fn cells(
    path: &Path,
    wanted: &TableColumns,
    rows: &[usize],
    most: usize,
) -> Result<Option<OwnCells>, Error> {
    let regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !regular {
        return Ok(None);
    }
    let source = Source::open(path).map_err(|error| Error::reading(path, error))?;
    let start = Start {
        bytes: source.start(),
        whole: source.is_short(),
    };
    let format = FORMATS.iter().find(|format| (format.is)(&start));
    if format.is_none_or(|format| format.name != text::FORMAT.name) {
        return Ok(None);
    }
    let opened = Opened {
        path,
        source,
        wanted,
    };
    text::cells(opened, rows, most).map(Some)
}

/// The bytes of a file with changes; none for a folder, which is copied.
pub(super) fn rewritten(
    path: &Path,
    wanted: &TableColumns,
    changes: &Rewrite,
    to: &Path,
) -> Result<Option<Vec<u8>>, Error> {
    if path.is_dir() {
        return images::rewrite(path, changes, to).map(|()| None);
    }
    let source = Source::open(path).map_err(|error| Error::reading(path, error))?;
    let start = Start {
        bytes: source.start(),
        whole: source.is_short(),
    };
    let format = FORMATS.iter().find(|format| (format.is)(&start));
    let Some(rewrite) = format.and_then(|format| format.rewrite) else {
        let found = format.map_or("another one", |format| format.name);
        return Err(Malformed::new("a format that can be written", found).at(path));
    };
    let opened = Opened {
        path,
        source,
        wanted,
    };
    rewrite(opened, changes).map(Some)
}

fn read(source: io::Result<Source>, path: &Path, wanted: &TableColumns) -> Result<Table, Error> {
    let mut source = source.map_err(|error| Error::reading(path, error))?;
    let start = Start {
        bytes: source.start(),
        whole: source.is_short(),
    };
    let format = FORMATS.iter().find(|format| (format.is)(&start));
    let Some(format) = format else {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let unknown = unread::name(&start, &names);
        // What is damaged may look like nothing known.
        let whole = source.expect_whole_start();
        whole.map_err(|error| Error::reading(path, error))?;
        return Err(unknown.at(path));
    };
    (format.read)(Opened {
        path,
        source,
        wanted,
    })
}
