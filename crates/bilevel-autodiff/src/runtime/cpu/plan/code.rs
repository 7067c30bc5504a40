//! Inputs and outputs of lowering: the number type, buffers without a place yet, and the instructions of each phase.

use crate::runtime::cpu::instruction::Instruction;
use crate::runtime::cpu::limits::STRIP_VECTORS;
use crate::runtime::cpu::view::At;

/// The number type that a plan is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Numbers {
    /// Bytes of one number.
    pub(crate) size: usize,
    /// Numbers in a vector of the machine.
    pub(crate) lanes: usize,
}

impl Numbers {
    /// Columns of a strip that a packed matrix is multiplied by.
    pub(super) fn strip(self) -> usize {
        STRIP_VECTORS * self.lanes
    }
}

/// A memory that a plan needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Buffer {
    /// The phase of rows in which each block has this buffer; `None` for a buffer in the arena.
    pub(crate) phase: Option<usize>,
    /// Its numbers in total, or for each row of a block.
    pub(crate) len: usize,
}

/// A sum over all rows: partial sums of `len` numbers at `partial`, to be added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Merge {
    pub(crate) partial: usize,
    pub(crate) len: usize,
    /// The columns of a matrix whose partial sums are column-major; 1 if they are in order.
    pub(crate) columns: usize,
    pub(crate) to: At,
    pub(crate) add: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseCode {
    /// Runs once before the blocks.
    pub(crate) prelude: Vec<Instruction>,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) merges: Vec<Merge>,
    /// Partial sums of one group, in numbers.
    pub(crate) partial_len: usize,
}
