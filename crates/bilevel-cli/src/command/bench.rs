//! `bilevel bench`: how long one hypergradient takes on given inputs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use bilevel::{
    Checkpointed, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key, Problem, Unrolled,
};
use bilevel_tasks::data::npy::{self, NpyValues};
use bilevel_tasks::data::{Dataset, numbered_classes};
use bilevel_tasks::model::{Examples, LossSettings, Model, Real};
use serde::Serialize;

use crate::arguments::{BenchCase, BenchCleaningArguments, PrecisionName};
use crate::failure::Failure;
use crate::folder::Folder;
use crate::memory;
use crate::parse::AdjointChoice;

#[derive(Serialize)]
struct BenchResult {
    case: String,
    median_ms: f64,
    min_ms: f64,
    first_ms: f64,
    peak_rss_mb: Option<f64>,
    rss_before_mb: Option<f64>,
    /// Null until costs are predicted.
    predicted_peak_mb: Option<f64>,
    flops: f64,
    gflops: f64,
    gradient_norm: f64,
}

/// What the folder holds.
struct Inputs {
    train: Dataset,
    validation: Dataset,
    x: Vec<f64>,
    y: Vec<f64>,
}

pub(crate) fn run(case: &BenchCase) -> Result<(), Failure> {
    let BenchCase::Cleaning(arguments) = case;
    Folder::expect_new(arguments.common.out.as_deref())?;
    if arguments.adjoint == AdjointChoice::FirstOrder {
        return Err(Failure::usage(anyhow!(
            "--adjoint first-order: the hypergradient of cleaning is identically zero then; expected reverse or checkpointed:C"
        )));
    }
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
        PrecisionName::F32 => time(arguments, &inputs, |gradient| {
            NpyValues::F32(gradient.to_vec())
        }),
        PrecisionName::F64 => time(arguments, &inputs, |gradient| {
            NpyValues::F64(gradient.to_vec())
        }),
    }?;
    super::deliver(&arguments.common, "bench", &result, || {
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
                let classes = npy::read_labels(&labels)?;
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
            let y = folder.join(format!("y_{model}.npy"));
            // Rows of fewer classes than the model has are no error: its start says how many.
            let y_len = npy::NpyArray::read(&y)?.to_f64().len();
            let outputs = y_len / (train.1 + 1);
            if outputs < classes || model.y_len(train.1, outputs) != y_len {
                return Err(anyhow!(
                    "{}: expected (columns + 1) × classes numbers for {} columns and at least {classes} classes, found {y_len}",
                    y.display(),
                    train.1
                ));
            }
            let data = |(features, columns, labels): (Vec<f32>, usize, Vec<u32>), name: &str| {
                Dataset::new(features, columns, labels, numbered_classes(outputs))
                    .with_context(|| folder.join(name).display().to_string())
            };
            let train = data(train, "train_inputs.npy")?;
            Ok(Self {
                x: npy::read_vector(&folder.join("x.npy"), train.rows())?,
                y: npy::read_vector(&y, y_len)?,
                validation: data(validation, "val_inputs.npy")?,
                train,
            })
        };
        read().map_err(Failure::usage)
    }

    /// The floating-point operations in the matrix products of one hypergradient, a
    /// multiplication and an addition counted as two, biases and exponentials left out.
    ///
    /// A product of the n×d inputs with d×c weights takes 2ndc. A gradient has two of them
    /// (logits, and inputs transposed times residuals), a second-order product three (logits of
    /// the weights and of the direction, and one transposed); K steps back take K second-order
    /// products, the steps forward, repeated ones among them, one gradient each; the outer loss
    /// takes one product of its own rows for its value and two for its gradient.
    fn flops(&self, steps: usize, adjoint: AdjointChoice) -> f64 {
        let one = |data: &Dataset| {
            2.0 * data.rows() as f64 * data.columns() as f64 * data.classes() as f64
        };
        let forward = match adjoint {
            AdjointChoice::Checkpointed { slots } => {
                Checkpointed { slots }.forward_steps(steps) as f64
            }
            AdjointChoice::Reverse | AdjointChoice::FirstOrder => steps as f64,
        };
        one(&self.train) * (2.0 * forward + 3.0 * steps as f64) + 3.0 * one(&self.validation)
    }
}

fn problem<T: Real>(inputs: &Inputs, model: Model) -> Result<Problem<T>, Failure> {
    let loss = |data: &Dataset, weighted| {
        let settings = LossSettings {
            weighted,
            batch: None,
            weight_decay: 0.0,
        };
        let examples = Arc::new(Examples::<T>::new(data));
        model.loss(examples, settings, inputs.train.rows())
    };
    let start = inputs.y.iter().map(|&y| T::from_f64(y)).collect();
    Problem::from_shared(
        loss(&inputs.train, true).map_err(Failure::usage)?,
        loss(&inputs.validation, false).map_err(Failure::usage)?,
        Arc::new(FixedStart(start)),
    )
    .map_err(Failure::usage)
}

fn time<T: Real>(
    arguments: &BenchCleaningArguments,
    inputs: &Inputs,
    values: impl Fn(&[T]) -> NpyValues,
) -> Result<BenchResult, Failure> {
    let rss_before_mb = memory::resident_mb();
    let begin = Instant::now();
    let problem = problem::<T>(inputs, arguments.model)?;
    let method = Unrolled::<T> {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(arguments.step_size),
            field: Field::Inner,
            bounds: None,
        }),
        steps: arguments.steps,
        adjoint: arguments.adjoint.build(),
    };
    method.validate(&problem).map_err(Failure::usage)?;
    let x: Vec<T> = inputs.x.iter().map(|&x| T::from_f64(x)).collect();
    let mut gradient = vec![T::zero(); x.len()];
    let key = Key::from_seed(arguments.common.seed);
    let mut call = || {
        method
            .estimate(&problem, &x, key, 0, &mut gradient)
            .map(|_| ())
            .map_err(Failure::run)
    };
    call()?;
    let first_ms = milliseconds(begin);
    let mut times = Vec::with_capacity(arguments.repeat.min(1024));
    for _ in 0..arguments.repeat {
        let begin = Instant::now();
        call()?;
        times.push(milliseconds(begin));
    }
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
    let flops = inputs.flops(arguments.steps, arguments.adjoint);
    Ok(BenchResult {
        case: format!(
            "cleaning {} K={} {} {}",
            arguments.model,
            arguments.steps,
            arguments.adjoint,
            T::NAME
        ),
        median_ms,
        min_ms: times[0],
        first_ms,
        peak_rss_mb: memory::peak_mb(),
        rss_before_mb,
        predicted_peak_mb: None,
        flops,
        gflops: flops / (median_ms * 1e6),
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
        "{}: one hypergradient takes {:.1} ms (median of {}, least {:.1} ms, the first call {:.1} ms),\n\
         {:.2} GFLOP in matrix products at {:.1} GFLOP/s; memory {} before and {} at the peak;\n\
         norm of the gradient {:.9e}\n",
        result.case,
        result.median_ms,
        repeat,
        result.min_ms,
        result.first_ms,
        result.flops / 1e9,
        result.gflops,
        memory(result.rss_before_mb),
        memory(result.peak_rss_mb),
        result.gradient_norm,
    )
}
