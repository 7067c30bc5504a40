//! Rows that choose how models are trained.

use std::sync::Arc;

use crate::Error;
use crate::data::Dataset;
use crate::model::{Examples, Probabilities};
use crate::train::{FACTORS, MIDDLE};

/// Shares of labels that may be wrong in any way.
pub(super) const WRONG: [f64; 12] = [
    0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8,
];

/// By so many standard errors another ridge than the middle one must be better on trusted rows.
const CLEARLY: f64 = 2.0;

/// Some rows, by number, with their given labels.
pub(super) struct Part {
    pub(super) rows: Vec<usize>,
    pub(super) examples: Examples<f32>,
}

impl Part {
    /// These rows of `data`.
    pub(super) fn of(data: &Dataset, rows: Vec<usize>) -> Result<Self, Error> {
        let examples = Examples::new(&data.select(&rows)?);
        Ok(Self { rows, examples })
    }

    /// The probabilities of their labels.
    fn own(&self, probabilities: &Probabilities<f32>, y: &[f32]) -> Result<Vec<f64>, Error> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let all = probabilities.of(y, &self.examples)?;
        let rows = all.chunks_exact(self.examples.classes());
        let own = rows.zip(self.examples.labels());
        Ok(own
            .map(|(row, &label)| f64::from(row[label as usize]))
            .collect())
    }
}

/// Rows of which no model is told while it is chosen how models are trained.
pub(super) struct Held {
    /// Rows to check: the same ones, whichever trusted rows are used.
    pub(super) check: Arc<Part>,
    pub(super) trusted: Part,
}

impl Held {
    /// Among so many rows to check and then the trusted rows.
    pub(super) fn rows(&self, check: usize) -> impl Iterator<Item = usize> {
        let trusted = self.trusted.rows.iter().map(move |row| check + row);
        self.check.rows.iter().copied().chain(trusted)
    }

    /// How surprising the label of each row is for a model. Those of the rows to check may be wrong at random, with the
    /// one of these shares that makes them least surprising: a model of better labels than these is not to blame for them.
    pub(super) fn surprise(
        &self,
        probabilities: &Probabilities<f32>,
        y: &[f32],
        wrong: &[f64],
    ) -> Result<Vec<f64>, Error> {
        let check = self.check.own(probabilities, y)?;
        let trusted = self.trusted.own(probabilities, y)?;
        let classes = self.check.examples.classes();
        Ok(of_rows(&check, &trusted, classes, wrong))
    }
}

/// How surprising what has this probability is.
pub(super) fn surprise(p: f64) -> f64 {
    -p.max(1e-9).ln()
}

/// By the probabilities of the labels of rows to check, and of trusted rows.
fn of_rows(check: &[f64], trusted: &[f64], classes: usize, wrong: &[f64]) -> Vec<f64> {
    let of_check = |wrong: f64| -> Vec<f64> {
        let mixed = |&p: &f64| surprise((1.0 - wrong) * p + wrong / classes as f64);
        check.iter().map(mixed).collect()
    };
    let least = wrong
        .iter()
        .map(|&wrong| of_check(wrong))
        .min_by(|a, b| mean(a).total_cmp(&mean(b)));
    let mut all = least.unwrap_or_default();
    all.extend(trusted.iter().map(|&p| surprise(p)));
    all
}

/// 0 of none.
pub(super) fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len().max(1) as f64
}

/// Whether these numbers of the same rows are lower on average, by more than so many standard errors.
pub(super) fn clearly_lower(numbers: &[f64], than: &[f64], clearly: f64) -> bool {
    let lower: Vec<f64> = numbers.iter().zip(than).map(|(a, b)| b - a).collect();
    let by = mean(&lower);
    let squares: f64 = lower.iter().map(|lower| (lower - by).powi(2)).sum();
    by > clearly * squares.sqrt() / lower.len().max(1) as f64
}

/// The middle place, or the one with the least mean loss if that is lower by more than [`CLEARLY`] standard errors.
pub(super) fn clearly_least(losses: &[Vec<f64>; FACTORS.len()]) -> usize {
    let best = (0..FACTORS.len())
        .min_by(|&a, &b| mean(&losses[a]).total_cmp(&mean(&losses[b])))
        .unwrap_or(MIDDLE);
    match clearly_lower(&losses[best], &losses[MIDDLE], CLEARLY) {
        true => best,
        false => MIDDLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of right labels is not to blame for wrong ones; one that knows nothing is.
    #[test]
    fn wrong_labels_are_allowed_for() {
        // 30 of 100 labels of 10 classes are wrong.
        let of_sure = |sure: f64, wrong: &[f64]| {
            let own: Vec<f64> = (0..100)
                .map(|row| if row < 30 { (1.0 - sure) / 9.0 } else { sure })
                .collect();
            mean(&of_rows(&own, &[], 10, wrong))
        };
        assert!(of_sure(0.999, &[0.0]) > of_sure(0.7, &[0.0]));
        assert!(of_sure(0.999, &WRONG) <= of_sure(0.7, &WRONG) + 0.01);
        assert!(of_sure(0.1, &WRONG) > of_sure(0.999, &WRONG) + 0.5);
        assert!((of_sure(0.1, &[0.0]) - 10_f64.ln()).abs() < 1e-3);
    }

    /// Labels of trusted rows are not wrong.
    #[test]
    fn surprises_at_trusted_rows_count_in_full() {
        let found = of_rows(&[0.9, 0.9], &[0.01], 2, &WRONG);
        let expected = [0.9_f64, 0.9, 0.01].map(|p| -p.ln());
        assert_eq!(found, expected);
        assert!(of_rows(&[], &[], 2, &WRONG).is_empty());
    }

    #[test]
    fn clearly_lower_is_more_than_chance() {
        let than = [1.0, 2.0, 3.0, 4.0];
        assert!(clearly_lower(&[0.9, 1.9, 2.9, 3.9], &than, 1.0));
        // On average, but not by more than the error of the mean.
        assert!(!clearly_lower(&[0.0, 2.0, 3.0, 4.5], &than, 1.0));
        assert!(!clearly_lower(&than, &than, 1.0));
        assert!(!clearly_lower(&[], &[], 1.0));
    }

    #[test]
    fn another_ridge_must_be_clearly_better() {
        let around = |mean: f64, spread: f64| -> Vec<f64> {
            let sign = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
            (0..40).map(|row| mean + spread * sign(row)).collect()
        };
        let [middle, worse] = [around(1.0, 0.0), around(2.0, 0.0)];
        let place = |other| clearly_least(&[worse.clone(), other, middle.clone(), worse.clone()]);
        assert_eq!(place(around(0.9, 0.1)), 1);
        assert_eq!(place(around(0.9, 1.0)), MIDDLE);
        assert_eq!(place(around(1.1, 0.1)), MIDDLE);
        assert_eq!(clearly_least(&[const { Vec::new() }; 4]), MIDDLE);
    }
}
