//! `bilevel resume`: continues a run.

use std::path::Path;

use anyhow::anyhow;
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::{CleaningCheckpoint, CleaningSpecification};

use super::clean::begin::{Resume, current_folder, resume};
use super::clean::{CHECKPOINT, CONFIG, Shown, hand_over};
use crate::advice::Writing;
use crate::arguments::ResumeArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::progress::line;
use crate::threads::use_threads;

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
    let folder = Folder::at(path.clone(), shown.clone());
    // Errors name the path as the user typed it.
    let checkpoint: CleaningCheckpoint<'static> =
        checkpoint::read(&shown.join(CHECKPOINT)).map_err(Failure::usage)?;
    let printed = Shown {
        writing: Writing::File,
        json: options.json,
        quiet: options.quiet,
    };
    if let Some(results) = &checkpoint.results {
        match results.damaged(&path) {
            None => {
                if !options.quiet {
                    line(&format!("finished; its files are in {}", shown.display()));
                }
                return hand_over(results, printed);
            }
            Some(file) if !options.quiet => {
                line(&format!(
                    "{} is missing or damaged: it is made anew",
                    shown.join(file).display()
                ));
            }
            Some(_) => {}
        }
    }
    if !options.allow_different_bits {
        expect_same_bits(&checkpoint, shown)?;
    }
    expect_settings(&checkpoint, &folder)?;
    let specification = CleaningSpecification::from_toml(&checkpoint.origin.specification)
        .map_err(|problem| bilevel_tasks::Error::Specification {
            path: shown.join(CONFIG),
            problem,
        })
        .map_err(Failure::usage)?;
    let mut specification = specification.seen_from(&current_folder()?);
    specification.run.threads = options.threads.or(specification.run.threads);
    use_threads(specification.run.threads)?;
    resume(Resume {
        specification: &specification,
        checkpoint,
        folder: &folder,
        time_limit: options.time_limit.map(|limit| limit.0),
        shown: printed,
    })
}

/// Requires the same program and instruction set; otherwise the result may differ.
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
                "{}: expected {what} {expected}, which the run began with, found {found}: the result could differ from the result of an uninterrupted run; to continue anyway: --allow-different-bits",
                shown.display()
            )));
        }
    }
    Ok(())
}

/// `config.toml` records what was done; changes in it would have no effect.
fn expect_settings(checkpoint: &CleaningCheckpoint<'_>, folder: &Folder) -> Result<(), Failure> {
    let path = folder.file(CONFIG);
    let config = std::fs::read_to_string(&path)
        .map_err(|source| bilevel_tasks::Error::Read { path, source })
        .map_err(Failure::usage)?;
    if config == checkpoint.origin.specification {
        return Ok(());
    }
    Err(Failure::usage(anyhow!(
        "{}: expected the settings that the run began with, found changed ones; other settings need a new run",
        folder.shown().join(CONFIG).display()
    )))
}
