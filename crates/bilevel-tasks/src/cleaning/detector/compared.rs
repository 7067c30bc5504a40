//! All detectors on the same rows, one after the other.

use std::time::{Duration, Instant};

use bilevel::Key;

use super::choice::{BLEND, BLENDED, Choice, choose};
use super::detected::Detected;
use super::judging::Detector;
use super::list::DETECTORS;
use super::trials::Trials;
use crate::Error;
use crate::cleaning::baseline::Baseline;
use crate::cleaning::caution::Caution;
use crate::cleaning::judge::Judge;
use crate::cleaning::left_out::{LeftOut, WhyLeftOut};
use crate::cleaning::split::CleaningData;
use crate::cleaning::stage::Stage;
use crate::cleaning::verdict::Verdict;
use crate::cost::gradient_time;
use crate::model::{Examples, LossSettings, Model};
use crate::train::Trainer;

/// What each detector found, with its figures.
pub(in crate::cleaning) struct Compared<'a> {
    trials: Trials<'a>,
    found: Vec<(&'static str, Detected, Baseline)>,
    left_out: Vec<LeftOut>,
    /// The detector whose training the end of the time ended, and the steps of that training.
    cut: Option<(&'static str, usize)>,
}

/// The detector that is a model of the trusted rows alone.
const AGREEMENT: &str = "agreement";

/// The most multiplications of all trainings, well below some minutes of two cores: with more, models are trained on fewer rows.
const MOST: f64 = 8e12;

/// The most steps of each of their many trainings, which the trusted rows mostly end sooner.
const STEPS: usize = 120;

/// Trainings of all detectors, with trials on trusted rows.
const TRAININGS: f64 = 155.0;

/// Models are trained on so many rows in any case, if there are as many; networks, of which each training takes long, on
/// fewer.
const LEAST_ROWS: usize = 20_000;
const LEAST_OF_NETWORKS: usize = 1000;

impl<'a> Compared<'a> {
    /// Runs them.
    ///
    /// # Errors
    /// If training diverges.
    pub(in crate::cleaning) fn new(
        data: &'a CleaningData,
        trainer: &Trainer,
        judge: Judge,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<Self, Error> {
        let trainer = with_few_steps(trainer);
        let mut compared = Self {
            trials: Trials::new(data, trainer, rows(data, &trainer))?,
            found: Vec::new(),
            left_out: Vec::new(),
            cut: None,
        };
        let wanted = |name: &'static str| judge == Judge::Detector(name);
        if judge == Judge::Weights {
            compared.trials.answered();
        }
        let mut order: Vec<&dyn Detector> = DETECTORS.to_vec();
        // What is asked for comes first: the time may end.
        order.sort_by_key(|detector| !wanted(detector.name()));
        for detector in order {
            let name = detector.name();
            let few = !wanted(name) && data.train().classes() > detector.most_classes();
            if few || detector.page().needs_trusted && data.trusted().rows() == 0 {
                continue;
            }
            stage(Stage::Detector(name));
            let begin = Instant::now();
            let trials = &compared.trials;
            match trials.expect_time().and_then(|()| detector.detect(trials)) {
                Ok(detected) => {
                    if compared.cut.is_none() {
                        compared.cut = compared.trials.cut_after().map(|steps| (name, steps));
                    }
                    compared.trials.answered();
                    let row = Baseline::of_detected(data, &detected, &compared.trials, begin)?;
                    compared.found.push((name, detected, row));
                }
                Err(Error::OutOfTime) => {
                    let cut = LeftOut::new(name, WhyLeftOut::TimeLimit);
                    compared.left_out.push(cut);
                }
                Err(error) => return Err(error),
            }
        }
        let place = |name: &str| DETECTORS.iter().position(|other| other.name() == name);
        compared.found.sort_by_key(|(name, ..)| place(name));
        Ok(compared)
    }

    /// The time of the detectors that the judge needs.
    pub(in crate::cleaning) fn seconds(&self, judge: Judge) -> f64 {
        let needed = |name: &&'static str| match judge {
            Judge::Detector(own) => own == *name,
            Judge::Auto | Judge::Weights => true,
        };
        let rows = self.found.iter().filter(|(name, ..)| needed(name));
        rows.map(|(_, _, row)| row.seconds).sum()
    }

    /// What the judge says.
    ///
    /// # Errors
    /// If training diverges.
    pub(in crate::cleaning) fn verdict(
        &mut self,
        data: &CleaningData,
        judge: Judge,
        key: Key,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<(Verdict, Option<Choice>), Error> {
        let choice = match judge {
            Judge::Detector(name) => Choice::only(name),
            Judge::Auto | Judge::Weights => {
                stage(Stage::Choosing);
                let found: Vec<_> = self
                    .found
                    .iter()
                    .map(|(name, found, _)| (*name, found))
                    .collect();
                match choose(&self.trials, &found, true, key) {
                    Err(Error::OutOfTime) => {
                        let tried = "the choice on trusted rows";
                        let cut = LeftOut::new(tried, WhyLeftOut::TimeLimit);
                        self.left_out.push(cut);
                        choose(&self.trials, &found, false, key)?
                    }
                    chosen => chosen?,
                }
            }
        };
        let of = |name| self.found.iter().find(|(other, ..)| *other == name);
        let rank: Vec<&str> = match choice.ranked_by {
            BLEND => BLENDED.to_vec(),
            one => vec![one],
        };
        let ranks: Vec<&Detected> = rank
            .into_iter()
            .filter_map(|name| Some(&of(name)?.1))
            .collect();
        let Some((_, keeps, _)) = of(choice.kept_by) else {
            return Err(Error::NoRows);
        };
        let verdict = Verdict::of_detectors(data, (&ranks, keeps), |kept| {
            match self.trials.classifier(kept) {
                Err(Error::OutOfTime) => Ok(None),
                classifier => classifier.map(Some),
            }
        })?;
        if verdict.classifier.is_none() {
            let model = "the model trained on the kept rows";
            self.left_out
                .push(LeftOut::new(model, WhyLeftOut::TimeLimit));
        }
        Ok((verdict, (judge == Judge::Auto).then_some(choice)))
    }

    /// What a reader of these suspects must know, who come from the detector of this name.
    pub(in crate::cleaning) fn cautions(&self, kept_by: &str, data: &CleaningData) -> Vec<Caution> {
        let cut = self.cut.filter(|(name, _)| *name == kept_by);
        let cut = cut.map(|(_, steps)| Caution::CutShort {
            steps,
            most: self.trials.trainer().steps,
        });
        // A model of the trusted rows alone judges by itself.
        let own = self.found.iter().find(|(name, ..)| *name == kept_by);
        let own = own.filter(|(name, ..)| *name == AGREEMENT);
        let probabilities = match own {
            Some((_, detected, _)) => Some(&*detected.probabilities),
            None => self.trials.known_cross_validated(),
        };
        let little = probabilities.and_then(|p| Caution::of_probabilities(data, p));
        cut.into_iter().chain(little).collect()
    }

    /// Which ones were left out, and the figures of the others.
    pub(in crate::cleaning) fn into_rows(self) -> (Vec<LeftOut>, Vec<(&'static str, Baseline)>) {
        let rows = self.found.into_iter().map(|(name, _, row)| (name, row));
        (self.left_out, rows.collect())
    }
}

/// Multiplications of a second, on a slow machine.
const OF_SECOND: f64 = 1e10;

/// The least gradients of the first detector, which is the answer if the time ends with it, in half of the time.
const LEAST_GRADIENTS: f64 = 50.0;

/// Fewer rows are not worth a model.
const FEWEST_ROWS: usize = 1000;

/// How many rows models are trained on, so that all trainings together do not take too long, and the first ones end before
/// the time does.
fn rows(data: &CleaningData, trainer: &Trainer) -> usize {
    let rows = data.train().rows();
    let training = training(data, trainer);
    let part = |share: f64, least: usize| {
        if share >= 1.0 {
            rows
        } else {
            ((rows as f64 * share) as usize).max(least).min(rows)
        }
    };
    let least = match trainer.model {
        Model::Network(_) => LEAST_OF_NETWORKS,
        Model::Softmax | Model::Mlp { .. } => LEAST_ROWS,
    };
    let most = part(MOST / (training * TRAININGS), least);
    match trainer.deadline.left() {
        None => most,
        Some(left) => {
            let least = training / trainer.steps.max(1) as f64 * LEAST_GRADIENTS;
            most.min(part(left.as_secs_f64() * OF_SECOND / least, FEWEST_ROWS))
        }
    }
}

/// About how long all detectors take at most, from the time of a gradient on some rows.
///
/// # Errors
/// If the loss cannot be evaluated.
pub(in crate::cleaning) fn predicted_time(
    data: &CleaningData,
    trainer: &Trainer,
) -> Result<Duration, Error> {
    /// Rows that are timed.
    const TIMED: usize = 100;
    let trainer = &with_few_steps(trainer);
    let train = data.train();
    let timed: Vec<usize> = (0..train.rows().min(TIMED)).collect();
    let examples = Examples::new(&train.select(&timed)?);
    let loss = trainer.model.loss::<f32>(LossSettings::default());
    let loss = loss.bind(&examples, None, 0)?;
    let start = trainer
        .model
        .start(train.columns(), train.classes(), trainer.key);
    let fastest = gradient_time(&*loss, &[], &start)?;
    let times = rows(data, trainer) as f64 / timed.len().max(1) as f64;
    let gradients = TRAININGS * trainer.steps as f64;
    Ok(fastest.mul_f64(times * gradients))
}

/// As detectors train.
fn with_few_steps(trainer: &Trainer) -> Trainer {
    Trainer {
        steps: trainer.steps.min(STEPS),
        ..*trainer
    }
}

/// Multiplications of one training.
fn training(data: &CleaningData, trainer: &Trainer) -> f64 {
    let train = data.train();
    let row = trainer
        .model
        .multiplications(train.row_work(), train.classes());
    // A gradient is two products.
    2.0 * train.rows() as f64 * row as f64 * trainer.steps as f64
}
