//! `bilevel resume`: goes on with a run.

use std::path::Path;

use anyhow::anyhow;
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::CleaningCheckpoint;
use clap::Parser;

use super::clean::{self, CHECKPOINT, CONFIG};
use crate::arguments::{Arguments, CleanArguments, ResumeArguments, Verb};
use crate::failure::Failure;
use crate::folder::Folder;

pub(crate) fn run(options: &ResumeArguments) -> Result<(), Failure> {
    let shown = &options.folder;
    let path = shown.canonicalize().map_err(|error| {
        Failure::usage(anyhow!(error).context(format!(
            "{}: expected the folder of a run, found nothing that can be opened",
            shown.display()
        )))
    })?;
    if !path.join(CHECKPOINT).is_file() {
        return Err(Failure::usage(anyhow!(
            "{}: expected the folder of a run, found no file {CHECKPOINT} in it",
            shown.display()
        )));
    }
    let folder = Folder::at(path, shown.clone());
    // Named as the user knows it.
    let checkpoint: CleaningCheckpoint<'static> =
        checkpoint::read(&shown.join(CHECKPOINT)).map_err(Failure::usage)?;
    if let Some(results) = &checkpoint.results {
        return clean::hand_over(results, options.json, options.quiet);
    }
    if !options.allow_different_bits {
        expect_same_bits(&checkpoint, shown)?;
    }
    let config = expect_settings(&checkpoint, &folder)?;
    let mut original = original(&checkpoint, shown)?;
    original.common.json = options.json;
    original.common.quiet = options.quiet;
    original.common.threads = options.threads.or(original.common.threads);
    // Counted from now on, while the run counts from its start.
    original.time_limit = options
        .time_limit
        .or(original.time_limit)
        .map(|limit| checkpoint.run.elapsed.saturating_add(limit));
    if original.memory_budget.take().is_some() {
        let options = &mut original.method.0;
        options.adjoint = clean::chosen_adjoint(&config).or(options.adjoint);
    }
    crate::use_threads(original.common.threads)?;
    clean::resume(&original, checkpoint, &folder)
}

/// The same program on the same instructions, or the result may be another.
fn expect_same_bits(checkpoint: &CleaningCheckpoint<'_>, shown: &Path) -> Result<(), Failure> {
    let origin = &checkpoint.origin;
    for (what, expected, found) in [
        (
            "a processor with the instructions",
            origin.instruction_set.as_str(),
            checkpoint::instruction_set().as_str(),
        ),
        (
            "version",
            origin.program.as_str(),
            env!("CARGO_PKG_VERSION"),
        ),
    ] {
        if expected != found {
            return Err(Failure::usage(anyhow!(
                "{}: expected {what} {expected}, with which the run began, found {found}: the result could differ from that of a run in one piece; to go on nevertheless: --allow-different-bits",
                shown.display()
            )));
        }
    }
    Ok(())
}

/// `config.toml` tells what was done; what is changed in it would not be done.
fn expect_settings(
    checkpoint: &CleaningCheckpoint<'_>,
    folder: &Folder,
) -> Result<String, Failure> {
    let path = folder.file(CONFIG);
    let config = std::fs::read_to_string(&path)
        .map_err(|source| bilevel_tasks::Error::Read { path, source })
        .map_err(Failure::usage)?;
    if checkpoint::fingerprint(config.as_bytes()) == checkpoint.origin.settings {
        return Ok(config);
    }
    Err(Failure::usage(anyhow!(
        "{}: expected the settings that the run began with, found changed ones; other settings need a new run",
        folder.shown().join(CONFIG).display()
    )))
}

/// What was typed when the run began; relative names are those of the folder of that time, where
/// it is still there.
fn original(
    checkpoint: &CleaningCheckpoint<'_>,
    shown: &Path,
) -> Result<Box<CleanArguments>, Failure> {
    let origin = &checkpoint.origin;
    let parsed = Arguments::try_parse_from(&origin.command).map(|arguments| arguments.verb);
    let Ok(Verb::Clean(arguments)) = parsed else {
        return Err(Failure::usage(anyhow!(
            "{}: expected a run of bilevel clean with options that this program knows, found {:?}",
            shown.display(),
            origin.command
        )));
    };
    let began = Path::new(&origin.folder);
    if began.is_dir() {
        std::env::set_current_dir(began).map_err(Failure::usage)?;
    }
    Ok(arguments)
}
