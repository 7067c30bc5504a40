//! What can be wrong with a checkpoint.

/// The format version that is written; older versions are not read.
pub const VERSION: u32 = 5;

/// What is wrong with the contents of a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The file does not have the signature of a checkpoint.
    #[error(
        "expected a checkpoint, which starts with \"bilevel\" and a zero byte, found other bytes"
    )]
    Magic,
    /// An unknown version.
    #[error(
        "expected a checkpoint of format version {VERSION}, which bilevel {} writes, found version {found}, which {by} wrote: {}",
        env!("CARGO_PKG_VERSION"),
        if *found > VERSION { "continue with that program" } else { "continue with the program that began the run, or start a new run" }
    )]
    Version {
        /// The version found.
        found: u32,
        /// The program that wrote it.
        by: String,
    },
    /// The file is shorter or longer than its header declares.
    #[error("expected {expected} bytes in all, found {found}: the checkpoint is damaged")]
    Size {
        /// The declared length.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// A byte has changed since it was written.
    #[error("expected the checksum {expected:016x}, found {found:016x}: the checkpoint is damaged")]
    Checksum {
        /// The checksum in the file.
        expected: u64,
        /// The checksum of the contents.
        found: u64,
    },
    /// The payload is intact but cannot be decoded.
    #[error("expected the state of a run of this program, found something else ({found})")]
    Payload {
        /// The decoder's error.
        found: String,
    },
}
