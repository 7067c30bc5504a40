//! Which class is confused with which, estimated together with the model (expectation maximisation).

use std::time::Instant;

use super::confusion::Confusion;
use super::detected::Detected;
use super::held::{Mistakes, clearly_lower};
use super::judging::{Detector, DetectorPage};
use super::self_training::self_trained;
use super::tally::{Tally, without_diagonal};
use super::trials::{Folds, Stage, Trials};
use crate::Error;
use crate::train::Training;

/// The probabilities of the given labels for each true class, T, and a model of the true classes: in turn, the model's
/// probabilities × T say which class each row has, T is counted from these, and the model is trained on them as soft
/// labels and on the trusted rows. Starts from self-training. Where it is known who gave each label, each annotator has a
/// matrix. Dawid and Skene, 1979, with a model in place of several labels of a row.
pub(super) struct NoiseMatrix;

/// Each trains a model.
const ROUNDS: usize = 8;

impl Detector for NoiseMatrix {
    fn page(&self) -> DetectorPage {
        DetectorPage {
            name: "noise-matrix",
            summary: "estimates which class is confused with which, and the model, in turn",
            how: "A model of the true classes and a matrix of which class is confused with which are estimated in turn, starting from\nthe trusted rows. A row is kept if its label is then the most probable class.",
            reference: "Dawid and Skene, 1979",
            needs_trusted: false,
        }
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let mut detected = trials.detected(self_trained(trials)?);
        detected.noise = Some(counted(trials, &detected));
        rounds(
            trials,
            &mut detected,
            (Stage::NoiseMatrix, ROUNDS),
            |detected| {
                detected.noise = Some(counted(trials, detected));
            },
        )?;
        Ok(detected)
    }
}

/// Trains on the posterior classes, `after` each of the rounds. Each row is judged by a model that did not see it: a label
/// of which a model was told looks more probable than it is.
///
/// A model with a ridge, trained on soft labels, is less sure than its targets are, and more so in each round: more labels
/// would be taken for right. So the same is tried with sharper models, whose result counts unless it explains the given
/// labels clearly worse: where classes are hard to tell apart, it does, as models are then too sure.
pub(super) fn rounds(
    trials: &Trials<'_>,
    detected: &mut Detected,
    (stage, rounds): (Stage, usize),
    after: impl Fn(&mut Detected),
) -> Result<(), Error> {
    let mut rounds = Rounds {
        trials,
        stage,
        rounds,
        after,
        training: None,
    };
    match trials.sharper_at(stage).filter(|_| trials.holds_out()) {
        Some(true) => return rounds.go(detected, SHARPER),
        Some(false) => return rounds.go(detected, 1.0),
        None => {}
    }
    let (given, classes) = (trials.given(), trials.classes());
    let mut sharper = detected.clone();
    let begin = Instant::now();
    rounds.go(detected, 1.0)?;
    let left = trials.trainer().deadline.left();
    let in_time = left.is_none_or(|left| left > 2 * begin.elapsed());
    let mut counts = false;
    if in_time && sharper.sharpened(SHARPER, given, classes).is_some() {
        match rounds.go(&mut sharper, SHARPER) {
            // The rounds as they come are an answer.
            Err(Error::OutOfTime) => {}
            ran => {
                ran?;
                let of = |of: &Detected| of.surprises(1.0, given, classes);
                counts = !clearly_lower(&of(detected), &of(&sharper), CLEARLY);
            }
        }
    }
    if counts {
        *detected = sharper;
    }
    trials.set_sharper(stage, counts);
    Ok(())
}

/// Of the time that is left, for each round but the last.
const SHARE: f64 = 0.5;

/// What the logits of sharper models are multiplied by, in each round in which that explains the given labels better.
const SHARPER: f32 = 1.2;

/// By so many standard errors models that are not sharper must be better.
const CLEARLY: f64 = 1.0;

struct Rounds<'a, 'd, F> {
    trials: &'a Trials<'d>,
    stage: Stage,
    rounds: usize,
    after: F,
    /// Found in the first round: the targets change little from then on.
    training: Option<Training>,
}

impl<F: Fn(&mut Detected)> Rounds<'_, '_, F> {
    fn go(&mut self, detected: &mut Detected, sharper: f32) -> Result<(), Error> {
        let trials = self.trials;
        let mut models = Folds::default();
        for round in 0..=self.rounds {
            let sharpened = detected.sharpened(sharper, trials.given(), trials.classes());
            if let Some(sharpened) = sharpened {
                detected.probabilities = sharpened;
            }
            if round == self.rounds {
                break;
            }
            if round > 0 {
                (self.after)(detected);
            }
            let targets = posteriors(trials, detected);
            let training = match self.training {
                Some(training) => training,
                None => {
                    let mistakes = Mistakes::known(detected.noise.as_ref());
                    let found = trials.training_at(self.stage, &targets, mistakes)?;
                    *self.training.insert(found)
                }
            };
            let share = if round + 1 < self.rounds { SHARE } else { 1.0 };
            let found = trials.out_of_fold(&mut models, &targets, training, share)?;
            detected.probabilities = found.into();
        }
        Ok(())
    }
}

/// A class without rows keeps its label, and no pair is impossible: so many rows count beside those that there are.
const DIAGONAL: f64 = 0.5;
pub(super) const EVERYWHERE: f64 = 0.01;

/// An annotator is as all are, with a rate of wrong labels of its own, to the weight of so many rows of each class.
pub(super) const LIKE_ALL: f64 = 4.0;

/// The share of the rows of each class that have each label: of all rows, or of the rows of each annotator.
fn counted(trials: &Trials<'_>, detected: &Detected) -> Confusion {
    let classes = trials.classes();
    let Tally {
        mut of_all,
        mut of_each,
        wrong_of_each,
        wrong,
    } = Tally::of(trials, detected, EVERYWHERE);
    let diagonal = |matrix: &mut [f64], count: f64| {
        for class in 0..classes {
            matrix[class * classes + class] += count;
        }
    };
    let Some(annotators) = trials.annotators() else {
        diagonal(&mut of_all, DIAGONAL);
        return Confusion::of_all(of_all, classes);
    };
    let rate = wrong / trials.rows().max(1) as f64;
    without_diagonal(&mut of_all, classes);
    let matrices = of_each.chunks_exact_mut(of_all.len());
    for (matrix, (wrong, rows)) in matrices.zip(wrong_of_each) {
        let own = (wrong + LIKE_ALL * rate) / (rows + LIKE_ALL);
        for (count, like_all) in matrix.iter_mut().zip(&of_all) {
            *count += EVERYWHERE + LIKE_ALL * own * like_all;
        }
        diagonal(matrix, DIAGONAL + LIKE_ALL * (1.0 - own));
    }
    Confusion::of_rows(of_each, classes, Some(annotators.of_row.clone()))
}

/// Soft labels of the rows to check, and the labels of the trusted rows.
fn posteriors(trials: &Trials<'_>, detected: &Detected) -> Vec<f32> {
    let classes = trials.classes();
    let mut targets = trials.targets(|_| false);
    for (row, &given) in trials.given().iter().enumerate() {
        let posterior = detected.posterior(row, given, classes);
        let to = &mut targets[row * classes..(row + 1) * classes];
        to.iter_mut()
            .zip(posterior)
            .for_each(|(to, p)| *to = p as f32);
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::super::trials::drawn::{of, trainer, uniform};
    use super::*;

    /// Sharper models count unless they explain the labels clearly worse than those that are as they come.
    #[test]
    fn what_explains_labels_clearly_worse_does_not_count() {
        let data = uniform(400, 0, 0.3);
        let trials = of(&data, trainer());
        let mut start = trials.detected(self_trained(&trials).unwrap());
        start.noise = Some(counted(&trials, &start));
        let all = |of: &Detected| of.surprises(1.0, trials.given(), trials.classes());
        let found: Vec<Vec<f64>> = [1.0, SHARPER]
            .map(|sharper| {
                let mut rounds = Rounds {
                    trials: &trials,
                    stage: Stage::NoiseMatrix,
                    rounds: 3,
                    after: |_: &mut Detected| {},
                    training: None,
                };
                let mut detected = start.clone();
                rounds.go(&mut detected, sharper).unwrap();
                all(&detected)
            })
            .into();
        rounds(&trials, &mut start, (Stage::NoiseMatrix, 3), |_| {}).unwrap();
        assert_ne!(found[0], found[1]);
        let sharper = !clearly_lower(&found[0], &found[1], CLEARLY);
        assert_eq!(all(&start), found[usize::from(sharper)]);
        assert_eq!(trials.sharper_at(Stage::NoiseMatrix), Some(sharper));
    }

    /// Trials on trusted rows take what was found with all of them, and do not change it.
    #[test]
    fn trials_share_whether_sharper_models_count() {
        let data = uniform(200, 30, 0.3);
        let of_part = |told: Option<bool>| {
            // What is found with all trusted rows stays.
            let trials = of(&data, trainer());
            let part = trials.without(&[0, 1, 2]);
            let mut detected = part.detected(self_trained(&part).unwrap());
            detected.noise = Some(counted(&part, &detected));
            if let Some(sharper) = told {
                trials.set_sharper(Stage::Glc, sharper);
            }
            rounds(&part, &mut detected, (Stage::Glc, 2), |_| {}).unwrap();
            assert_eq!(trials.sharper_at(Stage::Glc), told);
            detected.probabilities
        };
        of_part(None);
        let told = [true, false].map(|sharper| of_part(Some(sharper)));
        // Not asserted with their numbers: a failure would print them all.
        assert!(told[0] != told[1], "trials follow what they are told");
    }
}
