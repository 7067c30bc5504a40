//! A way to judge labels.

use super::detected::Detected;
use super::trials::Trials;
use crate::Error;

/// A way to judge labels.
pub(in crate::cleaning) trait Detector: Sync {
    /// As the table and the options have it.
    fn name(&self) -> &'static str;

    /// Whether it needs trusted rows.
    fn needs_trusted(&self) -> bool {
        false
    }

    /// Trains on all rows to check, and on the trusted rows of these trials.
    ///
    /// # Errors
    /// If training diverges.
    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error>;
}
