//! Simple baselines on the same data with the same model.

use std::time::Instant;

use bilevel::Key;

use super::detector::{Detected, Trials};
use super::split::shuffled;
use super::verdict::Verdict;
use super::{CleaningData, kept};
use crate::Error;
use crate::metrics::CleaningMetrics;
use crate::model::Real;
use crate::stream::BASELINE;
use crate::train::{Classifier, Trainer};

/// The figures of one baseline; None where a figure is undefined or the truth is
/// unknown.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Baseline {
    /// F1 of the rows that it keeps: positive is clean and kept.
    pub f1: Option<f64>,
    /// AUC of its ranking, if it ranks.
    pub auc: Option<f64>,
    /// Test accuracy of its own classifier.
    pub test_accuracy: Option<f64>,
    /// Test accuracy of a classifier trained on the rows that it keeps and the trusted
    /// rows.
    pub retrained_accuracy: Option<f64>,
    /// Time taken.
    pub seconds: f64,
}

/// Share of the trusted rows used to choose the training length of a classifier.
const HELD_OUT: f64 = 0.2;

/// A classifier trained on the kept training rows and the trusted rows. A fifth of the trusted rows
/// is first held out to choose the number of steps; then it is trained on all of them.
///
/// # Errors
/// If training diverges.
pub fn retrain<T: Real>(
    data: &CleaningData,
    kept: &[bool],
    trainer: &Trainer,
    key: Key,
) -> Result<Classifier<T>, Error> {
    let rows: Vec<usize> = (0..kept.len()).filter(|&row| kept[row]).collect();
    let trusted = data.trusted();
    let with = |trusted_rows: &[usize]| data.train().select_with(&rows, trusted, trusted_rows);
    let order = shuffled(trusted.rows(), key.stream(BASELINE));
    let held_out = (order.len() as f64 * HELD_OUT).ceil() as usize;
    let (held_out, rest) = order.split_at(held_out.min(order.len()));
    let everything: Vec<usize> = (0..trusted.rows()).collect();
    if rows.is_empty() && rest.is_empty() {
        return trainer.train(&with(&everything)?);
    }
    // One copy of the rows after the other.
    let (_, steps) = trainer.train_stopped::<T>(&with(rest)?, &trusted.select(held_out)?)?;
    Trainer { steps, ..*trainer }.train(&with(&everything)?)
}

/// All baselines by their names in `result.json`, in a fixed order:
///
/// * `all_rows`: trusts every given label;
/// * `trusted_only`: uses no training row;
/// * `clean_rows`: knows which rows are clean (only where the truth is known): an upper
///   bound that no method can be expected to beat;
///
/// Trusted rows choose the training length: over-trained baselines would flatter the method.
///
/// # Errors
/// If training diverges.
pub fn baselines<T: Real>(
    data: &CleaningData,
    trainer: &Trainer,
    key: Key,
) -> Result<Vec<(&'static str, Baseline)>, Error> {
    let wrong = data.wrong();
    let rows = data.train().rows();
    let test = |classifier: &Classifier<T>| tested(classifier, data);
    let mut results = Vec::new();

    let begin = Instant::now();
    let everything = vec![true; rows];
    let (own, _) = trainer.train_stopped::<T>(data.train(), data.trusted())?;
    results.push((
        "all_rows",
        Baseline {
            f1: figures(&vec![1.0; rows], &everything, wrong.as_deref())?.and_then(|m| m.f1),
            auc: None,
            test_accuracy: test(&own)?,
            retrained_accuracy: test(&retrain(data, &everything, trainer, key)?)?,
            seconds: begin.elapsed().as_secs_f64(),
        },
    ));

    let begin = Instant::now();
    let trusted = retrain::<T>(data, &vec![false; rows], trainer, key)?;
    let accuracy = test(&trusted)?;
    results.push((
        "trusted_only",
        Baseline {
            test_accuracy: accuracy,
            retrained_accuracy: accuracy,
            seconds: begin.elapsed().as_secs_f64(),
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
            test(
                &trainer
                    .train_stopped(&data.train().select(&rows)?, data.trusted())?
                    .0,
            )?
        };
        results.push((
            "clean_rows",
            Baseline {
                test_accuracy: own,
                retrained_accuracy: test(&retrain(data, &clean, trainer, key)?)?,
                seconds: begin.elapsed().as_secs_f64(),
                ..Baseline::default()
            },
        ));
    }

    Ok(results)
}

pub(super) fn figures(
    scores: &[f64],
    kept: &[bool],
    wrong: Option<&[bool]>,
) -> Result<Option<CleaningMetrics>, Error> {
    wrong
        .map(|wrong| CleaningMetrics::new(scores, kept, wrong))
        .transpose()
}

impl Baseline {
    /// The figures of a detector, for the same table. A model is trained on the rows that it keeps only to be tested.
    ///
    /// # Errors
    /// If training diverges.
    pub(super) fn of_detected(
        data: &CleaningData,
        detected: &Detected,
        trials: &Trials<'_>,
        begin: Instant,
    ) -> Result<Self, Error> {
        let (labels, classes) = (data.train().labels(), data.train().classes());
        let (right, kept) = detected.judged(labels, classes);
        let metrics = figures(&right, &kept, data.wrong().as_deref())?;
        let retrained_accuracy = match data.test() {
            Some(_) => tested(&trials.classifier(&kept)?, data)?,
            None => None,
        };
        Ok(Self {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: None,
            retrained_accuracy,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    /// The figures of what was said in the end.
    pub(super) fn of_verdict(data: &CleaningData, verdict: &Verdict) -> Result<Self, Error> {
        let metrics = figures(&verdict.weights, &verdict.kept, data.wrong().as_deref())?;
        Ok(Self {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: None,
            retrained_accuracy: tested(&verdict.classifier, data)?,
            seconds: 0.0,
        })
    }

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
        Ok(Self {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: tested(own, data)?,
            retrained_accuracy: tested(retrained, data)?,
            seconds,
        })
    }
}

/// The test accuracy, if there are test rows.
pub(super) fn tested<T: Real>(
    classifier: &Classifier<T>,
    data: &CleaningData,
) -> Result<Option<f64>, Error> {
    match data.test() {
        Some(test) => classifier.accuracy(test),
        None => Ok(None),
    }
}
