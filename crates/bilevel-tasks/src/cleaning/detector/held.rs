//! Rows that choose how models are trained.

use super::super::CleaningData;
use crate::Error;
use crate::model::Examples;
use crate::train::{FACTORS, MIDDLE};

/// Shares of labels that may be wrong in any way.
pub(super) const WRONG: [f64; 12] = [
    0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8,
];

/// By so many standard errors another ridge than the middle one must be better on trusted rows.
const CLEARLY: f64 = 2.0;

/// Rows of which no model is told while it is chosen how models are trained: some of the rows to check, and of the trusted
/// ones.
pub(super) struct Held {
    check: Vec<usize>,
    trusted: Vec<usize>,
    /// The same rows in this order, with their given labels.
    pub(super) examples: Examples<f32>,
}

impl Held {
    /// These rows to check, and these trusted rows.
    pub(super) fn new(
        data: &CleaningData,
        check: Vec<usize>,
        trusted: Vec<usize>,
    ) -> Result<Self, Error> {
        let rows = data.train().select_with(&check, data.trusted(), &trusted)?;
        Ok(Self {
            check,
            trusted,
            examples: Examples::new(&rows),
        })
    }

    /// Among the rows to check and then the trusted rows.
    pub(super) fn rows(&self, check: usize) -> impl Iterator<Item = usize> {
        let trusted = self.trusted.iter().map(move |row| check + row);
        self.check.iter().copied().chain(trusted)
    }

    /// How surprising the labels are, on average. Those of the rows to check may be wrong at random, with the one of these
    /// shares that makes them least surprising: a model of better labels than these is not to blame for them.
    pub(super) fn surprise(&self, probabilities: &[f32], wrong: &[f64]) -> f64 {
        let classes = self.examples.classes();
        let rows = probabilities.chunks_exact(classes);
        let own: Vec<f64> = rows
            .zip(self.examples.labels())
            .map(|(row, &label)| f64::from(row[label as usize]))
            .collect();
        let (check, trusted) = own.split_at(self.check.len());
        let surprise = |p: f64| -p.max(1e-9).ln();
        let of_check = wrong.iter().map(|wrong| {
            let mixed = |&p: &f64| surprise((1.0 - wrong) * p + wrong / classes as f64);
            check.iter().map(mixed).sum::<f64>()
        });
        let of_trusted: f64 = trusted.iter().map(|&p| surprise(p)).sum();
        (of_check.fold(f64::INFINITY, f64::min) + of_trusted) / own.len().max(1) as f64
    }
}

/// The middle place, or the one with the least mean loss if that is lower by more than [`CLEARLY`] standard errors.
pub(super) fn clearly_least(losses: &[Vec<f64>; FACTORS.len()]) -> usize {
    let sum = |place: usize| losses[place].iter().sum::<f64>();
    let best = (0..FACTORS.len())
        .min_by(|&a, &b| sum(a).total_cmp(&sum(b)))
        .unwrap_or(MIDDLE);
    let pairs = losses[MIDDLE].iter().zip(&losses[best]);
    let better: Vec<f64> = pairs.map(|(middle, best)| middle - best).collect();
    let rows = better.len().max(1) as f64;
    let mean = better.iter().sum::<f64>() / rows;
    let squares: f64 = better.iter().map(|better| (better - mean).powi(2)).sum();
    let error = squares.sqrt() / rows;
    if mean > CLEARLY * error { best } else { MIDDLE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    /// A model of right labels is not to blame for wrong ones; one that knows nothing is.
    #[test]
    fn wrong_labels_are_allowed_for() {
        let names = (0..10).map(|class| class.to_string()).collect();
        let truth: Vec<u32> = (0..500).map(|row| row % 10).collect();
        let given = truth.iter().enumerate();
        let given = given.map(|(row, &label)| {
            if row % 10 < 3 {
                (label + 5) % 10
            } else {
                label
            }
        });
        let rows = Dataset::new(vec![0.0; 500], 1, given.collect(), names).unwrap();
        let none = rows.select(&[]).unwrap();
        let data = CleaningData::new(rows, None, none, None).unwrap();
        let held = Held::new(&data, (0..100).collect(), Vec::new()).unwrap();
        let surprise = |sure: f32, wrong: &[f64]| {
            let mut probabilities = vec![(1.0 - sure) / 9.0; 100 * 10];
            for (place, row) in held.rows(500).enumerate() {
                probabilities[place * 10 + truth[row] as usize] = sure;
            }
            held.surprise(&probabilities, wrong)
        };
        assert!(surprise(0.999, &[0.0]) > surprise(0.7, &[0.0]));
        assert!(surprise(0.999, &WRONG) <= surprise(0.7, &WRONG) + 0.01);
        assert!(surprise(0.1, &WRONG) > surprise(0.999, &WRONG) + 0.5);
        assert!((surprise(0.1, &[0.0]) - 10_f64.ln()).abs() < 1e-3);
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
