//! A finding, for a person and for a program.

use serde::Serialize;

/// A finding that needs a person's attention.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Warning {
    /// What kind of finding it is, for programs.
    pub kind: &'static str,
    /// The column that it is about, if it is about one.
    pub column: Option<String>,
    /// How many rows, cells, columns or labels it is about.
    pub count: usize,
    /// The sentence.
    pub message: String,
}

impl Warning {
    pub(super) fn new(kind: &'static str, count: usize, message: String) -> Self {
        Self {
            kind,
            column: None,
            count,
            message,
        }
    }
}
