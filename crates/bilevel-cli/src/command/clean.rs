//! `bilevel clean`: finds wrong labels.

pub(super) mod begin;
mod session;
mod watcher;

use bilevel_tasks::cleaning::{
    CleaningSpecification, DataSpecification, RunSpecification, TrainingSpecification,
};

use super::shown::Shown;
use crate::advice::Writing;
use crate::arguments::{CleanArguments, HeaderName};
use crate::failure::Failure;
use begin::{Begin, begin};

pub(crate) fn run(arguments: &CleanArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    begin(&Begin {
        specification: &specification(arguments),
        out: common.out.as_deref(),
        shown: Shown {
            writing: Writing::Options,
            json: common.json,
            quiet: common.quiet,
        },
        force: arguments.force,
    })
}

/// The job that the options describe.
fn specification(a: &CleanArguments) -> CleaningSpecification {
    CleaningSpecification {
        seed: a.common.seed,
        data: DataSpecification {
            file: a.data.clone().or_else(|| a.features.clone()),
            labels: a.labels.clone(),
            label: a.label.clone(),
            id: a.id.clone(),
            annotator: a.annotator.clone(),
            group: a.group.clone(),
            ignore: a.ignore.clone(),
            keep: a.keep.clone(),
            category: a.category.clone(),
            missing: a.missing.map(Into::into),
            scale: a.scale.map(Into::into),
            missing_text: a.missing_text.clone(),
            label_text: a.label_text.clone(),
            merge_labels: a.merge_labels,
            separator: a.separator,
            decimal: a.decimal.map(Into::into),
            header: a.header.map(|header| header == HeaderName::Yes),
            image_size: a.image_size,
            trusted: a.trusted.clone(),
            trusted_labels: a.trusted_labels.clone(),
            trusted_column: a.trusted_column.clone(),
            test: a.test.clone(),
            test_labels: a.test_labels.clone(),
            train_rows: a.train_rows,
            trusted_rows: a.trusted_rows,
            corrupt: a.corrupt,
            corruption: a.corruption.map(Into::into),
        },
        method: a.method.0.clone(),
        training: TrainingSpecification {
            model: a.model,
            ..TrainingSpecification::from(&a.training)
        },
        run: RunSpecification {
            outer_steps: a.outer_steps,
            outer_optimizer: a.outer_optimizer,
            early_stopping: a.early_stopping,
            patience: a.patience,
            memory_budget: a.memory_budget.clone(),
            time_limit: a.time_limit,
            threads: a.common.threads,
        },
        output: a.output.specification(),
        ..CleaningSpecification::default()
    }
}
