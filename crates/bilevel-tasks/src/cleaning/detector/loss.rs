//! The loss of each row under a model that was trained without it.

use super::detected::Detected;
use super::judging::Detector;
use super::trials::Trials;
use crate::Error;

/// Ranks by the out-of-fold probability of the given label: the same order as by its loss.
pub(super) struct Loss;

impl Detector for Loss {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.cross_validated()?))
    }
}
