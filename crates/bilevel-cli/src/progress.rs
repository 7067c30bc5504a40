//! How far the work is: a bar on a terminal, plain lines in a pipe, always on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use bilevel_tasks::cleaning::OuterStep;
use indicatif::{ProgressBar, ProgressStyle};

const PAUSE: Duration = Duration::from_secs(5);

pub(crate) enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines {
        total: usize,
        last: Instant,
        start: Option<(usize, Instant)>,
    },
}

impl Progress {
    /// For `total` outer steps, of which `done` are done already.
    pub(crate) fn new(quiet: bool, total: usize, done: usize) -> Self {
        if quiet {
            Self::Quiet
        } else if std::io::stderr().is_terminal() {
            let template = "{msg} {bar:30} {pos}/{len}, {eta} left";
            let bar = ProgressBar::new(total as u64)
                .with_message("learning weights")
                .with_position(done as u64);
            // Time left is told from the steps of this process alone.
            bar.reset_eta();
            Self::Bar(match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            })
        } else {
            Self::Lines {
                total,
                last: Instant::now(),
                start: None,
            }
        }
    }

    /// An outer step is done.
    pub(crate) fn step(&mut self, step: &OuterStep) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.set_position(step.step as u64),
            Self::Lines { total, last, start } => {
                let (first, begin) = *start.get_or_insert((step.step, Instant::now()));
                if step.step == first || step.step == *total || last.elapsed() >= PAUSE {
                    *last = Instant::now();
                    let left = time_left(begin.elapsed(), step.step - first, *total - step.step);
                    line(&format!(
                        "outer step {} of at most {total}, {:.1} s: loss on trusted rows {:.4}{left}",
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

/// ", at most 12 s left", where steps were made and are left.
fn time_left(spent: Duration, made: usize, left: usize) -> String {
    if made == 0 || left == 0 {
        return String::new();
    }
    let seconds = spent.as_secs_f64() / made as f64 * left as f64;
    format!(", at most {seconds:.0} s left at this pace")
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
