//! File types that are not tables.

use std::fmt;

/// A file type often mistaken for a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A ZIP archive, such as a spreadsheet.
    Zip,
    /// A Parquet file.
    Parquet,
    /// A NumPy array.
    Npy,
    /// A file of the MNIST family.
    Idx,
    /// Text in UTF-16.
    Utf16,
    /// An image.
    Png,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "a ZIP archive, as a spreadsheet is",
            Self::Parquet => "a Parquet file",
            Self::Npy => "an NPY file",
            Self::Idx => "an IDX file",
            Self::Utf16 => "UTF-16",
            Self::Png => "a PNG image",
        })
    }
}
