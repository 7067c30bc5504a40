//! `bilevel bench cleaning`: how long one hypergradient takes on given inputs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use bilevel::catalogue::{Defaults, Method, Precision};
use bilevel::{At, FixedStart, Key, Memory, Problem};
use bilevel_autodiff::Bound;
use bilevel_tasks::cost::Programs;
use bilevel_tasks::data::npy::{self, Values};
use bilevel_tasks::data::{Dataset, numbered_classes};
use bilevel_tasks::model::{Examples, LossSettings, Model, Real};
use serde::Serialize;

use crate::arguments::{BenchCleaningArguments, PrecisionName};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::memory;

/// The defaults of the peers in the comparison.
const DEFAULTS: Defaults = Defaults {
    method: Defaults::CLOSED_FORM.method,
    step_size: 0.1,
    ..Defaults::TRAINING
};

#[derive(Serialize)]
struct BenchResult {
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

/// The contents of the folder.
struct Inputs {
    train: Dataset,
    validation: Dataset,
    x: Vec<f64>,
    y: Vec<f64>,
}

pub(crate) fn run(arguments: &BenchCleaningArguments) -> Result<(), Failure> {
    Folder::expect_new(arguments.common.out.as_deref())?;
    let method = Method::new(&arguments.method.0, DEFAULTS)?.expect_inner_weight(0)?;
    if let Some(path) = &arguments.gradient
        && let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        return Err(Failure::usage(anyhow!(
            "--gradient {}: expected a file in a folder that exists",
            path.display()
        )));
    }
    let inputs = Inputs::read(&arguments.data, arguments.model)?;
    let result = match arguments.dtype {
        PrecisionName::F32 => time(arguments, &method, &inputs, |gradient| {
            Values::F32(gradient.to_vec())
        }),
        PrecisionName::F64 => time(arguments, &method, &inputs, |gradient| {
            Values::F64(gradient.to_vec())
        }),
    }?;
    crate::command::deliver(&arguments.common, "bench", &result, || {
        text(arguments.repeat, &result)
    })
}

impl Inputs {
    fn read(folder: &Path, model: Model) -> Result<Self, Failure> {
        let read = || -> anyhow::Result<Self> {
            let part = |name: &str| -> anyhow::Result<(Vec<f32>, usize, Vec<u32>)> {
                let (inputs, labels) = (
                    folder.join(format!("{name}_inputs.npy")),
                    folder.join(format!("{name}_labels.npy")),
                );
                let (rows, columns, features) = npy::read_matrix(&inputs)?;
                let classes = npy::read_classes(&labels)?;
                if classes.len() != rows {
                    return Err(anyhow!(
                        "expected one label for each row, found {rows} rows in {} and {} labels in {}",
                        inputs.display(),
                        classes.len(),
                        labels.display()
                    ));
                }
                Ok((features, columns, classes))
            };
            let (train, validation) = (part("train")?, part("val")?);
            let largest = train.2.iter().chain(&validation.2).max();
            let classes = largest.map_or(0, |&label| label as usize + 1);
            if train.1 != validation.1 {
                return Err(anyhow!(
                    "expected as many columns in val_inputs.npy as in train_inputs.npy, found {} and {}",
                    validation.1,
                    train.1
                ));
            }
            let y = folder.join(format!("y_{}.npy", model.to_string().replace(':', "")));
            // The rows may have fewer classes than the model: its start determines the number.
            let start = npy::read_vector(&y)?;
            let y_len = start.len();
            let outputs = outputs(model, train.1, y_len);
            if outputs < classes || model.y_len(train.1, outputs) != y_len {
                return Err(anyhow!(
                    "{}: expected the numbers of a {model} model of {} columns and at least {classes} classes, found {y_len}",
                    y.display(),
                    train.1
                ));
            }
            let data = |(features, columns, labels): (Vec<f32>, usize, Vec<u32>), name: &str| {
                Dataset::new(features, columns, labels, numbered_classes(outputs))
                    .with_context(|| folder.join(name).display().to_string())
            };
            let train = data(train, "train_inputs.npy")?;
            let (path, rows) = (folder.join("x.npy"), train.rows());
            let x = npy::read_vector(&path)?;
            if x.len() != rows {
                return Err(anyhow!(
                    "{}: expected {rows} numbers, one for each row, found {}",
                    path.display(),
                    x.len()
                ));
            }
            Ok(Self {
                x,
                y: start,
                validation: data(validation, "val_inputs.npy")?,
                train,
            })
        };
        read().map_err(Failure::usage)
    }
}

/// The number of classes of a model with this many numbers.
fn outputs(model: Model, columns: usize, y_len: usize) -> usize {
    // The count of numbers is linear in the number of classes.
    let none = model.y_len(columns, 0);
    y_len.saturating_sub(none) / (model.y_len(columns, 1) - none)
}

/// The two losses, x, and the start of training.
struct Case<T> {
    inner: Arc<Bound<T>>,
    outer: Arc<Bound<T>>,
    x: Vec<T>,
    y: Vec<T>,
}

impl<T: Precision + Real> Case<T> {
    fn new(inputs: &Inputs, model: Model) -> Result<Self, Failure> {
        let loss = |data: &Dataset, weighted| {
            let settings = LossSettings {
                weighted,
                weight_decay: 0.0,
            };
            let loss = model.loss(settings);
            let bound = loss.bind(&Examples::<T>::new(data), None, inputs.train.rows());
            bound.map_err(Failure::usage)
        };
        let convert = |values: &[f64]| values.iter().map(|&value| T::from_f64(value)).collect();
        Ok(Self {
            inner: loss(&inputs.train, true)?,
            outer: loss(&inputs.validation, false)?,
            x: convert(&inputs.x),
            y: convert(&inputs.y),
        })
    }

    fn problem(&self) -> Result<Problem<T>, Failure> {
        let start = Arc::new(FixedStart(self.y.clone()));
        Problem::from_shared(self.inner.clone(), self.outer.clone(), start).map_err(Failure::usage)
    }
}

fn time<T: Precision + Real>(
    arguments: &BenchCleaningArguments,
    method: &Method,
    inputs: &Inputs,
    values: impl Fn(&[T]) -> Values,
) -> Result<BenchResult, Failure> {
    let case = Case::<T>::new(inputs, arguments.model)?;
    // The peers also measure from the moment when the data are loaded.
    let rss_before_mb = memory::resident_mb();
    let begin = Instant::now();
    let problem = case.problem()?;
    let built = method.build::<T>(&problem);
    built.validate(&problem).map_err(Failure::usage)?;
    let x = &case.x;
    let mut gradient = vec![T::zero(); x.len()];
    let key = Key::from_seed(arguments.common.seed);
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
    let mut times = Vec::with_capacity(arguments.repeat.min(1024));
    let mut again = gradient.clone();
    for outer_step in 1..=arguments.repeat {
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
    if let Some(path) = &arguments.gradient {
        npy::write_vector(path, values(&gradient)).map_err(Failure::run)?;
    }
    let programs = Programs::new(&case.inner, &case.outer, rayon::current_num_threads());
    let cost = programs
        .predict(&built.cost(&problem))
        .map_err(Failure::run)?;
    Ok(BenchResult {
        case: format!(
            "cleaning {} K={} {} {}",
            arguments.model,
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
    })
}

fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

fn text(repeat: usize, result: &BenchResult) -> String {
    let memory = |megabytes: Option<f64>| {
        megabytes.map_or("unknown".to_owned(), |megabytes| {
            format!("{megabytes:.1} MB")
        })
    };
    format!(
        "{}: one hypergradient takes {:.1} ms (median of {}, mean {:.1} ms, least {:.1} ms, the first call {:.1} ms),\n\
         {:.2} GFLOP in matrix products at {:.1} GFLOP/s; memory {} before and {} at the peak;\n\
         norm of the gradient {:.9e}\n",
        result.case,
        result.median_ms,
        repeat,
        result.mean_ms,
        result.min_ms,
        result.first_ms,
        result.flops / 1e9,
        result.gflops,
        memory(result.rss_before_mb),
        memory(result.peak_rss_mb),
        result.gradient_norm,
    )
}
