//! Missing values: what is done with them, and how many there were.

use serde::{Deserialize, Serialize};

/// How missing values are handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They are an error.
    #[default]
    Error,
    /// A missing feature becomes the mean of its column.
    Mean,
    /// Rows with a missing feature are left out.
    Drop,
    /// A missing feature becomes the mean of its column, and another feature says that it was missing.
    Indicator,
}

/// What was missing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MissingFound {
    /// Cells of features.
    pub cells: usize,
    /// Rows with such a cell.
    pub rows: usize,
    /// The feature columns with missing cells, and how many.
    pub columns: Vec<(String, usize)>,
    /// The texts in place of labels, and how many rows have each.
    pub labels: Vec<(String, usize)>,
}
