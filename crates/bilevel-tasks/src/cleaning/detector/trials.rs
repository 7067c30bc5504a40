//! Many trainings of one model on the same rows.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::annotators::Annotators;
use super::detected::Detected;
use super::fitting::Fitting;
use super::held::{Held, Part, WRONG, clearly_least, clearly_lower, mean};
use crate::Deadline;
use crate::Error;
use crate::cleaning::CleaningData;
use crate::cleaning::split::shuffled;
use crate::cleaning::together::Together;
use crate::data::Dataset;
use crate::model::Examples;
use crate::stream::BASELINE;
use crate::train::{Classifier, FACTORS, MIDDLE, Trainer, Training, least, unit};

/// Folds of a cross-validation.
const FOLDS: usize = 3;

/// So many trusted rows show whether models are poor, and make one that counts as much as a model of the given labels.
pub(super) const MANY_TRUSTED: usize = 150;

/// Separates the draw of the rows that models are trained on from other draws of its stream.
const FITTED: u64 = 1000;

/// The time to judge the rows when all models are trained, in times of one model's probabilities.
const JUDGING: u32 = 2;

/// Share of the rows to check, and of the trusted rows, that choose how models are trained.
const HELD_OUT: f64 = 0.2;

/// About so many rows to check do so at most.
const MOST_HELD: f64 = 2000.0;

/// Of so many trusted rows, those of one fold suffice to choose a ridge.
const ONE_FOLD: usize = 1000;

/// Separates the draw of the folds of trusted rows from other draws of its stream.
const DRAWN: u64 = 700;

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
    /// The ridge of models of the trusted rows alone.
    of_trusted_ridge: OnceLock<f64>,
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
            of_trusted_ridge: OnceLock::new(),
            fitting: Fitting {
                trainer,
                shape: (train.columns(), train.classes()),
                loss: bind(&union)?,
                of_trusted: match trusted.rows() {
                    0 => None,
                    _ => Some(bind(trusted)?),
                },
                probabilities: trainer.model.probabilities(),
                unit: match trainer.weight_decay > 0.0 {
                    true => None,
                    false => unit(&union, union.rows()),
                },
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

    /// The targets of the trusted rows alone that are among these.
    fn of_trusted(&self, among: &[bool]) -> Vec<f32> {
        let classes = self.classes();
        let mut targets = vec![0.0; self.used.len() * classes];
        for (row, label) in self.trusted().filter(|&(row, _)| among[row]) {
            targets[row * classes + label as usize] = 1.0;
        }
        targets
    }

    /// The trusted rows that choose how models are trained: by trusted row.
    pub(super) fn held_out(&self) -> Vec<bool> {
        let rows: Vec<usize> = self.trusted().map(|(row, _)| row).collect();
        let held = (rows.len() as f64 * HELD_OUT).ceil() as usize;
        let groups = self.groups_of(rows.iter().copied());
        let together = Together(groups.as_deref());
        let order = together.shuffled(rows.len(), self.shared.fitting.trainer.key.stream(BASELINE));
        let mut among = vec![false; self.used.len()];
        for &place in &order[..together.cut(&order, held)] {
            among[rows[place]] = true;
        }
        among
    }

    /// How models of these targets are trained best. Where rows are few for their columns: to the end, with the ridge that
    /// leaves the rows that are held out least surprising; a weaker one than for the given labels only if it is clearly
    /// better, as targets that come from models are easier to learn than what they stand for. Where rows are many, without
    /// a ridge.
    pub(super) fn training(&self, targets: &[f32]) -> Result<Training, Error> {
        let (fitting, held) = (&self.shared.fitting, self.held()?);
        if fitting.unit.is_none() {
            return Ok(fitting.watched(0.0, targets, held, &WRONG)?.best);
        }
        let (place, _) = self.given_best()?;
        let of = |factor| fitting.watched(factor, targets, held, &WRONG);
        let mut best = of(FACTORS[place])?;
        let mut stronger = false;
        for factor in &FACTORS[place + 1..] {
            let found = of(*factor)?;
            // Where the time ended it, nothing is known.
            if found.last.is_empty() || mean(&found.last) >= mean(&best.last) {
                break;
            }
            (best, stronger) = (found, true);
        }
        let weaker = FACTORS[..place].iter().rev();
        for factor in weaker.take_while(|_| !stronger) {
            let found = of(*factor)?;
            if !clearly_lower(&found.last, &best.last, 1.0) {
                break;
            }
            best = found;
        }
        Ok(best.to_the_end)
    }

    /// How models of the given labels are trained best, and the place of their ridge.
    fn given_best(&self) -> Result<(usize, Training), Error> {
        if let Some(given) = self.shared.given.get() {
            return Ok(*given);
        }
        if self.holds_out() {
            return self.whole().given_best();
        }
        let (fitting, held) = (&self.shared.fitting, self.held()?);
        let targets = self.targets(|_| true);
        let of = |factor| {
            let found = fitting.watched(factor, &targets, held, &[0.0])?;
            Ok((found.least, found.best))
        };
        let given = match fitting.unit {
            None => (0, of(0.0)?.1),
            Some(_) => least(MIDDLE, 0, of)?,
        };
        Ok(*self.shared.given.get_or_init(|| given))
    }

    /// The rows that choose how models are trained, some of each kind, and the number of rows to check. `None` if rows are
    /// many and none is trusted.
    fn held(&self) -> Result<Option<(&Held, usize)>, Error> {
        let fitting = &self.shared.fitting;
        if fitting.unit.is_none() && self.trusted().next().is_none() {
            return Ok(None);
        }
        if let Some(held) = self.held.get() {
            return Ok(Some((held, self.rows())));
        }
        let among = self.held_out();
        let trusted = (0..among.len()).filter(|&row| among[row]).collect();
        let held = Held {
            check: self.held_of_check()?,
            trusted: Part::of(self.shared.data.trusted(), trusted)?,
        };
        Ok(Some((self.held.get_or_init(|| held), self.rows())))
    }

    fn held_of_check(&self) -> Result<Arc<Part>, Error> {
        if let Some(held) = self.shared.held.get() {
            return Ok(Arc::clone(held));
        }
        let fitting = &self.shared.fitting;
        let together = Together(self.shared.data.groups());
        let order = together.shuffled(self.rows(), fitting.trainer.key.stream(BASELINE));
        let fitted = fitting.fitted.as_ref().map_or(self.rows(), Vec::len);
        let share = HELD_OUT.min(MOST_HELD / fitted.max(1) as f64);
        let share = (self.rows() as f64 * share).ceil() as usize;
        let mut check = order[..together.cut(&order, share)].to_vec();
        if let Some(fitted) = &fitting.fitted {
            check.retain(|row| fitted.binary_search(row).is_ok());
        }
        let held = Arc::new(Part::of(self.shared.data.train(), check)?);
        Ok(Arc::clone(self.shared.held.get_or_init(|| held)))
    }

    /// Parameters of a model that is trained in this way.
    pub(super) fn fit(&self, targets: Vec<f32>, training: Training) -> Result<Vec<f32>, Error> {
        self.shared.fitting.fit(targets, training)
    }

    /// Probabilities of a model trained on the trusted rows only.
    pub(super) fn trusted_only(&self) -> Result<Arc<[f32]>, Error> {
        cached(&self.trusted_only, || {
            let targets = self.of_trusted(&vec![true; self.used.len()]);
            let ridge = self.trusted_ridge()?;
            self.probabilities(&self.shared.fitting.fit_trusted(targets, ridge)?)
        })
    }

    /// The ridge with which models of trusted rows know the others best: the middle one, unless another is clearly better.
    /// Few rows say little of it, and no small part of them can be held out to choose a number of steps besides.
    fn trusted_ridge(&self) -> Result<f64, Error> {
        if let Some(found) = self.shared.of_trusted_ridge.get() {
            return Ok(*found);
        }
        if self.holds_out() {
            return self.whole().trusted_ridge();
        }
        let trusted = self.shared.data.trusted();
        let chooses = self.shared.fitting.trainer.weight_decay == 0.0;
        let ridge = match unit(trusted, trusted.rows()).filter(|_| chooses) {
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
        let key = self
            .shared
            .fitting
            .trainer
            .key
            .stream(BASELINE)
            .fold_in(DRAWN);
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
                let y = self
                    .shared
                    .fitting
                    .fit_trusted(self.of_trusted(&among), factor * unit)?;
                let probabilities = self.of_trusted_rows(&y)?;
                losses.extend(part.iter().map(|&place| {
                    let (row, label) = rows[place];
                    let p = probabilities[row * classes + label as usize];
                    -f64::from(p).max(1e-9).ln()
                }));
            }
        }
        Ok(FACTORS[clearly_least(&losses)])
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
        let training = self.training(&targets)?;
        let y = self.fit(targets, training)?;
        Ok(Classifier::new(self.shared.fitting.trainer.model, y))
    }

    /// Probabilities of the rows to check by models that were trained without them, on the targets of the other rows;
    /// each trusted row is judged by one of these models.
    pub(super) fn out_of_fold(
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
    pub(super) fn known_cross_validated(&self) -> Option<&[f32]> {
        self.cross_validated
            .get()
            .map(|probabilities| &**probabilities)
    }

    /// The same for the given labels of the kept rows.
    pub(super) fn out_of_fold_of(&self, kept: &[bool]) -> Result<Vec<f32>, Error> {
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
        let classes = self.classes();
        let mut all = Vec::new();
        let mut judging = Duration::ZERO;
        for fold in 0..FOLDS {
            let others = (FOLDS - fold) as u32;
            let deadline = self.shared.fitting.trainer.deadline;
            let until = deadline.left().map_or(deadline, |left| {
                let training = left.saturating_sub(judging * (others + JUDGING));
                Deadline::within(Some(training / others))
            });
            let y = self
                .shared
                .fitting
                .fit_until(without(fold), training, until)?;
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
            let (_, training) = self.given_best()?;
            self.by_folds(training, &|fold| {
                self.targets(|row| self.fold_of(row) != fold)
            })
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

#[cfg(test)]
mod tests {
    use bilevel::Key;
    use rand::RngExt;

    use super::*;
    use crate::Deadline;
    use crate::cleaning::split::Split;
    use crate::corruption::{Corruption, CorruptionKind};
    use crate::data::digits::digits;
    use crate::model::Model;

    fn trainer() -> Trainer {
        Trainer {
            model: Model::Softmax,
            steps: 60,
            weight_decay: 0.0,
            key: Key::from_seed(7),
            deadline: Deadline::default(),
        }
    }

    fn drawn(train: usize, trusted: usize, rate: f64) -> CleaningData {
        let split = Split {
            train,
            trusted,
            test: 0,
        };
        let corruption = Corruption {
            kind: CorruptionKind::Uniform,
            rate,
        };
        CleaningData::draw(&digits(), split, Some(&corruption), Key::from_seed(7)).unwrap()
    }

    fn of<'a>(data: &'a CleaningData, trainer: Trainer) -> Trials<'a> {
        Trials::new(data, trainer, data.train().rows()).unwrap()
    }

    /// Trusted rows are held out besides, and their labels are not wrong.
    #[test]
    fn rows_of_both_kinds_are_held_out() {
        let data = drawn(500, 50, 0.3);
        let trials = of(&data, trainer());
        let held = trials.held().unwrap().unwrap().0;
        let rows: Vec<usize> = held.rows(500).collect();
        assert_eq!(rows.len(), 110);
        assert!(rows[..100].iter().all(|row| *row < 500));
        let trusted = rows[100..]
            .iter()
            .map(|row| data.trusted().labels()[row - 500]);
        assert!(trusted.eq(held.trusted.examples.labels().iter().copied()));
        let others = trials.without(&[0, 1]);
        let shared = &others.held().unwrap().unwrap().0.check;
        assert!(Arc::ptr_eq(&held.check, shared), "one copy for all trials");
        // What they share does not depend on who asks first.
        let first = of(&data, trainer()).without(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let of_part = (first.given_best().unwrap(), first.trusted_ridge().unwrap());
        let of_whole = (
            trials.given_best().unwrap(),
            trials.trusted_ridge().unwrap(),
        );
        assert_eq!(of_part, of_whole);
        // Beyond the rows that models are trained on, there is nothing to hold out.
        let fewer = Trials::new(&data, trainer(), 200).unwrap();
        let held = fewer.held().unwrap().unwrap().0;
        let fitted = fewer.shared.fitting.fitted.as_ref().unwrap();
        let rows: Vec<usize> = held.rows(500).collect();
        assert!(rows.iter().all(|row| fitted.contains(row)));
        assert!((30..80).contains(&rows.len()));
    }

    #[test]
    fn the_ridge_is_chosen_where_rows_are_few() {
        let data = drawn(300, 0, 0.4);
        let trials = of(&data, trainer());
        let unit = unit(data.train(), 300).unwrap();
        let ridges = FACTORS.map(|factor| factor * unit);
        let (place, given) = trials.given_best().unwrap();
        assert_eq!(given.ridge, ridges[place]);
        assert!(place > 0, "40 % of 300 labels are wrong");
        // What models say of all rows is easy to learn; the ridge is not much weaker all the same.
        let sure: Vec<f32> = trials.targets(|_| true);
        let own = trials.training(&sure).unwrap();
        assert!(own.ridge >= ridges[place - 1] && own.steps == 60);
        // A weight decay is kept as it is; many rows need no ridge.
        let decayed = Trainer {
            weight_decay: 0.01,
            ..trainer()
        };
        assert_eq!(of(&data, decayed).given_best().unwrap().1.ridge, 0.0);
        let rows = 400;
        let features = (0..rows * 2).map(|i| ((i * 7919) as f32 * 0.618).sin());
        let labels = (0..rows).map(|row| (row % 2) as u32).collect();
        let names = vec!["a".to_owned(), "b".to_owned()];
        let many = Dataset::new(features.collect(), 2, labels, names).unwrap();
        let none = many.select(&[]).unwrap();
        let many = CleaningData::new(many, None, none, None).unwrap();
        let (_, training) = of(&many, trainer()).given_best().unwrap();
        assert_eq!((training.steps, training.ridge), (60, 0.0));
    }

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
