//! Columns as the first table reads them.

use crate::data::column::NO_TEXT;

/// The cells of a column, as the first table reads them.
pub(super) enum Read {
    Numbers(Vec<f64>),
    /// By the number of the text in the first table.
    Texts(Vec<u32>),
}

impl Read {
    pub(super) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(values) => values[row].is_nan(),
            Self::Texts(texts) => texts[row] == NO_TEXT,
        }
    }
}
