//! Rows that choose how models are trained.

use std::sync::Arc;

use super::confusion::Confusion;
use crate::Error;
use crate::data::Dataset;
use crate::model::{Examples, Probabilities};
use crate::train::{FACTORS, MIDDLE};

/// How labels of rows to check may be wrong.
#[derive(Clone, Copy)]
pub(super) enum Mistakes<'a> {
    /// A model is to predict them as they are.
    Ignored,
    /// At random, with the one of these shares that makes them least surprising: a model of better labels than these is not
    /// to blame for them.
    AtRandom,
    /// As the matrix of each annotator says: a model is not to blame for those who are often wrong.
    Of(&'a Confusion),
}

impl<'a> Mistakes<'a> {
    /// By this matrix, where that tells annotators apart. One matrix of all rows takes in what models cannot tell apart:
    /// models would be to blame for too little.
    pub(super) fn known(noise: Option<&'a Confusion>) -> Self {
        let by_annotator = noise.filter(|noise| noise.by_annotator());
        by_annotator.map_or(Self::AtRandom, Self::Of)
    }

    fn shares(self) -> &'static [f64] {
        match self {
            Self::AtRandom => &WRONG,
            Self::Ignored | Self::Of(_) => &[0.0],
        }
    }
}

/// Shares of labels that may be wrong in any way.
const WRONG: [f64; 12] = [
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
    fn own(
        &self,
        probabilities: &Probabilities<f32>,
        y: &[f32],
        noise: Option<&Confusion>,
    ) -> Result<Vec<f64>, Error> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let all = probabilities.of(y, &self.examples)?;
        let each = all.chunks_exact(self.examples.classes());
        let each = each.zip(self.examples.labels()).zip(&self.rows);
        Ok(each
            .map(|((p, &label), &row)| match noise {
                Some(noise) => noise.of_label(row, p, label),
                None => f64::from(p[label as usize]),
            })
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

    /// How surprising the label of each row is for a model. Those of the rows to check may be wrong.
    pub(super) fn surprise(
        &self,
        probabilities: &Probabilities<f32>,
        y: &[f32],
        mistakes: Mistakes<'_>,
    ) -> Result<Vec<f64>, Error> {
        let noise = match mistakes {
            Mistakes::Of(noise) => Some(noise),
            Mistakes::Ignored | Mistakes::AtRandom => None,
        };
        let check = self.check.own(probabilities, y, noise)?;
        let trusted = self.trusted.own(probabilities, y, None)?;
        let classes = self.check.examples.classes();
        Ok(of_rows(&check, &trusted, classes, mistakes.shares()))
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

    /// A model is not to blame for an annotator of whom it is known that two of three labels are wrong.
    #[test]
    fn known_annotators_are_allowed_for() {
        use crate::data::Dataset;
        use crate::model::Model;

        let rows = 30;
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let class = |row: usize| (row / 2 % 2) as u32;
        let feature = |row: usize| if class(row) == 0 { -1.0 } else { 1.0 };
        // Odd rows are labelled by the second annotator.
        let given =
            |row: usize| class(row) ^ u32::from(!row.is_multiple_of(2) && !row.is_multiple_of(3));
        let data = Dataset::new(
            (0..rows).map(feature).collect(),
            1,
            (0..rows).map(given).collect(),
            classes,
        )
        .unwrap();
        let held = Held {
            check: Arc::new(Part::of(&data, (0..rows).collect()).unwrap()),
            trusted: Part::of(&data, Vec::new()).unwrap(),
        };
        let third = 1.0 / 3.0;
        let counts = vec![1.0, 0.0, 0.0, 1.0, third, 2.0 * third, 2.0 * third, third];
        let of_row: Vec<u32> = (0..rows).map(|row| (row % 2) as u32).collect();
        let noise = Confusion::of_rows(counts, 2, Some(of_row.into()));
        let probabilities = Model::Softmax.probabilities();
        let of = |sure: f32, mistakes| {
            let y = [-sure, sure, 0.0, 0.0];
            mean(&held.surprise(&probabilities, &y, mistakes).unwrap())
        };
        let known = Mistakes::known(Some(&noise));
        // Half of the labels are certain, and the others as uncertain as the annotator is.
        let others = (third * 3_f64.ln() + 2.0 * third * 1.5_f64.ln()) / 2.0;
        assert!((of(8.0, known) - others).abs() < 1e-3);
        assert!(of(8.0, known) < of(0.5, known));
        assert!(of(8.0, Mistakes::Ignored) > of(0.5, Mistakes::Ignored));
        let of_all = Confusion::of_all(vec![0.7, 0.3, 0.3, 0.7], 2);
        assert!(matches!(Mistakes::known(Some(&of_all)), Mistakes::AtRandom));
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
