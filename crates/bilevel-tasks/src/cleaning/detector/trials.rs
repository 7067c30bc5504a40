//! Many trainings of one model on the same rows.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bilevel::{Draw, Objective};
use bilevel_autodiff::Bound;

use super::annotators::Annotators;
use super::detected::Detected;
use crate::Deadline;
use crate::Error;
use crate::cleaning::CleaningData;
use crate::cleaning::split::shuffled;
use crate::cleaning::together::Together;
use crate::data::Dataset;
use crate::model::{Examples, Probabilities};
use crate::stream::BASELINE;
use crate::train::{Classifier, LOOK, Trainer};

/// Folds of a cross-validation.
const FOLDS: usize = 3;

/// So many trusted rows show whether models are poor, and make one that counts as much as a model of the given labels.
pub(super) const MANY_TRUSTED: usize = 150;

/// Separates the draw of the rows that models are trained on from other draws of its stream.
const FITTED: u64 = 1000;

/// The search for the best number of steps ends that many steps after the best one, and half as many again as that took.
const PATIENCE: usize = 40;

/// Shares of the time that is left, where there is no answer yet: for the search for the number of steps, and for each other
/// training.
const SEARCH: f64 = 0.25;
const TRAINING: f64 = 0.3;

/// The time to judge the rows when all models are trained, in times of one model's probabilities.
const JUDGING: u32 = 2;

/// Share of the trusted rows, or of the rows to check where there are none, used to choose the training length.
const HELD_OUT: f64 = 0.2;

/// The rows to check and the trusted rows, if there are any, on which a model is trained with any targets: see
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
    /// The rows to check, then the trusted rows: in one copy, if models are trained on all of them.
    examples: Vec<Examples<f32>>,
    /// Which of these rows models are trained on, if not on all: more would not make them much better.
    fitted: Option<Vec<usize>>,
    /// The loss of the rows that models are trained on.
    loss: Arc<Bound<f32>>,
    /// The loss of the trusted rows alone, if there are any.
    of_trusted: Option<Arc<Bound<f32>>>,
    probabilities: Probabilities<f32>,
    annotators: Option<Annotators>,
    /// The fold of each row to check, and of each trusted row, if rows are in groups.
    folds: Vec<u8>,
    /// Whether there is an answer already, so that the end of the time is an error.
    answered: AtomicBool,
    /// The steps of the shortest training that the end of the time ended; the largest number if there is none.
    cut: AtomicUsize,
}

impl<'a> Trials<'a> {
    /// Models are trained on at most `most` rows to check.
    ///
    /// # Errors
    /// If there are no rows.
    pub(in crate::cleaning) fn new(
        data: &'a CleaningData,
        trainer: Trainer,
        most: usize,
    ) -> Result<Self, Error> {
        let (train, trusted) = (data.train(), data.trusted());
        let all = |data: &Dataset| (0..data.rows()).collect::<Vec<_>>();
        let bind = |data: &Dataset| {
            let decay = trainer.weight_decay;
            trainer.model.soft_loss(&Examples::new(data), decay)
        };
        let fitted = (most < train.rows()).then(|| {
            let mut fitted = shuffled(train.rows(), trainer.key.stream(BASELINE).fold_in(FITTED));
            fitted.truncate(most);
            fitted.sort_unstable();
            fitted
        });
        let of_train = fitted.clone().unwrap_or_else(|| all(train));
        let union = train.select_with(&of_train, trusted, &all(trusted))?;
        let fitted = fitted.map(|mut fitted| {
            fitted.extend(train.rows()..train.rows() + trusted.rows());
            fitted
        });
        let grouped = data.groups();
        let together = Together(grouped);
        let rows = grouped.map_or(train.rows(), <[u32]>::len);
        let key = trainer.key.stream(BASELINE).fold_in(FOLDS as u64);
        let folds = together.folds(rows, FOLDS, key);
        let shared = Shared {
            data,
            trainer,
            loss: bind(&union)?,
            examples: match (&fitted, trusted.rows()) {
                (None, _) => vec![Examples::new(&union)],
                (Some(_), 0) => vec![Examples::new(train)],
                (Some(_), _) => vec![Examples::new(train), Examples::new(trusted)],
            },
            fitted,
            of_trusted: match trusted.rows() {
                0 => None,
                _ => Some(bind(trusted)?),
            },
            probabilities: trainer.model.probabilities(),
            annotators: Annotators::of(data, trainer.key),
            folds,
            answered: AtomicBool::new(false),
            cut: AtomicUsize::new(usize::MAX),
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

    /// From now on, the end of the time is an error: until then, trainings end early with what they have.
    pub(super) fn answered(&self) {
        self.shared.answered.store(true, Ordering::Relaxed);
    }

    /// Fails if the time is over and there is an answer.
    pub(super) fn expect_time(&self) -> Result<(), Error> {
        if self.shared.answered.load(Ordering::Relaxed) {
            self.shared.trainer.deadline.expect_left()
        } else {
            Ok(())
        }
    }

    /// The steps of the shortest training that the end of the time ended, if there is one.
    pub(super) fn cut_after(&self) -> Option<usize> {
        Some(self.shared.cut.load(Ordering::Relaxed)).filter(|&steps| steps < usize::MAX)
    }

    pub(super) fn classes(&self) -> usize {
        self.shared.data.train().classes()
    }

    /// Whether trusted rows are few, with those that are held out.
    pub(super) fn few_trusted(&self) -> bool {
        self.used.len() < MANY_TRUSTED
    }

    /// Whether trusted rows are held out: then it is asked how these are judged, not the rows to check.
    pub(super) fn holds_out(&self) -> bool {
        self.used.contains(&false)
    }

    /// All rows.
    pub(super) fn data(&self) -> &CleaningData {
        self.shared.data
    }

    /// How models are trained.
    pub(super) fn trainer(&self) -> &Trainer {
        &self.shared.trainer
    }

    /// Number of rows to check.
    pub(super) fn rows(&self) -> usize {
        self.shared.data.train().rows()
    }

    /// Who gave which label, if that is known.
    pub(super) fn annotators(&self) -> Option<&Annotators> {
        self.shared.annotators.as_ref()
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

    /// The groups of these trusted rows, if rows are in groups.
    pub(super) fn groups_of(&self, trusted: impl Iterator<Item = usize>) -> Option<Vec<u32>> {
        let groups = self.shared.data.trusted_groups()?;
        Some(trusted.map(|row| groups[row]).collect())
    }

    /// Targets: the given labels of the rows to check that are kept, and those of the trusted rows.
    pub(super) fn targets(&self, kept: impl Fn(usize) -> bool) -> Vec<f32> {
        let classes = self.classes();
        let mut targets = vec![0.0; (self.rows() + self.used.len()) * classes];
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
    /// By trusted row.
    pub(super) fn held_out(&self) -> Vec<bool> {
        let rows: Vec<usize> = self.trusted().map(|(row, _)| row).collect();
        let held = (rows.len() as f64 * HELD_OUT).ceil() as usize;
        let groups = self.groups_of(rows.iter().copied());
        let together = Together(groups.as_deref());
        let order = together.shuffled(rows.len(), self.shared.trainer.key.stream(BASELINE));
        let mut among = vec![false; self.used.len()];
        for &place in &order[..together.cut(&order, held)] {
            among[rows[place]] = true;
        }
        among
    }

    /// How many steps are best for these targets: without a fifth of the trusted rows, on which the loss is watched; or
    /// of the rows to check, with the targets that they have, if no row is trusted.
    pub(super) fn steps(&self, targets: &[f32]) -> Result<usize, Error> {
        self.expect_time()?;
        let classes = self.classes();
        let of = |row: usize| row * classes..(row + 1) * classes;
        let mut rest = targets.to_vec();
        if let Some(of_trusted) = &self.shared.of_trusted {
            let held = self.held_out();
            for (row, _) in held.iter().enumerate().filter(|(_, held)| **held) {
                rest[of(self.rows() + row)].fill(0.0);
            }
            let rest = self.fitted(rest);
            return self.best_steps(
                &self.shared.loss,
                rest,
                (of_trusted, self.of_trusted(&held)),
            );
        }
        let together = Together(self.shared.data.groups());
        let order = together.shuffled(self.rows(), self.shared.trainer.key.stream(BASELINE));
        let held = together.cut(&order, (self.rows() as f64 * HELD_OUT).ceil() as usize);
        let mut watched = vec![0.0; targets.len()];
        for &row in &order[..held] {
            watched[of(row)].copy_from_slice(&targets[of(row)]);
            rest[of(row)].fill(0.0);
        }
        let (rest, watched) = (self.fitted(rest), self.fitted(watched));
        self.best_steps(&self.shared.loss, rest, (&self.shared.loss, watched))
    }

    /// The targets of the rows that models are trained on.
    fn fitted(&self, targets: Vec<f32>) -> Vec<f32> {
        let Some(fitted) = &self.shared.fitted else {
            return targets;
        };
        let classes = self.classes();
        let rows = fitted.iter();
        rows.flat_map(|row| &targets[row * classes..(row + 1) * classes])
            .copied()
            .collect()
    }

    /// After how many steps on these targets the watched loss, of its own targets, is least.
    fn best_steps(
        &self,
        loss: &Bound<f32>,
        targets: Vec<f32>,
        (watched, watched_targets): (&Bound<f32>, Vec<f32>),
    ) -> Result<usize, Error> {
        let watched_targets = Self::of_mean(watched_targets, self.classes());
        let mut watched = watched.at(&watched_targets)?;
        let most = self.shared.trainer.steps;
        let mut best = (f32::INFINITY, most);
        self.descend(loss, targets, (most, self.part(SEARCH)), &mut |step, y| {
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
        self.fit_until(targets, steps, self.part(TRAINING))
    }

    /// The same until this time, where there is no answer yet.
    fn fit_until(
        &self,
        targets: Vec<f32>,
        steps: usize,
        until: Deadline,
    ) -> Result<Vec<f32>, Error> {
        let targets = self.fitted(targets);
        self.descend(&self.shared.loss, targets, (steps, until), &mut |_, _| {
            Ok(true)
        })
    }

    fn part(&self, share: f64) -> Deadline {
        self.shared.trainer.deadline.part(share)
    }

    fn descend(
        &self,
        loss: &Bound<f32>,
        targets: Vec<f32>,
        (steps, until): (usize, Deadline),
        after: &mut crate::train::AfterStep<'_, f32>,
    ) -> Result<Vec<f32>, Error> {
        self.expect_time()?;
        let targets = Self::of_mean(targets, self.classes());
        let train = self.shared.data.train();
        let start = self.shared.trainer.model.start(
            train.columns(),
            train.classes(),
            self.shared.trainer.key,
        );
        let (mut last, mut goes_on) = (0, true);
        let trainer = &self.shared.trainer;
        let trainer = Trainer {
            deadline: match self.shared.answered.load(Ordering::Relaxed) {
                true => trainer.deadline,
                false => until,
            },
            ..*trainer
        };
        let y = trainer.descend(loss, &targets, start, steps, &mut |step, y| {
            last = step;
            goes_on = after(step, y)?;
            Ok(goes_on)
        })?;
        if goes_on && last < steps {
            self.shared.cut.fetch_min(last, Ordering::Relaxed);
        }
        self.expect_time()?;
        Ok(y)
    }

    /// The probabilities of all rows: rows × classes.
    pub(super) fn probabilities(&self, y: &[f32]) -> Result<Vec<f32>, Error> {
        let of = |examples| self.shared.probabilities.of(y, examples);
        match &self.shared.examples[..] {
            [all] => of(all),
            parts => Ok(parts
                .iter()
                .map(of)
                .collect::<Result<Vec<_>, _>>()?
                .concat()),
        }
    }

    /// The probabilities of the trusted rows: rows × classes.
    pub(super) fn of_trusted_rows(&self, y: &[f32]) -> Result<Vec<f32>, Error> {
        let trusted = Examples::new(self.shared.data.trusted());
        self.shared.probabilities.of(y, &trusted)
    }

    /// A classifier trained on the kept rows and the trusted rows.
    pub(in crate::cleaning) fn classifier(&self, kept: &[bool]) -> Result<Classifier<f32>, Error> {
        // Targets of many classes take long to make.
        self.expect_time()?;
        let targets = self.targets(|row| kept[row]);
        let steps = self.steps(&targets)?;
        let y = self.fit(targets, steps)?;
        Ok(Classifier::new(self.shared.trainer.model, y))
    }

    /// Probabilities of a model trained on the trusted rows only.
    pub(super) fn trusted_only(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.trusted_only, || {
            // On these rows alone, which may be far fewer.
            let loss = self.shared.of_trusted.as_ref().ok_or(Error::NoRows)?;
            let held = self.held_out();
            let rest: Vec<bool> = held.iter().map(|held| !held).collect();
            let (rest, held) = (self.of_trusted(&rest), self.of_trusted(&held));
            let steps = self.best_steps(loss, rest, (loss, held))?;
            let all = self.of_trusted(&vec![true; self.used.len()]);
            let steps = (steps, self.part(TRAINING));
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

    /// The out-of-fold probabilities of models of all given labels, if some detector needed them.
    pub(super) fn known_cross_validated(&self) -> Option<&[f32]> {
        self.cross_validated
            .get()
            .map(|probabilities| &**probabilities)
    }

    /// The same for the given labels of the kept rows.
    pub(super) fn out_of_fold_of(&self, kept: &[bool]) -> Result<Vec<f32>, Error> {
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
        let mut judging = Duration::ZERO;
        for fold in 0..FOLDS {
            let others = (FOLDS - fold) as u32;
            let deadline = self.shared.trainer.deadline;
            let until = deadline.left().map_or(deadline, |left| {
                let training = left.saturating_sub(judging * (others + JUDGING));
                Deadline::within(Some(training / others))
            });
            let y = self.fit_until(without(fold), steps, until)?;
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
    pub(super) fn cross_validated(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.cross_validated, || {
            self.out_of_fold_of(&vec![true; self.rows()])
        })
    }

    /// What `make` makes of these trials, once: as self-training does it.
    pub(super) fn self_trained(
        &self,
        make: impl FnOnce() -> Result<Vec<f32>, Error>,
    ) -> Result<Arc<[f32]>, Error> {
        cached(&self.self_trained, make)
    }

    /// What follows from probabilities alone.
    pub(super) fn detected(&self, probabilities: Arc<[f32]>) -> Detected {
        Detected {
            probabilities,
            noise: None,
            kept: None,
            thresholds: None,
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
