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
mod text;
#[cfg(feature = "columnar")]
mod typed;
mod unread;
mod wrong;

use std::io;
use std::path::Path;

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
