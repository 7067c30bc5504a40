//! Many trainings of one model on the same rows.

mod chosen;
#[cfg(test)]
pub(super) mod drawn;
mod folds;
mod of_trusted;
mod stage;

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub(super) use self::folds::Folds;
use self::stage::STAGES;
pub(super) use self::stage::Stage;
use super::annotators::Annotators;
use super::detected::Detected;
use super::fitting::Fitting;
use super::held::{Held, Mistakes, Part};
use crate::Error;
use crate::cleaning::CleaningData;
use crate::cleaning::together::Together;
use crate::data::Dataset;
use crate::model::Examples;
use crate::shuffle::shuffled;
use crate::stream::BASELINE;
use crate::train::{Classifier, Trainer, Training};

/// Folds of a cross-validation.
const FOLDS: usize = 3;

/// So many trusted rows show whether models are poor, and make one that counts as much as a model of the given labels.
pub(super) const MANY_TRUSTED: usize = 150;

/// Separates the draw of the rows that models are trained on from other draws of its stream.
const FITTED: u64 = 1000;

/// The rows to check and the trusted rows, if there are any, on which a model is trained with any targets: see
/// [`Model::soft_loss`](crate::model::Model::soft_loss).
pub(in crate::cleaning) struct Trials<'a> {
    shared: Arc<Shared<'a>>,
    /// Which trusted rows may be used.
    used: Vec<bool>,
    held: OnceCell<Held>,
    trusted_only: OnceCell<Arc<[f32]>>,
    cross_validated: OnceCell<Arc<[f32]>>,
    self_trained: OnceCell<Arc<[f32]>>,
}

/// What does not depend on the trusted rows that may be used.
struct Shared<'a> {
    data: &'a CleaningData,
    /// The rows to check, then the trusted rows: in one copy, if models are trained on all of them.
    examples: Vec<Examples<f32>>,
    annotators: Option<Annotators>,
    /// The fold of each row to check, and of each trusted row, if rows are in groups.
    folds: Vec<u8>,
    /// The rows to check that choose how models are trained.
    held: OnceLock<Arc<Part>>,
    /// How models of the given labels are trained, and the place of their ridge among
    /// [`FACTORS`](crate::train::FACTORS).
    given: OnceLock<(usize, Training)>,
    /// How models are trained at each stage, with all trusted rows.
    trainings: [OnceLock<Training>; STAGES],
    /// Whether sharper models explain the labels better at each stage, with all trusted rows.
    sharper: [OnceLock<bool>; STAGES],
    /// The ridge of models of the trusted rows alone.
    of_trusted_ridge: OnceLock<f64>,
    /// How many of the nearest rows count.
    neighbours: OnceLock<usize>,
    fitting: Fitting,
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
            examples: match (&fitted, trusted.rows()) {
                (None, _) => vec![Examples::new(&union)],
                (Some(_), 0) => vec![Examples::new(train)],
                (Some(_), _) => vec![Examples::new(train), Examples::new(trusted)],
            },
            annotators: Annotators::of(data, trainer.key),
            folds,
            held: OnceLock::new(),
            given: OnceLock::new(),
            trainings: [const { OnceLock::new() }; STAGES],
            sharper: [const { OnceLock::new() }; STAGES],
            of_trusted_ridge: OnceLock::new(),
            neighbours: OnceLock::new(),
            fitting: Fitting {
                trainer,
                shape: (train.columns(), train.classes()),
                loss: bind(&union)?,
                of_trusted: match trusted.rows() {
                    0 => None,
                    _ => Some(bind(trusted)?),
                },
                probabilities: trainer.model.probabilities(),
                unit: trainer.unit(&union),
                fitted,
                answered: AtomicBool::new(false),
                cut: AtomicUsize::new(usize::MAX),
            },
        };
        Ok(Self::using(Arc::new(shared), vec![true; trusted.rows()]))
    }

    fn using(shared: Arc<Shared<'a>>, used: Vec<bool>) -> Self {
        Self {
            shared,
            used,
            held: OnceCell::new(),
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

    /// With all trusted rows, so that what all trials share does not depend on which of them asks first.
    fn whole(&self) -> Self {
        Self::using(Arc::clone(&self.shared), vec![true; self.used.len()])
    }

    /// How many of the nearest rows count: what all rows `choose`, once.
    pub(super) fn neighbours(
        &self,
        choose: impl FnOnce(&Trials<'_>) -> Result<usize, Error>,
    ) -> Result<usize, Error> {
        if let Some(found) = self.shared.neighbours.get() {
            return Ok(*found);
        }
        let found = if self.holds_out() {
            choose(&self.whole())?
        } else {
            choose(self)?
        };
        Ok(*self.shared.neighbours.get_or_init(|| found))
    }

    /// Whether sharper models explain the labels better at this stage, if that was found with all trusted rows.
    pub(super) fn sharper_at(&self, stage: Stage) -> Option<bool> {
        self.shared.sharper[stage as usize].get().copied()
    }

    /// Trials with fewer trusted rows are told what was found with all of them.
    pub(super) fn set_sharper(&self, stage: Stage, sharper: bool) {
        if !self.holds_out() {
            self.shared.sharper[stage as usize].get_or_init(|| sharper);
        }
    }

    /// From now on, the end of the time is an error: until then, trainings end early with what they have.
    pub(super) fn answered(&self) {
        self.shared.fitting.answered.store(true, Ordering::Relaxed);
    }

    /// Fails if the time is over and there is an answer.
    pub(super) fn expect_time(&self) -> Result<(), Error> {
        self.shared.fitting.expect_time()
    }

    /// The steps of the shortest training that the end of the time ended, if there is one.
    pub(super) fn cut_after(&self) -> Option<usize> {
        Some(self.shared.fitting.cut.load(Ordering::Relaxed)).filter(|&steps| steps < usize::MAX)
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
        &self.shared.fitting.trainer
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

    /// Parameters of a model that is trained in this way.
    pub(super) fn fit(&self, targets: Vec<f32>, training: Training) -> Result<Vec<f32>, Error> {
        self.shared.fitting.fit(targets, training)
    }

    /// The probabilities of all rows: rows × classes.
    pub(super) fn probabilities(&self, y: &[f32]) -> Result<Vec<f32>, Error> {
        let of = |examples| self.shared.fitting.probabilities.of(y, examples);
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
        self.shared.fitting.probabilities.of(y, &trusted)
    }

    /// A classifier trained on the kept rows and the trusted rows.
    pub(in crate::cleaning) fn classifier(&self, kept: &[bool]) -> Result<Classifier<f32>, Error> {
        // Targets of many classes take long to make.
        self.expect_time()?;
        let targets = self.targets(|row| kept[row]);
        let training = self.training(&targets, Mistakes::AtRandom)?;
        let y = self.fit(targets, training)?;
        Ok(Classifier::new(self.shared.fitting.trainer.model, y))
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
