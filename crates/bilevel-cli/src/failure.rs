//! Errors that end the command, with their exit codes.

use std::error::Error as Cause;
use std::fmt;

use anyhow::Error;
use bilevel::catalogue::{Refusal, TooLarge};

use crate::advice::{Writing, advice};

/// An error and its exit code: 1 for a check or a run that failed, 2 for bad usage or bad
/// input.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) code: u8,
    /// Where the user wrote the settings.
    writing: Writing,
}

impl Failure {
    /// With this exit code.
    pub(crate) fn new(error: impl Into<Error>, code: u8) -> Self {
        Self {
            error: error.into(),
            code,
            writing: Writing::Options,
        }
    }

    /// Bad usage or bad input: nothing was started.
    pub(crate) fn usage(error: impl Into<Error>) -> Self {
        Self::new(error, 2)
    }

    /// The check or the run failed.
    pub(crate) fn run(error: impl Into<Error>) -> Self {
        Self::new(error, 1)
    }

    /// The same failure, with settings spelled as in `writing`.
    pub(crate) fn written(self, writing: Writing) -> Self {
        Self { writing, ..self }
    }

    /// The message of a cause, with settings as the user writes them.
    fn message(&self, cause: &(dyn Cause + 'static)) -> String {
        use bilevel_tasks::Error as Tasks;
        let spell = |setting: &str| self.writing.spell(setting);
        match cause.downcast_ref() {
            Some(Tasks::Cleaning(problem)) => return problem.message(&spell),
            Some(Tasks::Fewshot(problem)) => return problem.message(&spell),
            Some(Tasks::Refused(refusal)) => return refusal.message(&spell),
            _ => {}
        }
        match cause.downcast_ref::<Refusal>() {
            Some(refusal) => refusal.message(&spell),
            None => cause.to_string(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::usage(refusal)
    }
}

impl From<TooLarge> for Failure {
    fn from(error: TooLarge) -> Self {
        Self::usage(error)
    }
}

impl fmt::Display for Failure {
    /// The error and its causes. Many errors already contain the message of their cause, which is
    /// then not repeated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for cause in self.error.chain() {
            let cause = self.message(cause);
            if said.ends_with(&cause) {
                continue;
            }
            let separator = if said.is_empty() { "" } else { ": " };
            write!(f, "{separator}{cause}")?;
            said = cause;
        }
        let mut causes = self.error.chain();
        match causes.find_map(|cause| advice(cause, self.writing)) {
            None => Ok(()),
            Some(advice) => write!(f, "; {advice}"),
        }
    }
}
