//! Progress: a bar on a terminal, plain lines in a pipe, always on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::visible::lines;

const PAUSE: Duration = Duration::from_secs(5);

/// Shows the outer steps and what is done after them.
pub(crate) struct Progress {
    form: Form,
    /// Maximum number of outer steps.
    total: usize,
    /// The first step that this process made, and when.
    first: Option<(usize, Instant)>,
    warned: bool,
}

enum Form {
    Quiet,
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    /// For `total` outer steps of this work.
    pub(crate) fn new(quiet: bool, work: &str, total: usize) -> Self {
        let form = if quiet {
            Form::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total as u64);
            let template = format!("{work} {{bar:30}} {{pos}}/{{len}}{{msg}}");
            Form::Bar(match ProgressStyle::with_template(&template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            })
        } else {
            let last = Instant::now();
            Form::Lines { last }
        };
        Self {
            form,
            total,
            first: None,
            warned: false,
        }
    }

    /// Shows a finished outer step, with what there is to say about it.
    pub(crate) fn step(&mut self, step: usize, about: impl FnOnce() -> String) {
        let (first, begin) = *self.first.get_or_insert((step, Instant::now()));
        let total = self.total;
        let left = time_left(begin.elapsed(), step - first, total - step);
        match &mut self.form {
            Form::Quiet => {}
            Form::Bar(bar) => {
                bar.set_position(step as u64);
                bar.set_message(left);
            }
            Form::Lines { last } => {
                if step == first || step == total || last.elapsed() >= PAUSE {
                    *last = Instant::now();
                    line(&format!(
                        "outer step {step} of at most {total}, {}{left}",
                        about()
                    ));
                }
            }
        }
    }

    /// Prints a warning the first time; the number of occurrences is printed at the end of the run.
    pub(crate) fn warn_once(&mut self, what: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            self.warn(what);
        }
    }

    /// Prints a warning.
    pub(crate) fn warn(&self, what: &str) {
        let text = format!("warning: {what}");
        match &self.form {
            Form::Quiet => {}
            Form::Bar(bar) => bar.suspend(|| line(&text)),
            Form::Lines { .. } => line(&text),
        }
    }

    /// Shows a stage after the outer steps.
    pub(crate) fn say(&mut self, what: &str) {
        match &mut self.form {
            Form::Quiet => {}
            Form::Bar(bar) => {
                bar.finish_and_clear();
                let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
                spinner.enable_steady_tick(Duration::from_millis(100));
                *bar = spinner;
            }
            Form::Lines { .. } => line(what),
        }
    }
}

/// ", at most 12s left", if steps were made and are left; early stopping may end the run sooner.
fn time_left(spent: Duration, made: usize, left: usize) -> String {
    let (true, Ok(made), Ok(left)) = (left > 0, u32::try_from(made), u32::try_from(left)) else {
        return String::new();
    };
    let Some(step) = spent.checked_div(made) else {
        return String::new();
    };
    format!(
        ", at most {:#} left",
        HumanDuration(step.saturating_mul(left))
    )
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

/// Prints a line on standard error; a failure to print cannot be reported.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", lines(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_steps_made_here() {
        let spent = Duration::from_secs(20);
        assert_eq!(time_left(spent, 10, 90), ", at most 3m left");
        assert_eq!(time_left(spent, 10, 3), ", at most 6s left");
        // Nothing is known yet, or nothing is left.
        assert_eq!(time_left(Duration::ZERO, 0, 90), "");
        assert_eq!(time_left(spent, 10, 0), "");
    }
}
