//! What is said of each row in the end.

use super::detector::Detected;
use super::split::CleaningData;
use super::{Cleaned, kept};
use crate::Error;
use crate::model::predictions;
use crate::train::Classifier;

/// What is said of each row to check.
pub(super) struct Verdict {
    /// The rows are ranked by these: learned weights, or probabilities that labels are right.
    pub(super) weights: Vec<f64>,
    /// Which rows are kept.
    pub(super) kept: Vec<bool>,
    /// The most probable label, and its probability.
    pub(super) suggested: Vec<(u32, f64)>,
    /// Which labels are suspected.
    pub(super) suspects: Vec<bool>,
    /// Trained on the kept rows and the trusted rows.
    pub(super) classifier: Classifier<f32>,
}

impl Verdict {
    /// By learned weights: the classifier suggests.
    pub(super) fn of_weights(
        data: &CleaningData,
        cleaned: &Cleaned<f32>,
        classifier: Classifier<f32>,
    ) -> Result<Self, Error> {
        let classes = data.train().classes();
        let probabilities = classifier.probabilities(data.train())?;
        let suggested = predictions(&probabilities, classes)
            .into_iter()
            .zip(probabilities.chunks_exact(classes))
            .map(|(class, row)| (class, f64::from(row[class as usize])))
            .collect();
        let kept = kept(&cleaned.weights);
        Ok(Self {
            weights: cleaned.weights.clone(),
            suspects: kept.iter().map(|kept| !kept).collect(),
            kept,
            suggested,
            classifier,
        })
    }

    /// By detectors: one ranks, one keeps and suggests.
    pub(super) fn of_detectors(
        data: &CleaningData,
        (ranks, keeps): (&Detected, &Detected),
        classifier: impl FnOnce(&[bool]) -> Result<Classifier<f32>, Error>,
    ) -> Result<Self, Error> {
        let (labels, classes) = (data.train().labels(), data.train().classes());
        let (weights, _) = ranks.judged(labels, classes);
        let (_, kept) = keeps.judged(labels, classes);
        let suggested = keeps.suggested(labels, classes);
        let other = suggested
            .iter()
            .zip(labels)
            .map(|((class, _), given)| class != given);
        Ok(Self {
            weights,
            suspects: kept
                .iter()
                .zip(other)
                .map(|(kept, other)| !kept && other)
                .collect(),
            suggested,
            classifier: classifier(&kept)?,
            kept,
        })
    }
}
