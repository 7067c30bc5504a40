//! Why an array cannot be read.

use std::io;
use std::path::Path;

use crate::Error;
use crate::data::malformed::Malformed;

/// Why an array cannot be read.
pub(crate) enum Failure {
    Read(io::Error),
    Problem(Malformed),
}

impl Failure {
    pub(crate) fn at(self, path: &Path) -> Error {
        match self {
            Self::Read(error) => Error::reading(path, error),
            Self::Problem(problem) => problem.at(path),
        }
    }

    /// The same for a part of a file.
    pub(crate) fn in_place(self, place: &str) -> Self {
        match self {
            Self::Problem(problem) => Self::Problem(problem.in_place(place)),
            read => read,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Malformed> for Failure {
    fn from(problem: Malformed) -> Self {
        Self::Problem(problem)
    }
}
