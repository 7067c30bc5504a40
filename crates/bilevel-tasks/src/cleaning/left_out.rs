//! What a job did not do.

use serde::Serialize;

/// Something that a job did not do, or not to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    /// A detector, a baseline, a method, or the rest in words.
    pub what: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why something was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyLeftOut {
    /// The time limit was reached.
    TimeLimit,
    /// It diverged.
    Diverged,
    /// It does not fit into memory.
    Memory,
}

impl LeftOut {
    pub(super) fn new(what: impl Into<String>, why: WhyLeftOut) -> Self {
        Self {
            what: what.into(),
            why,
        }
    }
}
