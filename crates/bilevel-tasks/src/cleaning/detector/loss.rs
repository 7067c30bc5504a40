//! The loss of each row under a model that was trained without it.

use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::trials::Trials;
use crate::Error;

/// Ranks by the out-of-fold probability of the given label: the same order as by its loss.
pub(super) struct Loss;

impl Detector for Loss {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "loss",
            summary: "keeps a row if models of other rows predict its label",
            how: "Models are trained on parts of the rows and the trusted rows, each to judge the other rows. A row is kept if its label is\npredicted.",
            reference: "cross-validation: Stone, 1974",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        Ok(trials.detected(trials.cross_validated()?))
    }
}
