//! What is said of each row in the end.

use super::detector::Detected;
use super::split::CleaningData;
use super::{Cleaned, kept};
use crate::Error;
use crate::data::duplicates::all_shared_rows;
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
    /// Trained on the kept rows and the trusted rows, if there was the time for it.
    pub(super) classifier: Option<Classifier<f32>>,
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
        let suggested: Vec<(u32, f64)> = predictions(&probabilities, classes)
            .into_iter()
            .zip(probabilities.chunks_exact(classes))
            .map(|(class, row)| (class, f64::from(row[class as usize])))
            .collect();
        let kept = kept(&cleaned.weights);
        Ok(Self {
            weights: cleaned.weights.clone(),
            suspects: suspects(&kept, &suggested, data.train().labels()),
            kept,
            suggested,
            classifier: Some(classifier),
        })
    }

    /// By detectors: one ranks, or the mean of the log-odds of several; one keeps and suggests.
    pub(super) fn of_detectors(
        data: &CleaningData,
        (ranks, keeps): (&[&Detected], &Detected),
        classifier: impl FnOnce(&[bool]) -> Result<Option<Classifier<f32>>, Error>,
    ) -> Result<Self, Error> {
        let (labels, classes) = (data.train().labels(), data.train().classes());
        let of_each = ranks.iter().map(|ranks| ranks.judged(labels, classes).0);
        let weights = blended(of_each.collect());
        let (_, kept) = keeps.judged(labels, classes);
        let suggested = keeps.suggested(labels, classes);
        Ok(Self {
            weights,
            suspects: suspects(&kept, &suggested, labels),
            suggested,
            classifier: classifier(&kept)?,
            kept,
        })
    }
}

impl Verdict {
    /// A row with the features of a trusted row and another label is wrong, whatever else is said of it.
    pub(super) fn believe_trusted(&mut self, data: &CleaningData) {
        let labels = data.trusted().labels();
        for (row, trusted) in all_shared_rows(data.train(), data.trusted()) {
            let label = labels[trusted];
            if label != data.train().labels()[row] {
                self.weights[row] = 0.0;
                self.kept[row] = false;
                self.suspects[row] = true;
                self.suggested[row] = (label, 1.0);
            }
        }
    }
}

/// The probabilities whose log-odds are the means of those of these.
fn blended(mut probabilities: Vec<Vec<f64>>) -> Vec<f64> {
    if probabilities.len() == 1 {
        return probabilities.remove(0);
    }
    /// Nothing is certain.
    const LEAST: f64 = 1e-6;
    let rows = probabilities.first().map_or(0, Vec::len);
    let odds = |p: f64| {
        let p = p.clamp(LEAST, 1.0 - LEAST);
        (p / (1.0 - p)).ln()
    };
    (0..rows)
        .map(|row| {
            let sum: f64 = probabilities.iter().map(|each| odds(each[row])).sum();
            1.0 / (1.0 + (-sum / probabilities.len() as f64).exp())
        })
        .collect()
}

/// The rows that are not kept and have another suggested label.
fn suspects(kept: &[bool], suggested: &[(u32, f64)], labels: &[u32]) -> Vec<bool> {
    let rows = kept.iter().zip(suggested).zip(labels);
    rows.map(|((kept, (class, _)), given)| !kept && class != given)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_averaged() {
        let one = vec![0.1, 0.5, 1.0];
        assert_eq!(blended(vec![one.clone()]), one);
        let both = blended(vec![one, vec![0.9, 0.8, 0.0]]);
        let expected = [0.5, 2.0 / 3.0, 0.5];
        for (found, expected) in both.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{both:?}");
        }
    }
}
