//! `bilevel clean`: finds wrong labels.

pub(crate) mod findings;
mod gradient;
mod input;
mod record;
pub(crate) mod result;
mod task;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow};
use bilevel::Key;
use bilevel::driver::Why;
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::{
    Baseline, Cleaned, CleaningCheckpoint, CleaningSettings, CleaningState, Origin, Results,
    baselines, kept, retrain,
};
use bilevel_tasks::train::{Classifier, Trainer};

use crate::arguments::CleanArguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::interrupt;
use crate::memory;
use crate::progress::{Progress, line};
use crate::report::{Facts, report};
use input::Source;
pub(crate) use record::CHECKPOINT;
use record::{History, Recorder, Watcher};
use result::{Baselines, CleanResult};
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
    let origin = origin(&task, &config)?;
    let state = task.cleaning.start(&*arguments.outer_optimizer.build());
    let (folder, history) = Folder::create(common.out.as_deref(), "clean", |folder| {
        folder.write("config.toml", &config)?;
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
    result::expect_config(&folder.file("config.toml"), arguments, &task)?;
    let state = CleaningState {
        run: checkpoint.run.into_owned(),
        progress: checkpoint.progress.into_owned(),
    };
    task.cleaning
        .expect_state(&state, &*arguments.outer_optimizer.build())
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

/// A run under way: new, or continued.
struct Session<'a> {
    arguments: &'a CleanArguments,
    task: &'a Task,
    recorder: Recorder<'a>,
    state: CleaningState<f32>,
    /// Why no outer step is left, where none is.
    ended: Option<Why>,
}

impl Session<'_> {
    fn go(mut self) -> Result<(), Failure> {
        let folder = self.recorder.folder.shown().to_owned();
        let quiet = self.arguments.common.quiet;
        interrupt::handle(quiet, format!("to go on: {}", resume_command(&folder)))?;
        self.finish().map_err(|failure| {
            if failure.code == interrupt::EXIT_CODE {
                return failure;
            }
            Failure::run(anyhow!(
                "the run failed; what it had computed is in {}: {failure}; {}",
                folder.display(),
                self.advice(&failure)
            ))
        })
    }

    /// Learns the weights; every outer step is written down as it comes.
    fn learn(&mut self, progress: &mut Progress) -> Result<Why, Failure> {
        if let Some(why) = self.ended {
            return Ok(why);
        }
        let (task, optimizer) = (self.task, self.arguments.outer_optimizer.build());
        interrupt::wait_for_step(true);
        let mut watch = Watcher {
            recorder: &mut self.recorder,
            progress,
        };
        let method = task.method.build();
        let ran = task
            .cleaning
            .run(&mut self.state, &method, &*optimizer, task.key, &mut watch);
        interrupt::wait_for_step(false);
        let (run, progress) = (&self.state.run, &self.state.progress);
        match ran {
            Ok(why) => {
                self.ended = ends(why).then_some(why);
                self.recorder
                    .save(run, progress, self.ended, None)
                    .map_err(Failure::run)?;
                Ok(why)
            }
            Err(error) => {
                // What was saved before remains where this fails too.
                let _ = self.recorder.save(run, progress, None, None);
                Err(Failure::run(error))
            }
        }
    }

    /// What can be done about what stopped the run.
    fn advice(&self, failure: &Failure) -> String {
        use bilevel_tasks::Error::Method;
        let folder = self.recorder.folder.shown();
        match failure.error.downcast_ref() {
            Some(Method(bilevel::Error::NonFinite { what, .. })) => format!(
                "{}; the last good state, before outer step {}, is kept in {}",
                remedy(what, self.arguments),
                self.recorder.saved_step,
                folder.join(CHECKPOINT).display()
            ),
            _ => format!(
                "when that is mended, this goes on from outer step {}: {}",
                self.recorder.saved_step,
                resume_command(folder)
            ),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let (arguments, task) = (self.arguments, self.task);
        let common = &arguments.common;
        let total = task.settings.outer_steps;
        let mut progress = Progress::new(common.quiet, total);
        let why = self.learn(&mut progress)?;
        let folder = self.recorder.folder;
        let resume = resume_command(folder.shown());
        if why == Why::Interrupted {
            return Err(Failure {
                error: anyhow!("interrupted; to go on: {resume}"),
                code: interrupt::EXIT_CODE,
            });
        }
        let cleaned = Cleaned::new(&self.state, why).map_err(Failure::run)?;
        let begin = Instant::now();

        progress.say("training on the rows that are kept");
        let trainer = trainer(&task.settings, task.key);
        let retrained: Classifier<f32> =
            retrain(&task.data, &kept(&cleaned.weights), &trainer, task.key)
                .map_err(Failure::run)?;
        let seconds = (self.state.run.elapsed + begin.elapsed()).as_secs_f64();
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
        let gradient_check = gradient::check(arguments, task);
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
            folder: folder.shown(),
            resume: self.ended.is_none().then_some(&resume),
            repeat: &repeat_command(&self.recorder.origin.command, common.seed),
        });
        let results = Results { text, document };
        if let Some(why) = self.ended {
            let (run, progress) = (&self.state.run, &self.state.progress);
            self.recorder
                .save(run, progress, Some(why), Some(&results))
                .map_err(Failure::run)?;
        }
        hand_over(&results, common.json, common.quiet)
    }
}

/// Whether nothing is left to be done after that; a run that was stopped by hand or by the clock
/// can go on.
fn ends(why: Why) -> bool {
    !matches!(why, Why::TimeLimit | Why::Interrupted)
}

/// What to try where a number is no longer finite.
fn remedy(what: &str, arguments: &CleanArguments) -> String {
    let method = &arguments.method;
    match what {
        "the outer variable" => format!(
            "try a smaller rate than --outer-optimizer {}",
            arguments.outer_optimizer
        ),
        "the gradient of a baseline" => "try features of a smaller scale".to_owned(),
        _ if method.weight_decay > 0.0 => format!(
            "try a smaller --step-size than {} or a smaller --weight-decay than {}",
            method.step_size, method.weight_decay
        ),
        _ => format!("try a smaller --step-size than {}", method.step_size),
    }
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
