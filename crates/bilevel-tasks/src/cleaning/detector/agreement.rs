//! Agreement with a model of the trusted rows.

use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::trials::Trials;
use crate::Error;

/// Ranks by the probability of the given label under a model that was trained on the trusted rows only.
pub(super) struct Agreement;

impl Detector for Agreement {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "agreement",
            summary: "keeps a row if a model of the trusted rows predicts its label",
            how: "A model is trained on the trusted rows. A row is kept if that model predicts its label.",
            reference: "what most people do first",
            needs_trusted: true,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.trusted_only()?))
    }
}
