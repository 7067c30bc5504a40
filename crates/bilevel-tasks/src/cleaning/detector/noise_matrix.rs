//! Which class is confused with which, estimated together with the model (expectation maximisation).

use rayon::prelude::*;

use super::confusion::Confusion;
use super::detected::Detected;
use super::held::surprise;
use super::judging::{Detector, DetectorPage};
use super::self_training::self_trained;
use super::tally::{Tally, without_diagonal};
use super::trials::{Folds, Stage, Trials};
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
pub(super) fn rounds(
    trials: &Trials<'_>,
    detected: &mut Detected,
    (stage, rounds): (Stage, usize),
    after: impl Fn(&mut Detected),
) -> Result<(), Error> {
    let mut models = Folds::default();
    let mut training = None;
    let mut found = detected.probabilities.to_vec();
    for round in 0..=rounds {
        if let Some(noise) = &detected.noise {
            found = sharpened(found, trials.given(), noise, trials.classes());
        }
        detected.probabilities = found.into();
        if round == rounds {
            break;
        }
        if round > 0 {
            after(detected);
        }
        let targets = posteriors(trials, detected);
        // The targets change little from now on.
        let training = match training {
            Some(training) => training,
            None => *training.insert(trials.training_at(stage, &targets)?),
        };
        let share = if round + 1 < rounds { SHARE } else { 1.0 };
        found = trials.out_of_fold(&mut models, &targets, training, share)?;
    }
    Ok(())
}

/// Of the time that is left, for each round but the last.
const SHARE: f64 = 0.5;

/// What sharpened logits are multiplied by.
const SHARPER: f32 = 1.4;

/// Rows that are summed at once: the same sums on any number of threads.
const ROWS: usize = 1024;

/// A model with a ridge, trained on soft labels, is less sure than its targets are, and more so in each round: more labels
/// would be taken for right. Where its logits explain the given labels better, multiplied by [`SHARPER`], they are.
fn sharpened(
    mut probabilities: Vec<f32>,
    given: &[u32],
    noise: &Confusion,
    classes: usize,
) -> Vec<f32> {
    let power = |p: f32| p.powf(SHARPER);
    // How much less surprising a given label is for the sharpened probabilities.
    let gain = |(row, (of_row, &given)): (usize, (&[f32], &u32))| {
        let (mut own, mut all) = ([0.0; 2], [0.0; 2]);
        for (class, &p) in of_row.iter().enumerate() {
            let noise = noise.of(row, class, given);
            for (form, p) in [p, power(p)].into_iter().enumerate() {
                own[form] += f64::from(p) * noise;
                all[form] += f64::from(p);
            }
        }
        let surprise = |form: usize| surprise(own[form] / all[form]);
        surprise(0) - surprise(1)
    };
    let of_check = &probabilities[..given.len() * classes];
    let chunks = of_check
        .par_chunks(ROWS * classes)
        .zip(given.par_chunks(ROWS));
    let gains: Vec<f64> = chunks
        .enumerate()
        .map(|(chunk, (rows, given))| {
            let rows = rows.chunks_exact(classes).zip(given).enumerate();
            rows.map(|(row, pair)| gain((chunk * ROWS + row, pair)))
                .sum()
        })
        .collect();
    if gains.iter().sum::<f64>() > 0.0 {
        probabilities.par_chunks_mut(classes).for_each(|row| {
            row.iter_mut().for_each(|p| *p = power(*p));
            let sum: f32 = row.iter().sum();
            if sum > 0.0 {
                row.iter_mut().for_each(|p| *p /= sum);
            }
        });
    }
    probabilities
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
    use super::*;

    /// Nine of ten labels are right, or six of ten, and the model gives the right class .8.
    #[test]
    fn models_are_sharpened_where_labels_say_so() {
        let rows = 3000;
        let probabilities: Vec<f32> = (0..rows).flat_map(|_| [0.8, 0.2]).collect();
        let of = |wrong: usize, matrix: [f64; 4]| {
            let given: Vec<u32> = (0..rows).map(|row| u32::from(row % 10 < wrong)).collect();
            let noise = Confusion::of_all(matrix.to_vec(), 2);
            sharpened(probabilities.clone(), &given, &noise, 2)
        };
        let none = [0.99, 0.01, 0.01, 0.99];
        let sharper = of(1, none);
        assert!((sharper[0] - 0.874).abs() < 0.001, "{}", sharper[0]);
        assert!((sharper[2 * rows - 1] - 0.126).abs() < 0.001);
        assert_eq!(of(4, none), probabilities);
        // The matrix explains some of them.
        assert_eq!(of(4, [0.6, 0.4, 0.4, 0.6])[0], sharper[0]);
    }
}
