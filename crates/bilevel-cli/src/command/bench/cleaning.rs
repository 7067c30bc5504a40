//! `bilevel bench cleaning`: how long one hypergradient takes on given inputs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use bilevel::catalogue::{Method, Precision};
use bilevel::{FixedStart, Problem};
use bilevel_autodiff::Bound;
use bilevel_tasks::data::npy::{self, Values};
use bilevel_tasks::data::{Dataset, numbered_classes};
use bilevel_tasks::model::{Examples, LossSettings, Model, Real};

use super::timed::{DEFAULTS, Timed, Timing, expect_folder, write_gradient};
use crate::arguments::{BenchCleaningArguments, PrecisionName};
use crate::failure::Failure;
use crate::folder::Folder;

/// The contents of the folder.
struct Inputs {
    model: Model,
    train: Dataset,
    validation: Dataset,
    x: Vec<f64>,
    y: Vec<f64>,
}

pub(crate) fn run(arguments: &BenchCleaningArguments) -> Result<(), Failure> {
    Folder::expect_new(arguments.common.out.as_deref())?;
    let method = Method::new(&arguments.method.0, DEFAULTS)?.expect_inner_weight(0)?;
    expect_folder(arguments.gradient.as_deref())?;
    let model = arguments.model.on(None).map_err(Failure::usage)?;
    let inputs = Inputs::read(&arguments.data, model)?;
    let result = match arguments.dtype {
        PrecisionName::F32 => time(arguments, &method, &inputs, |gradient| {
            Values::F32(gradient.to_vec())
        }),
        PrecisionName::F64 => time(arguments, &method, &inputs, |gradient| {
            Values::F64(gradient.to_vec())
        }),
    }?;
    crate::command::deliver(&arguments.common, "bench", &result, || {
        result.text(arguments.repeat)
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
                model,
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
) -> Result<Timed, Failure> {
    let case = Case::<T>::new(inputs, inputs.model)?;
    let timing = Timing {
        case: format!("cleaning {}", arguments.model),
        seed: arguments.common.seed,
        repeat: arguments.repeat,
    };
    let (result, gradient) = timing.of(method, &case.x, || {
        Ok((case.problem()?, [&*case.inner, &*case.outer]))
    })?;
    write_gradient(arguments.gradient.as_deref(), values(&gradient))?;
    Ok(result)
}
