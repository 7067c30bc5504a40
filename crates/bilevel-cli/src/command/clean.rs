//! `bilevel clean`: finds wrong labels.

pub(crate) mod findings;
mod gradient;
mod input;
pub(crate) mod record;
pub(crate) mod result;
mod session;
mod task;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context, anyhow};
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::{CleaningCheckpoint, CleaningState, Origin, Results};

use crate::arguments::CleanArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::progress::line;
pub(crate) use record::CHECKPOINT;
use record::{History, Recorder};
pub(crate) use result::{CONFIG, chosen_adjoint};
use session::Session;
use task::Task;

pub(crate) fn run(arguments: &CleanArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    Folder::expect_new(common.out.as_deref())?;
    let task = Task::new(arguments)?;
    if !common.quiet {
        for warning in &task.findings.warnings {
            line(&format!("warning: {warning}"));
        }
        if let Some(chosen) = &task.chosen {
            line(&chosen.why);
        }
    }
    let config = result::config(arguments, &task)?;
    let origin = origin(&task, &config)?;
    let state = task.cleaning.start(&*task.optimizer.build());
    let (folder, history) = Folder::create(common.out.as_deref(), "clean", |folder| {
        folder.write(CONFIG, &config)?;
        if let Some(scaling) = &task.scaling {
            folder.write("scaling.csv", result::scaling_csv(scaling)?)?;
        }
        let history = History::create(folder)?;
        let checkpoint = CleaningCheckpoint {
            origin: Cow::Borrowed(&origin),
            run: Cow::Borrowed(&state.run),
            progress: Cow::Borrowed(&state.progress),
            history_bytes: 0,
            ended: None,
            results: None,
        };
        checkpoint::write(&folder.file(CHECKPOINT), &checkpoint).map_err(Failure::run)?;
        Ok(history)
    })?;
    Session {
        arguments,
        task: &task,
        recorder: Recorder::new(&folder, &origin, history, 0),
        state,
        ended: None,
    }
    .go()
}

/// Goes on with a run from its checkpoint.
pub(super) fn resume(
    arguments: &CleanArguments,
    checkpoint: CleaningCheckpoint<'_>,
    folder: &Folder,
) -> Result<(), Failure> {
    let task = Task::new(arguments)?;
    let origin = checkpoint.origin.into_owned();
    if origin.data != task.data.fingerprint() || origin.key != task.key {
        return Err(Failure::usage(anyhow!(
            "{}: expected the data that the run began with, found others: rows, labels or features have changed",
            folder.shown().display()
        )));
    }
    result::expect_config(&folder.file(CONFIG), arguments, &task)?;
    let state = CleaningState {
        run: checkpoint.run.into_owned(),
        progress: checkpoint.progress.into_owned(),
    };
    task.cleaning
        .expect_state(&state, &*task.optimizer.build())
        .map_err(Failure::usage)?;
    let history = History::reopen(folder, checkpoint.history_bytes)?;
    Session {
        arguments,
        task: &task,
        recorder: Recorder::new(folder, &origin, history, state.run.outer_step),
        state,
        ended: checkpoint.ended,
    }
    .go()
}

fn origin(task: &Task, config: &str) -> Result<Origin, Failure> {
    let folder = std::env::current_dir()
        .context("the current folder cannot be read")
        .map_err(Failure::usage)?;
    Ok(Origin {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        instruction_set: checkpoint::instruction_set(),
        key: task.key,
        command: std::env::args_os().collect(),
        folder: folder.into_os_string(),
        settings: checkpoint::fingerprint(config.as_bytes()),
        data: task.data.fingerprint(),
    })
}

/// What was found, as a document, as text for a person, or not at all.
pub(super) fn hand_over(results: &Results, json: bool, quiet: bool) -> Result<(), Failure> {
    if json {
        if !quiet {
            line(&results.text);
        }
        crate::print(&results.document)
    } else if quiet {
        Ok(())
    } else {
        crate::print(&results.text)
    }
}

/// `bilevel resume DIR`, as this program was called.
fn resume_command(folder: &Path) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    [program.as_os_str(), "resume".as_ref(), folder.as_os_str()]
        .map(quoted)
        .join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What was typed, without the folder, which exists now, and with the seed.
fn repeat_command(command: &[OsString], seed: u64) -> String {
    let mut words = Vec::new();
    let mut skip = false;
    let mut seeded = false;
    for word in command {
        let text = word.to_string_lossy();
        if std::mem::take(&mut skip) || text.starts_with("--out=") {
            continue;
        }
        if text == "--out" {
            skip = true;
            continue;
        }
        seeded |= text == "--seed" || text.starts_with("--seed=");
        words.push(quoted(word));
    }
    if !seeded {
        words.push(format!("--seed {seed}"));
    }
    words.join(" ")
}
