//! `bilevel resume`: continues a run.

use std::path::Path;

use anyhow::anyhow;
use bilevel_tasks::checkpoint::{self, JobCheckpoint};
use bilevel_tasks::cleaning::CleaningSpecification;
use bilevel_tasks::fewshot::FewshotSpecification;
use bilevel_tasks::specification::{SpecificationProblem, job_of};
use serde::de::DeserializeOwned;

use super::clean::begin::{Resume, current_folder, resume};
use super::fewshot::{self, FEWSHOT};
use super::record::{CHECKPOINT, CONFIG};
use super::shown::{Shown, hand_over};
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
    let printed = Shown {
        writing: Writing::File,
        json: options.json,
        quiet: options.quiet,
    };
    // If the file is missing or changed, that is said once the checkpoint is read.
    let config = std::fs::read_to_string(folder.file(CONFIG)).unwrap_or_default();
    if job_of(&config).as_deref() == Some(FEWSHOT) {
        let Some(checkpoint) = unfinished(options, &folder, &path, printed)? else {
            return Ok(());
        };
        let specification = FewshotSpecification::from_toml(&checkpoint.origin.specification);
        let specification = specification.map_err(|problem| wrong(shown, problem))?;
        let mut specification = specification.seen_from(&current_folder()?);
        specification.run.threads = options.threads.or(specification.run.threads);
        use_threads(specification.run.threads)?;
        return fewshot::resume(fewshot::Resume {
            specification: &specification,
            checkpoint,
            folder: &folder,
            time_limit: options.time_limit.map(|limit| limit.0),
            shown: printed,
        });
    }
    let Some(checkpoint) = unfinished(options, &folder, &path, printed)? else {
        return Ok(());
    };
    let specification = CleaningSpecification::from_toml(&checkpoint.origin.specification);
    let specification = specification.map_err(|problem| wrong(shown, problem))?;
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

fn wrong(shown: &Path, problem: SpecificationProblem) -> Failure {
    Failure::usage(bilevel_tasks::Error::Specification {
        path: shown.join(CONFIG),
        problem,
    })
}

/// The checkpoint of a run that is to be continued; None if it was finished, and its results are printed.
fn unfinished<P: Clone + DeserializeOwned>(
    options: &ResumeArguments,
    folder: &Folder,
    path: &Path,
    printed: Shown,
) -> Result<Option<JobCheckpoint<'static, P>>, Failure> {
    let shown = &options.folder;
    // Errors name the path as the user typed it.
    let checkpoint: JobCheckpoint<'static, P> =
        checkpoint::read(&shown.join(CHECKPOINT)).map_err(Failure::usage)?;
    if let Some(results) = &checkpoint.results {
        match results.damaged(path) {
            None => {
                if !options.quiet {
                    line(&format!("finished; its files are in {}", shown.display()));
                }
                hand_over(results, printed)?;
                return Ok(None);
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
    expect_settings(&checkpoint, folder)?;
    Ok(Some(checkpoint))
}

/// Requires the same program and instruction set; otherwise the result may differ.
fn expect_same_bits<P: Clone>(
    checkpoint: &JobCheckpoint<'_, P>,
    shown: &Path,
) -> Result<(), Failure> {
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
fn expect_settings<P: Clone>(
    checkpoint: &JobCheckpoint<'_, P>,
    folder: &Folder,
) -> Result<(), Failure> {
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
