//! What can be wrong with a checkpoint.

/// The version of the format that is written; older ones are not read.
pub const VERSION: u32 = 3;

/// What is wrong with the contents of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The file does not start like a checkpoint.
    #[error(
        "expected a checkpoint, which starts with \"bilevel\" and a zero byte, found another start"
    )]
    Magic,
    /// A version that is not known.
    #[error(
        "expected a checkpoint of format version {VERSION}, which bilevel {} writes, found version {found}, which {by} wrote: {}",
        env!("CARGO_PKG_VERSION"),
        if *found > VERSION { "go on with that program" } else { "go on with the program that began the run, or begin it anew" }
    )]
    Version {
        /// The version found.
        found: u32,
        /// The program that wrote it.
        by: String,
    },
    /// The file is shorter or longer than it says.
    #[error("expected {expected} bytes in all, found {found}: the checkpoint is damaged")]
    Size {
        /// The length that the file declares.
        expected: u64,
        /// The length that it has.
        found: u64,
    },
    /// A byte has changed since it was written.
    #[error("expected the checksum {expected:016x}, found {found:016x}: the checkpoint is damaged")]
    Checksum {
        /// The checksum in the file.
        expected: u64,
        /// The checksum of what the file holds.
        found: u64,
    },
    /// The payload is whole, and yet not what it should be.
    #[error("expected the state of a run of this program, found something else ({found})")]
    Payload {
        /// What the reader of the payload said.
        found: String,
    },
}
