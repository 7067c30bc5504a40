//! What can be wrong with an IDX file.

use std::io;

use super::element::{ElementType, MAXIMUM_CLASSES};
use crate::data::shape::shape_text;

/// What is wrong with the contents of an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// No bytes at all.
    #[error("expected an IDX file, found no data")]
    Empty,
    /// The file does not have the signature of an IDX file.
    #[error(
        "expected an IDX file, which starts with the bytes 00 00, found {:02x} {:02x}", found[0], found[1]
    )]
    Magic {
        /// The first two bytes.
        found: [u8; 2],
    },
    /// The byte for the element type is unknown.
    #[error(
        "expected an element type of 08, 09, 0b, 0c, 0d or 0e (hexadecimal), found {found:02x}"
    )]
    UnknownElement {
        /// The byte found.
        found: u8,
    },
    /// No dimensions are declared.
    #[error("expected at least one dimension, found none")]
    NoDimensions,
    /// The file ends inside the header.
    #[error("expected a header of {expected} bytes, found {found} bytes in all")]
    ShortHeader {
        /// Length of the header.
        expected: usize,
        /// Length of the file, unpacked.
        found: usize,
    },
    /// The declared dimensions exceed the address space.
    #[error(
        "expected dimensions that fit into memory, found {}",
        shape_text(dimensions)
    )]
    Overflow {
        /// The declared dimensions.
        dimensions: Vec<usize>,
    },
    /// The file ends before the last declared element.
    #[error(
        "expected {expected} bytes of data ({} {element} declared), found {found}",
        shape_text(dimensions)
    )]
    TooFewBytes {
        /// The dimensions read: the declared ones, or fewer rows if fewer were requested.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
        /// Bytes that the dimensions require.
        expected: usize,
        /// Bytes after the header.
        found: usize,
    },
    /// The file continues after the last declared element.
    #[error(
        "expected {expected} bytes of data ({} {element} declared), found more",
        shape_text(dimensions)
    )]
    TooManyBytes {
        /// The declared dimensions.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
        /// Bytes that the dimensions require.
        expected: usize,
    },
    /// The gzip stream is cut short or damaged.
    #[error(
        "expected a whole gzip file, found it cut short or damaged after {read} unpacked bytes: {source}"
    )]
    Gzip {
        /// Bytes unpacked before the damage.
        read: usize,
        /// The decoder's error.
        source: io::Error,
    },
    /// The array is not of the requested kind.
    #[error("expected {expected}, found {} {element}", shape_text(dimensions))]
    Kind {
        /// The requested kind.
        expected: &'static str,
        /// The declared dimensions.
        dimensions: Vec<usize>,
        /// The declared type of the elements.
        element: ElementType,
    },
    /// A label that cannot be a class index.
    #[error("row {row}: expected a label from 0 to {}, found {label}", MAXIMUM_CLASSES - 1)]
    Label {
        /// Row of the label.
        row: usize,
        /// The label found.
        label: i64,
    },
}
