//! A few-shot run in progress: learns x, then writes the results.

use anyhow::{Context, anyhow};
use bilevel::RunState;
use bilevel::driver::Why;
use bilevel_tasks::Error;
use bilevel_tasks::checkpoint::Results;
use bilevel_tasks::fewshot::{
    BestX, FewshotJob, FewshotProgress, FewshotStage, FewshotState, FewshotStep, FewshotWatch,
};

use super::super::record::{self, CHECKPOINT, CONFIG, Files, Recorder, ends};
use super::super::shown::{Shown, command, command_of, hand_over};
use super::report::page;
use super::words::{Facts, report};
use crate::failure::Failure;
use crate::interrupt;
use crate::memory;
use crate::progress::Progress;

/// The name of the weights in the folder of a run.
const WEIGHTS: &str = "weights.safetensors";

/// A run in progress, new or continued.
pub(super) struct Session<'a> {
    pub(super) shown: Shown,
    pub(super) job: &'a FewshotJob,
    pub(super) recorder: Recorder<'a>,
    pub(super) state: FewshotState,
    /// Why no outer step is left, if none is left.
    pub(super) ended: Option<Why>,
    /// What was printed, where only files are restored.
    pub(super) printed: Option<Results>,
}

struct Watcher<'r, 'a> {
    recorder: &'r mut Recorder<'a>,
    progress: &'r mut Progress,
}

impl FewshotWatch for Watcher<'_, '_> {
    fn step(&mut self, step: &FewshotStep, best: Option<&BestX>) -> Result<Option<Why>, Error> {
        // Only names and numbers: this cannot fail.
        let line = serde_json::to_string(step).unwrap_or_default();
        self.recorder.history.append(line)?;
        self.progress.step(step.step, || {
            let best = best.map_or_else(String::new, |best| {
                let percent = 100.0 * best.accuracy;
                format!(", best accuracy on validation tasks {percent:.1} %")
            });
            format!("{:.1} s: loss {:.4}{best}", step.seconds, step.f)
        });
        if let Some(complaint) = &step.complaint {
            self.progress
                .warn_once(&format!("outer step {}: {complaint}", step.step));
        }
        Ok(interrupt::requested().then_some(Why::Interrupted))
    }

    fn updated(&mut self, run: &RunState<f32>, progress: &FewshotProgress) -> Result<(), Error> {
        self.recorder.save_in_passing(run, progress)
    }
}

impl Session<'_> {
    /// Runs to the end.
    pub(super) fn go(mut self) -> Result<(), Failure> {
        let folder = self.recorder.folder.shown().to_owned();
        let resume = command("resume", &folder);
        interrupt::handle(self.shown.quiet, format!("to continue: {resume}"))?;
        self.finish().map_err(|failure| {
            if failure.code == interrupt::EXIT_CODE {
                return failure;
            }
            let failure = failure.written(self.shown.writing);
            let advice = match failure.error.downcast_ref::<Error>() {
                Some(Error::Method(bilevel::Error::NonFinite { .. })) => format!(
                    "try a smaller {}, or a smaller rate in {}; the last good state, before outer step {}, is kept in {}",
                    self.shown.writing.spell("step_size"),
                    self.shown.writing.spell("outer_optimizer"),
                    self.recorder.saved_step,
                    folder.join(CHECKPOINT).display()
                ),
                _ => format!(
                    "after fixing this, continue from outer step {}: {resume}",
                    self.recorder.saved_step
                ),
            };
            Failure::run(anyhow!(
                "the run failed; what it had computed is in {}: {failure}; {advice}",
                folder.display()
            ))
        })
    }

    /// Learns x and records every outer step as soon as it is done.
    fn learn(&mut self, progress: &mut Progress) -> Result<Why, Failure> {
        if let Some(why) = self.ended {
            return Ok(why);
        }
        interrupt::wait_for_step(true);
        let mut watch = Watcher {
            recorder: &mut self.recorder,
            progress,
        };
        let ran = self.job.run(&mut self.state, &mut watch);
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
                // If this fails too, the previous checkpoint remains.
                let _ = self.recorder.save(run, progress, None, None);
                Err(Failure::run(error))
            }
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let (shown, job) = (self.shown, self.job);
        let mut progress = Progress::new(shown.quiet, "learning", job.outer_steps());
        let why = self.learn(&mut progress)?;
        let folder = self.recorder.folder;
        let resume = command("resume", folder.shown());
        if why == Why::Interrupted {
            let error = anyhow!("interrupted; to continue: {resume}");
            return Err(Failure::new(error, interrupt::EXIT_CODE));
        }
        let mut outcome = job
            .outcome(&self.state, why, &mut |stage| {
                progress.say(match stage {
                    FewshotStage::Test => "test on tasks of new classes",
                    FewshotStage::Baselines => "comparing with simple baselines",
                    FewshotStage::Check => "checking the hypergradient",
                });
            })
            .map_err(Failure::run)?;
        drop(progress);
        outcome.result.peak_memory_mb = memory::peak_mb();
        let mut files = Files {
            folder,
            written: Vec::new(),
        };
        let document = match &self.printed {
            Some(printed) => printed.document.clone(),
            None => crate::output::json(&outcome.result)?,
        };
        files.write("result.json", &document)?;
        files.write(WEIGHTS, job.weights(&outcome.x).map_err(Failure::run)?)?;
        let config = std::fs::read_to_string(folder.file(CONFIG))
            .context(CONFIG)
            .map_err(Failure::run)?;
        let history: Vec<FewshotStep> = record::read_history(folder)?;
        let unfinished = self.ended.is_none().then_some(resume);
        let weights = folder.shown().join(WEIGHTS);
        let facts = Facts {
            result: &outcome.result,
            job,
            history: &history,
            config: &config,
            folder: folder.shown(),
            resume: unfinished.as_deref(),
            repeat: &command("run", &folder.shown().join(CONFIG)),
            adapt: &format!("{} FOLDER", command_of(&["fewshot", "adapt"], &weights)),
        };
        files.write("report.html", page(&facts)?)?;
        let text = match &self.printed {
            Some(printed) => printed.text.clone(),
            None => report(&facts),
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
