//! Which class is confused with which, estimated together with the model (expectation maximisation).

use super::detected::Detected;
use super::judging::Detector;
use super::trials::Trials;
use crate::Error;

/// The probabilities of the given labels for each true class, T, and a model of the true classes: in turn, the model's
/// probabilities × T say which class each row has, T is counted from these, and the model is trained on them as soft
/// labels and on the trusted rows. Starts from self-training. Dawid and Skene, 1979, with a model in place of several
/// annotators.
pub(super) struct NoiseMatrix;

/// Each trains a model.
const ROUNDS: usize = 8;

impl Detector for NoiseMatrix {
    fn name(&self) -> &'static str {
        "noise-matrix"
    }

    fn detect(&self, trials: &Trials<'_>) -> Result<Detected, Error> {
        let mut detected = trials.detected(trials.self_trained()?);
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
    let mut steps = None;
    for round in 1..=rounds {
        let targets = posteriors(trials, detected);
        // The targets change little from now on.
        let steps = match steps {
            Some(steps) => steps,
            None => *steps.insert(trials.steps(&targets)?),
        };
        let probabilities = if round < rounds {
            trials.probabilities(&trials.fit(targets, steps)?)?
        } else {
            trials.out_of_fold(&targets, steps)?
        };
        detected.probabilities = probabilities.into();
        if round < rounds {
            after(detected);
        }
    }
    Ok(())
}

/// The share of the rows of each class that have each label: true × given.
fn counted(trials: &Trials<'_>, detected: &Detected) -> Vec<f64> {
    let classes = trials.classes();
    // No pair is impossible, and a class without rows keeps its label.
    let mut counts = vec![0.01; classes * classes];
    for class in 0..classes {
        counts[class * classes + class] += 0.5;
    }
    for (row, &given) in trials.given().iter().enumerate() {
        let posterior = detected.posterior(row, given, classes);
        for (class, p) in posterior.into_iter().enumerate() {
            counts[class * classes + given as usize] += p;
        }
    }
    shares(counts, classes)
}

/// Counts, each row divided by its sum.
pub(super) fn shares(mut counts: Vec<f64>, classes: usize) -> Vec<f64> {
    for row in counts.chunks_exact_mut(classes) {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|count| *count /= sum);
    }
    counts
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
