//! Many trainings of one model on the same rows.

use std::cell::OnceCell;
use std::sync::Arc;

use bilevel::{Draw, Objective};
use bilevel_autodiff::Bound;

use super::detected::Detected;
use crate::Error;
use crate::cleaning::CleaningData;
use crate::cleaning::split::shuffled;
use crate::data::Dataset;
use crate::model::{Examples, Probabilities, predictions};
use crate::stream::BASELINE;
use crate::train::{Classifier, LOOK, Trainer};

/// Folds of a cross-validation.
const FOLDS: usize = 3;

/// The search for the best number of steps ends that many steps after the best one, and half as many again as that took.
const PATIENCE: usize = 40;

/// Share of the trusted rows used to choose the training length.
const HELD_OUT: f64 = 0.2;

/// The rows to check and the trusted rows, on which a model is trained with any targets: see
/// [`Model::soft_loss`](crate::model::Model::soft_loss).
pub(in crate::cleaning) struct Trials<'a> {
    shared: Arc<Shared<'a>>,
    /// Which trusted rows may be used.
    used: Vec<bool>,
    trusted_only: OnceCell<Arc<[f32]>>,
    cross_validated: OnceCell<Arc<[f32]>>,
    self_trained: OnceCell<Arc<[f32]>>,
}

/// What does not depend on the trusted rows that may be used.
struct Shared<'a> {
    data: &'a CleaningData,
    trainer: Trainer,
    /// The rows to check, then the trusted rows: one copy of both.
    examples: Examples<f32>,
    loss: Arc<Bound<f32>>,
    /// The loss of the trusted rows alone.
    of_trusted: Arc<Bound<f32>>,
    probabilities: Probabilities<f32>,
    /// The fold of each row to check.
    folds: Vec<u8>,
}

impl<'a> Trials<'a> {
    /// # Errors
    /// If there are no rows.
    pub(in crate::cleaning) fn new(
        data: &'a CleaningData,
        trainer: Trainer,
    ) -> Result<Self, Error> {
        let (train, trusted) = (data.train(), data.trusted());
        let all = |data: &Dataset| (0..data.rows()).collect::<Vec<_>>();
        let union = train.select_with(&all(train), trusted, &all(trusted))?;
        let examples = Examples::new(&union);
        let bind = |examples| trainer.model.soft_loss(examples, trainer.weight_decay);
        let mut folds = vec![0_u8; train.rows()];
        let order = shuffled(
            train.rows(),
            trainer.key.stream(BASELINE).fold_in(FOLDS as u64),
        );
        for (place, row) in order.into_iter().enumerate() {
            folds[row] = (place % FOLDS) as u8;
        }
        let shared = Shared {
            data,
            trainer,
            loss: bind(&examples)?,
            of_trusted: bind(&Examples::new(trusted))?,
            examples,
            probabilities: trainer.model.probabilities(),
            folds,
        };
        Ok(Self::using(Arc::new(shared), vec![true; trusted.rows()]))
    }

    fn using(shared: Arc<Shared<'a>>, used: Vec<bool>) -> Self {
        Self {
            shared,
            used,
            trusted_only: OnceCell::new(),
            cross_validated: OnceCell::new(),
            self_trained: OnceCell::new(),
        }
    }

    /// The same rows, of which these trusted ones are not used.
    pub(super) fn without(&self, held: &[usize]) -> Self {
        let mut used = self.used.clone();
        for &row in held {
            used[row] = false;
        }
        Self::using(Arc::clone(&self.shared), used)
    }

    pub(super) fn classes(&self) -> usize {
        self.shared.data.train().classes()
    }

    /// Number of rows to check.
    pub(super) fn rows(&self) -> usize {
        self.shared.data.train().rows()
    }

    /// The labels to judge.
    pub(super) fn given(&self) -> &[u32] {
        self.shared.data.train().labels()
    }

    /// The trusted rows that may be used, and their labels.
    pub(super) fn trusted(&self) -> impl Iterator<Item = (usize, u32)> {
        let labels = self.shared.data.trusted().labels().iter().copied();
        labels.enumerate().filter(|&(row, _)| self.used[row])
    }

    /// Targets: the given labels of the rows to check that are kept, and those of the trusted rows.
    pub(super) fn targets(&self, kept: impl Fn(usize) -> bool) -> Vec<f32> {
        let classes = self.classes();
        let mut targets = vec![0.0; self.shared.examples.rows() * classes];
        for (row, &label) in self.given().iter().enumerate() {
            if kept(row) {
                targets[row * classes + label as usize] = 1.0;
            }
        }
        self.add_trusted(&mut targets);
        targets
    }

    /// Adds the labels of the trusted rows.
    pub(super) fn add_trusted(&self, targets: &mut [f32]) {
        let classes = self.classes();
        for (row, label) in self.trusted() {
            targets[(self.rows() + row) * classes + label as usize] = 1.0;
        }
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

    /// The mean over the rows that have targets, not over all.
    fn of_mean(mut targets: Vec<f32>, classes: usize) -> Vec<f32> {
        let sum: f64 = targets.iter().map(|&t| f64::from(t)).sum();
        let rows = (targets.len() / classes.max(1)) as f64;
        let factor = if sum > 0.0 { (rows / sum) as f32 } else { 0.0 };
        targets.iter_mut().for_each(|t| *t *= factor);
        targets
    }

    /// The trusted rows that choose how long is trained.
    fn held_out(&self) -> Vec<bool> {
        let rows: Vec<usize> = self.trusted().map(|(row, _)| row).collect();
        let held = (rows.len() as f64 * HELD_OUT).ceil() as usize;
        let order = shuffled(rows.len(), self.shared.trainer.key.stream(BASELINE));
        let mut among = vec![false; self.used.len()];
        for &place in &order[..held.min(rows.len())] {
            among[rows[place]] = true;
        }
        among
    }

    /// How many steps are best for these targets: without a fifth of the trusted rows, on which the loss is watched.
    pub(super) fn steps(&self, targets: &[f32]) -> Result<usize, Error> {
        let classes = self.classes();
        let held = self.held_out();
        let mut rest = targets.to_vec();
        for (row, _) in held.iter().enumerate().filter(|(_, held)| **held) {
            let at = (self.rows() + row) * classes;
            rest[at..at + classes].fill(0.0);
        }
        self.best_steps(&self.shared.loss, rest, &held)
    }

    /// After how many steps on these targets the loss of the held-out trusted rows is least.
    fn best_steps(
        &self,
        loss: &Bound<f32>,
        targets: Vec<f32>,
        held: &[bool],
    ) -> Result<usize, Error> {
        let watched_targets = Self::of_mean(self.of_trusted(held), self.classes());
        let mut watched = self.shared.of_trusted.at(&watched_targets)?;
        let most = self.shared.trainer.steps;
        let mut best = (f32::INFINITY, most);
        self.descend(loss, targets, most, &mut |step, y| {
            if step.is_multiple_of(LOOK) || step == most {
                let value = watched.value(y, Draw::All)?;
                if value < best.0 {
                    best = (value, step);
                }
            }
            Ok(step < best.1 + PATIENCE + best.1 / 2 || best.0 == f32::INFINITY)
        })?;
        Ok(best.1)
    }

    /// Parameters after this many steps.
    pub(super) fn fit(&self, targets: Vec<f32>, steps: usize) -> Result<Vec<f32>, Error> {
        self.descend(&self.shared.loss, targets, steps, &mut |_, _| Ok(true))
    }

    fn descend(
        &self,
        loss: &Bound<f32>,
        targets: Vec<f32>,
        steps: usize,
        after: &mut crate::train::AfterStep<'_, f32>,
    ) -> Result<Vec<f32>, Error> {
        let targets = Self::of_mean(targets, self.classes());
        let train = self.shared.data.train();
        let start = self.shared.trainer.model.start(
            train.columns(),
            train.classes(),
            self.shared.trainer.key,
        );
        self.shared
            .trainer
            .descend(loss, &targets, start, steps, after)
    }

    /// The probabilities of all rows: rows × classes.
    pub(super) fn probabilities(&self, y: &[f32]) -> Result<Vec<f32>, Error> {
        self.shared.probabilities.of(y, &self.shared.examples)
    }

    /// A classifier trained on the kept rows and the trusted rows.
    pub(in crate::cleaning) fn classifier(&self, kept: &[bool]) -> Result<Classifier<f32>, Error> {
        let targets = self.targets(|row| kept[row]);
        let steps = self.steps(&targets)?;
        let y = self.fit(targets, steps)?;
        Ok(Classifier::new(self.shared.trainer.model, y))
    }

    /// Probabilities of a model trained on the trusted rows only.
    pub(super) fn trusted_only(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.trusted_only, || {
            // On these rows alone, which may be far fewer.
            let loss = &self.shared.of_trusted;
            let held = self.held_out();
            let rest: Vec<bool> = held.iter().map(|held| !held).collect();
            let steps = self.best_steps(loss, self.of_trusted(&rest), &held)?;
            let all = self.of_trusted(&vec![true; self.used.len()]);
            self.probabilities(&self.descend(loss, all, steps, &mut |_, _| Ok(true))?)
        })
    }

    /// Probabilities of the rows to check by models that were trained without them, on the targets of the other rows;
    /// each trusted row is judged by one of these models.
    pub(super) fn out_of_fold(&self, targets: &[f32], steps: usize) -> Result<Vec<f32>, Error> {
        let classes = self.classes();
        self.by_folds(steps, &|fold| {
            let mut others = targets.to_vec();
            for row in (0..self.rows()).filter(|&row| self.fold_of(row) == fold) {
                others[row * classes..(row + 1) * classes].fill(0.0);
            }
            others
        })
    }

    /// The same for the given labels of the kept rows.
    fn out_of_fold_of(&self, kept: &[bool]) -> Result<Vec<f32>, Error> {
        let steps = self.steps(&self.targets(|row| kept[row]))?;
        self.by_folds(steps, &|fold| {
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
        steps: usize,
        without: &dyn Fn(usize) -> Vec<f32>,
    ) -> Result<Vec<f32>, Error> {
        let classes = self.classes();
        let mut all = Vec::new();
        for fold in 0..FOLDS {
            let own = self.probabilities(&self.fit(without(fold), steps)?)?;
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
    pub(super) fn cross_validated(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.cross_validated, || {
            self.out_of_fold_of(&vec![true; self.rows()])
        })
    }

    /// Out-of-fold probabilities after rounds of self-training: a row is trained on if the model of the round before,
    /// which was trained without it, gives its label. The first model is trained on the trusted rows only.
    pub(super) fn self_trained(&self) -> Result<Arc<[f32]>, Error> {
        /// More change little.
        const ROUNDS: usize = 3;
        cached(&self.self_trained, || {
            let mut probabilities = self.trusted_only()?.to_vec();
            for _ in 0..ROUNDS {
                let predicted = predictions(&probabilities, self.classes());
                let agrees: Vec<bool> = self
                    .given()
                    .iter()
                    .zip(&predicted)
                    .map(|(given, predicted)| given == predicted)
                    .collect();
                probabilities = self.out_of_fold_of(&agrees)?;
            }
            Ok(probabilities)
        })
    }

    /// What follows from probabilities alone.
    pub(super) fn detected(&self, probabilities: Arc<[f32]>) -> Detected {
        Detected {
            probabilities,
            noise: None,
            kept: None,
        }
    }
}

fn cached(
    cell: &OnceCell<Arc<[f32]>>,
    make: impl FnOnce() -> Result<Vec<f32>, Error>,
) -> Result<Arc<[f32]>, Error> {
    if let Some(found) = cell.get() {
        return Ok(Arc::clone(found));
    }
    let made: Arc<[f32]> = make()?.into();
    Ok(Arc::clone(cell.get_or_init(|| made)))
}
