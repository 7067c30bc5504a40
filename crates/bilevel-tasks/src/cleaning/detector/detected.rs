//! What a detector found out about each row.

use std::sync::Arc;

use rayon::prelude::*;

use super::confusion::Confusion;
use super::held::{mean, surprise};
use crate::model::predictions;

/// What a detector found out about each row.
#[derive(Clone)]
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

    /// How surprising the given label of each row to check is, if logits are multiplied by `sharper`.
    pub(super) fn surprises(&self, sharper: f32, labels: &[u32], classes: usize) -> Vec<f64> {
        let of_row = |own: &mut Vec<f32>, (row, (p, &given)): (usize, (&[f32], &u32))| {
            own.clear();
            own.extend_from_slice(p);
            sharpen(own, sharper);
            surprise(match &self.noise {
                Some(noise) => noise.of_label(row, own, given),
                None => f64::from(own[given as usize]),
            })
        };
        let rows = self.probabilities.par_chunks_exact(classes).zip(labels);
        rows.enumerate().map_init(Vec::new, of_row).collect()
    }

    /// The probabilities with logits multiplied by `sharper`, if these explain the given labels better.
    pub(super) fn sharpened(
        &self,
        sharper: f32,
        labels: &[u32],
        classes: usize,
    ) -> Option<Arc<[f32]>> {
        if sharper == 1.0 {
            return None;
        }
        let [plain, sharp] = [1.0, sharper].map(|by| mean(&self.surprises(by, labels, classes)));
        (sharp < plain).then(|| {
            let mut probabilities = self.probabilities.to_vec();
            let rows = probabilities.par_chunks_mut(classes);
            rows.for_each(|row| sharpen(row, sharper));
            probabilities.into()
        })
    }
}

/// Multiplies the logits of these probabilities.
fn sharpen(probabilities: &mut [f32], by: f32) {
    if by == 1.0 {
        return;
    }
    probabilities.iter_mut().for_each(|p| *p = p.powf(by));
    let sum: f32 = probabilities.iter().sum();
    if sum > 0.0 {
        probabilities.iter_mut().for_each(|p| *p /= sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine of ten labels are right, or six of ten, and the model gives the right class .8.
    #[test]
    fn models_are_sharpened_where_labels_say_so() {
        let rows = 3000;
        let of = |wrong: usize, matrix: [f64; 4]| {
            let given: Vec<u32> = (0..rows).map(|row| u32::from(row % 10 < wrong)).collect();
            let detected = Detected {
                probabilities: (0..rows).flat_map(|_| [0.8, 0.2]).collect(),
                noise: Some(Confusion::of_all(matrix.to_vec(), 2)),
                kept: None,
                thresholds: None,
            };
            detected.sharpened(1.4, &given, 2)
        };
        let none = [0.99, 0.01, 0.01, 0.99];
        let sharper = of(1, none).unwrap();
        assert!((sharper[0] - 0.874).abs() < 0.001, "{}", sharper[0]);
        assert!((sharper[2 * rows - 1] - 0.126).abs() < 0.001);
        assert!(of(4, none).is_none());
        // The matrix explains some of them.
        assert_eq!(of(4, [0.6, 0.4, 0.4, 0.6]), Some(sharper));
    }
}
