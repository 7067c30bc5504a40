//! Models that judge rows that they were trained without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{FOLDS, Trials, cached};
use crate::Deadline;
use crate::Error;
use crate::train::Training;

/// The time to judge the rows when all models are trained, in times of one model's probabilities.
const JUDGING: u32 = 2;

impl Trials<'_> {
    /// Probabilities of the rows to check by models that were trained without them, on the targets of the other rows;
    /// each trusted row is judged by one of these models.
    pub(in crate::cleaning::detector) fn out_of_fold(
        &self,
        targets: &[f32],
        training: Training,
    ) -> Result<Vec<f32>, Error> {
        let classes = self.classes();
        self.by_folds(training, &|fold| {
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
        kept: &[bool],
    ) -> Result<Vec<f32>, Error> {
        let training = self.training(&self.targets(|row| kept[row]))?;
        self.by_folds(training, &|fold| {
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

    /// Probabilities of the rows of each fold, by a model trained on the targets `without` it.
    fn by_folds(
        &self,
        training: Training,
        without: &dyn Fn(usize) -> Vec<f32>,
    ) -> Result<Vec<f32>, Error> {
        let (classes, fitting) = (self.classes(), &self.shared.fitting);
        let deadline = fitting.trainer.deadline;
        let mut all = Vec::new();
        let mut judging = Duration::ZERO;
        for fold in 0..FOLDS {
            let others = (FOLDS - fold) as u32;
            let until = deadline.left().map_or(deadline, |left| {
                let training = left.saturating_sub(judging * (others + JUDGING));
                Deadline::within(Some(training / others))
            });
            let y = fitting.fit_until(without(fold), training, until)?;
            let begin = Instant::now();
            let own = self.probabilities(&y)?;
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
            self.by_folds(training, &|fold| {
                self.targets(|row| self.fold_of(row) != fold)
            })
        })
    }
}
