//! Arrays of rows of bytes, written again with changes.

use std::path::Path;

use crate::Error;
use crate::data::changes::{Edit, Rewrite};
use crate::data::malformed::Malformed;

/// The rows of an array, and how an element is stored.
pub(super) struct RowBytes<'a> {
    pub(super) path: &'a Path,
    /// Number of rows.
    pub(super) rows: usize,
    /// All rows.
    pub(super) bytes: &'a [u8],
    /// The bytes of an element for this label; None if it has no such.
    pub(super) element: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl RowBytes<'_> {
    /// The rows that are left, and their number. A label is the first element of its row.
    pub(super) fn changed(&self, changes: &Rewrite) -> Result<(Vec<u8>, usize), Error> {
        let length = self.bytes.len() / self.rows.max(1);
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut left = 0;
        for row in 0..self.rows {
            let own = &self.bytes[row * length..(row + 1) * length];
            left += 1;
            match changes.edit(row) {
                Edit::Keep => out.extend_from_slice(own),
                Edit::Drop => left -= 1,
                Edit::Label(label) => {
                    let at = out.len();
                    out.extend_from_slice(own);
                    let element = (self.element)(label).ok_or_else(|| {
                        let expected = "a label that the elements of this array can hold";
                        Malformed::new(expected, label.clone()).at(self.path)
                    })?;
                    out[at..at + element.len()].copy_from_slice(&element);
                }
            }
        }
        Ok((out, left))
    }
}
