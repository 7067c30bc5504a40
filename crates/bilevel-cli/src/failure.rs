//! What ends the command, and the exit code that it ends with.

use std::fmt;

use anyhow::Error;

/// An error and its exit code: 1 for a check or a run that failed, 2 for bad usage or bad
/// input.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) code: u8,
}

impl Failure {
    /// Bad usage or bad input: nothing was begun.
    pub(crate) fn usage(error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            code: 2,
        }
    }

    /// The check or the run failed.
    pub(crate) fn run(error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            code: 1,
        }
    }
}

impl fmt::Display for Failure {
    /// The error and its causes; many errors name their cause already, and then it is not
    /// said twice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for cause in self.error.chain() {
            let cause = cause.to_string();
            if said.ends_with(&cause) {
                continue;
            }
            let separator = if said.is_empty() { "" } else { ": " };
            write!(f, "{separator}{cause}")?;
            said = cause;
        }
        Ok(())
    }
}
