//! What simple ways give on the same data with the same model.

use std::time::Instant;

use super::{CleaningData, kept};
use crate::Error;
use crate::data::Dataset;
use crate::metrics::CleaningMetrics;
use crate::model::{Real, predictions};
use crate::train::{Classifier, Trainer};

/// The figures of one baseline; None where a figure has no meaning or the truth is not
/// known.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Baseline {
    /// F1 of the rows that it keeps: positive is clean and kept.
    pub f1: Option<f64>,
    /// AUC of its ranking, where it ranks.
    pub auc: Option<f64>,
    /// Test accuracy of its own classifier.
    pub test_accuracy: Option<f64>,
    /// Test accuracy of a classifier trained on the rows that it keeps and the trusted
    /// rows.
    pub retrained_accuracy: Option<f64>,
    /// Time that it took.
    pub seconds: f64,
}

/// The rows of `train` that are kept, and the trusted rows.
fn kept_and_trusted(data: &CleaningData, kept: &[bool]) -> Result<Dataset, Error> {
    let rows: Vec<usize> = (0..kept.len()).filter(|&row| kept[row]).collect();
    data.train().select(&rows)?.join(data.trusted())
}

/// A classifier trained on the kept training rows and the trusted rows.
///
/// # Errors
/// If training diverges.
pub fn retrain<T: Real>(
    data: &CleaningData,
    kept: &[bool],
    trainer: &Trainer,
) -> Result<Classifier<T>, Error> {
    trainer.train(&kept_and_trusted(data, kept)?)
}

/// All baselines by their names in `result.json`, in a fixed order:
///
/// * `all_rows`: believes every given label;
/// * `trusted_only`: uses no training row;
/// * `clean_rows`: knows which rows are clean (only where the truth is known): no method
///   can be expected to do better;
/// * `agreement`: a classifier trained on the trusted rows ranks the rows by the
///   probability of their given labels, and keeps those that it would have given too.
///
/// # Errors
/// If training diverges.
pub fn baselines<T: Real>(
    data: &CleaningData,
    trainer: &Trainer,
) -> Result<Vec<(&'static str, Baseline)>, Error> {
    let wrong = data.wrong();
    let rows = data.train().rows();
    let test = |classifier: &Classifier<T>| data.test().and_then(|test| classifier.accuracy(test));
    let mut results = Vec::new();

    let begin = Instant::now();
    let everything = vec![true; rows];
    let own = trainer.train::<T>(data.train())?;
    results.push((
        "all_rows",
        Baseline {
            f1: figures(&vec![1.0; rows], &everything, wrong.as_deref())?.and_then(|m| m.f1),
            auc: None,
            test_accuracy: test(&own),
            retrained_accuracy: test(&retrain(data, &everything, trainer)?),
            seconds: begin.elapsed().as_secs_f64(),
        },
    ));

    let begin = Instant::now();
    let trusted = trainer.train::<T>(data.trusted())?;
    let accuracy = test(&trusted);
    let seconds = begin.elapsed().as_secs_f64();
    results.push((
        "trusted_only",
        Baseline {
            test_accuracy: accuracy,
            retrained_accuracy: accuracy,
            seconds,
            ..Baseline::default()
        },
    ));

    if let Some(wrong) = &wrong {
        let begin = Instant::now();
        let clean: Vec<bool> = wrong.iter().map(|wrong| !wrong).collect();
        let rows: Vec<usize> = (0..rows).filter(|&row| clean[row]).collect();
        let own = if rows.is_empty() {
            None
        } else {
            test(&trainer.train(&data.train().select(&rows)?)?)
        };
        results.push((
            "clean_rows",
            Baseline {
                test_accuracy: own,
                retrained_accuracy: test(&retrain(data, &clean, trainer)?),
                seconds: begin.elapsed().as_secs_f64(),
                ..Baseline::default()
            },
        ));
    }

    let begin = Instant::now();
    let classes = data.train().classes();
    let probabilities = trusted.probabilities(data.train());
    let given = data.train().labels();
    let scores: Vec<f64> = probabilities
        .chunks_exact(classes)
        .zip(given)
        .map(|(row, &label)| row[label as usize].to_double())
        .collect();
    let agrees: Vec<bool> = predictions(&probabilities, classes)
        .iter()
        .zip(given)
        .map(|(predicted, given)| predicted == given)
        .collect();
    let metrics = figures(&scores, &agrees, wrong.as_deref())?;
    results.push((
        "agreement",
        Baseline {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: accuracy,
            retrained_accuracy: test(&retrain(data, &agrees, trainer)?),
            seconds: seconds + begin.elapsed().as_secs_f64(),
        },
    ));
    Ok(results)
}

fn figures(
    scores: &[f64],
    kept: &[bool],
    wrong: Option<&[bool]>,
) -> Result<Option<CleaningMetrics>, Error> {
    wrong
        .map(|wrong| CleaningMetrics::new(scores, kept, wrong))
        .transpose()
}

impl Baseline {
    /// The figures of weights found by a method, for the same table.
    ///
    /// # Errors
    /// If training diverges.
    pub fn of_weights<T: Real>(
        data: &CleaningData,
        weights: &[f64],
        own: &Classifier<T>,
        retrained: &Classifier<T>,
        seconds: f64,
    ) -> Result<Self, Error> {
        let metrics = figures(weights, &kept(weights), data.wrong().as_deref())?;
        let test =
            |classifier: &Classifier<T>| data.test().and_then(|test| classifier.accuracy(test));
        Ok(Self {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: test(own),
            retrained_accuracy: test(retrained),
            seconds,
        })
    }
}
