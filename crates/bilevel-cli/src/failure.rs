//! What ends the command, and the exit code that it ends with.

use std::fmt;

use anyhow::{Error, anyhow};
use bilevel::Hint;
use bilevel::catalogue::{Refusal, TooLarge};

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

/// A setting as it is typed: `--step-size`.
pub(crate) fn spelled(setting: &str) -> String {
    format!("--{}", setting.replace('_', "-"))
}

/// What to type.
fn advice(hint: &Hint) -> String {
    match hint {
        Hint::LeaveOneOut(_) => "leave one of them out".to_owned(),
        Hint::LeaveOut(setting) => format!("leave {} out", spelled(setting)),
        Hint::Use(settings) => {
            let options = settings
                .iter()
                .map(|(name, value)| format!("{} {value}", spelled(name)));
            format!("try {}", options.collect::<Vec<_>>().join(" "))
        }
        _ => String::new(),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.message(&|name| spelled(name));
        Self::usage(match refusal.hint() {
            None => anyhow!(message),
            Some(hint) => anyhow!("{message}; {}", advice(&hint)),
        })
    }
}

impl From<TooLarge> for Failure {
    fn from(error: TooLarge) -> Self {
        Self::usage(error)
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
