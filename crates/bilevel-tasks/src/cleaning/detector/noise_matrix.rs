//! Which class is confused with which, estimated together with the model (expectation maximisation).

use super::confusion::Confusion;
use super::detected::Detected;
use super::judging::{Detector, DetectorPage};
use super::self_training::self_trained;
use super::tally::{Tally, without_diagonal};
use super::trials::Trials;
use crate::Error;

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
        rounds(trials, &mut detected, ROUNDS, |detected| {
            detected.noise = Some(counted(trials, detected));
        })?;
        Ok(detected)
    }
}

/// Trains on the posterior classes, `after` each of the rounds. In the last one, each row is judged by a model that did
/// not see it: a label of which a model was told looks more probable than it is.
pub(super) fn rounds(
    trials: &Trials<'_>,
    detected: &mut Detected,
    rounds: usize,
    after: impl Fn(&mut Detected),
) -> Result<(), Error> {
    let mut training = None;
    for round in 1..=rounds {
        let targets = posteriors(trials, detected);
        // The targets change little from now on.
        let training = match training {
            Some(training) => training,
            None => *training.insert(trials.training(&targets)?),
        };
        let probabilities = if round < rounds {
            trials.probabilities(&trials.fit(targets, training)?)?
        } else {
            trials.out_of_fold(&targets, training)?
        };
        detected.probabilities = probabilities.into();
        if round < rounds {
            after(detected);
        }
    }
    Ok(())
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
