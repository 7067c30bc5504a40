//! `bilevel explain`: what a method does, and what it would cost.

mod detector;
mod page;
mod result;
mod timing;

use bilevel::catalogue::{Defaults, Method, Setting, Settings, StepSizeChoice};
use bilevel_tasks::Error;
use bilevel_tasks::cleaning::{Forecast, JudgeChoice, Sizes, TrainingSpecification};
use bilevel_tasks::data::ImageShape;
use bilevel_tasks::problem::ProblemOptions;

use crate::advice::spelled;
use crate::arguments::ExplainArguments;
use crate::command::solve;
use crate::failure::Failure;
use crate::folder::Folder;
use result::{ExplainResult, PredictionFigures, ProblemFigures};

/// What is known about a method for a problem.
struct Known {
    problem: ProblemFigures,
    prediction: Option<PredictionFigures>,
    refused: Option<String>,
}

pub(crate) fn run(arguments: &ExplainArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    Folder::expect_new(common.out.as_deref())?;
    let JudgeChoice(judge, named) = arguments.method;
    if let Some(name) = judge.name() {
        return detector::explain(name, common);
    }
    let settings = Settings {
        method: named,
        ..arguments.options.0.clone()
    };
    // The figures do not depend on the step size.
    let defaults = Defaults {
        measures_step_size: arguments.problem.is_none(),
        ..Defaults::TRAINING
    };
    let method = Method::new(&settings, defaults)?;
    let known = match &arguments.problem {
        None => of_cleaning(arguments, &method)?,
        Some(name) => of_problem(arguments, &settings, name)?,
    };
    let entry = method.entry();
    let page = &entry.page;
    let result = ExplainResult {
        method: method.name(),
        aliases: entry.aliases,
        estimate: entry.gives.text(),
        summary: page.summary,
        update: page.update,
        oracles: page.oracles,
        time: page.time,
        memory: page.memory,
        use_when: page.when,
        avoid_when: page.when_not,
        reference: page.reference,
        options: entry.settings().map(Setting::name).map(spelled).collect(),
        problem: known.problem,
        prediction: known.prediction,
        refused: known.refused,
    };
    super::deliver(common, "explain", &result, || page::text(&result))
}

/// For cleaning, from the sizes.
fn of_cleaning(arguments: &ExplainArguments, method: &Method) -> Result<Known, Failure> {
    let threads = rayon::current_num_threads();
    let pictures = arguments.pictures;
    let columns = pictures.map(ImageShape::pixels).or(arguments.columns);
    let (columns, classes) = (columns.unwrap_or(64), arguments.classes.unwrap_or(10));
    let (train_rows, trusted_rows) = (
        arguments.rows.unwrap_or(1000),
        arguments.trusted_rows.unwrap_or(297),
    );
    let choice = arguments.model.unwrap_or_default();
    let model = choice.on(pictures).map_err(|error| match error {
        Error::NoPictures { .. } => Failure::usage(anyhow::anyhow!(
            "--model {choice} takes pictures: expected their shape, such as --pictures 32x32x3"
        )),
        error => Failure::usage(error),
    })?;
    let sizes = Sizes {
        rows: train_rows,
        trusted: trusted_rows,
        columns,
        classes,
    };
    let settings = TrainingSpecification::from(&arguments.training).settings(model);
    let forecast = Forecast::<f32>::new(sizes, &settings).map_err(Failure::usage)?;
    let problem = forecast.problem();
    let built = method.build::<f32>(problem);
    let refused = match method.clone().expect_inner_weight(0) {
        Err(refusal) => Some(Failure::from(refusal).to_string()),
        Ok(_) => built.validate(problem).err().map(|error| error.to_string()),
    };
    let prediction = if refused.is_some() {
        None
    } else {
        let cost = built.cost(problem);
        let seconds = match arguments.time {
            true => Some(timing::seconds(&cost, sizes, pictures, &settings)?),
            false => None,
        };
        let predicted = forecast
            .programs(threads)
            .predict(&cost)
            .map_err(Failure::run)?;
        Some(PredictionFigures {
            flops: Some(predicted.product_flops),
            data_bytes: Some(predicted.data_bytes),
            kept_bytes: predicted.kept_bytes,
            work_bytes: predicted.work_bytes,
            peak_bytes: predicted.peak_bytes(),
            seconds,
            ..PredictionFigures::of::<f32>(&cost, cost.kept_numbers)
        })
    };
    Ok(Known {
        problem: ProblemFigures {
            name: format!(
                "cleaning {train_rows} rows of {columns} columns in {classes} classes with {trusted_rows} trusted rows, model {model}"
            ),
            steps: method.counted_steps(),
            n: problem.x_len(),
            m: problem.y_len(),
            precision: "f32",
            threads,
        },
        prediction,
        refused,
    })
}

/// For a problem in closed form: the calls of its objectives, and the stored numbers.
fn of_problem(
    arguments: &ExplainArguments,
    settings: &Settings,
    name: &str,
) -> Result<Known, Failure> {
    let training = &arguments.training;
    for (given, option) in [
        (training.batch.is_some(), "--batch"),
        (training.trusted_batch.is_some(), "--trusted-batch"),
        (training.weight_decay > 0.0, "--weight-decay"),
    ] {
        if given {
            return Err(Failure::usage(anyhow::anyhow!(
                "{option} has no meaning with --problem: it belongs to cleaning"
            )));
        }
    }
    let options = ProblemOptions {
        dimension: arguments.dimension,
        steps: settings.steps,
        step_size: settings.step_size.and_then(StepSizeChoice::fixed),
        ..ProblemOptions::default()
    };
    let problem = solve::named(name, &options)?;
    let task = solve::first_task(&problem, arguments.common.seed)?;
    let steps = problem.defaults.outer_steps;
    let method = solve::method_for(&problem, &task, settings, steps);
    let (refused, prediction, steps) = match method {
        Err(failure) => (Some(failure.to_string()), None, None),
        Ok(method) => {
            let cost = method.build::<f64>(&task).cost(&task);
            let kept = solve::kept_numbers(&task, &cost)?;
            let prediction = PredictionFigures::of::<f64>(&cost, kept);
            (None, Some(prediction), method.counted_steps())
        }
    };
    Ok(Known {
        problem: ProblemFigures {
            name: problem.name.to_owned(),
            steps,
            n: task.x_len(),
            m: task.y_len(),
            precision: "f64",
            threads: rayon::current_num_threads(),
        },
        prediction,
        refused,
    })
}
