//! `bilevel fewshot`: learns to learn from few pictures.

pub(super) mod adapt;
mod report;
mod session;
mod words;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use bilevel_tasks::checkpoint::{self, Origin};
use bilevel_tasks::fewshot::{
    FewshotCheckpoint, FewshotJob, FewshotRun, FewshotSpecification, FewshotState,
    LearningSpecification, PictureSpecification, TaskSpecification,
};

use super::clean::begin::current_folder;
use super::record::{CHECKPOINT, CONFIG, History, Recorder};
use super::shown::Shown;
use crate::advice::Writing;
use crate::arguments::{FewshotArguments, FewshotVerb};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::progress::line;
use session::Session;

/// The name of the job in files.
pub(crate) const FEWSHOT: &str = "fewshot";

pub(crate) fn run(arguments: &FewshotArguments) -> Result<(), Failure> {
    if let Some(FewshotVerb::Adapt(arguments)) = &arguments.verb {
        return adapt::run(arguments);
    }
    let common = &arguments.common;
    let shown = Shown {
        writing: Writing::Options,
        json: common.json,
        quiet: common.quiet,
    };
    begin(&specification(arguments), common.out.as_deref(), shown)
}

/// The job that the options describe.
fn specification(a: &FewshotArguments) -> FewshotSpecification {
    FewshotSpecification {
        seed: a.common.seed,
        data: PictureSpecification {
            files: a.data.clone(),
            test: a.test.clone(),
            image_size: a.image_size,
            rotations: a.rotations,
            split_by: a.split_by,
            train_classes: a.train_classes,
            validation_classes: a.validation_classes,
            test_classes: a.test_classes,
        },
        tasks: TaskSpecification {
            way: a.way,
            shot: a.shot,
            query: a.query,
        },
        learning: LearningSpecification {
            algorithm: a.algorithm,
            network: a.network,
            learn_step_sizes: a.learn_step_sizes,
            raw_features: a.raw_features,
            weights: a.weights.clone(),
        },
        method: a.method.0.clone(),
        run: FewshotRun {
            outer_steps: a.outer_steps,
            meta_batch: a.meta_batch,
            outer_optimizer: a.outer_optimizer,
            outer_schedule: a.outer_schedule,
            validate_every: a.validate_every,
            validation_tasks: a.validation_tasks,
            test_tasks: a.test_tasks,
            time_limit: a.time_limit,
            threads: a.common.threads,
        },
        ..FewshotSpecification::default()
    }
}

/// The folder in which decoded pictures are kept: `BILEVEL_CACHE`, or the usual one of this user; none if it is empty.
pub(super) fn cache() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BILEVEL_CACHE") {
        return (!folder.is_empty()).then(|| folder.into());
    }
    let usual = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let usual = usual.filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    usual.or_else(home).map(|folder| folder.join("bilevel"))
}

/// Runs a job in a new folder.
pub(crate) fn begin(
    given: &FewshotSpecification,
    out: Option<&Path>,
    shown: Shown,
) -> Result<(), Failure> {
    Folder::expect_new(out)?;
    let threads = rayon::current_num_threads();
    let job = FewshotJob::new(given, threads, cache()).map_err(Failure::usage)?;
    if !shown.quiet {
        job.notes.iter().for_each(|note| line(note));
        line(&words::what(&job));
    }
    let mut specification = job.specification.clone().from_folder(&current_folder()?);
    specification.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let config = specification.to_toml().map_err(Failure::usage)?;
    let origin = Origin {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        instruction_set: checkpoint::instruction_set(),
        specification: config.clone(),
        data: job.fingerprint(),
    };
    let state = job.start();
    let (folder, history) = Folder::create(out, FEWSHOT, |folder| {
        folder.write(CONFIG, &config)?;
        let history = History::create(folder)?;
        let checkpoint = FewshotCheckpoint {
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
        shown,
        job: &job,
        recorder: Recorder::new(&folder, &origin, history, 0),
        state,
        ended: None,
        printed: None,
    }
    .go()
}

/// A run to continue.
pub(crate) struct Resume<'a> {
    pub(crate) specification: &'a FewshotSpecification,
    pub(crate) checkpoint: FewshotCheckpoint<'static>,
    pub(crate) folder: &'a Folder,
    /// Measured from now.
    pub(crate) time_limit: Option<Duration>,
    pub(crate) shown: Shown,
}

/// Continues a run from its checkpoint.
pub(crate) fn resume(given: Resume<'_>) -> Result<(), Failure> {
    let checkpoint = given.checkpoint;
    let threads = rayon::current_num_threads();
    let mut job = FewshotJob::new(given.specification, threads, cache()).map_err(Failure::usage)?;
    let origin = checkpoint.origin.into_owned();
    if origin.data != job.fingerprint() {
        return Err(Failure::usage(anyhow!(
            "{}: expected the pictures that the run began with, found different ones: files, classes or pixels have changed",
            given.folder.shown().display()
        )));
    }
    let state = FewshotState {
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
    }
    .go()
}
