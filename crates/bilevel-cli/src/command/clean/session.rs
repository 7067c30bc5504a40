//! A run under way: learning, then everything that is made of what was learned.

use std::time::Instant;

use anyhow::{Context, anyhow};
use bilevel::Key;
use bilevel::driver::Why;
use bilevel_tasks::cleaning::{
    Baseline, Cleaned, CleaningSettings, CleaningState, Results, baselines, kept, retrain,
};
use bilevel_tasks::train::{Classifier, Trainer};

use super::input::Source;
use super::record::{self, CHECKPOINT, Recorder, Watcher};
use super::result::{self, Baselines, CONFIG, CleanResult};
use super::task::Task;
use super::{gradient, hand_over, repeat_command, resume_command};
use crate::arguments::CleanArguments;
use crate::failure::Failure;
use crate::interrupt;
use crate::memory;
use crate::progress::{Progress, line};
use crate::report::{Facts, page, report};

/// A run under way: new, or continued.
pub(super) struct Session<'a> {
    pub(super) arguments: &'a CleanArguments,
    pub(super) task: &'a Task,
    pub(super) recorder: Recorder<'a>,
    pub(super) state: CleaningState<f32>,
    /// Why no outer step is left, where none is.
    pub(super) ended: Option<Why>,
}

impl Session<'_> {
    /// To its end.
    pub(super) fn go(mut self) -> Result<(), Failure> {
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
        let (task, optimizer) = (self.task, self.task.optimizer.build());
        interrupt::wait_for_step(true);
        let mut watch = Watcher {
            recorder: &mut self.recorder,
            progress,
        };
        let method = task.method.build::<f32>(task.cleaning.problem());
        let ran = task
            .cleaning
            .run(&mut self.state, &*method, &*optimizer, task.key, &mut watch);
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
                remedy(what, self.task),
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
        let complaints = self.state.progress.complaints;
        drop(progress);
        if complaints > 0 && !common.quiet {
            line(&format!(
                "warning: {complaints} of {} hypergradients were less than the method promises; history.jsonl says why at each step",
                self.state.progress.observed
            ));
        }

        let metrics = cleaned.step.metrics.as_ref();
        let result = CleanResult {
            method: task.method.name(),
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
            adjoint: task
                .chosen
                .as_ref()
                .and(task.method.settings.adjoint.map(|a| a.to_string())),
            adjoint_reason: task.chosen.as_ref().map(|chosen| chosen.why.as_str()),
            input: &task.findings,
        };
        let document = crate::json(&result)?;
        folder.write("result.json", &document)?;
        let config = std::fs::read_to_string(folder.file(CONFIG))
            .context(CONFIG)
            .map_err(Failure::run)?;
        let facts = Facts {
            result: &result,
            scores: &scores,
            data: &task.data,
            scaling: task.scaling.as_deref(),
            history: &record::read_history(folder)?,
            config: &config,
            what: &Source::of(arguments).rows_text(),
            corrupted: task.corruption.map(|corruption| corruption.rate),
            kept_step: cleaned.step.step,
            why: cleaned.why,
            folder: folder.shown(),
            resume: self.ended.is_none().then_some(&resume),
            repeat: &repeat_command(&self.recorder.origin.command, common.seed),
        };
        folder.write("report.html", page(&facts)?)?;
        let text = report(&facts);
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
fn remedy(what: &str, task: &Task) -> String {
    let (step_size, weight_decay) = (task.method.settings.step_size, task.settings.weight_decay);
    match what {
        "the outer variable" => format!(
            "try a smaller rate than --outer-optimizer {}",
            task.optimizer
        ),
        "the gradient of a baseline" => "try features of a smaller scale".to_owned(),
        _ if weight_decay > 0.0 => format!(
            "try a smaller --step-size than {step_size} or a smaller --weight-decay than {weight_decay}"
        ),
        _ => format!("try a smaller --step-size than {step_size}"),
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
