//! What can be wrong with an NPY file.

use crate::data::shape::shape_text;

/// What is wrong with the contents of an NPY file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// The file does not have the signature of an NPY file.
    #[error("expected an NPY file, which starts with the bytes 93 \"NUMPY\", found other bytes")]
    Magic,
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
    #[error("expected elements of type <f4, <f8, <i4, <i8 or |u1 (little-endian), found {found}")]
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
    /// An array of integers was needed.
    #[error("expected integers, found floating-point numbers")]
    NotIntegers,
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
