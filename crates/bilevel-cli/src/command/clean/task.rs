//! From options to a cleaning task, everything checked before anything is written.

use anyhow::anyhow;
use bilevel::catalogue::{Chosen, Defaults, Method, OptimizerChoice, choose};
use bilevel::{Driver, Key};
use bilevel_tasks::cleaning::{Cleaning, CleaningData, CleaningSettings};
use bilevel_tasks::corruption::Corruption;
use bilevel_tasks::data::table::ColumnScale;

use super::findings::Findings;
use super::input::Input;
use crate::arguments::CleanArguments;
use crate::failure::Failure;

/// What is to be cleaned, and how.
pub(super) struct Task {
    pub(super) data: CleaningData,
    pub(super) corruption: Option<Corruption>,
    pub(super) scaling: Option<Vec<ColumnScale>>,
    pub(super) ids: Option<Vec<String>>,
    pub(super) findings: Findings,
    pub(super) settings: CleaningSettings,
    pub(super) cleaning: Cleaning<f32>,
    pub(super) method: Method,
    pub(super) optimizer: OptimizerChoice,
    /// Where there is a budget of memory.
    pub(super) chosen: Option<Chosen>,
    pub(super) key: Key,
}

impl Task {
    pub(super) fn new(arguments: &CleanArguments) -> Result<Self, Failure> {
        let key = Key::from_seed(arguments.common.seed);
        let given = &arguments.method.0;
        let method =
            Method::new(given, Defaults::TRAINING)?.expect_inner_weight(arguments.outer_steps)?;
        let settings = settings(arguments)?;
        let Input {
            data,
            corruption,
            scaling,
            ids,
            findings,
        } = Input::read(arguments, key)?;
        let cleaning = Cleaning::new(&data, &settings, key).map_err(Failure::usage)?;
        let (method, chosen) = match &arguments.memory_budget {
            None => (method, None),
            Some(budget) => {
                let problem = cleaning.problem();
                let programs = cleaning.programs(rayon::current_num_threads());
                let peak = |method: &Method| -> Result<usize, Failure> {
                    let built = method.build::<f32>(problem);
                    built.validate(problem).map_err(Failure::usage)?;
                    let predicted = programs.predict(&built.cost(problem));
                    Ok(predicted.map_err(Failure::run)?.peak_bytes())
                };
                let typed = given.adjoint.is_some();
                let (method, chosen) = choose(method, typed, true, budget, &peak)?;
                (method, Some(chosen))
            }
        };
        let task = Self {
            data,
            corruption,
            scaling,
            ids,
            findings,
            settings,
            cleaning,
            optimizer: method.optimizer(arguments.outer_optimizer, OptimizerChoice::Adam(0.05)),
            method,
            chosen,
            key,
        };
        Driver::new(
            task.cleaning.problem(),
            &*task.method.build::<f32>(task.cleaning.problem()),
            &*task.optimizer.build(),
            key,
        )
        .outer_steps(task.settings.outer_steps)
        .validate()
        .map_err(Failure::usage)?;
        Ok(task)
    }
}

fn settings(arguments: &CleanArguments) -> Result<CleaningSettings, Failure> {
    let defaults = CleaningSettings::default();
    let early_stopping = arguments.early_stopping.0;
    if early_stopping.is_none() && arguments.patience.is_some() {
        return Err(Failure::usage(anyhow!(
            "--patience has no meaning with --early-stopping off: leave one of them out"
        )));
    }
    Ok(CleaningSettings {
        model: arguments.model,
        batch: arguments.training.batch,
        trusted_batch: arguments.training.trusted_batch,
        weight_decay: arguments.training.weight_decay,
        early_stopping,
        patience: arguments.patience.unwrap_or(defaults.patience),
        outer_steps: arguments.outer_steps,
        time_limit: arguments.time_limit,
    })
}
