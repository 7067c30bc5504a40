//! A run in progress: learns the weights, then writes the results.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use bilevel::driver::Why;
use bilevel_tasks::cleaning::{
    CleaningJob, CleaningOutcome, CleaningState, LeftOut, Results, Score, Stage, WhyLeftOut,
    scores_csv,
};

use super::super::record::{self, CHECKPOINT, CONFIG, Files, Recorder, ends};
use super::super::shown::{Shown, command, hand_over};
use super::watcher::Watcher;
use crate::advice::after_divergence;
use crate::failure::Failure;
use crate::interrupt;
use crate::memory;
use crate::progress::{Progress, line};
use crate::report::{Facts, page, report};

/// A run in progress, new or continued.
pub(super) struct Session<'a> {
    pub(super) shown: Shown,
    pub(super) job: &'a CleaningJob,
    pub(super) recorder: Recorder<'a>,
    pub(super) state: CleaningState<f32>,
    /// Why no outer step is left, if none is left.
    pub(super) ended: Option<Why>,
    /// What was printed, where only files are restored.
    pub(super) printed: Option<Results>,
    /// Whether it was begun by another process, which may have written files outside the folder.
    pub(super) resumed: bool,
}

/// What came of learning the weights.
enum Learned {
    /// The run ended for this reason.
    Ended(Why),
    /// It diverged, but others judge the labels.
    Diverged,
}

impl Session<'_> {
    /// Runs to the end.
    pub(super) fn go(mut self) -> Result<(), Failure> {
        let folder = self.recorder.folder.shown().to_owned();
        let quiet = self.shown.quiet;
        interrupt::handle(
            quiet,
            format!("to continue: {}", command("resume", &folder)),
        )?;
        self.finish().map_err(|failure| {
            if failure.code == interrupt::EXIT_CODE {
                return failure;
            }
            let failure = failure.written(self.shown.writing);
            Failure::run(anyhow!(
                "the run failed; what it had computed is in {}: {failure}; {}",
                folder.display(),
                self.advice(&failure)
            ))
        })
    }

    /// Learns the weights and records every outer step as soon as it is done.
    fn learn(&mut self, progress: &mut Progress) -> Result<Learned, Failure> {
        if let Some(why) = self.ended {
            return Ok(Learned::Ended(why));
        }
        let Some(learning) = &self.job.learning else {
            // There are no steps.
            self.ended = Some(Why::LastStep);
            return Ok(Learned::Ended(Why::LastStep));
        };
        interrupt::wait_for_step(true);
        let mut watch = Watcher {
            recorder: &mut self.recorder,
            progress,
        };
        let ran = self.job.run(&mut self.state, &mut watch);
        interrupt::wait_for_step(false);
        let shown = progress;
        let (run, progress) = (&self.state.run, &self.state.progress);
        match ran {
            Ok(why) => {
                self.ended = ends(why).then_some(why);
                self.recorder
                    .save(run, progress, self.ended, None)
                    .map_err(Failure::run)?;
                Ok(Learned::Ended(why))
            }
            Err(error) => {
                // If this fails too, the previous checkpoint remains.
                let _ = self.recorder.save(run, progress, None, None);
                let failure = Failure::run(error).written(self.shown.writing);
                let advice = self.divergence(&failure);
                match advice.filter(|_| learning.may_be_left_out()) {
                    Some(advice) => {
                        shown.warn(&format!(
                            "the learned weights are left out: {failure}; {advice}"
                        ));
                        self.ended = Some(Why::LastStep);
                        Ok(Learned::Diverged)
                    }
                    None => Err(failure),
                }
            }
        }
    }

    /// Advice if the run diverged.
    fn divergence(&self, failure: &Failure) -> Option<String> {
        let error = failure.error.downcast_ref()?;
        after_divergence(error, self.job, self.shown.writing)
    }

    /// Advice for the error that stopped the run.
    fn advice(&self, failure: &Failure) -> String {
        let folder = self.recorder.folder.shown();
        match self.divergence(failure) {
            Some(advice) => format!(
                "{advice}; the last good state, before outer step {}, is kept in {}",
                self.recorder.saved_step,
                folder.join(CHECKPOINT).display()
            ),
            None => format!(
                "after fixing this, continue from outer step {}: {}",
                self.recorder.saved_step,
                command("resume", folder)
            ),
        }
    }

    /// Writes the cleaned rows, if that is asked for and was not done by an earlier process.
    fn write_cleaned(&self, scores: &[Score]) -> Result<Vec<PathBuf>, Failure> {
        let asked = self.job.specification.output.write_cleaned.iter();
        let there: Vec<PathBuf> = asked.filter(|path| path.exists()).cloned().collect();
        if self.resumed && !there.is_empty() {
            return Ok(there);
        }
        self.job.write_cleaned(scores).map_err(Failure::run)
    }

    /// Writes the model, if that is asked for.
    fn save_model(&self, outcome: &CleaningOutcome) -> Result<(), Failure> {
        let Some(path) = &self.job.specification.output.save_model else {
            return Ok(());
        };
        let model = outcome
            .parameters
            .as_ref()
            .and_then(|parameters| self.job.saved_model(parameters));
        match model {
            Some(model) => model.write(path).map_err(Failure::run),
            None => {
                line(&format!(
                    "warning: {}: there was no time to train the model",
                    path.display()
                ));
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let (shown, job) = (self.shown, self.job);
        let total = job.settings.outer_steps;
        let mut progress = Progress::new(shown.quiet, "learning weights", total);
        let learned = self.learn(&mut progress)?;
        let folder = self.recorder.folder;
        let resume = command("resume", folder.shown());
        // What diverged is as if it had not been begun.
        let nothing;
        let (state, why) = match learned {
            Learned::Ended(Why::Interrupted) => {
                let error = anyhow!("interrupted; to continue: {resume}");
                return Err(Failure::new(error, interrupt::EXIT_CODE));
            }
            Learned::Ended(why) => (&self.state, why),
            Learned::Diverged => {
                nothing = job.start();
                (&nothing, Why::LastStep)
            }
        };
        let mut outcome = job
            .outcome(state, why, &mut |stage| {
                progress.say(&match stage {
                    Stage::Retraining => "training on the kept rows".to_owned(),
                    Stage::Baselines => "comparing with simple baselines".to_owned(),
                    Stage::Detector(name) => format!("detector {name}"),
                    Stage::Choosing => "choosing between the detectors".to_owned(),
                    Stage::Checking => "checking the hypergradient".to_owned(),
                });
            })
            .map_err(Failure::run)?;
        let complaints = self.state.progress.complaints;
        drop(progress);
        if complaints > 0 && !shown.quiet {
            line(&format!(
                "warning: {complaints} of {} hypergradients fell short of what the method promises; history.jsonl gives the reason for each step",
                self.state.progress.observed
            ));
        }
        let cut = |left: &LeftOut| left.why == WhyLeftOut::TimeLimit;
        if outcome.result.left_out.iter().any(cut) {
            self.ended = None;
        }
        outcome.result.peak_memory_mb = memory::peak_mb();
        let mut files = Files {
            folder,
            written: Vec::new(),
        };
        let scores = scores_csv(&outcome.scores, &outcome.suggestions).map_err(Failure::run)?;
        files.write("scores.csv", scores)?;
        let document = match &self.printed {
            Some(printed) => printed.document.clone(),
            None => crate::output::json(&outcome.result)?,
        };
        files.write("result.json", &document)?;
        let config = std::fs::read_to_string(folder.file(CONFIG))
            .context(CONFIG)
            .map_err(Failure::run)?;
        let facts = Facts {
            result: &outcome.result,
            scores: &outcome.scores,
            data: &job.data,
            scaling: job.scaling.as_deref(),
            history: &record::read_history(folder)?,
            config: &config,
            what: &job.rows_text,
            corrupted: job.corruption.map(|corruption| corruption.rate),
            kept_step: outcome.kept_step,
            why: outcome.why,
            folder: folder.shown(),
            resume: self.ended.is_none().then_some(&resume),
            repeat: &command("run", &folder.shown().join(CONFIG)),
        };
        files.write("report.html", page(&facts)?)?;
        // This reads the user's file again, which may fail: all else is there.
        let review = job.review_csv(&outcome.scores).map_err(Failure::run)?;
        files.write("review.csv", review)?;
        self.save_model(&outcome)?;
        let cleaned = self.write_cleaned(&outcome.scores)?;
        let text = match &self.printed {
            Some(printed) => printed.text.clone(),
            None => report(&facts, &cleaned),
        };
        let results = Results {
            text,
            document,
            not_to_be_trusted: outcome.result.not_to_be_trusted.clone(),
            files: files.written,
        };
        if let Some(why) = self.ended {
            let (run, progress) = (&self.state.run, &self.state.progress);
            self.recorder
                .save(run, progress, Some(why), Some(&results))
                .map_err(Failure::run)?;
        }
        hand_over(&results, shown)
    }
}
