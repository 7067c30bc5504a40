//! What a reader of the suspects must know of them.

use serde::Serialize;

use super::split::CleaningData;
use crate::metrics::accuracy;
use crate::model::predictions;

/// Why what looks wrong may be right.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Caution {
    /// The time ended the training of the models that judge.
    CutShort {
        /// After so many steps.
        steps: usize,
        /// At most so many were meant.
        most: usize,
    },
    /// Models of other rows predict the given labels no better than their frequencies do.
    FeaturesSayLittle {
        /// The share of the labels that models of other rows predict.
        predicted: f64,
        /// The share of the most frequent label.
        most_frequent: f64,
    },
}

impl Caution {
    /// Of the probabilities of models of other rows (rows × classes): whether they tell less than the frequencies of the
    /// labels do, both by their most probable class and by their logarithms.
    pub(super) fn of_probabilities(data: &CleaningData, probabilities: &[f32]) -> Option<Self> {
        /// Standard errors.
        const CLEARLY: f64 = 2.0;
        let (labels, classes) = (data.train().labels(), data.train().classes());
        let rows = labels.len().max(1) as f64;
        let mut counts = vec![0.0; classes];
        labels
            .iter()
            .for_each(|&label| counts[label as usize] += 1.0);
        let frequency = |label: u32| counts[label as usize] / rows;
        let own = &probabilities[..labels.len() * classes];
        let predicted = accuracy(&predictions(own, classes), labels).ok()??;
        let most_frequent = counts.iter().copied().fold(0.0, f64::max) / rows;
        let error = (most_frequent * (1.0 - most_frequent) / rows).sqrt();
        let logarithm = |p: f64| p.max(f64::from(f32::MIN_POSITIVE)).ln();
        let of_rows = own.chunks_exact(classes).zip(labels);
        let gain: f64 = of_rows
            .map(|(own, &label)| {
                logarithm(f64::from(own[label as usize])) - logarithm(frequency(label))
            })
            .sum();
        (predicted <= most_frequent + CLEARLY * error && gain <= 0.0).then_some(
            Self::FeaturesSayLittle {
                predicted,
                most_frequent,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, numbered_classes};

    #[test]
    fn what_tells_less_than_frequencies_is_found() {
        // Three of four have the label 0.
        let labels: Vec<u32> = (0..400).map(|row| u32::from(row % 4 == 0)).collect();
        let set = |labels: Vec<u32>| {
            let features = vec![0.0; labels.len()];
            Dataset::new(features, 1, labels, numbered_classes(2)).unwrap()
        };
        let data = CleaningData::new(set(labels.clone()), None, set(vec![0]), None).unwrap();
        let of = |p: &dyn Fn(usize, u32) -> f32| {
            let rows = labels.iter().enumerate();
            let right = rows.map(|(row, &label)| (label, p(row, label)));
            let all: Vec<f32> = right
                .flat_map(|(label, p)| {
                    if label == 0 {
                        [p, 1.0 - p]
                    } else {
                        [1.0 - p, p]
                    }
                })
                .collect();
            Caution::of_probabilities(&data, &all)
        };
        assert_eq!(of(&|_, _| 0.9), None);
        let found = of(&|row, _| if row % 2 == 0 { 0.6 } else { 0.3 });
        let expected = Caution::FeaturesSayLittle {
            predicted: 0.5,
            most_frequent: 0.75,
        };
        assert_eq!(found, Some(expected));
        // Always the most frequent label, but surer of it where it is right.
        assert_eq!(of(&|_, label| if label == 0 { 0.9 } else { 0.4 }), None);
        // More than its share by chance.
        assert!(of(&|_, label| if label == 0 { 1.0 } else { 0.0 }).is_some());
    }
}
