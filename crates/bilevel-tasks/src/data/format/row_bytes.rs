//! Arrays of rows of bytes, written again with changes.

use std::path::Path;

use crate::Error;
use crate::data::changes::{Edit, Rewrite};
use crate::data::malformed::Malformed;

/// The bytes of an element for a label; None if it has no such.
pub(super) type ElementOf<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// The rows of an array, and how an element is stored.
pub(super) struct RowBytes<'a> {
    pub(super) path: &'a Path,
    /// Number of rows.
    pub(super) rows: usize,
    /// Number of blocks, one after the other, that have a part of each row; one where a row is in one place.
    pub(super) blocks: usize,
    /// All rows.
    pub(super) bytes: &'a [u8],
    /// No labels are replaced without it.
    pub(super) element: Option<&'a ElementOf<'a>>,
}

impl RowBytes<'_> {
    /// The rows that are left, and their number. A label is the first element of its row.
    pub(super) fn changed(&self, changes: &Rewrite) -> Result<(Vec<u8>, usize), Error> {
        let length = self.bytes.len() / (self.rows * self.blocks).max(1);
        let mut out = Vec::with_capacity(self.bytes.len());
        for block in 0..self.blocks {
            for row in 0..self.rows {
                let start = (block * self.rows + row) * length;
                let own = &self.bytes[start..start + length];
                match (changes.edit(row), self.element) {
                    (Edit::Drop, _) => {}
                    (Edit::Label(label), Some(element)) if block == 0 => {
                        let at = out.len();
                        out.extend_from_slice(own);
                        let element = element(label).ok_or_else(|| {
                            let expected = "a label that the elements of this array can hold";
                            Malformed::new(expected, label.clone()).at(self.path)
                        })?;
                        out[at..at + element.len()].copy_from_slice(&element);
                    }
                    (Edit::Keep | Edit::Label(_), _) => out.extend_from_slice(own),
                }
            }
        }
        Ok((out, changes.kept(self.rows).count()))
    }
}

/// The number of [blocks](RowBytes::blocks) of an array whose rows are counted by this axis.
pub(super) fn blocks(shape: &[usize], axis: usize, fortran_order: bool) -> usize {
    let slower = if fortran_order {
        shape.get(axis + 1..)
    } else {
        shape.get(..axis)
    };
    slower.unwrap_or_default().iter().product()
}
