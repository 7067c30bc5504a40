//! Starts a run, new or continued.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::{
    CleaningCheckpoint, CleaningJob, CleaningSpecification, CleaningState, Origin, scaling_csv,
};
use bilevel_tasks::machine;
use indicatif::HumanDuration;

use super::super::record::{CHECKPOINT, CONFIG, History, Recorder};
use super::super::shown::Shown;
use super::session::Session;
use crate::advice::with_settings;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::progress::line;
use crate::visible::short;

/// The longest warning that is shown whole.
const LONGEST_WARNING: usize = 1000;

/// A run to start.
pub(crate) struct Begin<'a> {
    pub(crate) specification: &'a CleaningSpecification,
    pub(crate) out: Option<&'a Path>,
    pub(crate) shown: Shown,
    /// Whether it may take very long.
    pub(crate) force: bool,
}

/// Runs a job in a new folder.
pub(crate) fn begin(given: &Begin<'_>) -> Result<(), Failure> {
    Folder::expect_new(given.out)?;
    for (key, file) in given.specification.output.new_files() {
        if file.symlink_metadata().is_ok() {
            let key = given.shown.writing.spell(key);
            return Err(Failure::usage(anyhow!(
                "{key} {}: expected a file that does not exist yet, found one that does; choose another name",
                file.display()
            )));
        }
    }
    let job = CleaningJob::new(given.specification, rayon::current_num_threads())
        .map_err(Failure::usage)?;
    if !given.force {
        job.expect_short().map_err(Failure::usage)?;
    }
    if !given.shown.quiet {
        let (warnings, more) = job.findings.shown();
        for warning in warnings {
            let message = with_settings(&warning.message, given.shown.writing);
            line(&format!("warning: {}", short(&message, LONGEST_WARNING)));
        }
        for (kind, more) in more {
            line(&format!(
                "warning: {more} more of this kind, {kind}: result.json has all"
            ));
        }
        notes(&job).iter().for_each(|note| line(note));
        predicted(&job)?.iter().for_each(|time| line(time));
    }
    let config = config(&job)?;
    let origin = Origin {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        instruction_set: checkpoint::instruction_set(),
        specification: config.clone(),
        data: job.data.fingerprint(),
    };
    let state = job.start();
    let (folder, history) = Folder::create(given.out, "clean", |folder| {
        folder.write(CONFIG, &config)?;
        if let Some(scaling) = &job.scaling {
            folder.write("scaling.csv", scaling_csv(scaling).map_err(Failure::run)?)?;
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
        shown: given.shown,
        job: &job,
        recorder: Recorder::new(&folder, &origin, history, 0),
        state,
        ended: None,
        printed: None,
        resumed: false,
    }
    .go()
}

/// What is expected before the first step, where it is long enough to matter.
fn predicted(job: &CleaningJob) -> Result<Vec<String>, Failure> {
    /// Shorter times are over before they are read.
    const LEAST: Duration = Duration::from_secs(10);
    let time = job.predicted_time().map_err(Failure::usage)?;
    let memory = machine::resident_memory();
    let learning = time.filter(|time| *time >= LEAST).map(|time| {
        let memory = memory.map_or_else(String::new, |bytes| {
            format!("; the rows take {} MB", bytes / 1_000_000)
        });
        format!(
            "learning the weights takes at most about {:#}{memory}",
            HumanDuration(time)
        )
    });
    let detectors = job.detectors_time().map_err(Failure::usage)?;
    let detectors = detectors.filter(|time| *time >= LEAST).map(|time| {
        format!(
            "the detectors take at most about {:#}: each of them trains {} many times; --time-limit ends them sooner",
            HumanDuration(time),
            job.settings.model
        )
    });
    Ok(learning.into_iter().chain(detectors).collect())
}

/// The text of `config.toml`: every value, with absolute paths, so that the file means the same wherever it is read.
fn config(job: &CleaningJob) -> Result<String, Failure> {
    let here = current_folder()?;
    // A pipe is gone when the run has ended; what was in it can be given as standard input.
    let specification = job.specification.clone().with_pipes_as_standard_input();
    let mut specification = specification.from_folder(&here);
    specification.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let text = specification.to_toml().map_err(Failure::usage)?;
    let notes: Vec<String> = notes(job)
        .iter()
        .map(|note| format!("# {note}\n"))
        .collect();
    Ok(format!("{}{text}", notes.concat()))
}

/// What was chosen for this data and this machine.
fn notes(job: &CleaningJob) -> Vec<String> {
    let Some(learning) = &job.learning else {
        return Vec::new();
    };
    let notes = [
        learning.measured.map(|measured| measured.to_string()),
        learning.batch.map(|batch| {
            format!(
                "an inner step sees {batch} of the {} rows: with all of them, learning weights would take very long",
                job.data.train().rows()
            )
        }),
        learning.chosen.as_ref().map(|chosen| chosen.why.clone()),
    ];
    notes.into_iter().flatten().collect()
}

/// The folder in which the program was started.
pub(crate) fn current_folder() -> Result<std::path::PathBuf, Failure> {
    std::env::current_dir()
        .context("the current folder cannot be read")
        .map_err(Failure::usage)
}

/// A run to continue.
pub(crate) struct Resume<'a> {
    pub(crate) specification: &'a CleaningSpecification,
    pub(crate) checkpoint: CleaningCheckpoint<'static>,
    pub(crate) folder: &'a Folder,
    /// Measured from now.
    pub(crate) time_limit: Option<Duration>,
    pub(crate) shown: Shown,
}

/// Continues a run from its checkpoint.
pub(crate) fn resume(given: Resume<'_>) -> Result<(), Failure> {
    let checkpoint = given.checkpoint;
    // The derivative was chosen when the run began, from predictions for the threads of that time.
    let mut specification = given.specification.clone();
    specification.run.memory_budget = None;
    let mut job =
        CleaningJob::new(&specification, rayon::current_num_threads()).map_err(Failure::usage)?;
    let origin = checkpoint.origin.into_owned();
    if origin.data != job.data.fingerprint() {
        return Err(Failure::usage(anyhow!(
            "{}: expected the data that the run began with, found different data: rows, labels or features have changed",
            given.folder.shown().display()
        )));
    }
    if let Some(key) = job.specification.differs_from(&specification) {
        return Err(Failure::usage(anyhow!(
            "{}: this program interprets {key} differently from the program that began the run",
            given.folder.shown().join(CONFIG).display()
        )));
    }
    let state = CleaningState {
        run: checkpoint.run.into_owned(),
        progress: checkpoint.progress.into_owned(),
    };
    job.expect_state(&state).map_err(Failure::usage)?;
    if given.time_limit.is_some() {
        job.limit_time(given.time_limit);
    }
    let history = History::reopen(given.folder, checkpoint.history_bytes)?;
    Session {
        shown: given.shown,
        job: &job,
        recorder: Recorder::new(given.folder, &origin, history, state.run.outer_step),
        state,
        ended: checkpoint.ended,
        printed: checkpoint.results.map(Cow::into_owned),
        resumed: true,
    }
    .go()
}
