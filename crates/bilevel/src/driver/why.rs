//! Why a run ends.

use std::fmt;

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Why {
    /// All steps were made.
    LastStep,
    /// The time limit was reached.
    TimeLimit,
    /// The norm of the hypergradient fell below the tolerance.
    Stationary,
    /// The watched figure stopped improving.
    NoImprovement,
    /// The user interrupted the run.
    Interrupted,
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LastStep => "all outer steps were made",
            Self::TimeLimit => "the time limit was reached",
            Self::Stationary => "the hypergradient was small enough",
            Self::NoImprovement => "the held-out loss stopped improving",
            Self::Interrupted => "it was interrupted",
        })
    }
}
