//! Agreement with a model that was trained on the trusted rows and on the rows that agree.

use super::detected::Detected;
use super::judging::{Detector, Page};
use super::trials::Trials;
use crate::Error;

/// Ranks by the probability of the given label under the self-trained model.
pub(super) struct SelfTraining;

impl Detector for SelfTraining {
    fn page(&self) -> Page {
        Page {
            name: "self-training",
            summary: "trains on the trusted rows, and in rounds on rows that agree",
            how: "A model is trained on the trusted rows, then on the rows whose labels it predicts, in rounds; each row is judged by a\nmodel that did not see it.",
            reference: "Yarowsky, 1995",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.self_trained()?))
    }
}
