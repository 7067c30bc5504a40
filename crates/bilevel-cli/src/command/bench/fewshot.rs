//! `bilevel bench fewshot`: how long the meta-gradient of one task takes on given inputs.

use std::sync::Arc;

use anyhow::anyhow;
use bilevel::catalogue::{Method, Precision};
use bilevel_tasks::data::npy::{self, Values};
use bilevel_tasks::fewshot::{Pictures, TaskForm, Tasks};
use bilevel_tasks::model::Real;
use bilevel_tasks::network::{Network, Weights};

use super::timed::{DEFAULTS, Timed, Timing, expect_folder, write_gradient};
use crate::arguments::{BenchFewshotArguments, PrecisionName};
use crate::failure::Failure;
use crate::folder::Folder;

/// The elements of all pictures, and their classes.
type Labelled = (Vec<f32>, Vec<u32>);

/// The contents of the folder.
struct Inputs {
    picture: [usize; 3],
    support: Labelled,
    query: Labelled,
    weights: Weights,
}

pub(crate) fn run(arguments: &BenchFewshotArguments) -> Result<(), Failure> {
    Folder::expect_new(arguments.common.out.as_deref())?;
    let method = Method::new(&arguments.method.0, DEFAULTS)?.expect_inner_weight(0)?;
    expect_folder(arguments.gradient.as_deref())?;
    let inputs = Inputs::read(arguments).map_err(Failure::usage)?;
    let result = match arguments.dtype {
        PrecisionName::F32 => time(arguments, &method, &inputs, Values::F32),
        PrecisionName::F64 => time(arguments, &method, &inputs, Values::F64),
    }?;
    crate::command::deliver(&arguments.common, "bench", &result, || {
        result.text(arguments.repeat)
    })
}

impl Inputs {
    fn read(arguments: &BenchFewshotArguments) -> anyhow::Result<Self> {
        let (folder, way) = (&arguments.data, arguments.way);
        let part = |name: &str| -> anyhow::Result<([usize; 3], Labelled)> {
            let inputs = folder.join(format!("{name}_inputs_{way}.npy"));
            let labels = folder.join(format!("{name}_labels_{way}.npy"));
            let ([count, rows, columns, channels], elements) = npy::read_pictures(&inputs)?;
            let classes = npy::read_classes(&labels)?;
            if classes.len() != count || count == 0 {
                return Err(anyhow!(
                    "expected one label for each picture, found {count} pictures in {} and {} labels in {}",
                    inputs.display(),
                    classes.len(),
                    labels.display()
                ));
            }
            if let Some(class) = classes.iter().find(|&&class| class as usize >= way) {
                return Err(anyhow!(
                    "{}: expected classes below {way}, found {class}",
                    labels.display()
                ));
            }
            Ok(([rows, columns, channels], (elements, classes)))
        };
        let ((picture, support), (of_query, query)) = (part("support")?, part("query")?);
        if picture != of_query {
            return Err(anyhow!(
                "expected query pictures of the size of the support pictures, found {of_query:?} and {picture:?}"
            ));
        }
        let weights = folder.join(format!("params_{way}.safetensors"));
        Ok(Self {
            picture,
            support,
            query,
            weights: Weights::read(&weights)?,
        })
    }
}

fn time<T: Precision + Real + Default>(
    arguments: &BenchFewshotArguments,
    method: &Method,
    inputs: &Inputs,
    values: impl Fn(Vec<T>) -> Values,
) -> Result<Timed, Failure> {
    let network = Network::Conv4 {
        filters: 64,
        pooled: false,
    };
    let tasks = Tasks::<T>::new(
        network,
        inputs.picture,
        arguments.way,
        TaskForm::plain(arguments.inner),
    );
    let tasks = tasks.map_err(Failure::usage)?;
    let pictures = |(elements, labels): &Labelled| Pictures {
        elements: elements
            .iter()
            .map(|&e| T::from_f64(f64::from(e)))
            .collect(),
        labels: labels.as_slice().into(),
    };
    let (support, query) = (pictures(&inputs.support), pictures(&inputs.query));
    let weights = |parameters: &[_]| {
        let found = inputs.weights.of::<T>(parameters);
        found.map_err(|problem| {
            Failure::usage(anyhow!("params_{}.safetensors: {problem}", arguments.way))
        })
    };
    let parameters = tasks.outer_parameters();
    let x = weights(&parameters)?;
    let head = weights(tasks.head())?;
    let tasks = tasks.with_head(head);
    let timing = Timing {
        case: format!("fewshot {} {}-way", arguments.inner, arguments.way),
        seed: arguments.common.seed,
        repeat: arguments.repeat,
    };
    let task = Arc::new(tasks.bind(&support, &query).map_err(Failure::usage)?);
    let (result, gradient) = timing.of(method, &x, || {
        let problem = tasks.problem(&task).map_err(Failure::usage)?;
        Ok((problem, [&*task.inner, &*task.outer]))
    })?;
    let mut ordered = Vec::with_capacity(gradient.len());
    for parameter in &parameters {
        let from = ordered.len();
        ordered.extend(parameter.to_torch(&gradient[from..from + parameter.len()]));
    }
    write_gradient(arguments.gradient.as_deref(), values(ordered))?;
    Ok(result)
}
