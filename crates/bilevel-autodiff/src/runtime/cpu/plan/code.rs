//! What lowering a graph takes and gives: buffers that have no place yet, and the instructions of each phase.

use crate::runtime::cpu::instruction::Instruction;
use crate::runtime::cpu::limits::STRIP_VECTORS;
use crate::runtime::cpu::view::At;

/// The numbers that a plan is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Numbers {
    /// Bytes of one.
    pub(crate) size: usize,
    /// How many a vector of the machine has.
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
    /// The phase of rows that has it for each block; None for one in the arena.
    pub(crate) phase: Option<usize>,
    /// Numbers in all, or for each row of a block.
    pub(crate) len: usize,
}

/// A sum over all rows: partial sums of `len` numbers at `partial`, to be added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Merge {
    pub(crate) partial: usize,
    pub(crate) len: usize,
    /// Columns of a matrix whose partial sums stand column by column; 1 where they are in order.
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
