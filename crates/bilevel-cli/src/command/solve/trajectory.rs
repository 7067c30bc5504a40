//! The trajectory of a run.

use std::fmt::Write;

use bilevel::Iterate;

/// Lines of `trajectory.csv`.
#[derive(Default)]
pub(super) struct Trajectory {
    text: String,
}

impl Trajectory {
    /// Appends an iterate.
    pub(super) fn push(&mut self, iterate: &Iterate<'_, f64>, true_gradient_norm: f64) {
        let y = &iterate.report.y;
        if self.text.is_empty() {
            self.text += "step,f,hypergradient_norm,outer_gradient_norm";
            self.names('x', iterate.x.len());
            self.names('y', y.len());
            self.text.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = write!(
            self.text,
            "{},{},{},{true_gradient_norm}",
            iterate.outer_step,
            iterate.report.value,
            iterate.hypergradient_norm()
        );
        for value in iterate.x.iter().chain(y) {
            let _ = write!(self.text, ",{value}");
        }
        self.text.push('\n');
    }

    fn names(&mut self, letter: char, count: usize) {
        for index in 0..count {
            let _ = write!(self.text, ",{letter}{index}");
        }
    }

    pub(super) fn csv(&self) -> &str {
        &self.text
    }
}
