//! The contents of the checkpoint of any job.

use std::borrow::Cow;
use std::path::Path;

use bilevel::RunState;
use bilevel::driver::Why;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{CheckpointProblem, decode, fingerprint};

/// A run between two steps: everything needed to continue it bit for bit, or, for a finished run, what it printed. P is
/// what the job has learned so far.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "P: Serialize", deserialize = "P: DeserializeOwned"))]
pub struct JobCheckpoint<'a, P: Clone> {
    /// Where the run comes from.
    pub origin: Cow<'a, Origin>,
    /// x, the optimizer's state, the outer step, and the time spent.
    pub run: Cow<'a, RunState<f32>>,
    /// The best step so far, patience, calls.
    pub progress: Cow<'a, P>,
    /// Length in bytes of the history at this state; later bytes were written after it.
    pub history_bytes: u64,
    /// Why the run ended, if it did.
    pub ended: Option<Why>,
    /// The final output, if the run is finished.
    pub results: Option<Cow<'a, Results>>,
}

impl<P: Clone + DeserializeOwned> JobCheckpoint<'_, P> {
    /// Decodes a checkpoint.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn decode(bytes: &[u8]) -> Result<JobCheckpoint<'static, P>, CheckpointProblem> {
        decode(bytes)
    }
}

/// The origin of a run: must be equal when it is resumed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Version of the program.
    pub program: String,
    /// The [instruction set](crate::checkpoint::instruction_set) that the bits belong to.
    pub instruction_set: String,
    /// The specification as text, as `config.toml` has it.
    pub specification: String,
    /// The fingerprint of the data.
    pub data: u64,
}

/// What a finished run printed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Results {
    /// The text for people.
    pub text: String,
    /// The document, as in `result.json`.
    pub document: String,
    /// Why they are not to be trusted, if so.
    pub not_to_be_trusted: Option<String>,
    /// The files of the folder, each with its [fingerprint](crate::checkpoint::fingerprint).
    pub files: Vec<(String, u64)>,
}

impl Results {
    /// The first of the files that is missing in this folder, or has other contents.
    #[must_use]
    pub fn damaged(&self, folder: &Path) -> Option<&str> {
        let intact = |(name, print): &&(String, u64)| {
            std::fs::read(folder.join(name)).is_ok_and(|bytes| fingerprint(&bytes) == *print)
        };
        let mut files = self.files.iter();
        files
            .find(|file| !intact(file))
            .map(|(name, _)| name.as_str())
    }
}
