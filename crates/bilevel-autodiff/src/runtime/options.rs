//! How a graph is compiled: the options that a runtime receives.

use super::partition::Partition;
use super::prepared::Fill;

/// The passes that a program is compiled with: all of them, except in tests of single passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes {
    /// Algebraic simplification of single nodes.
    pub simplify: bool,
    /// Merging of common subexpressions.
    pub common: bool,
    /// Consecutive elementwise primitives run chunk by chunk.
    pub fuse: bool,
    /// Chains of row-wise primitives run block by block.
    pub row_block: bool,
}

impl Default for Passes {
    fn default() -> Self {
        Self {
            simplify: true,
            common: true,
            fuse: true,
            row_block: true,
        }
    }
}

impl Passes {
    /// No passes.
    pub const NONE: Self = Self {
        simplify: false,
        common: false,
        fuse: false,
        row_block: false,
    };
}

/// How a result is delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Delivery {
    /// The result is added to the present values.
    pub(crate) add: bool,
    /// Block by block in the program's own layout, for a program with the same blocks.
    pub(crate) blocked: bool,
}

/// How a graph is compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) passes: Passes,
    /// One for each result; missing ones are plain.
    pub(crate) deliveries: Vec<Delivery>,
    /// One for each argument; missing ones are plain.
    pub(crate) inputs: Vec<Form>,
    /// The partition of the program that blocks are exchanged with.
    pub(crate) partition: Option<Partition>,
}

impl Options {
    /// The form of an argument.
    pub(crate) fn form(&self, number: usize) -> Form {
        self.inputs.get(number).copied().unwrap_or_default()
    }
}

/// The form of an argument, the same in every run.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Form {
    /// Block by block, written by another program.
    pub(crate) blocked: bool,
    /// For a matrix with padding between its rows, its [`Matrix::stride`](super::matrix::Matrix::stride).
    pub(crate) stride: Option<usize>,
    /// For a matrix that also comes packed, how much of it is kept.
    pub(crate) fill: Option<Fill>,
}
