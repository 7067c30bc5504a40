//! Agreement with a model that was trained on the trusted rows and on the rows that agree.

use super::detected::Detected;
use super::judging::Detector;
use super::trials::Trials;
use crate::Error;

/// Ranks by the probability of the given label under the self-trained model.
pub(super) struct SelfTraining;

impl Detector for SelfTraining {
    fn name(&self) -> &'static str {
        "self-training"
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.self_trained()?))
    }
}
