//! A cleaning job: from a specification to an outcome; everything is checked before the run.

use std::time::{Duration, Instant};

use bilevel::Key;
use bilevel::catalogue::Setting;
use bilevel::driver::Why;

use super::baseline::{Baseline, baselines, figures, retrain};
use super::cleaned_files::expect_cleaned;
use super::demand::expect_memory;
use super::detector::{Choice, Compared, most_classes, needs_trusted, predicted_time};
use super::findings::Findings;
use super::gradient::{self, GradientCheck};
use super::input::{Features, Input};
use super::judge::Judge;
use super::learning::{Learning, is_optional};
use super::left_out::{LeftOut, WhyLeftOut};
use super::outcome::{Baselines, CleaningOutcome, CleaningResult, annotators, scores, suggestions};
use super::problem::CleaningProblem;
use super::run::{Cleaned, CleaningState, Watch};
use super::specification::{CleaningSpecification, EarlyStopping, RunSpecification};
use super::split::CleaningData;
use super::stage::Stage;
use super::verdict::Verdict;
use super::{CleaningSettings, LONGEST_HOURS, kept};
use crate::corruption::Corruption;
use crate::data::preparation::ColumnScale;
use crate::model::Model;
use crate::train::{Classifier, Trainer};
use crate::{Deadline, Error};

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
    /// How the rows of a file became features.
    pub(super) features: Option<Features>,
    /// The settings of the task.
    pub settings: CleaningSettings,
    /// How weights are learned, if they are.
    pub learning: Option<Learning>,
    /// What is left out from the start.
    left_out: Vec<LeftOut>,
    /// The end of its time.
    pub deadline: Deadline,
    /// The root key of all draws.
    pub key: Key,
}

impl CleaningJob {
    /// Reads the rows and builds the method; memory is predicted for this many threads. Its time, if it is limited,
    /// counts from now.
    ///
    /// # Errors
    /// Whatever is wrong with the specification or the files that it names.
    pub fn new(given: &CleaningSpecification, threads: usize) -> Result<Self, Error> {
        let key = Key::from_seed(given.seed);
        let deadline = deadline(given.run.time_limit.map(|limit| limit.0));
        let judge = given.method.judge;
        let needs_trusted = match judge {
            Judge::Auto => None,
            Judge::Detector(name) => {
                expect_no_weights(given, name)?;
                needs_trusted(name).then(|| name.to_owned())
            }
            Judge::Weights => Some("learned weights".to_owned()),
        };
        expect_patience(given)?;
        expect_cleaned(given)?;
        let input = Input::read(&given.data, needs_trusted.as_deref(), key)?;
        let model = given.training.model.on(input.data.train().image_shape())?;
        let mut settings = settings(given, model);
        let learns = judge.learns_weights() && input.data.trusted().rows() > 0;
        expect_few_classes(judge, &input.data)?;
        expect_memory(&input.data, settings.model)?;
        let mut left_out = Vec::new();
        let learning = if learns {
            match Learning::new(given, &mut settings, &input.data, (key, deadline), threads) {
                Err(Error::TooLarge(_)) if is_optional(given) => {
                    let weights = "the learned weights";
                    left_out.push(LeftOut::new(weights, WhyLeftOut::Memory));
                    None
                }
                learning => Some(learning?),
            }
        } else {
            None
        };
        let mut job = Self {
            specification: given.clone(),
            data: input.data,
            corruption: input.corruption,
            scaling: input.scaling,
            ids: input.ids,
            findings: input.findings,
            rows_text: input.rows_text,
            features: input.features,
            settings,
            learning,
            left_out,
            deadline,
            key,
        };
        job.specification = job.with_every_value(threads);
        Ok(job)
    }

    /// About how long the updates of the weights take at most; None where none are learned.
    ///
    /// # Errors
    /// If the loss cannot be evaluated.
    pub fn predicted_time(&self) -> Result<Option<Duration>, Error> {
        let Some(learning) = &self.learning else {
            return Ok(None);
        };
        let update = learning.update_time(&learning.start())?;
        let seconds = update.as_secs_f64() * self.settings.outer_steps as f64;
        // Longer than any clock counts is as good as for ever.
        Ok(Some(
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        ))
    }

    /// About how long the detectors take at most, where that is not seconds: with a network, and without a limit of time.
    ///
    /// # Errors
    /// If the loss cannot be evaluated.
    pub fn detectors_time(&self) -> Result<Option<Duration>, Error> {
        let network = matches!(self.settings.model, Model::Network(_));
        if !network || self.deadline.left().is_some() {
            return Ok(None);
        }
        let trainer = trainer(&self.settings, self.key, self.deadline);
        predicted_time(&self.data, &trainer).map(Some)
    }

    /// Fails if the job would take very long and no limit of time was set.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn expect_short(&self) -> Result<(), Error> {
        if self.deadline.left().is_some() {
            return Ok(());
        }
        let Some(time) = self.predicted_time()? else {
            return Ok(());
        };
        let updates = self.settings.outer_steps;
        let (hours, seconds) = (
            time.as_secs_f64() / 3600.0,
            time.as_secs_f64() / updates as f64,
        );
        if hours > LONGEST_HOURS as f64 {
            return Err(Error::TooLong {
                most: LONGEST_HOURS,
                hours,
                updates,
                seconds,
            });
        }
        Ok(())
    }

    /// The specification with all values resolved.
    fn with_every_value(&self, threads: usize) -> CleaningSpecification {
        let mut full = self.specification.clone();
        if let Some(learning) = &self.learning {
            full.method.weights = learning.method.given();
            if self.judge() == Judge::Auto {
                // The field and the adjoint say which one.
                full.method.weights.method = None;
            }
            full.training.batch = self.settings.batch;
            full.run.outer_optimizer = Some(learning.optimizer);
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
        let drawn = Some(self.data.trusted().rows()).filter(|&rows| rows > 0);
        data.trusted_rows = drawn.filter(|_| !named);
        full
    }

    /// Who judges the labels.
    #[must_use]
    pub fn judge(&self) -> Judge {
        self.specification.method.judge
    }

    /// The state before the first outer step; an empty one where no weights are learned.
    #[must_use]
    pub fn start(&self) -> CleaningState<f32> {
        match &self.learning {
            Some(learning) => learning.start(),
            None => CleaningState::empty(),
        }
    }

    /// Fails unless the state belongs to this job.
    ///
    /// # Errors
    /// A different number of rows or of model parameters.
    pub fn expect_state(&self, state: &CleaningState<f32>) -> Result<(), Error> {
        match &self.learning {
            Some(learning) => learning.expect_state(state),
            None => Ok(()),
        }
    }

    /// Learns the weights from `state` on, see [`Cleaning::run`](super::Cleaning::run); nothing where none are learned.
    ///
    /// # Errors
    /// An error that stops the run: `state` is then the last valid one.
    pub fn run(
        &self,
        state: &mut CleaningState<f32>,
        watch: &mut dyn Watch<f32>,
    ) -> Result<Why, Error> {
        match &self.learning {
            Some(learning) => learning.run(state, self.key, self.deadline, watch),
            None => Ok(Why::LastStep),
        }
    }

    /// Evaluates a run that ended for this reason: the rows by rank, compared with baselines. `stage` receives
    /// the current stage.
    ///
    /// # Errors
    /// A run without an outer step where weights judge, or training that diverges.
    pub fn outcome(
        &self,
        state: &CleaningState<f32>,
        why: Why,
        stage: &mut dyn FnMut(Stage),
    ) -> Result<CleaningOutcome, Error> {
        let mut left_out = self.left_out.clone();
        let trainer = trainer(&self.settings, self.key, self.deadline);
        let learned = self.learned(state, why, &mut left_out)?;
        let begin = Instant::now();
        let mut row = None;
        let mut verdict = None;
        if let Some((_, cleaned)) = &learned {
            let judges = self.judge() == Judge::Weights;
            // Beside detectors, it is trained only to be tested.
            let retrained = if judges || (self.data.test().is_some() && !self.deadline.passed()) {
                stage(Stage::Retraining);
                let kept = kept(&cleaned.weights);
                let retrained: Classifier<f32> = retrain(&self.data, &kept, &trainer, self.key)?;
                if self.deadline.passed() {
                    let model = "the end of training on the kept rows";
                    left_out.push(LeftOut::new(model, WhyLeftOut::TimeLimit));
                }
                Some(retrained)
            } else {
                None
            };
            let seconds = (state.run.elapsed + begin.elapsed()).as_secs_f64();
            let own = Classifier::new(self.settings.model, cleaned.y.clone());
            row = Some(Baseline::of_weights(
                &self.data,
                &cleaned.weights,
                (&own, retrained.as_ref()),
                seconds,
            )?);
            if let Some(retrained) = retrained.filter(|_| judges) {
                verdict = Some(Verdict::of_weights(&self.data, cleaned, retrained)?);
            }
        }
        // Without the weights, which are as long as the list of rows.
        let learned =
            learned.map(|(learning, cleaned)| (learning, cleaned.outer_steps, cleaned.step));
        let mut simple: Vec<(String, Baseline)> = Vec::new();
        let mut baselines = || -> Result<(), Error> {
            for (name, baseline) in baselines::<f32>(&self.data, &trainer, self.key)? {
                match baseline {
                    Some(baseline) => simple.push((name.to_owned(), baseline)),
                    None => left_out.push(LeftOut::new(name, WhyLeftOut::TimeLimit)),
                }
            }
            Ok(())
        };
        // Where time ends, detectors come first: one of them is the answer.
        let limited = self.deadline.left().is_some();
        if !limited {
            stage(Stage::Baselines);
            baselines()?;
        }
        let mut compared = Compared::new(&self.data, &trainer, self.judge(), stage)?;
        let mut choice = None;
        let mut cautions = Vec::new();
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
            let expected = chosen.as_ref().and_then(|chosen| chosen.expected);
            if expected.is_none() && judged.suspects.contains(&true) {
                let kept_by = chosen.as_ref().map(|chosen| chosen.kept_by);
                let kept_by = kept_by.or(self.judge().name()).unwrap_or_default();
                cautions = compared.cautions(kept_by, &self.data);
            }
            verdict = Some(judged);
            choice = chosen;
            if limited {
                stage(Stage::Baselines);
                baselines()?;
            }
            if let Some(weights) = row.replace(own)
                && let Some((learning, ..)) = &learned
            {
                simple.push((learning.method.name(), weights));
            }
        } else if limited {
            stage(Stage::Baselines);
            baselines()?;
        }
        let (cut, rows) = compared.into_rows();
        left_out.extend(cut);
        let own_name = match self.judge() {
            Judge::Detector(name) => Some(name),
            _ => None,
        };
        let rows = rows.into_iter().filter(|(name, _)| Some(*name) != own_name);
        simple.extend(rows.map(|(name, row)| (name.to_owned(), row)));
        if let Some(verdict) = &mut verdict {
            verdict.believe_trusted(&self.data);
        }
        let (Some(row), Some(verdict)) = (row, verdict) else {
            return Err(Error::NoOuterStep);
        };

        let gradient_check = match &learned {
            Some((learning, ..)) if !self.deadline.passed() => {
                stage(Stage::Checking);
                gradient::check(&self.data, &self.settings, &learning.method, self.key)
            }
            Some(_) => {
                left_out.push(LeftOut::new(
                    "the check of the gradient",
                    WhyLeftOut::TimeLimit,
                ));
                GradientCheck::none()
            }
            None => GradientCheck::none(),
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
        let suggestions = suggestions(&self.data, ids, verdict.classifier.as_ref())?;
        let learning = learned.as_ref().map(|(learning, ..)| *learning);
        let method = learning.map(|learning| &learning.method);
        let chosen = learning.and_then(|learning| learning.chosen.as_ref());
        let result = CleaningResult {
            not_to_be_trusted: gradient_check.failure().map(|failure| match self.judge() {
                Judge::Weights => failure,
                Judge::Auto | Judge::Detector(_) => format!(
                    "{failure}; this is about the learned weights, which stand beside the detectors"
                ),
            }),
            cautions,
            method: match (self.judge().name(), method) {
                (Some(name), _) => name.to_owned(),
                (None, Some(method)) => method.name(),
                (None, None) => return Err(Error::NoOuterStep),
            },
            model: self.settings.model.to_string(),
            rows: self.data.train().rows(),
            trusted: self.data.trusted().rows(),
            seed: self.specification.seed,
            outer_steps: learned.as_ref().map_or(0, |(_, steps, _)| *steps),
            seconds: row.seconds,
            peak_memory_mb: None,
            f: learned.as_ref().map(|(_, _, step)| step.f),
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
            annotators: annotators(&self.data, &verdict.suspects),
            left_out,
            baselines: Baselines(simple),
            gradient_check,
            step_size: method
                .filter(|method| method.entry().takes(Setting::StepSize))
                .map(|method| method.settings.step_size),
            adjoint: chosen.and(method.and_then(|m| m.settings.adjoint.map(|a| a.to_string()))),
            adjoint_reason: chosen.map(|chosen| chosen.why.clone()),
            input: self.findings.clone(),
        };
        Ok(CleaningOutcome {
            result,
            scores,
            suggestions,
            parameters: verdict
                .classifier
                .as_ref()
                .map(|classifier| classifier.parameters().to_vec()),
            kept_step: learned.map_or(0, |(.., step)| step.step),
            why,
        })
    }

    /// The weights that a run learned, if it did. Where they only stand beside detectors, none is no error.
    fn learned(
        &self,
        state: &CleaningState<f32>,
        why: Why,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Option<(&Learning, Cleaned<f32>)>, Error> {
        let Some(learning) = &self.learning else {
            return Ok(None);
        };
        match Cleaned::new(state, why) {
            Ok(cleaned) => {
                if why == Why::TimeLimit {
                    let rest = format!("the rest of the updates of {}", learning.method.name());
                    left_out.push(LeftOut::new(rest, WhyLeftOut::TimeLimit));
                }
                Ok(Some((learning, cleaned)))
            }
            Err(Error::NoOuterStep) if self.judge() == Judge::Auto => {
                let why = match why {
                    Why::TimeLimit => WhyLeftOut::TimeLimit,
                    _ => WhyLeftOut::Diverged,
                };
                left_out.push(LeftOut::new(learning.method.name(), why));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The job ends after this time from now.
    pub fn limit_time(&mut self, limit: Option<Duration>) {
        self.deadline = deadline(limit);
    }
}

/// What is computed ends before the time does: the results are still to be written.
fn deadline(limit: Option<Duration>) -> Deadline {
    const FOR_WRITING: f64 = 0.1;
    Deadline::within(limit.map(|limit| limit.mul_f64(1.0 - FOR_WRITING)))
}

/// Rejects more classes than the detector that is asked for takes.
fn expect_few_classes(judge: Judge, data: &CleaningData) -> Result<(), Error> {
    let (most, found) = (
        judge.name().map_or(usize::MAX, most_classes),
        data.train().classes(),
    );
    if found <= most {
        return Ok(());
    }
    let name = judge.name().unwrap_or_default();
    let because = format!("{name} takes at most {most} classes, and the labels have {found}");
    Err(CleaningProblem::Unused {
        key: "method",
        because,
    }
    .into())
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

fn expect_patience(given: &CleaningSpecification) -> Result<(), Error> {
    let run = &given.run;
    match run.early_stopping.0.is_none() && run.patience.is_some() {
        true => Err(CleaningProblem::Patience.into()),
        false => Ok(()),
    }
}

fn settings(given: &CleaningSpecification, model: Model) -> CleaningSettings {
    let usual = given.training.settings(model);
    let run = &given.run;
    CleaningSettings {
        early_stopping: run.early_stopping.0,
        patience: run.patience.unwrap_or(usual.patience),
        outer_steps: run.outer_steps,
        time_limit: run.time_limit.map(|limit| limit.0),
        ..usual
    }
}

/// The baselines' training does not depend on the method, so that they are the same for every one.
fn trainer(settings: &CleaningSettings, key: Key, deadline: Deadline) -> Trainer {
    Trainer {
        model: settings.model,
        steps: 300,
        weight_decay: settings.weight_decay,
        key,
        deadline,
    }
}
