//! From options to a cleaning task, everything checked before anything is written.

use std::path::Path;

use anyhow::{Context, anyhow};
use bilevel::{Driver, Key};
use bilevel_tasks::cleaning::{Cleaning, CleaningData, CleaningSettings, Split};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::data::idx::read_idx;
use bilevel_tasks::data::{Dataset, numbered_classes};

use crate::arguments::{CleanArguments, CorruptionName};
use crate::failure::Failure;
use crate::method::Method;

/// The digits: rows by default.
const DIGITS: Split = Split {
    train: 1000,
    trusted: 297,
    test: 500,
};
const DIGITS_CORRUPT: f64 = 0.5;

/// What is to be cleaned, and how.
pub(super) struct Task {
    pub(super) data: CleaningData,
    pub(super) corruption: Option<Corruption>,
    pub(super) settings: CleaningSettings,
    pub(super) cleaning: Cleaning<f32>,
    pub(super) method: Method,
    pub(super) key: Key,
}

impl Task {
    pub(super) fn new(arguments: &CleanArguments) -> Result<Self, Failure> {
        let key = Key::from_seed(arguments.common.seed);
        let method = Method::new(&arguments.method, arguments.outer_steps)?;
        let settings = settings(arguments)?;
        let (data, corruption) = data(arguments, key)?;
        let cleaning = Cleaning::new(&data, &settings, key).map_err(Failure::usage)?;
        let task = Self {
            data,
            corruption,
            settings,
            cleaning,
            method,
            key,
        };
        Driver {
            problem: task.cleaning.problem(),
            method: &task.method.build(),
            optimizer: &*arguments.outer_optimizer.build(),
            outer_steps: task.settings.outer_steps,
            time_limit: None,
            key,
            observers: vec![],
        }
        .validate()
        .map_err(Failure::usage)?;
        Ok(task)
    }
}

fn settings(arguments: &CleanArguments) -> Result<CleaningSettings, Failure> {
    let defaults = CleaningSettings::default();
    let early_stopping = arguments.early_stopping.0;
    if early_stopping.is_none() && arguments.patience.is_some() {
        return Err(Failure::usage(anyhow!(
            "--patience has no meaning with --early-stopping off: leave one of them out"
        )));
    }
    Ok(CleaningSettings {
        model: arguments.model,
        batch: arguments.method.batch,
        trusted_batch: arguments.method.trusted_batch,
        weight_decay: arguments.method.weight_decay,
        early_stopping,
        patience: arguments.patience.unwrap_or(defaults.patience),
        outer_steps: arguments.outer_steps,
        time_limit: arguments.time_limit,
    })
}

fn data(
    arguments: &CleanArguments,
    key: Key,
) -> Result<(CleaningData, Option<Corruption>), Failure> {
    let own = arguments.images.as_deref().zip(arguments.labels.as_deref());
    let rate = match own {
        None => Some(arguments.corrupt.unwrap_or(DIGITS_CORRUPT)),
        Some(_) => arguments.corrupt,
    };
    if rate.is_none() && arguments.corruption.is_some() {
        return Err(Failure::usage(anyhow!(
            "--corruption has no meaning without --corrupt: expected the share of the labels to be made wrong, such as --corrupt 0.5"
        )));
    }
    let corruption = rate.map(|rate| Corruption {
        kind: match arguments.corruption {
            None | Some(CorruptionName::Other) => CorruptionKind::Other,
            Some(CorruptionName::Uniform) => CorruptionKind::Uniform,
            Some(CorruptionName::Pairwise) => CorruptionKind::Pairwise,
        },
        rate,
    });
    let data = match own {
        None => {
            let source = digits();
            let train = arguments.train_rows.unwrap_or(DIGITS.train);
            let trusted = arguments.trusted_rows.unwrap_or(DIGITS.trusted);
            // Fewer test rows where the other parts take more than by default.
            let rest = source.rows().saturating_sub(train.saturating_add(trusted));
            let test = DIGITS.test.min(rest);
            let split = Split {
                train,
                trusted,
                test,
            };
            CleaningData::draw(&source, split, corruption.as_ref(), key)
                .context("--train-rows and --trusted-rows of the digits")
                .map_err(Failure::usage)?
        }
        Some((images, labels)) => files(arguments, (images, labels), corruption.as_ref(), key)?,
    };
    Ok((data, corruption))
}

fn files(
    arguments: &CleanArguments,
    (images, labels): (&Path, &Path),
    corruption: Option<&Corruption>,
    key: Key,
) -> Result<CleaningData, Failure> {
    let Some(trusted) = arguments.trusted_rows else {
        return Err(Failure::usage(anyhow!(
            "expected --trusted-rows N: how many rows, drawn at random, have labels that you know to be right; found none, and without them nothing can be learned"
        )));
    };
    let mut source = read_idx(images, labels, None).map_err(Failure::usage)?;
    let mut test = arguments
        .test_images
        .as_deref()
        .zip(arguments.test_labels.as_deref())
        .map(|(images, labels)| read_idx(images, labels, None))
        .transpose()
        .map_err(Failure::usage)?;
    if let Some(rows) = &mut test {
        let classes = numbered_classes(source.classes().max(rows.classes()));
        let named = |data: &Dataset| data.clone().with_class_names(classes.clone());
        source = named(&source).map_err(Failure::usage)?;
        *rows = named(rows).map_err(Failure::usage)?;
    }
    let split = Split {
        train: arguments
            .train_rows
            .unwrap_or(source.rows().saturating_sub(trusted)),
        trusted,
        test: 0,
    };
    let data = CleaningData::draw(&source, split, corruption, key)
        .with_context(|| {
            format!(
                "--train-rows {} and --trusted-rows {trusted} of {}",
                split.train,
                images.display()
            )
        })
        .map_err(Failure::usage)?;
    match test {
        None => Ok(data),
        Some(test) => data
            .with_test(test)
            .context("--test-images")
            .map_err(Failure::usage),
    }
}
