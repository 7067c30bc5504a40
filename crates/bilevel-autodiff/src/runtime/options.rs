//! How a graph is compiled: what is asked of a runtime.

use super::partition::Partition;
use super::prepared::Fill;

/// Which passes a program is compiled with; all unless a test wants to know what one of them does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passes {
    /// Algebra on single nodes.
    pub simplify: bool,
    /// Common subexpressions.
    pub common: bool,
    /// Elementwise primitives in a row run chunk by chunk.
    pub fuse: bool,
    /// Chains of rows run block by block.
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
    /// None at all.
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
    /// Added to what is there.
    pub(crate) add: bool,
    /// Block by block, as the program has it, to be read by a program with the same blocks.
    pub(crate) blocked: bool,
}

/// How a graph is compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) passes: Passes,
    /// For each result; those that are missing are plain.
    pub(crate) deliveries: Vec<Delivery>,
    /// For each argument; those that are missing are plain.
    pub(crate) inputs: Vec<Form>,
    /// The blocks of the program that gave what comes block by block.
    pub(crate) partition: Option<Partition>,
}

impl Options {
    /// How an argument comes.
    pub(crate) fn form(&self, number: usize) -> Form {
        self.inputs.get(number).copied().unwrap_or_default()
    }
}

/// How an argument comes, whenever a program runs.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Form {
    /// Block by block, from another program.
    pub(crate) blocked: bool,
    /// Of a matrix with something between its rows: from one row to the next ([`Matrix::stride`](super::matrix::Matrix::stride)).
    pub(crate) stride: Option<usize>,
    /// Of a matrix that comes packed too: how much is kept of it.
    pub(crate) fill: Option<Fill>,
}
