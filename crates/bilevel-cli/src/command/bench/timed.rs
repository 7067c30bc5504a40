//! Times one hypergradient.

use std::path::Path;
use std::time::Instant;

use anyhow::anyhow;
use bilevel::catalogue::{Defaults, Method, Precision};
use bilevel::{At, Key, Memory, Problem};
use bilevel_autodiff::Bound;
use bilevel_tasks::cost::Programs;
use bilevel_tasks::data::npy::{self, Values};
use bilevel_tasks::model::Real;
use serde::Serialize;

use crate::failure::Failure;
use crate::memory;

/// The defaults of the peers in the comparison.
pub(super) const DEFAULTS: Defaults = Defaults {
    method: Defaults::CLOSED_FORM.method,
    step_size: 0.1,
    ..Defaults::TRAINING
};

#[derive(Serialize)]
pub(super) struct Timed {
    case: String,
    median_ms: f64,
    /// The relevant time for a method whose calls are occasionally expensive.
    mean_ms: f64,
    min_ms: f64,
    first_ms: f64,
    peak_rss_mb: Option<f64>,
    rss_before_mb: Option<f64>,
    /// Data in the precision of the run, states and work space.
    predicted_peak_mb: f64,
    flops: f64,
    gflops: f64,
    gradient_norm: f64,
}

/// What is timed.
pub(super) struct Timing {
    pub(super) case: String,
    pub(super) seed: u64,
    pub(super) repeat: usize,
}

impl Timing {
    /// The times of the hypergradient at x of a problem with these two objectives, and the first hypergradient.
    pub(super) fn of<'o, T: Precision + Real>(
        &self,
        method: &Method,
        x: &[T],
        problem: impl FnOnce() -> Result<(Problem<T>, [&'o Bound<T>; 2]), Failure>,
    ) -> Result<(Timed, Vec<T>), Failure> {
        // The peers also measure from the moment when the data are loaded.
        let rss_before_mb = memory::resident_mb();
        let begin = Instant::now();
        let (problem, [inner, outer]) = problem()?;
        let built = method.build::<T>(&problem);
        built.validate(&problem).map_err(Failure::usage)?;
        let mut gradient = vec![T::zero(); x.len()];
        let key = Key::from_seed(self.seed);
        let call = |outer_step, out: &mut [T]| {
            built
                .estimate(
                    &At::new(&problem, x, key).outer_step(outer_step),
                    &mut Memory::default(),
                    out,
                )
                .map(|_| ())
                .map_err(Failure::run)
        };
        call(0, &mut gradient)?;
        let first_ms = milliseconds(begin);
        let mut times = Vec::with_capacity(self.repeat.min(1024));
        let mut again = gradient.clone();
        for outer_step in 1..=self.repeat {
            let begin = Instant::now();
            // A randomised method draws anew at each outer step.
            call(outer_step, &mut again)?;
            times.push(milliseconds(begin));
        }
        let mean_ms = times.iter().sum::<f64>() / times.len() as f64;
        times.sort_unstable_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median_ms = if times.len().is_multiple_of(2) {
            (times[middle - 1] + times[middle]) / 2.0
        } else {
            times[middle]
        };
        let programs = Programs::new(inner, outer, rayon::current_num_threads());
        let cost = programs
            .predict(&built.cost(&problem))
            .map_err(Failure::run)?;
        let result = Timed {
            case: format!(
                "{} K={} {} {}",
                self.case,
                method.settings.steps,
                method.short_name(),
                T::NAME
            ),
            median_ms,
            mean_ms,
            min_ms: times[0],
            first_ms,
            peak_rss_mb: memory::peak_mb(),
            rss_before_mb,
            predicted_peak_mb: cost.peak_bytes() as f64 / 1e6,
            flops: cost.product_flops,
            gflops: cost.product_flops / (median_ms * 1e6),
            gradient_norm: bilevel::vector::norm(&gradient),
        };
        Ok((result, gradient))
    }
}

fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

impl Timed {
    pub(super) fn text(&self, repeat: usize) -> String {
        let memory = |megabytes: Option<f64>| {
            megabytes.map_or("unknown".to_owned(), |megabytes| {
                format!("{megabytes:.1} MB")
            })
        };
        format!(
            "{}: one hypergradient takes {:.1} ms (median of {}, mean {:.1} ms, least {:.1} ms, the first call {:.1} ms),\n\
             {:.2} GFLOP in matrix products at {:.1} GFLOP/s; memory {} before and {} at the peak;\n\
             norm of the gradient {:.9e}\n",
            self.case,
            self.median_ms,
            repeat,
            self.mean_ms,
            self.min_ms,
            self.first_ms,
            self.flops / 1e9,
            self.gflops,
            memory(self.rss_before_mb),
            memory(self.peak_rss_mb),
            self.gradient_norm,
        )
    }
}

/// Fails if the folder of a file does not exist.
pub(super) fn expect_folder(file: Option<&Path>) -> Result<(), Failure> {
    match file.and_then(Path::parent) {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let file = file.unwrap_or(folder);
            Err(Failure::usage(anyhow!(
                "--gradient {}: expected a file in a folder that exists",
                file.display()
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn write_gradient(file: Option<&Path>, gradient: Values) -> Result<(), Failure> {
    match file {
        Some(file) => npy::write_vector(file, gradient).map_err(Failure::run),
        None => Ok(()),
    }
}
