//! How far the work is: a bar on a terminal, plain lines in a pipe, always on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use bilevel_tasks::cleaning::OuterStep;
use indicatif::{ProgressBar, ProgressStyle};

const PAUSE: Duration = Duration::from_secs(5);

pub(crate) enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines { total: usize, last: Instant },
}

impl Progress {
    /// For `total` outer steps.
    pub(crate) fn new(quiet: bool, total: usize) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            let template = "{msg} {bar:30} {pos}/{len}, {eta} left";
            let bar = ProgressBar::new(total as u64).with_message("learning weights");
            Self::Bar(match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            })
        } else {
            let last = Instant::now();
            Self::Lines { total, last }
        }
    }

    /// An outer step is done.
    pub(crate) fn step(&mut self, step: &OuterStep) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(step.step as u64),
            Self::Lines { total, last } => {
                if step.step == 0 || step.step == *total || last.elapsed() >= PAUSE {
                    *last = Instant::now();
                    line(&format!(
                        "outer step {} of at most {total}, {:.1} s: loss on trusted rows {:.4}",
                        step.step, step.seconds, step.f
                    ));
                }
            }
        }
    }

    /// What is done after the outer steps.
    pub(crate) fn say(&mut self, what: &str) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.finish_and_clear();
                let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
                spinner.enable_steady_tick(Duration::from_millis(100));
                *bar = spinner;
            }
            Self::Lines { .. } => line(what),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A line on standard error; there is nobody to tell when that fails.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
