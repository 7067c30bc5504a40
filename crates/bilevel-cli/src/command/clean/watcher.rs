//! What is done at each outer step of a cleaning run.

use bilevel::RunState;
use bilevel::driver::Why;
use bilevel_tasks::Error;
use bilevel_tasks::cleaning::{self, HistoryLine, OuterStep, Watch};

use super::super::record::Recorder;
use crate::interrupt;
use crate::progress::Progress;

/// Records each outer step and shows the progress.
pub(super) struct Watcher<'r, 'a> {
    pub(super) recorder: &'r mut Recorder<'a>,
    pub(super) progress: &'r mut Progress,
}

impl Watch<f32> for Watcher<'_, '_> {
    fn step(&mut self, step: &OuterStep) -> Result<Option<Why>, Error> {
        // Only names and numbers: this cannot fail.
        let line = serde_json::to_string(&HistoryLine::from(step)).unwrap_or_default();
        self.recorder.history.append(line)?;
        self.progress.step(step.step, || {
            format!("{:.1} s: loss on trusted rows {:.4}", step.seconds, step.f)
        });
        if let Some(complaint) = &step.complaint {
            self.progress
                .warn_once(&format!("outer step {}: {complaint}", step.step));
        }
        Ok(interrupt::requested().then_some(Why::Interrupted))
    }

    fn updated(
        &mut self,
        run: &RunState<f32>,
        progress: &cleaning::Progress<f32>,
    ) -> Result<(), Error> {
        self.recorder.save_in_passing(run, progress)
    }
}
