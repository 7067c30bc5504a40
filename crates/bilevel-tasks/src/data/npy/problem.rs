//! What can be wrong with an NPY file.

use crate::data::shape::shape_text;

/// What is wrong with the contents of an NPY file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// The file does not start like an NPY file.
    #[error("expected an NPY file, which starts with the bytes 93 \"NUMPY\", found another start")]
    Magic,
    /// A version that is not known.
    #[error("expected NPY version 1.0, 2.0 or 3.0, found {major}.{minor}")]
    Version {
        /// Before the point.
        major: u8,
        /// Behind it.
        minor: u8,
    },
    /// The file ends inside the header.
    #[error("expected a header that ends at byte {expected}, found {found} bytes in all")]
    ShortHeader {
        /// Where the header says that it ends.
        expected: usize,
        /// Length of the file.
        found: usize,
    },
    /// The header is not the dictionary that it should be.
    #[error("expected a header with 'descr', 'fortran_order' and 'shape', found {found:?}")]
    Header {
        /// The text of the header, or its beginning.
        found: String,
    },
    /// Elements of a type that is not read.
    #[error("expected elements of type <f4, <f8, <i4, <i8 or |u1 (little-endian), found {found}")]
    Element {
        /// The type that the header declares.
        found: String,
    },
    /// The elements do not fill the declared shape.
    #[error(
        "expected the bytes of {} elements of type {element} behind the header, found {found} bytes",
        shape_text(shape)
    )]
    Size {
        /// The declared shape.
        shape: Vec<usize>,
        /// The declared type.
        element: String,
        /// Bytes behind the header.
        found: usize,
    },
    /// An array of another shape than was needed.
    #[error("expected an array of shape {expected}, found {}", shape_text(found))]
    Shape {
        /// What was needed.
        expected: String,
        /// The shape of the array.
        found: Vec<usize>,
    },
    /// An array of integers was needed.
    #[error("expected integers, found floating-point numbers")]
    NotIntegers,
    /// An integer that is no class.
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
