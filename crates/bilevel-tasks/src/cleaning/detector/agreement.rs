//! Agreement with a model of the trusted rows.

use super::detected::Detected;
use super::judging::Detector;
use super::trials::Trials;
use crate::Error;

/// Ranks by the probability of the given label under a model that was trained on the trusted rows only.
pub(super) struct Agreement;

impl Detector for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn needs_trusted(&self) -> bool {
        true
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.trusted_only()?))
    }
}
