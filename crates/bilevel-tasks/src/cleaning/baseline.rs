//! Simple baselines on the same data with the same model.

use std::time::Instant;

use bilevel::Key;

use super::detector::{Detected, Trials};
use super::together::Together;
use super::verdict::Verdict;
use super::{CleaningData, kept};
use crate::Error;
use crate::data::Dataset;
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

/// Share of the trusted rows used to choose the training length of a classifier; of all where none is trusted.
const HELD_OUT: f64 = 0.2;

/// A classifier trained on the kept training rows and the trusted rows. A fifth of the trusted rows, or of the kept ones
/// where no row is trusted, is first held out to choose the number of steps and the ridge; then it is trained on all of them.
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
    if trusted.rows() == 0 {
        let groups = groups_of(data, &rows);
        return alone(
            &data.train().select(&rows)?,
            groups.as_deref(),
            trainer,
            key,
        );
    }
    let with = |trusted_rows: &[usize]| data.train().select_with(&rows, trusted, trusted_rows);
    let together = Together(data.trusted_groups());
    let order = together.shuffled(trusted.rows(), key.stream(BASELINE));
    let held_out = (order.len() as f64 * HELD_OUT).ceil() as usize;
    let (held_out, rest) = order.split_at(together.cut(&order, held_out));
    let everything: Vec<usize> = (0..trusted.rows()).collect();
    if rows.is_empty() && rest.is_empty() {
        return trainer.train(&with(&everything)?);
    }
    // One copy of the rows after the other.
    let (_, found) = trainer.train_stopped::<T>(&with(rest)?, &trusted.select(held_out)?)?;
    trainer.train_so(&with(&everything)?, found)
}

/// A classifier trained on these rows, a fifth of which first chooses the number of steps and the ridge.
fn alone<T: Real>(
    rows: &Dataset,
    groups: Option<&[u32]>,
    trainer: &Trainer,
    key: Key,
) -> Result<Classifier<T>, Error> {
    let together = Together(groups);
    let order = together.shuffled(rows.rows(), key.stream(BASELINE));
    let held_out = (order.len() as f64 * HELD_OUT).ceil() as usize;
    let (held_out, rest) = order.split_at(together.cut(&order, held_out));
    if rest.is_empty() {
        return trainer.train(rows);
    }
    let (_, found) = trainer.train_stopped::<T>(&rows.select(rest)?, &rows.select(held_out)?)?;
    trainer.train_so(rows, found)
}

/// The groups of these training rows.
fn groups_of(data: &CleaningData, rows: &[usize]) -> Option<Vec<u32>> {
    let groups = data.train_groups()?;
    Some(rows.iter().map(|&row| groups[row]).collect())
}

/// A classifier trained on these rows alone; the trusted rows choose the number of steps and the ridge, if there are any.
fn stopped<T: Real>(
    data: &CleaningData,
    (rows, groups): (&Dataset, Option<&[u32]>),
    trainer: &Trainer,
    key: Key,
) -> Result<Classifier<T>, Error> {
    match data.trusted().rows() {
        0 => alone(rows, groups, trainer, key),
        _ => Ok(trainer.train_stopped(rows, data.trusted())?.0),
    }
}

/// All baselines by their names in `result.json`, in a fixed order:
///
/// * `all_rows`: trusts every given label;
/// * `trusted_only`: uses no training row (only where there are trusted rows);
/// * `clean_rows`: knows which rows are clean (only where the truth is known): an upper
///   bound that no method can be expected to beat;
///
/// None for those that the time does not suffice for. Trusted rows choose the training length and the ridge: over-trained
/// baselines would flatter the method.
///
/// # Errors
/// If training diverges.
pub fn baselines<T: Real>(
    data: &CleaningData,
    trainer: &Trainer,
    key: Key,
) -> Result<Vec<(&'static str, Option<Baseline>)>, Error> {
    let wrong = data.wrong();
    let mut results = vec![(
        "all_rows",
        in_time(trainer, || all_rows::<T>(data, trainer, key))?,
    )];
    if data.trusted().rows() > 0 {
        let trusted_only = || trusted_only::<T>(data, trainer, key);
        results.push(("trusted_only", in_time(trainer, trusted_only)?));
    }
    if let Some(wrong) = &wrong {
        let clean = || clean_rows::<T>(data, wrong, trainer, key);
        results.push(("clean_rows", in_time(trainer, clean)?));
    }
    Ok(results)
}

/// With the time that it took; None if it was cut short.
fn in_time(
    trainer: &Trainer,
    baseline: impl FnOnce() -> Result<Baseline, Error>,
) -> Result<Option<Baseline>, Error> {
    if trainer.deadline.passed() {
        return Ok(None);
    }
    let begin = Instant::now();
    let found = baseline()?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok((!trainer.deadline.passed()).then_some(Baseline { seconds, ..found }))
}

fn all_rows<T: Real>(data: &CleaningData, trainer: &Trainer, key: Key) -> Result<Baseline, Error> {
    let rows = data.train().rows();
    let everything = vec![true; rows];
    let wrong = data.wrong();
    Ok(Baseline {
        f1: figures(&vec![1.0; rows], &everything, wrong.as_deref())?.and_then(|m| m.f1),
        test_accuracy: of_test(data, || {
            stopped::<T>(data, (data.train(), data.train_groups()), trainer, key)
        })?,
        retrained_accuracy: of_test(data, || retrain::<T>(data, &everything, trainer, key))?,
        ..Baseline::default()
    })
}

fn trusted_only<T: Real>(
    data: &CleaningData,
    trainer: &Trainer,
    key: Key,
) -> Result<Baseline, Error> {
    let nothing = vec![false; data.train().rows()];
    let accuracy = of_test(data, || retrain::<T>(data, &nothing, trainer, key))?;
    Ok(Baseline {
        test_accuracy: accuracy,
        retrained_accuracy: accuracy,
        ..Baseline::default()
    })
}

fn clean_rows<T: Real>(
    data: &CleaningData,
    wrong: &[bool],
    trainer: &Trainer,
    key: Key,
) -> Result<Baseline, Error> {
    let clean: Vec<bool> = wrong.iter().map(|wrong| !wrong).collect();
    let rows: Vec<usize> = (0..clean.len()).filter(|&row| clean[row]).collect();
    let own = || {
        let groups = groups_of(data, &rows);
        let clean = data.train().select(&rows)?;
        stopped::<T>(data, (&clean, groups.as_deref()), trainer, key)
    };
    Ok(Baseline {
        test_accuracy: match rows.is_empty() {
            true => None,
            false => of_test(data, own)?,
        },
        retrained_accuracy: of_test(data, || retrain::<T>(data, &clean, trainer, key))?,
        ..Baseline::default()
    })
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
        let retrained_accuracy = match of_test(data, || trials.classifier(&kept)) {
            Err(Error::OutOfTime) => None,
            accuracy => accuracy?,
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
            retrained_accuracy: match &verdict.classifier {
                Some(classifier) => tested(classifier, data)?,
                None => None,
            },
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
        (own, retrained): (&Classifier<T>, Option<&Classifier<T>>),
        seconds: f64,
    ) -> Result<Self, Error> {
        let metrics = figures(weights, &kept(weights), data.wrong().as_deref())?;
        Ok(Self {
            f1: metrics.as_ref().and_then(|m| m.f1),
            auc: metrics.as_ref().and_then(|m| m.auc),
            test_accuracy: tested(own, data)?,
            retrained_accuracy: match retrained {
                Some(retrained) => tested(retrained, data)?,
                None => None,
            },
            seconds,
        })
    }
}

/// The test accuracy of what is trained only if there are test rows.
fn of_test<T: Real>(
    data: &CleaningData,
    train: impl FnOnce() -> Result<Classifier<T>, Error>,
) -> Result<Option<f64>, Error> {
    match data.test() {
        Some(_) => tested(&train()?, data),
        None => Ok(None),
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
