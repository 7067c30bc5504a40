//! A way to judge labels.

use serde::Serialize;

use super::detected::Detected;
use super::trials::Trials;
use crate::Error;

/// What a person reads about a detector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct DetectorPage {
    /// As the table and the options have it.
    pub name: &'static str,
    /// What it does, after its name.
    pub summary: &'static str,
    /// How it judges, in sentences.
    pub how: &'static str,
    /// Where it is from.
    pub reference: &'static str,
    /// Whether it can do nothing without trusted rows.
    pub needs_trusted: bool,
}

/// A way to judge labels.
pub(in crate::cleaning) trait Detector: Sync {
    /// What a person reads about it.
    fn page(&self) -> DetectorPage;

    /// As the table and the options have it.
    fn name(&self) -> &'static str {
        self.page().name
    }

    /// With more classes, it would take too long.
    fn most_classes(&self) -> usize {
        usize::MAX
    }

    /// Trains on all rows to check, and on the trusted rows of these trials.
    ///
    /// # Errors
    /// If training diverges.
    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error>;
}
