//! What runs of programs cost.

/// What one run of a program costs, known before the first.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// Floating-point operations in matrix products, a multiplication and an addition counted as two.
    pub product_flops: f64,
    /// Elements computed by everything else.
    pub elements: f64,
    /// Bytes that instructions read and write, wherever they are.
    pub bytes_moved: f64,
    /// Bytes that a run needs beside its arguments and results: arena, partial sums, and the memory of
    /// a block for each thread that runs it.
    pub peak_bytes: usize,
}

/// How many numbers a run needs, and for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Footprint {
    pub(crate) arena: usize,
    pub(crate) partial: usize,
    /// Of all threads.
    pub(crate) blocks: usize,
}

impl Footprint {
    /// Of a workspace in which both run.
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
