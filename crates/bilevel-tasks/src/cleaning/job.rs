//! A cleaning job: from a specification to an outcome; everything is checked before the run.

use std::time::{Duration, Instant};

use bilevel::catalogue::{
    Chosen, Defaults, Method, OptimizerChoice, Setting, StepSizeChoice, choose,
};
use bilevel::driver::Why;
use bilevel::{Driver, Key};

use super::baseline::{Baseline, baselines, figures, retrain};
use super::detector::{Choice, Compared};
use super::findings::Findings;
use super::gradient::{self, GradientCheck};
use super::input::Input;
use super::judge::Judge;
use super::outcome::{Baselines, CleaningOutcome, CleaningResult, scores, suggestions};
use super::problem::CleaningProblem;
use super::run::{Cleaned, CleaningState, Watch};
use super::specification::{CleaningSpecification, EarlyStopping, RunSpecification};
use super::split::CleaningData;
use super::stage::Stage;
use super::step_size::{self, MeasuredStepSize};
use super::verdict::Verdict;
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

impl CleaningJob {
    /// Reads the rows and builds the method; memory is predicted for this many threads.
    ///
    /// # Errors
    /// Whatever is wrong with the specification or the files that it names.
    pub fn new(given: &CleaningSpecification, threads: usize) -> Result<Self, Error> {
        let key = Key::from_seed(given.seed);
        let judge = given.method.judge;
        if let Judge::Detector(name) = judge {
            expect_no_weights(given, name)?;
        }
        let method = |given: &CleaningSpecification| {
            let defaults = Defaults {
                measures_step_size: true,
                ..Defaults::TRAINING
            };
            Method::new(&given.method.weights, defaults)?.expect_inner_weight(given.run.outer_steps)
        };
        let built = method(given)?;
        let settings = settings(given)?;
        let input = Input::read(&given.data, key)?;
        let cleaning = Cleaning::new(&input.data, &settings, key)?;
        let fixed = given
            .method
            .weights
            .step_size
            .and_then(StepSizeChoice::fixed);
        let measured = match fixed {
            None if judge.learns_weights() && built.entry().takes(Setting::StepSize) => {
                step_size::measured(&cleaning, &built, key)?
            }
            _ => None,
        };
        let method = match measured {
            None => built,
            Some(measured) => {
                let mut given = given.clone();
                given.method.weights.step_size = Some(StepSizeChoice::Fixed(measured.step_size));
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
                let given = given.method.weights.adjoint.is_some();
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
        if self.judge().learns_weights() {
            full.method.weights = self.method.given();
            if self.judge() == Judge::Auto {
                // The field and the adjoint say which one.
                full.method.weights.method = None;
            }
            full.run.outer_optimizer = Some(self.optimizer);
            full.run.early_stopping = EarlyStopping(self.settings.early_stopping);
            full.run.patience = self.settings.early_stopping.map(|_| self.settings.patience);
        }
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

    /// Who judges the labels.
    #[must_use]
    pub fn judge(&self) -> Judge {
        self.specification.method.judge
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
    /// A run without an outer step where weights are learned, or training that diverges.
    pub fn outcome(
        &self,
        state: &CleaningState<f32>,
        why: Why,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<CleaningOutcome, Error> {
        let trainer = trainer(&self.settings, self.key);
        let learned = match self.judge().learns_weights() {
            true => Some(Cleaned::new(state, why)?),
            false => None,
        };
        let begin = Instant::now();
        let mut row = None;
        let mut verdict = None;
        if let Some(cleaned) = &learned {
            stage(Stage::Retraining);
            let retrained: Classifier<f32> =
                retrain(&self.data, &kept(&cleaned.weights), &trainer, self.key)?;
            let seconds = (state.run.elapsed + begin.elapsed()).as_secs_f64();
            let own = Classifier::new(self.settings.model, cleaned.y.clone());
            row = Some(Baseline::of_weights(
                &self.data,
                &cleaned.weights,
                &own,
                &retrained,
                seconds,
            )?);
            if self.judge() == Judge::Weights {
                verdict = Some(Verdict::of_weights(&self.data, cleaned, retrained)?);
            }
        }
        // Without the weights, which are as long as the list of rows.
        let learned = learned.map(|cleaned| (cleaned.outer_steps, cleaned.step));
        stage(Stage::Baselines);
        let mut simple: Vec<(String, Baseline)> = baselines::<f32>(&self.data, &trainer, self.key)?
            .into_iter()
            .map(|(name, baseline)| (name.to_owned(), baseline))
            .collect();
        let mut compared = Compared::new(&self.data, &trainer, self.judge(), stage)?;
        let mut choice = None;
        if self.judge() != Judge::Weights {
            let begin = Instant::now();
            let (judged, chosen) = compared.verdict(&self.data, self.judge(), self.key, stage)?;
            let seconds = compared.seconds(self.judge()) + begin.elapsed().as_secs_f64();
            let test_accuracy = None;
            let own = Baseline {
                test_accuracy,
                seconds,
                ..Baseline::of_verdict(&self.data, &judged)?
            };
            if let Some(weights) = row.replace(own) {
                simple.push((self.method.name(), weights));
            }
            verdict = Some(judged);
            choice = chosen;
        }
        let (left_out, rows) = compared.into_rows();
        let own_name = match self.judge() {
            Judge::Detector(name) => Some(name),
            _ => None,
        };
        let rows = rows.into_iter().filter(|(name, _)| Some(*name) != own_name);
        simple.extend(rows.map(|(name, row)| (name.to_owned(), row)));
        let (Some(row), Some(verdict)) = (row, verdict) else {
            return Err(Error::NoOuterStep);
        };

        let gradient_check = if learned.is_some() {
            stage(Stage::Checking);
            gradient::check(&self.data, &self.settings, &self.method, self.key)
        } else {
            GradientCheck::none()
        };
        // Last, as long lists of rows need memory that the baselines need for copies of the data.
        let ids = self.ids.as_deref();
        let metrics = figures(
            &verdict.weights,
            &verdict.kept,
            self.data.wrong().as_deref(),
        )?;
        let metrics = metrics.as_ref();
        let scores = scores(&self.data, ids, &verdict);
        let suggestions = suggestions(&self.data, ids, &verdict.classifier)?;
        let takes_step_size = self.method.entry().takes(Setting::StepSize);
        let result = CleaningResult {
            not_to_be_trusted: match self.judge() {
                // The learned weights stand beside the result.
                Judge::Auto | Judge::Detector(_) => None,
                Judge::Weights => gradient_check.failure(),
            },
            method: self
                .judge()
                .name()
                .map_or_else(|| self.method.name(), str::to_owned),
            model: self.settings.model.to_string(),
            rows: self.data.train().rows(),
            trusted: self.data.trusted().rows(),
            seed: self.specification.seed,
            outer_steps: learned.as_ref().map_or(0, |(outer_steps, _)| *outer_steps),
            seconds: row.seconds,
            peak_memory_mb: None,
            f: learned.as_ref().map(|(_, step)| step.f),
            f1: row.f1,
            precision: metrics.and_then(|metrics| metrics.precision),
            recall: metrics.and_then(|metrics| metrics.recall),
            suspect_f1: metrics.and_then(|metrics| metrics.suspect_f1),
            auc: row.auc,
            average_precision: metrics.and_then(|metrics| metrics.average_precision),
            test_accuracy: row.test_accuracy,
            retrained_accuracy: row.retrained_accuracy,
            chosen: choice.as_ref().map(Choice::name),
            ranked_by: choice.as_ref().map(|choice| choice.ranked_by),
            kept_by: choice.as_ref().map(|choice| choice.kept_by),
            expected: choice.as_ref().and_then(|choice| choice.expected),
            candidates: choice.map_or_else(Vec::new, |choice| choice.candidates),
            left_out,
            baselines: Baselines(simple),
            gradient_check,
            step_size: (learned.is_some() && takes_step_size)
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
            kept_step: learned.map_or(0, |(_, step)| step.step),
            why,
        })
    }

    /// No update starts after this time, counted from the start of the run.
    pub fn limit_time(&mut self, limit: Option<Duration>) {
        self.settings.time_limit = limit;
        self.cleaning.limit_time(limit);
    }
}

/// Rejects keys of learned weights for a detector, which learns none.
fn expect_no_weights(given: &CleaningSpecification, name: &'static str) -> Result<(), Error> {
    let (run, training) = (&given.run, &given.training);
    let usual = RunSpecification::default();
    let mut settings = given.method.weights.given().map(Setting::name);
    let others = [
        ("batch", training.batch.is_some()),
        ("trusted_batch", training.trusted_batch.is_some()),
        ("outer_steps", run.outer_steps != usual.outer_steps),
        ("outer_optimizer", run.outer_optimizer.is_some()),
        ("early_stopping", run.early_stopping != usual.early_stopping),
        ("patience", run.patience.is_some()),
        ("memory_budget", run.memory_budget.is_some()),
        ("time_limit", run.time_limit.is_some()),
    ];
    let other = others.into_iter().find(|(_, given)| *given);
    match settings.next().or(other.map(|(key, _)| key)) {
        None => Ok(()),
        Some(key) => Err(CleaningProblem::Unused {
            key,
            because: format!("{name} learns no weights"),
        }
        .into()),
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
