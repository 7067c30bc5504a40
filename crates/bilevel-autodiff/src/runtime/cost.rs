//! The cost of running a program.

/// The cost of one run of a program, known before the first run.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// Floating-point operations in matrix products; a multiplication and an addition count as two.
    pub product_flops: f64,
    /// Elements computed by all other operations.
    pub elements: f64,
    /// Bytes that instructions read and write, in cache or not.
    pub bytes_moved: f64,
    /// Bytes that a run needs in addition to its arguments and results: the arena, partial sums, and block memory for
    /// each thread.
    pub peak_bytes: usize,
}

/// The memory that a run needs, in numbers of the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Footprint {
    pub(crate) arena: usize,
    pub(crate) partial: usize,
    /// For all threads together.
    pub(crate) blocks: usize,
}

impl Footprint {
    /// The footprint of a workspace that both programs share.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            arena: self.arena.max(other.arena),
            partial: self.partial.max(other.partial),
            blocks: self.blocks.max(other.blocks),
        }
    }

    pub(crate) fn numbers(self) -> usize {
        self.arena + self.partial + self.blocks
    }
}
