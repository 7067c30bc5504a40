//! A cleaning job: from a specification to an outcome; everything is checked before the run.

use std::time::{Duration, Instant};

use bilevel::catalogue::{
    Chosen, Defaults, Method, OptimizerChoice, Setting, StepSizeChoice, choose,
};
use bilevel::driver::Why;
use bilevel::{Driver, Key};

use super::baseline::{Baseline, baselines, retrain};
use super::findings::Findings;
use super::gradient;
use super::input::Input;
use super::outcome::{Baselines, CleaningOutcome, CleaningResult, scores, suggestions};
use super::problem::CleaningProblem;
use super::run::{Cleaned, CleaningState, Watch};
use super::specification::{CleaningSpecification, EarlyStopping};
use super::split::CleaningData;
use super::step_size::{self, MeasuredStepSize};
use super::{Cleaning, CleaningSettings, kept};
use crate::Error;
use crate::corruption::Corruption;
use crate::data::preparation::ColumnScale;
use crate::train::{Classifier, Trainer};

/// A specification with its rows: the data to clean and how.
///
/// ```
/// use bilevel_tasks::cleaning::{CleaningJob, CleaningSpecification, OuterStep};
/// let text = "[data]\ntrain_rows = 100\ntrusted_rows = 50\n[method]\nsteps = 5\n[run]\nouter_steps = 3\n";
/// let job = CleaningJob::new(&CleaningSpecification::from_toml(text)?, 1)?;
/// let mut state = job.start();
/// let why = job.run(&mut state, &mut |_: &OuterStep| ())?;
/// let outcome = job.outcome(&state, why, &mut |_| ())?;
/// assert_eq!(outcome.scores.len(), 100);
///
/// // The resolved specification describes the same job.
/// let again = CleaningJob::new(&job.specification, 1)?;
/// assert_eq!(again.specification, job.specification);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CleaningJob {
    /// The specification with every value resolved.
    pub specification: CleaningSpecification,
    /// The rows.
    pub data: CleaningData,
    /// How labels were corrupted, if they were.
    pub corruption: Option<Corruption>,
    /// How features were standardised, if they were.
    pub scaling: Option<Vec<ColumnScale>>,
    /// Names of the rows, by row number of the source.
    pub ids: Option<Vec<String>>,
    /// Findings about the rows.
    pub findings: Findings,
    /// The noun for the rows, after a number.
    pub rows_text: String,
    /// The settings of the task.
    pub settings: CleaningSettings,
    /// The problem.
    pub cleaning: Cleaning<f32>,
    /// The method.
    pub method: Method,
    /// The update rule of x.
    pub optimizer: OptimizerChoice,
    /// What was chosen to fit a memory budget, if there is one.
    pub chosen: Option<Chosen>,
    /// The step size, if it was measured.
    pub measured: Option<MeasuredStepSize>,
    /// The root key of all draws.
    pub key: Key,
}

/// The stages after the outer steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A model is trained on the kept rows.
    Retraining,
    /// The baselines are trained.
    Baselines,
    /// The hypergradient is checked.
    Checking,
}

impl CleaningJob {
    /// Reads the rows and builds the method; memory is predicted for this many threads.
    ///
    /// # Errors
    /// Whatever is wrong with the specification or the files that it names.
    pub fn new(given: &CleaningSpecification, threads: usize) -> Result<Self, Error> {
        let key = Key::from_seed(given.seed);
        let method = |given: &CleaningSpecification| {
            let defaults = Defaults {
                measures_step_size: true,
                ..Defaults::TRAINING
            };
            Method::new(&given.method, defaults)?.expect_inner_weight(given.run.outer_steps)
        };
        let built = method(given)?;
        let settings = settings(given)?;
        let input = Input::read(&given.data, key)?;
        let cleaning = Cleaning::new(&input.data, &settings, key)?;
        let fixed = given.method.step_size.and_then(StepSizeChoice::fixed);
        let measured = match fixed {
            None if built.entry().takes(Setting::StepSize) => {
                step_size::measured(&cleaning, &built, key)?
            }
            _ => None,
        };
        let method = match measured {
            None => built,
            Some(measured) => {
                let mut given = given.clone();
                given.method.step_size = Some(StepSizeChoice::Fixed(measured.step_size));
                method(&given)?
            }
        };
        let (method, chosen) = match &given.run.memory_budget {
            None => (method, None),
            Some(budget) => {
                let problem = cleaning.problem();
                let programs = cleaning.programs(threads);
                let peak = |method: &Method| -> Result<usize, Error> {
                    let built = method.build::<f32>(problem);
                    built.validate(problem)?;
                    let predicted = programs.predict(&built.cost(problem));
                    predicted
                        .map(|predicted| predicted.peak_bytes())
                        .map_err(|error| bilevel::Error::objective(error).into())
                };
                let given = given.method.adjoint.is_some();
                let (method, chosen) = choose(method, given, true, budget, &peak)?;
                (method, Some(chosen))
            }
        };
        let optimizer = method.optimizer(given.run.outer_optimizer, OptimizerChoice::Adam(0.05));
        Driver::new(
            cleaning.problem(),
            &*method.build::<f32>(cleaning.problem()),
            &*optimizer.build(),
            key,
        )
        .outer_steps(settings.outer_steps)
        .validate()?;
        let mut job = Self {
            specification: given.clone(),
            data: input.data,
            corruption: input.corruption,
            scaling: input.scaling,
            ids: input.ids,
            findings: input.findings,
            rows_text: input.rows_text,
            settings,
            cleaning,
            method,
            optimizer,
            chosen,
            measured,
            key,
        };
        job.specification = job.with_every_value(threads);
        Ok(job)
    }

    /// The specification with all values resolved.
    fn with_every_value(&self, threads: usize) -> CleaningSpecification {
        let mut full = self.specification.clone();
        full.method = self.method.given();
        full.run.outer_optimizer = Some(self.optimizer);
        full.run.early_stopping = EarlyStopping(self.settings.early_stopping);
        full.run.patience = self.settings.early_stopping.map(|_| self.settings.patience);
        full.run.threads = Some(threads);
        let data = &mut full.data;
        data.train_rows = Some(self.data.train().rows());
        data.missing = self.findings.missing_policy();
        data.corrupt = self.corruption.map(|corruption| corruption.rate);
        data.corruption = self.corruption.map(|corruption| corruption.kind);
        let named = data.trusted.is_some() || data.trusted_column.is_some();
        data.trusted_rows = (!named).then(|| self.data.trusted().rows());
        full
    }

    /// The state before the first outer step.
    #[must_use]
    pub fn start(&self) -> CleaningState<f32> {
        self.cleaning.start(&*self.optimizer.build())
    }

    /// Fails unless the state belongs to this job.
    ///
    /// # Errors
    /// A different number of rows or of model parameters.
    pub fn expect_state(&self, state: &CleaningState<f32>) -> Result<(), Error> {
        self.cleaning.expect_state(state, &*self.optimizer.build())
    }

    /// Learns the weights from `state` on, see [`Cleaning::run`].
    ///
    /// # Errors
    /// An error that stops the run: `state` is then the last valid one.
    pub fn run(
        &self,
        state: &mut CleaningState<f32>,
        watch: &mut dyn Watch<f32>,
    ) -> Result<Why, Error> {
        let method = self.method.build::<f32>(self.cleaning.problem());
        let optimizer = self.optimizer.build();
        self.cleaning
            .run(state, &*method, &*optimizer, self.key, watch)
    }

    /// Evaluates a run that ended for this reason: the rows by rank, compared with baselines. `stage` receives
    /// the current stage.
    ///
    /// # Errors
    /// A run without an outer step, or training that diverges.
    pub fn outcome(
        &self,
        state: &CleaningState<f32>,
        why: Why,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<CleaningOutcome, Error> {
        let cleaned = Cleaned::new(state, why)?;
        let begin = Instant::now();
        stage(Stage::Retraining);
        let trainer = trainer(&self.settings, self.key);
        let retrained: Classifier<f32> =
            retrain(&self.data, &kept(&cleaned.weights), &trainer, self.key)?;
        let seconds = (state.run.elapsed + begin.elapsed()).as_secs_f64();
        stage(Stage::Baselines);
        let own = Classifier::new(self.settings.model, cleaned.y.clone());
        let row = Baseline::of_weights(&self.data, &cleaned.weights, &own, &retrained, seconds)?;
        let simple = baselines::<f32>(&self.data, &trainer, self.key)?;

        stage(Stage::Checking);
        let gradient_check = gradient::check(&self.data, &self.settings, &self.method, self.key);
        // Last, as long lists of rows need memory that the baselines need for copies of the data.
        let ids = self.ids.as_deref();
        let scores = scores(&self.data, ids, &cleaned.weights, &retrained)?;
        let suggestions = suggestions(&self.data, ids, &retrained)?;
        let metrics = cleaned.step.metrics.as_ref();
        let result = CleaningResult {
            not_to_be_trusted: gradient_check.failure(),
            method: self.method.name(),
            model: self.settings.model.to_string(),
            rows: self.data.train().rows(),
            trusted: self.data.trusted().rows(),
            seed: self.specification.seed,
            outer_steps: cleaned.outer_steps,
            seconds,
            peak_memory_mb: None,
            f: cleaned.step.f,
            f1: row.f1,
            precision: metrics.and_then(|metrics| metrics.precision),
            recall: metrics.and_then(|metrics| metrics.recall),
            suspect_f1: metrics.and_then(|metrics| metrics.suspect_f1),
            auc: row.auc,
            average_precision: metrics.and_then(|metrics| metrics.average_precision),
            test_accuracy: row.test_accuracy,
            retrained_accuracy: row.retrained_accuracy,
            baselines: Baselines(simple),
            gradient_check,
            step_size: self
                .method
                .entry()
                .takes(Setting::StepSize)
                .then_some(self.method.settings.step_size),
            adjoint: self
                .chosen
                .as_ref()
                .and(self.method.settings.adjoint.map(|a| a.to_string())),
            adjoint_reason: self.chosen.as_ref().map(|chosen| chosen.why.clone()),
            input: self.findings.clone(),
        };
        Ok(CleaningOutcome {
            result,
            scores,
            suggestions,
            kept_step: cleaned.step.step,
            why: cleaned.why,
        })
    }

    /// No update starts after this time, counted from the start of the run.
    pub fn limit_time(&mut self, limit: Option<Duration>) {
        self.settings.time_limit = limit;
        self.cleaning.limit_time(limit);
    }
}

fn settings(given: &CleaningSpecification) -> Result<CleaningSettings, Error> {
    let defaults = CleaningSettings::default();
    let (training, run) = (&given.training, &given.run);
    let early_stopping = run.early_stopping.0;
    if early_stopping.is_none() && run.patience.is_some() {
        return Err(CleaningProblem::Patience.into());
    }
    Ok(CleaningSettings {
        model: training.model,
        batch: training.batch,
        trusted_batch: training.trusted_batch,
        weight_decay: training.weight_decay,
        early_stopping,
        patience: run.patience.unwrap_or(defaults.patience),
        outer_steps: run.outer_steps,
        time_limit: run.time_limit.map(|limit| limit.0),
    })
}

/// The baselines' training does not depend on the method, so that they are the same for every one.
fn trainer(settings: &CleaningSettings, key: Key) -> Trainer {
    Trainer {
        model: settings.model,
        steps: 300,
        weight_decay: settings.weight_decay,
        key,
    }
}
