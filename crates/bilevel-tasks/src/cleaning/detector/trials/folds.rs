//! Models that judge rows that they were trained without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{FOLDS, Stage, Trials, cached};
use crate::Deadline;
use crate::Error;
use crate::cleaning::detector::fitting::Fitted;
use crate::cleaning::detector::held::Mistakes;
use crate::train::Training;

/// The time to judge the rows when all models are trained, in times of one model's probabilities.
const JUDGING: u32 = 2;

/// For each fold a model that was trained without it, once they are trained.
#[derive(Default)]
pub(in crate::cleaning::detector) struct Folds([Option<Fitted>; FOLDS]);

impl Trials<'_> {
    /// Probabilities of the rows to check by models that were trained without them, on the targets of the other rows;
    /// each trusted row is judged by one of these models. Models that there are follow the targets in a few steps. Where
    /// there is no answer yet, this takes at most a share of the time that is left.
    pub(in crate::cleaning::detector) fn out_of_fold(
        &self,
        models: &mut Folds,
        targets: &[f32],
        training: Training,
        share: f64,
    ) -> Result<Vec<f32>, Error> {
        let classes = self.classes();
        let deadline = self.shared.fitting.part(share);
        self.by_folds(models, training, deadline, &|fold| {
            let mut others = targets.to_vec();
            for row in (0..self.rows()).filter(|&row| self.fold_of(row) == fold) {
                others[row * classes..(row + 1) * classes].fill(0.0);
            }
            others
        })
    }

    /// The out-of-fold probabilities of models of all given labels, if some detector needed them.
    pub(in crate::cleaning::detector) fn known_cross_validated(&self) -> Option<&[f32]> {
        self.cross_validated
            .get()
            .map(|probabilities| &**probabilities)
    }

    /// The same for the given labels of the kept rows.
    pub(in crate::cleaning::detector) fn out_of_fold_of(
        &self,
        stage: Stage,
        kept: &[bool],
    ) -> Result<Vec<f32>, Error> {
        let training =
            self.training_at(stage, &self.targets(|row| kept[row]), Mistakes::AtRandom)?;
        self.anew_by_folds(training, &|fold| {
            self.targets(|row| kept[row] && self.fold_of(row) != fold)
        })
    }

    /// A trusted row that is not used is judged as a row to check is: by one model that did not see it.
    fn fold_of(&self, row: usize) -> usize {
        match self.shared.folds.get(row) {
            Some(&fold) => usize::from(fold),
            None => row % FOLDS,
        }
    }

    fn anew_by_folds(
        &self,
        training: Training,
        without: &dyn Fn(usize) -> Vec<f32>,
    ) -> Result<Vec<f32>, Error> {
        let deadline = self.shared.fitting.trainer.deadline;
        self.by_folds(&mut Folds::default(), training, deadline, without)
    }

    /// Probabilities of the rows of each fold, by a model trained on the targets `without` it.
    fn by_folds(
        &self,
        models: &mut Folds,
        training: Training,
        deadline: Deadline,
        without: &dyn Fn(usize) -> Vec<f32>,
    ) -> Result<Vec<f32>, Error> {
        let (classes, fitting) = (self.classes(), &self.shared.fitting);
        let mut all = Vec::new();
        let mut judging = Duration::ZERO;
        for fold in 0..FOLDS {
            let others = (FOLDS - fold) as u32;
            let until = deadline.left().map_or(deadline, |left| {
                let training = left.saturating_sub(judging * (others + JUDGING));
                Deadline::within(Some(training / others))
            });
            let model = models.0[fold].take();
            let model = fitting.fit_further(model, without(fold), training, until)?;
            let begin = Instant::now();
            let own = self.probabilities(&model.y)?;
            models.0[fold] = Some(model);
            judging = begin.elapsed();
            if all.is_empty() {
                all = own;
                continue;
            }
            let rows = all.chunks_exact_mut(classes).zip(own.chunks_exact(classes));
            for (row, (all, own)) in rows.enumerate() {
                if self.fold_of(row) == fold {
                    all.copy_from_slice(own);
                }
            }
        }
        Ok(all)
    }

    /// Out-of-fold probabilities of models that were trained on all given labels.
    pub(in crate::cleaning::detector) fn cross_validated(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.cross_validated, || {
            let (_, training) = self.given_best()?;
            self.anew_by_folds(training, &|fold| {
                self.targets(|row| self.fold_of(row) != fold)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn::{of, trainer, uniform};
    use super::*;

    /// Neither at first nor when they are trained further are models told of the rows that they judge.
    #[test]
    fn no_model_judges_a_row_that_it_has_seen() {
        let data = uniform(300, 0, 0.2);
        let trials = of(&data, trainer());
        let training = Training {
            steps: 60,
            ridge: 0.01,
        };
        let targets = trials.targets(|_| true);
        let mut otherwise = targets.clone();
        let own = |of: &[f32], row: usize| of[row * 10..(row + 1) * 10].to_vec();
        let place = targets[..10].iter().position(|t| *t == 1.0).unwrap();
        otherwise.swap(place, (place + 1) % 10);
        let mut found = [&targets, &otherwise].map(|targets| {
            let mut models = Folds::default();
            [(); 3].map(|()| {
                let found = trials.out_of_fold(&mut models, targets, training, 1.0);
                found.unwrap()
            })
        });
        for (of_targets, of_others) in found[0].iter().zip(&found[1]) {
            assert_eq!(own(of_targets, 0), own(of_others, 0));
            let other = (1..300).find(|&row| trials.fold_of(row) != trials.fold_of(0));
            let other = other.unwrap();
            assert_ne!(own(of_targets, other), own(of_others, other));
        }
        // A minimum is not left.
        let [first, _, last] = &mut found[0];
        let most = first.iter().zip(last).map(|(a, b)| (*a - *b).abs());
        assert!(most.fold(0.0, f32::max) < 0.1);
    }
}
