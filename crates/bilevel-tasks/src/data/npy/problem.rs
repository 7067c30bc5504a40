//! What can be wrong with an NPY file.

use crate::data::shape::shape_text;

/// What is wrong with the contents of an NPY file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// The file does not have the signature of an NPY file.
    #[error("expected an NPY file, which starts with the bytes 93 \"NUMPY\", found other bytes")]
    Magic,
    /// A ZIP archive in its place.
    #[error(
        "expected an NPY file, found a ZIP archive, as NPZ files are: save each of its arrays with numpy.save"
    )]
    Archive,
    /// An unknown version.
    #[error("expected NPY version 1.0, 2.0 or 3.0, found {major}.{minor}")]
    Version {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// The file ends inside the header.
    #[error("expected a header that ends at byte {expected}, found {found} bytes in all")]
    ShortHeader {
        /// The end of the header as declared.
        expected: usize,
        /// Length of the file.
        found: usize,
    },
    /// The header is not the expected dictionary.
    #[error("expected a header with 'descr', 'fortran_order' and 'shape', found {found:?}")]
    Header {
        /// The text of the header, or its beginning.
        found: String,
    },
    /// An unsupported element type.
    #[error(
        "expected booleans, integers, or floating-point numbers of 32 or 64 bits, found elements of type {found}; in NumPy, array.astype converts them"
    )]
    Element {
        /// The type that the header declares.
        found: String,
    },
    /// The elements do not match the declared shape.
    #[error(
        "expected the bytes of {} elements of type {element} after the header, found {found} bytes",
        shape_text(shape)
    )]
    Size {
        /// The declared shape.
        shape: Vec<usize>,
        /// The declared type.
        element: String,
        /// Bytes after the header.
        found: usize,
    },
    /// An array whose shape differs from the required one.
    #[error("expected an array of shape {expected}, found {}", shape_text(found))]
    Shape {
        /// The required shape.
        expected: String,
        /// The shape of the array.
        found: Vec<usize>,
    },
    /// A number that is not an integer where one was needed.
    #[error("element {index}: expected an integer, found {found}")]
    NotInteger {
        /// Position of the number.
        index: usize,
        /// The number.
        found: f64,
    },
    /// An integer that is too large.
    #[error(
        "element {index}: expected an integer up to {}, found {found}",
        i64::MAX
    )]
    Large {
        /// Position of the number.
        index: usize,
        /// The number.
        found: u64,
    },
    /// The gzip stream is cut short or damaged.
    #[error(
        "expected a whole gzip file, found it cut short or damaged after {read} unpacked bytes: {source}"
    )]
    Gzip {
        /// Bytes unpacked before the damage.
        read: usize,
        /// The decoder's error.
        source: std::io::Error,
    },
    /// An integer that is not a class.
    #[error(
        "element {index}: expected a class, a number from 0 to {}, found {found}",
        u32::MAX
    )]
    Label {
        /// Position of the number.
        index: usize,
        /// The number.
        found: i64,
    },
}
