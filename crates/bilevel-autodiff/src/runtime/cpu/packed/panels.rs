//! The panels of a block of rows, with most of its zeros left out.

use crate::runtime::Fill;
use crate::runtime::cpu::limits::HEIGHT;

/// The lines of a packed matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lines {
    /// Rows: for A·B.
    Rows,
    /// Columns: for Aᵀ·B.
    Columns,
}

impl Lines {
    /// The fraction that panels of these lines keep.
    pub(crate) fn fill(self, fill: Fill) -> f64 {
        match self {
            Self::Rows => fill.rows,
            Self::Columns => fill.columns,
        }
    }
}

/// The panels of a block. Lines are rows, numbered from the block's first, or columns.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    /// The lines of each panel; if there are fewer than [`HEIGHT`], the last is repeated.
    pub(crate) lines: Vec<[u32; HEIGHT]>,
    /// The number of lines of each panel, without repetitions.
    pub(crate) live: Vec<u8>,
    /// The end of each panel in `places`.
    pub(crate) ends: Vec<u32>,
    /// The indices summed over: columns, or rows from the block's first.
    pub(crate) places: Vec<u32>,
    /// For each place, the numbers of all lines.
    pub(crate) values: Vec<T>,
}
