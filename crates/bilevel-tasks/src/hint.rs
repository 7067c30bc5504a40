//! What the user can do about an error in data or settings, by kind.

use crate::data::table::FileKind;

/// What the user can do about an error. The error says what is wrong; the program that shows the error matches the
/// kind of hint and says what to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// A hint about settings or about keys of a specification.
    Settings(bilevel::Hint),
    /// Say which column holds the labels.
    NameLabel,
    /// Leave this column out of the features.
    IgnoreColumn(String),
    /// Fill missing values with the means of their columns, or leave out the rows that have a missing value.
    FillOrDrop,
    /// Fill missing values with the means of their columns.
    Fill,
    /// Leave out the rows that have a missing value.
    Drop,
    /// Read the file in its own format, or save it as a table.
    OtherKind(FileKind),
}
