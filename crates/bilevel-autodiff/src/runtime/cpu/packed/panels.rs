//! What is left of a block of rows when most of its zeros are left out.

use crate::runtime::Fill;
use crate::runtime::cpu::limits::HEIGHT;

/// What the lines of a packed matrix are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lines {
    /// Rows: for A·B.
    Rows,
    /// Columns: for Aᵀ·B.
    Columns,
}

impl Lines {
    /// How much the panels of these lines keep.
    pub(crate) fn fill(self, fill: Fill) -> f64 {
        match self {
            Self::Rows => fill.rows,
            Self::Columns => fill.columns,
        }
    }
}

/// The panels of a block: lines are numbered from the block's first row, or are columns.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    /// Of each panel: its lines; the last again where there are fewer.
    pub(crate) lines: Vec<[u32; HEIGHT]>,
    /// Of each panel: how many lines there are.
    pub(crate) live: Vec<u8>,
    /// Of each panel: where its places end.
    pub(crate) ends: Vec<u32>,
    /// What is summed over: columns, or rows from the block's first.
    pub(crate) places: Vec<u32>,
    /// Of each place: the numbers of all lines.
    pub(crate) values: Vec<T>,
}
