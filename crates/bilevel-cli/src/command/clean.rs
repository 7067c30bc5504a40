//! `bilevel clean`: finds wrong labels.

pub(crate) mod findings;
mod input;
pub(crate) mod result;
mod task;

use std::time::Instant;

use bilevel::Key;
use bilevel::check::gradient_check;
use bilevel_tasks::cleaning::{
    Baseline, Cleaned, Cleaning, CleaningData, CleaningSettings, baselines, kept, retrain,
};
use bilevel_tasks::train::{Classifier, Trainer};

use super::check;
use crate::arguments::CleanArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::memory;
use crate::progress::{Progress, line};
use crate::report::{Facts, report};
use input::Source;
use result::{Baselines, CleanResult, GradientCheck};
use task::Task;

pub(crate) fn run(arguments: &CleanArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    Folder::expect_new(common.out.as_deref())?;
    let task = Task::new(arguments)?;
    if !common.quiet {
        for warning in &task.findings.warnings {
            line(&format!("warning: {warning}"));
        }
    }
    let config = result::config(arguments, &task)?;
    let folder = Folder::create(common.out.as_deref(), "clean")?;
    folder.write("config.toml", config)?;
    if let Some(scaling) = &task.scaling {
        folder.write("scaling.csv", result::scaling_csv(scaling)?)?;
    }
    finish(arguments, &task, &folder).map_err(|failure| Failure {
        error: failure.error.context(format!(
            "the run failed; what it had computed is in {}",
            folder.path().display()
        )),
        code: 1,
    })
}

fn finish(arguments: &CleanArguments, task: &Task, folder: &Folder) -> Result<(), Failure> {
    let common = &arguments.common;
    let mut progress = Progress::new(common.quiet, task.settings.outer_steps);
    let begin = Instant::now();
    let cleaned = clean(arguments, task, folder, &mut progress)?;

    progress.say("training on the rows that are kept");
    let trainer = trainer(&task.settings, task.key);
    let retrained: Classifier<f32> =
        retrain(&task.data, &kept(&cleaned.weights), &trainer, task.key).map_err(Failure::run)?;
    let seconds = begin.elapsed().as_secs_f64();
    let scores = result::scores(
        &task.data,
        task.ids.as_deref(),
        &cleaned.weights,
        &retrained,
    )?;
    folder.write("scores.csv", result::scores_csv(&scores)?)?;

    progress.say("comparing with simple ways");
    let own = Classifier::new(task.settings.model, cleaned.y.clone());
    let row = Baseline::of_weights(&task.data, &cleaned.weights, &own, &retrained, seconds)
        .map_err(Failure::run)?;
    let simple = baselines::<f32>(&task.data, &trainer, task.key).map_err(Failure::run)?;

    progress.say("checking the hypergradient");
    let gradient_check = check_gradient(arguments, task);
    drop(progress);

    let metrics = cleaned.step.metrics.as_ref();
    let result = CleanResult {
        method: task.method.name,
        model: task.settings.model.to_string(),
        rows: task.data.train().rows(),
        trusted: task.data.trusted().rows(),
        seed: common.seed,
        outer_steps: cleaned.outer_steps,
        seconds,
        peak_memory_mb: memory::peak_mb(),
        f: cleaned.step.f,
        f1: row.f1,
        precision: metrics.and_then(|metrics| metrics.precision),
        recall: metrics.and_then(|metrics| metrics.recall),
        suspect_f1: metrics.and_then(|metrics| metrics.suspect_f1),
        auc: row.auc,
        average_precision: metrics.and_then(|metrics| metrics.average_precision),
        test_accuracy: row.test_accuracy,
        retrained_accuracy: row.retrained_accuracy,
        baselines: Baselines(simple),
        gradient_check,
        input: &task.findings,
    };
    let document = crate::json(&result)?;
    folder.write("result.json", &document)?;
    let text = report(&Facts {
        result: &result,
        scores: &scores,
        data: &task.data,
        what: &Source::of(arguments).rows_text(),
        corrupted: task.corruption.map(|corruption| corruption.rate),
        kept_step: cleaned.step.step,
        why: cleaned.why,
        folder: folder.path(),
        repeat: &repeat_command(common.seed),
    });
    if common.json {
        if !common.quiet {
            line(&text);
        }
        crate::print(&document)
    } else if common.quiet {
        Ok(())
    } else {
        crate::print(&text)
    }
}

/// Learns the weights; every outer step is written down as it comes.
fn clean(
    arguments: &CleanArguments,
    task: &Task,
    folder: &Folder,
    progress: &mut Progress,
) -> Result<Cleaned<f32>, Failure> {
    let mut history = folder.lines("history.jsonl")?;
    let cleaned = task
        .cleaning
        .run(
            &task.method.build(),
            &*arguments.outer_optimizer.build(),
            task.key,
            &mut |step| {
                history.append(result::history_line(step));
                progress.step(step);
            },
        )
        .map_err(Failure::run)?;
    history.finish()?;
    Ok(cleaned)
}

/// The baselines' training does not depend on the method's own step size, so that they are the
/// same beside every method; with weight decay D the loss is D more curved.
fn trainer(settings: &CleaningSettings, key: Key) -> Trainer {
    Trainer {
        model: settings.model,
        steps: 300,
        step_size: 0.5 / (1.0 + settings.weight_decay),
        weight_decay: settings.weight_decay,
        key,
    }
}

/// Multiplications that the check may cost: well below a second.
const CHECK_BUDGET: usize = 4_000_000_000;
const CHECK_ROWS: usize = 200;
const CHECK_TRUSTED_ROWS: usize = 100;
const CHECK_TOLERANCE: f64 = 1e-6;

/// The hypergradient of this very task and method against central differences, in double
/// precision, on a sample of the rows and at a random x.
fn check_gradient(arguments: &CleanArguments, task: &Task) -> GradientCheck {
    let check = || -> Result<_, bilevel_tasks::Error> {
        let (data, settings) = sample(arguments, task)?;
        let key = task.key;
        let cleaning = Cleaning::<f64>::new(&data, &settings, key)?;
        let x = check::random_x(key, data.train().rows());
        let method = task.method.build::<f64>();
        let problem = cleaning.problem();
        Ok(gradient_check(
            &method,
            problem,
            &x,
            key,
            1,
            CHECK_TOLERANCE,
        )?)
    };
    match check() {
        Ok(comparison) => GradientCheck {
            relative_error: Some(comparison.relative_error),
            passed: comparison.passed(),
        },
        Err(_) => GradientCheck {
            relative_error: None,
            passed: false,
        },
    }
}

/// At most so many rows, fewer where they are wide or the steps are many; mini-batches shrink
/// with them.
fn sample(
    arguments: &CleanArguments,
    task: &Task,
) -> Result<(CleaningData, CleaningSettings), bilevel_tasks::Error> {
    // 32 trainings, each step of which takes two products.
    let row = task
        .settings
        .model
        .y_len(task.data.train().columns(), task.data.train().classes())
        .saturating_mul(64)
        .saturating_mul(task.method.steps);
    let affordable = (CHECK_BUDGET / row.max(1)).clamp(20, CHECK_ROWS);
    let rows = task.data.train().rows().min(affordable);
    let trusted = task.data.trusted().rows();
    let trusted = trusted.min(CHECK_TRUSTED_ROWS.min(affordable));
    // The rows were drawn in random order.
    let first = |count: usize| (0..count).collect::<Vec<_>>();
    let data = CleaningData::new(
        task.data.train().select(&first(rows))?,
        None,
        task.data.trusted().select(&first(trusted))?,
        None,
    )?;
    let share = |batch: Option<usize>, of: usize, all: usize| {
        batch.map(|batch| (batch * of / all.max(1)).clamp(1, of))
    };
    let settings = check::settings(&arguments.method);
    Ok((
        data,
        CleaningSettings {
            model: task.settings.model,
            batch: share(settings.batch, rows, task.data.train().rows()),
            trusted_batch: share(settings.trusted_batch, trusted, task.data.trusted().rows()),
            ..settings
        },
    ))
}

/// What was typed, without the folder, which exists now, and with the seed.
fn repeat_command(seed: u64) -> String {
    let mut words = Vec::new();
    let mut skip = false;
    let mut seeded = false;
    for word in std::env::args() {
        if std::mem::take(&mut skip) || word.starts_with("--out=") {
            continue;
        }
        if word == "--out" {
            skip = true;
            continue;
        }
        seeded |= word == "--seed" || word.starts_with("--seed=");
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
        words.push(if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        });
    }
    if !seeded {
        words.push(format!("--seed {seed}"));
    }
    words.join(" ")
}
