//! A model of the trusted rows alone.

use std::sync::Arc;

use super::{FOLDS, Trials, cached};
use crate::Error;
use crate::cleaning::detector::held::{clearly_least, surprise};
use crate::cleaning::together::Together;
use crate::stream::BASELINE;
use crate::train::{FACTORS, MIDDLE};

/// Of so many trusted rows, those of one fold suffice to choose a ridge.
const ONE_FOLD: usize = 1000;

/// Separates the draw of the folds of trusted rows from other draws of its stream.
const DRAWN: u64 = 700;

impl Trials<'_> {
    /// Probabilities of a model trained on the trusted rows only.
    pub(in crate::cleaning::detector) fn trusted_only(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.trusted_only, || {
            let targets = self.of_trusted(&vec![true; self.used.len()]);
            let ridge = self.trusted_ridge()?;
            self.probabilities(&self.shared.fitting.fit_trusted(targets, ridge)?)
        })
    }

    /// The ridge with which models of trusted rows know the others best: the middle one, unless another is clearly better.
    /// Few rows say little of it, and no small part of them can be held out to choose a number of steps besides.
    pub(super) fn trusted_ridge(&self) -> Result<f64, Error> {
        if let Some(found) = self.shared.of_trusted_ridge.get() {
            return Ok(*found);
        }
        if self.holds_out() {
            return self.whole().trusted_ridge();
        }
        let trusted = self.shared.data.trusted();
        let ridge = match self.shared.fitting.trainer.unit(trusted) {
            None => 0.0,
            Some(unit) => unit * self.trusted_factor(unit)?,
        };
        Ok(*self.shared.of_trusted_ridge.get_or_init(|| ridge))
    }

    fn trusted_factor(&self, unit: f64) -> Result<f64, Error> {
        let classes = self.classes();
        let rows: Vec<(usize, u32)> = self.trusted().collect();
        if rows.len() < FOLDS {
            return Ok(FACTORS[MIDDLE]);
        }
        let groups = self.groups_of(rows.iter().map(|&(row, _)| row));
        let fitting = &self.shared.fitting;
        let key = fitting.trainer.key.stream(BASELINE).fold_in(DRAWN);
        let mut parts = Together(groups.as_deref()).parts(rows.len(), FOLDS, key);
        if rows.len() >= ONE_FOLD {
            parts.truncate(1);
        }
        // For each factor the loss of each row that was held out.
        let mut losses = [const { Vec::new() }; FACTORS.len()];
        for part in parts {
            let mut among = vec![true; self.used.len()];
            part.iter().for_each(|&place| among[rows[place].0] = false);
            for (factor, losses) in FACTORS.into_iter().zip(&mut losses) {
                let y = fitting.fit_trusted(self.of_trusted(&among), factor * unit)?;
                let probabilities = self.of_trusted_rows(&y)?;
                losses.extend(part.iter().map(|&place| {
                    let (row, label) = rows[place];
                    surprise(f64::from(probabilities[row * classes + label as usize]))
                }));
            }
        }
        Ok(FACTORS[clearly_least(&losses)])
    }

    /// The targets of the trusted rows alone that are among these.
    fn of_trusted(&self, among: &[bool]) -> Vec<f32> {
        let classes = self.classes();
        let mut targets = vec![0.0; self.used.len() * classes];
        for (row, label) in self.trusted().filter(|&(row, _)| among[row]) {
            targets[row * classes + label as usize] = 1.0;
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use bilevel::Key;
    use rand::RngExt;

    use super::super::drawn::{of, trainer};
    use super::*;
    use crate::cleaning::CleaningData;
    use crate::data::Dataset;

    /// 30 trusted rows with 60 columns, one of which says the class.
    #[test]
    fn few_trusted_rows_make_a_better_model_with_a_ridge() {
        let (rows, columns) = (430, 60);
        let mut rng = Key::from_seed(3).stream(BASELINE).rng();
        let mut noise = || rng.random_range(-1.7_f32..1.7);
        let mut features: Vec<f32> = (0..rows * columns).map(|_| noise()).collect();
        for (row, features) in features.chunks_exact_mut(columns).enumerate() {
            features[0] += if row % 2 == 0 { 1.0 } else { -1.0 };
        }
        let labels = (0..rows).map(|row| (row % 2) as u32).collect();
        let names = vec!["a".to_owned(), "b".to_owned()];
        let all = Dataset::new(features, columns, labels, names).unwrap();
        let part = |from: usize, to: usize| all.select(&(from..to).collect::<Vec<_>>()).unwrap();
        let data = CleaningData::new(part(0, 400), None, part(400, 430), None).unwrap();
        let trials = of(&data, trainer());
        let surprise = |ridge: f64| {
            let targets = trials.of_trusted(&[true; 30]);
            let y = trials.shared.fitting.fit_trusted(targets, ridge).unwrap();
            let probabilities = trials.probabilities(&y).unwrap();
            let rows = probabilities.chunks_exact(2).zip(data.train().labels());
            let surprises = rows.map(|(row, &label)| -f64::from(row[label as usize]).ln());
            surprises.sum::<f64>() / 400.0
        };
        let ridge = trials.trusted_ridge().unwrap();
        assert!(ridge > 0.0);
        let (with, without) = (surprise(ridge), surprise(0.0));
        assert!(with < without - 0.05, "{with} {without}");
    }
}
