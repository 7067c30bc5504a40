//! What a detector found out about each row.

use std::sync::Arc;

use rayon::prelude::*;

use super::confusion::Confusion;
use crate::model::predictions;

/// What a detector found out about each row.
pub(in crate::cleaning) struct Detected {
    /// The probability of each class, without regard to the given label: rows to check, then trusted rows; × classes.
    pub(in crate::cleaning) probabilities: Arc<[f32]>,
    /// The probability of each given label, for each true class. None: a given label says nothing that the probabilities
    /// do not say.
    pub(in crate::cleaning) noise: Option<Confusion>,
    /// The rows to check whose labels are kept, where that does not follow from the probabilities.
    pub(in crate::cleaning) kept: Option<Vec<bool>>,
    /// Labels are kept too where no more probable class reaches its threshold.
    pub(in crate::cleaning) thresholds: Option<Vec<f64>>,
}

impl Detected {
    /// The probability of each class for a row with this given label.
    pub(in crate::cleaning) fn posterior(
        &self,
        row: usize,
        given: u32,
        classes: usize,
    ) -> Vec<f64> {
        let mut posterior = Vec::new();
        self.fill(&mut posterior, row, given, classes);
        posterior
    }

    /// The same in a list that is used again.
    fn fill(&self, posterior: &mut Vec<f64>, row: usize, given: u32, classes: usize) {
        let own = &self.probabilities[row * classes..(row + 1) * classes];
        posterior.clear();
        posterior.extend(own.iter().map(|&p| f64::from(p)));
        if let Some(noise) = &self.noise {
            for (class, p) in posterior.iter_mut().enumerate() {
                *p *= noise.of(row, class, given);
            }
        }
        let sum: f64 = posterior.iter().sum();
        if sum > 0.0 {
            posterior.iter_mut().for_each(|p| *p /= sum);
        }
    }

    /// The probability that this label of a row is right, and whether it would be kept, by its probabilities alone: no
    /// other label is more probable, or none of them reaches its threshold.
    pub(in crate::cleaning) fn judge(&self, row: usize, given: u32, classes: usize) -> (f64, bool) {
        self.judge_in(&mut Vec::new(), row, given, classes)
    }

    fn judge_in(
        &self,
        posterior: &mut Vec<f64>,
        row: usize,
        given: u32,
        classes: usize,
    ) -> (f64, bool) {
        self.fill(posterior, row, given, classes);
        let right = posterior[given as usize];
        let reaches = |class: usize, p: f64| {
            let thresholds = self.thresholds.as_ref();
            thresholds.is_none_or(|thresholds| p >= thresholds[class])
        };
        let mut others = posterior.iter().enumerate();
        let keeps = others.all(|(class, &other)| other <= right || !reaches(class, other));
        (right, keeps)
    }

    /// The most probable class of each row to check with its label, and its probability.
    pub(in crate::cleaning) fn suggested(&self, labels: &[u32], classes: usize) -> Vec<(u32, f64)> {
        let suggest = |posterior: &mut Vec<f64>, (row, &given): (usize, &u32)| {
            self.fill(posterior, row, given, classes);
            let class = predictions(posterior, classes)
                .first()
                .copied()
                .unwrap_or(given);
            (class, posterior[class as usize])
        };
        let rows = labels.par_iter().enumerate();
        rows.map_init(Vec::new, suggest).collect()
    }

    /// For each row to check the probability that its label is right, and whether it is kept: no other label is more
    /// probable.
    pub(in crate::cleaning) fn judged(
        &self,
        labels: &[u32],
        classes: usize,
    ) -> (Vec<f64>, Vec<bool>) {
        let judge = |posterior: &mut Vec<f64>, (row, &given): (usize, &u32)| {
            let (right, keeps) = self.judge_in(posterior, row, given, classes);
            (right, self.kept.as_ref().map_or(keeps, |kept| kept[row]))
        };
        let rows = labels.par_iter().enumerate();
        rows.map_init(Vec::new, judge).unzip()
    }
}
