//! How the weights of a job are learned.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bilevel::catalogue::{
    Chosen, Defaults, Method, OptimizerChoice, Setting, Size, StepSizeChoice, choose,
};
use bilevel::driver::Why;
use bilevel::{Driver, Key};

use super::forecast::GRADIENTS;
use super::judge::Judge;
use super::run::{CleaningState, Watch};
use super::specification::CleaningSpecification;
use super::split::CleaningData;
use super::step_size::{self, MeasuredStepSize};
use super::{Cleaning, CleaningSettings};
use crate::cost::gradient_time;
use crate::data::FeatureValues;
use crate::{Deadline, Error, machine};

/// The most multiplications of all updates, some minutes of two cores: with more, an inner step sees a part of the rows.
const MOST: f64 = 4e12;

/// A row of a mini-batch takes about so many times as long as one of all rows, as it is copied and packed in each step: only
/// smaller parts of the rows are worth it.
const BATCHING: f64 = 4.0;

/// Of the time of a job with a limit, the part that learns weights: more where they judge than where they stand beside
/// the detectors, which are still to come.
const PARTS: [f64; 2] = [0.6, 0.25];

/// Of the time until the deadline, the part in which the step size is measured, or these seconds if they are longer: a run
/// that was not cut while it was measured continues to the bits of one without a limit.
const MEASURING: f64 = 0.1;
const MEASURING_SECONDS: f64 = 2.0;

/// Values of the losses of all rows that are watched at each update take as long as so many gradients.
const WATCHED: f64 = 1.0;

/// No fewer rows in an inner step.
const LEAST_BATCH: usize = 64;

/// The part of the free memory that a hypergradient may take.
const OF_MEMORY: f64 = 0.8;

/// The problem, the method and the update rule of a job that learns weights.
pub struct Learning {
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
    /// The rows of an inner step, if not all of them, where that was not given.
    pub batch: Option<usize>,
    /// Whether the detectors judge, so that no update is needed.
    beside: bool,
    /// Whether it may be left out, see [`is_optional`].
    optional: bool,
    /// About how long one update takes, once it was measured.
    update: OnceLock<Duration>,
}

impl Learning {
    /// Chooses what was not given: the rows of an inner step, the step size, the derivative that fits into memory. A part
    /// of the time until the deadline is enough for it.
    pub(super) fn new(
        given: &CleaningSpecification,
        settings: &mut CleaningSettings,
        data: &CleaningData,
        (key, deadline): (Key, Deadline),
        threads: usize,
    ) -> Result<Self, Error> {
        let method = |given: &CleaningSpecification| {
            let defaults = Defaults {
                measures_step_size: true,
                ..Defaults::TRAINING
            };
            Method::new(&given.method.weights, defaults)?.expect_inner_weight(given.run.outer_steps)
        };
        let built = method(given)?;
        let chosen_batch = match settings.batch {
            None if built.is_unrolled() => batch(data, settings, built.settings.steps),
            _ => None,
        };
        settings.batch = settings.batch.or(chosen_batch);
        let cleaning = Cleaning::new(data, settings, key)?;
        let fixed = given
            .method
            .weights
            .step_size
            .and_then(StepSizeChoice::fixed);
        let measuring = deadline.left().map(|left| {
            let least = Duration::from_secs_f64(MEASURING_SECONDS);
            left.mul_f64(MEASURING).max(least)
        });
        let until = measuring.and_then(|time| Instant::now().checked_add(time));
        let measured = match fixed {
            None if built.entry().takes(Setting::StepSize) => {
                match step_size::sampled(data, settings.model)? {
                    None => step_size::measured(&cleaning, &built, key, until)?,
                    Some(rows) => {
                        let batch = settings.batch.map(|batch| batch.min(rows.train().rows()));
                        let settings = CleaningSettings {
                            batch,
                            ..settings.clone()
                        };
                        let some = Cleaning::<f32>::new(&rows, &settings, key)?;
                        step_size::measured(&some, &built, key, until)?
                    }
                }
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
        let (method, chosen) = fitting(method, given, &cleaning, threads)?;
        let optimizer = method.optimizer(given.run.outer_optimizer, OptimizerChoice::Adam(0.05));
        Driver::new(
            cleaning.problem(),
            &*method.build::<f32>(cleaning.problem()),
            &*optimizer.build(),
            key,
        )
        .outer_steps(settings.outer_steps)
        .validate()?;
        Ok(Self {
            cleaning,
            method,
            optimizer,
            chosen,
            measured,
            batch: chosen_batch,
            optional: is_optional(given),
            beside: given.method.judge == Judge::Auto,
            update: OnceLock::new(),
        })
    }

    /// Whether the weights may be left out if they diverge: detectors judge, and the user chose nothing about them.
    #[must_use]
    pub fn may_be_left_out(&self) -> bool {
        self.optional
    }

    /// The state before the first outer step.
    #[must_use]
    pub fn start(&self) -> CleaningState<f32> {
        self.cleaning.start(&*self.optimizer.build())
    }

    /// Fails unless the state belongs to this problem.
    ///
    /// # Errors
    /// A different number of rows or of model parameters.
    pub fn expect_state(&self, state: &CleaningState<f32>) -> Result<(), Error> {
        self.cleaning.expect_state(state, &*self.optimizer.build())
    }

    /// Learns the weights from `state` on, see [`Cleaning::run`], in a part of the time until the deadline.
    pub(super) fn run(
        &self,
        state: &mut CleaningState<f32>,
        key: Key,
        deadline: Deadline,
        watch: &mut dyn Watch<f32>,
    ) -> Result<Why, Error> {
        let limit = match deadline.left() {
            None => None,
            Some(left) => {
                let allowed = left.mul_f64(PARTS[usize::from(self.beside)]);
                // An update cannot be cut short.
                let update = self.update_time(state)?;
                if self.beside && update > allowed {
                    return Ok(Why::TimeLimit);
                }
                let spent = state.run.elapsed;
                Some(spent.saturating_add(allowed.saturating_sub(update)))
            }
        };
        let method = self.method.build::<f32>(self.cleaning.problem());
        let optimizer = self.optimizer.build();
        self.cleaning
            .run_for(limit, state, (&*method, &*optimizer), key, watch)
    }

    /// About how long one update takes, by the time of one inner gradient.
    pub(super) fn update_time(&self, state: &CleaningState<f32>) -> Result<Duration, Error> {
        if let Some(known) = self.update.get() {
            return Ok(*known);
        }
        let time = self.gradient_time(state)?.mul_f64(self.gradients());
        Ok(*self.update.get_or_init(|| time))
    }

    /// About how long one inner gradient on all rows takes.
    fn gradient_time(&self, state: &CleaningState<f32>) -> Result<Duration, Error> {
        let problem = self.cleaning.problem();
        let y = vec![0.0; problem.y_len()];
        Ok(gradient_time(problem.inner(), &state.run.x, &y)?)
    }

    /// How many inner gradients on all rows take as long as one update.
    fn gradients(&self) -> f64 {
        let problem = self.cleaning.problem();
        let cost = self.method.build::<f32>(problem).cost(problem);
        let rows = problem.x_len().max(1) as f64;
        let settings = &self.cleaning.settings;
        let share = |batch: Option<usize>, all: f64| batch.map_or(all, |batch| batch as f64) / rows;
        let inner = share(settings.batch, rows);
        let outer = share(settings.trusted_batch, self.cleaning.trusted as f64);
        cost.inner.gradients() * inner + cost.outer.gradients() * outer + WATCHED
    }
}

/// Whether detectors judge, and the user chose nothing about the weights that stand beside them.
pub(super) fn is_optional(given: &CleaningSpecification) -> bool {
    let run = &given.run;
    let chosen = given.method.weights.given().next().is_some()
        || run.outer_optimizer.is_some()
        || run.memory_budget.is_some();
    given.method.judge == Judge::Auto && !chosen
}

/// The derivative that was given or, if it takes more memory than allowed, one with checkpoints.
fn fitting(
    method: Method,
    given: &CleaningSpecification,
    cleaning: &Cleaning<f32>,
    threads: usize,
) -> Result<(Method, Option<Chosen>), Error> {
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
    let asked = given.method.weights.adjoint.is_some();
    if let Some(budget) = &given.run.memory_budget {
        let (method, chosen) = choose(method, asked, true, budget, &peak)?;
        return Ok((method, Some(chosen)));
    }
    let Some(available) = machine::available_memory() else {
        return Ok((method, None));
    };
    let available = (available as f64 * OF_MEMORY) as usize;
    if peak(&method)? <= available {
        return Ok((method, None));
    }
    let (method, chosen) = choose(method, asked, false, &Size::of_machine(available), &peak)?;
    Ok((method, Some(chosen)))
}

/// The rows of an inner step, if all of them would take too long: so that all updates together do not.
fn batch(data: &CleaningData, settings: &CleaningSettings, steps: usize) -> Option<usize> {
    let train = data.train();
    if let FeatureValues::Sparse(_) = train.values() {
        // Mini-batches would store the zeros.
        return None;
    }
    let row = settings
        .model
        .multiplications(train.columns(), train.classes());
    let row = 2.0 * row as f64;
    let all = row * train.rows() as f64 * steps as f64 * settings.outer_steps as f64 * GRADIENTS;
    if all <= BATCHING * MOST {
        return None;
    }
    let rows = (train.rows() as f64 * MOST / all) as usize;
    let rows = rows.max(LEAST_BATCH);
    (rows < train.rows()).then_some(rows)
}
