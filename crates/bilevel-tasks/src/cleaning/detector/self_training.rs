//! Agreement with a model that was trained on the trusted rows and on the rows that agree.

use std::sync::Arc;

use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::start::start;
use super::trials::{Stage, Trials};
use crate::Error;
use crate::model::predictions;

/// Ranks by the probability of the given label under the self-trained model.
pub(super) struct SelfTraining;

impl Detector for SelfTraining {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "self-training",
            summary: "trains on the trusted rows, and in rounds on rows that agree",
            how: "A model is trained on the trusted rows, then on the rows whose labels it predicts, in rounds; each row is judged by a\nmodel that did not see it.",
            reference: "Yarowsky, 1995",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(self_trained(trials)?))
    }
}

/// Out-of-fold probabilities after rounds of self-training: a row is trained on if the model of the round before, which was
/// trained without it, gives its label.
pub(super) fn self_trained(trials: &Trials<'_>) -> Result<Arc<[f32]>, Error> {
    /// More change little.
    const ROUNDS: [Stage; 3] = [Stage::FirstRound, Stage::SecondRound, Stage::ThirdRound];
    trials.self_trained(|| {
        let mut probabilities = start(trials)?;
        for stage in ROUNDS {
            let predicted = predictions(&probabilities, trials.classes());
            let pairs = trials.given().iter().zip(&predicted);
            let agrees: Vec<bool> = pairs.map(|(given, predicted)| given == predicted).collect();
            probabilities = trials.out_of_fold_of(stage, &agrees)?;
        }
        Ok(probabilities)
    })
}
