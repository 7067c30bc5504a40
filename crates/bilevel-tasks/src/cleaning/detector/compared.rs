//! All detectors on the same rows, one after the other.

use std::time::Instant;

use bilevel::Key;

use super::choice::{Choice, choose};
use super::detected::Detected;
use super::list::DETECTORS;
use super::trials::Trials;
use crate::Error;
use crate::cleaning::baseline::Baseline;
use crate::cleaning::judge::Judge;
use crate::cleaning::split::CleaningData;
use crate::cleaning::stage::Stage;
use crate::cleaning::verdict::Verdict;
use crate::data::FeatureValues;
use crate::model::Model;
use crate::train::Trainer;

/// What each detector found, with its figures.
pub(in crate::cleaning) struct Compared<'a> {
    trials: Trials<'a>,
    found: Vec<(&'static str, Detected, Baseline)>,
    left_out: Vec<&'static str>,
    /// Whether the detectors can be tried on trusted rows too.
    tries: bool,
}

/// The most multiplications of all trainings, some minutes of two cores: with more, only the detectors with the fewest
/// trainings are compared.
const MOST: f64 = 2e13;

/// The most steps of each of their many trainings, which the trusted rows mostly end sooner.
const STEPS: usize = 120;

/// Trainings of all detectors, and of them with trials on trusted rows.
const TRAININGS: [f64; 2] = [50.0, 155.0];

/// A product with fewer columns takes no less time.
const LEAST_WIDTH: usize = 16;

/// Those with few trainings.
const FEW: [&str; 3] = ["agreement", "loss", "confident-learning"];

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
        let trainer = Trainer {
            steps: trainer.steps.min(STEPS),
            ..*trainer
        };
        let trials = Trials::new(data, trainer)?;
        let one = training(data, &trainer);
        let [all, tried] = TRAININGS;
        let mut compared = Self {
            trials,
            found: Vec::new(),
            left_out: Vec::new(),
            tries: one * tried <= MOST,
        };
        for detector in DETECTORS {
            let name = detector.name();
            let wanted = judge == Judge::Detector(name);
            if !wanted && one * all > MOST && !FEW.contains(&name) {
                compared.left_out.push(name);
                continue;
            }
            stage(Stage::Detector(name));
            let begin = Instant::now();
            let detected = detector.detect(&compared.trials)?;
            let row = Baseline::of_detected(data, &detected, &compared.trials, begin)?;
            compared.found.push((name, detected, row));
        }
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
                choose(&self.trials, &found, self.tries, key)?
            }
        };
        let of = |name| self.found.iter().find(|(other, ..)| *other == name);
        let (Some((_, ranks, _)), Some((_, keeps, _))) = (of(choice.ranked_by), of(choice.kept_by))
        else {
            return Err(Error::NoRows);
        };
        let verdict =
            Verdict::of_detectors(data, (ranks, keeps), |kept| self.trials.classifier(kept))?;
        Ok((verdict, (judge == Judge::Auto).then_some(choice)))
    }

    /// Which ones were left out, and the figures of the others.
    pub(in crate::cleaning) fn into_rows(
        self,
    ) -> (Vec<&'static str>, Vec<(&'static str, Baseline)>) {
        let rows = self.found.into_iter().map(|(name, _, row)| (name, row));
        (self.left_out, rows.collect())
    }
}

/// Multiplications of one training.
fn training(data: &CleaningData, trainer: &Trainer) -> f64 {
    let train = data.train();
    let numbers = match train.values() {
        FeatureValues::Dense(_) => train.rows() * train.columns(),
        FeatureValues::Sparse(sparse) => sparse.values.len(),
    };
    let width = match trainer.model {
        Model::Softmax => train.classes(),
        Model::Mlp { hidden } => hidden,
    };
    // A gradient is two products; with few columns on the other side, reading the features takes as long as with more.
    2.0 * numbers as f64 * width.max(LEAST_WIDTH) as f64 * trainer.steps as f64
}
