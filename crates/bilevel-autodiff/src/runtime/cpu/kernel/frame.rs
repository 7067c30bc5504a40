//! The memories that kernels read and write.

use std::ptr::NonNull;
use std::sync::Arc;

use super::vectorised::Vectorised;
use crate::runtime::cpu::packed::Packed;
use crate::runtime::cpu::view::{At, Space};

/// The memories as one block sees them.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a, T> {
    /// Arguments that hold numbers, and those that hold indices.
    pub(crate) inputs: &'a [*const T],
    pub(crate) indices: &'a [*const u32],
    pub(crate) outputs: &'a [*mut T],
    pub(crate) constants: *const T,
    pub(crate) packed: &'a [Arc<Packed<T>>],
    pub(crate) arena: *mut T,
    pub(crate) block: *mut T,
    pub(crate) partial: *mut T,
    /// The chunk memory of a fused kernel.
    pub(crate) chunk: *mut T,
    /// The number of the block, its first row, and its number of rows.
    pub(crate) block_number: usize,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    /// Whether this is the first block of its group, so there are no partial sums yet.
    pub(crate) first: bool,
}

// Safety: blocks that run at the same time write to separate memory, see `kernel`.
unsafe impl<T: Vectorised> Send for Frame<'_, T> {}
// Safety: as above.
unsafe impl<T: Vectorised> Sync for Frame<'_, T> {}

impl<T: Vectorised> Frame<'_, T> {
    pub(crate) fn offset(&self, at: At) -> usize {
        at.offset + at.per_row * self.first_row + at.times_rows * self.rows
    }

    /// Whether the partial sums at `at` are still empty: the first block writes them, later blocks add to them.
    pub(crate) fn starts(&self, at: At) -> bool {
        self.first && at.space == Space::Partial
    }

    /// The pointer to `at`, to read.
    pub(crate) fn read(&self, at: At) -> *const T {
        let base: *const T = match at.space {
            Space::Input(number) => self.inputs[number],
            Space::Output(number) => self.outputs[number],
            Space::Constant => self.constants,
            Space::Arena => self.arena,
            Space::Block => self.block,
            Space::Partial => self.partial,
            // Never in a plan, see `Inputs::resolve`.
            Space::Buffer(_) | Space::Indices(_) => NonNull::dangling().as_ptr(),
        };
        base.wrapping_add(self.offset(at))
    }

    /// The pointer to `at`, to write.
    pub(crate) fn write(&self, at: At) -> *mut T {
        let base = match at.space {
            Space::Output(number) => self.outputs[number],
            Space::Arena => self.arena,
            Space::Block => self.block,
            Space::Partial => self.partial,
            // As above.
            Space::Input(_) | Space::Indices(_) | Space::Constant | Space::Buffer(_) => {
                NonNull::dangling().as_ptr()
            }
        };
        base.wrapping_add(self.offset(at))
    }

    /// The indices at `at`.
    pub(crate) fn index(&self, at: At) -> Indices<T> {
        match at.space {
            Space::Indices(number) => {
                Indices::Given(self.indices[number].wrapping_add(self.offset(at)))
            }
            _ => Indices::Computed(self.read(at)),
        }
    }
}

/// Indices in memory: given by an argument, or computed and stored in the place of numbers.
#[derive(Clone, Copy)]
pub(crate) enum Indices<T> {
    Given(*const u32),
    Computed(*const T),
}

impl<T: Vectorised> Indices<T> {
    /// # Safety
    /// There is an index at this offset.
    #[inline(always)]
    pub(crate) unsafe fn at(self, offset: isize) -> usize {
        // Safety: required of the caller.
        unsafe {
            match self {
                Self::Given(base) => *base.offset(offset) as usize,
                Self::Computed(base) => (*base.offset(offset)).index(),
            }
        }
    }
}
