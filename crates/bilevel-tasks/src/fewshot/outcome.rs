//! The outcome of a few-shot job.

use std::time::Instant;

use bilevel::check::gradient_check;
use bilevel::driver::Why;
use bilevel::{At, Key};
use serde::{Deserialize, Serialize};

use super::baseline::{SCRATCH_STEP_SIZES, Scratch, of_features};
use super::family::{Family, for_each};
use super::job::FewshotJob;
use super::objectives::Tasks;
use super::run::FewshotState;
use crate::Error;
use crate::data::pictures::Split;
use crate::stream::BASELINE;

/// The mean accuracy over tasks, with the half-width of its 95 % interval.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Accuracy {
    /// The mean.
    pub accuracy: f64,
    /// 1.96 standard errors of the mean over tasks.
    pub interval: f64,
    /// Number of tasks.
    pub tasks: usize,
}

impl Accuracy {
    /// Of the accuracies on single tasks.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = squares / (count - 1.0).max(1.0);
        Self {
            accuracy: mean,
            interval: 1.96 * (variance / count).sqrt(),
            tasks: values.len(),
        }
    }
}

/// A simple way to do the same, on the first of the same tasks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FewshotBaseline {
    /// Its name.
    pub name: String,
    /// What it does.
    pub meaning: String,
    /// On its tasks.
    #[serde(flatten)]
    pub accuracy: Accuracy,
    /// The accuracy of what was learned minus its own, on its tasks, with the interval of the paired difference.
    pub behind: Accuracy,
    /// How long it took.
    pub seconds: f64,
}

/// The check of the gradient.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct FewshotCheck {
    /// Against central differences, of one task in double precision; None for a method that promises no gradient.
    pub relative_error: Option<f64>,
    /// Whether they agree.
    pub passed: Option<bool>,
}

/// What `result.json` holds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FewshotResult {
    /// The algorithm.
    pub algorithm: String,
    /// The method of its derivatives.
    pub method: String,
    /// The network.
    pub network: String,
    /// Classes of a task.
    pub way: usize,
    /// Pictures of each class in a support set.
    pub shot: usize,
    /// Pictures of each class in a query set.
    pub query: usize,
    /// The seed.
    pub seed: u64,
    /// Height, width and channels of the pictures.
    pub picture: [usize; 3],
    /// Classes for training, validation and test, turned ones included.
    pub classes: [usize; 3],
    /// Updates of x.
    pub outer_steps: usize,
    /// The update whose x is kept.
    pub kept_step: usize,
    /// Time of training.
    pub seconds: f64,
    /// The largest memory of the process so far.
    pub peak_memory_mb: Option<f64>,
    /// The accuracy on validation tasks of the kept x.
    pub validation_accuracy: f64,
    /// On the test tasks.
    pub test: Accuracy,
    /// Simple ways on the same tasks.
    pub baselines: Vec<FewshotBaseline>,
    /// What is best: `learned`, or the name of a baseline that is significantly better.
    pub best: String,
    /// Factors of the learned step sizes, by parameter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub step_factors: Vec<(String, f64)>,
    /// Estimates that fell short of what the method promises.
    pub complaints: usize,
    /// The check of the gradient.
    pub gradient_check: FewshotCheck,
    /// Why the run ended.
    pub ended: String,
    /// Why the results are not to be trusted, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_to_be_trusted: Option<String>,
}

/// The outcome of a job.
pub struct FewshotOutcome {
    /// The figures.
    pub result: FewshotResult,
    /// The kept x.
    pub x: Vec<f32>,
    /// Why the run ended.
    pub why: Why,
}

/// What is being done after the last update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FewshotStage {
    /// The test.
    Test,
    /// The baselines.
    Baselines,
    /// The check of the gradient.
    Check,
}

/// Tasks of training from scratch, which takes long.
const SCRATCH_TASKS: usize = 100;
/// Tasks that choose its step size.
const SCRATCH_TRIALS: usize = 10;
/// Query pictures of each class in the check.
const CHECK_QUERY: usize = 2;
const CHECK_TOLERANCE: f64 = 1e-5;

impl FewshotJob {
    /// Judges the best x on the test tasks, beside the baselines.
    ///
    /// # Errors
    /// If no outer step was observed, or a number is not finite.
    pub fn outcome(
        &self,
        state: &FewshotState,
        why: Why,
        say: &mut dyn FnMut(FewshotStage),
    ) -> Result<FewshotOutcome, Error> {
        let kept = state.progress.best.as_ref().ok_or(Error::NoOuterStep)?;
        let (x, specification) = (&kept.x, &self.specification);
        let (family, tasks) = (&self.families.test, specification.run.test_tasks);
        let adaptation = self.adaptation();
        say(FewshotStage::Test);
        let learned = for_each(self.executor(tasks), tasks, |number| {
            family.accuracy(number, x, &adaptation)
        })?;
        say(FewshotStage::Baselines);
        let baselines = self.baselines(x, &learned)?;
        say(FewshotStage::Check);
        let gradient_check = self.check()?;
        let better =
            |baseline: &&FewshotBaseline| baseline.behind.accuracy + baseline.behind.interval < 0.0;
        let mut winners: Vec<&FewshotBaseline> = baselines.iter().filter(better).collect();
        winners.sort_by(|a, b| a.behind.accuracy.total_cmp(&b.behind.accuracy));
        let best = winners
            .first()
            .map_or("learned", |first| &first.name)
            .to_owned();
        let not_to_be_trusted = match gradient_check {
            FewshotCheck { passed: Some(false), relative_error: Some(error) } => Some(format!(
                "the gradient disagrees with finite differences (relative error {error:.0e})"
            )),
            FewshotCheck { passed: Some(false), relative_error: None } => Some(
                "the gradient could not be compared with finite differences: a number became non-finite".to_owned(),
            ),
            _ => None,
        };
        let shape = self.classes.set.shape;
        let of = |split| self.classes.of(split).len();
        let learning = &specification.learning;
        let result = FewshotResult {
            algorithm: learning.algorithm.to_string(),
            method: match learning.algorithm {
                super::Algorithm::Reptile => "reptile".to_owned(),
                _ => self.method.name(),
            },
            network: learning.network.to_string(),
            way: specification.tasks.way,
            shot: specification.tasks.shot,
            query: specification.tasks.query,
            seed: specification.seed,
            picture: [shape.height, shape.width, shape.channels],
            classes: [of(Split::Train), of(Split::Validation), of(Split::Test)],
            outer_steps: state.run.outer_step,
            kept_step: kept.step,
            seconds: state.run.elapsed.as_secs_f64(),
            peak_memory_mb: None,
            validation_accuracy: kept.accuracy,
            test: Accuracy::of(&learned),
            baselines,
            best,
            step_factors: family.tasks.step_factors(x),
            complaints: state.progress.complaints,
            gradient_check,
            ended: why.to_string(),
            not_to_be_trusted,
        };
        Ok(FewshotOutcome {
            result,
            x: x.clone(),
            why,
        })
    }

    fn baselines(&self, x: &[f32], learned: &[f64]) -> Result<Vec<FewshotBaseline>, Error> {
        let (family, tasks) = (&self.families.test, learned.len());
        let begin = Instant::now();
        let of = for_each(self.executor(tasks), tasks, |number| {
            of_features(family, number, x)
        })?;
        let seconds = begin.elapsed().as_secs_f64() / 3.0;
        let mut all = Vec::new();
        for (place, (name, meaning)) in [
            ("pixels", "the class whose mean picture is nearest"),
            (
                "features",
                "the class whose mean is nearest in the learned features",
            ),
            (
                "linear",
                "a linear head trained to its end on the learned features",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let accuracies: Vec<f64> = of.iter().map(|three| three[place]).collect();
            all.push(compared(name, meaning, &accuracies, learned, seconds));
        }
        let begin = Instant::now();
        let (key, network) = (
            self.key.stream(BASELINE),
            self.specification.learning.network,
        );
        let trial = Scratch::new(network, &self.families.validation, key)?;
        let (mut step_size, mut most) = (SCRATCH_STEP_SIZES[0], -1.0);
        for size in SCRATCH_STEP_SIZES {
            let found = for_each(self.executor(SCRATCH_TRIALS), SCRATCH_TRIALS, |number| {
                trial.accuracy(number, size)
            })?;
            let sum: f64 = found.iter().sum();
            if sum > most {
                (step_size, most) = (size, sum);
            }
        }
        let scratch = Scratch::new(network, family, key)?;
        let tasks = tasks.min(SCRATCH_TASKS);
        let found = for_each(self.executor(tasks), tasks, |number| {
            scratch.accuracy(number, step_size)
        })?;
        let meaning = "the network trained from a random start on the support set alone";
        let seconds = begin.elapsed().as_secs_f64();
        all.push(compared("scratch", meaning, &found, learned, seconds));
        Ok(all)
    }

    /// Compares the gradient of one task with central differences, in double precision at a random x.
    fn check(&self) -> Result<FewshotCheck, Error> {
        let learning = &self.specification.learning;
        if !learning.algorithm.is_exact(&self.method) {
            return Ok(FewshotCheck {
                relative_error: None,
                passed: None,
            });
        }
        let shape = self.classes.set.shape;
        let picture = [shape.height, shape.width, shape.channels];
        let trained = learning.algorithm.trained();
        let mut episodes = self.families.train.episodes.clone();
        episodes.way = episodes.way.min(5);
        episodes.query = episodes.query.min(CHECK_QUERY);
        let tasks = Tasks::<f64>::new(learning.network, picture, episodes.way, learning.form())?;
        let key: Key = self.key.stream(bilevel::Stream::Check);
        let mut x = tasks.start(key);
        let head = crate::network::start::<f64>(tasks.head(), key);
        let from = crate::network::layout(tasks.features()).len();
        // A head of zeros would hide what depends on it.
        if trained == super::Trained::All {
            x[from..from + head.len()].copy_from_slice(&head);
        }
        let family = Family {
            tasks: std::sync::Arc::new(tasks.with_head(head)),
            episodes,
            key: self.families.train.key,
            meta_batch: 1,
        };
        let problem = family.open(0)?.problem;
        let estimate = learning.algorithm.build::<f64>(&self.method, &problem);
        let found = gradient_check(&*estimate, &At::new(&problem, &x, key), 1, CHECK_TOLERANCE);
        Ok(match found {
            Ok(found) => FewshotCheck {
                relative_error: Some(found.relative_error),
                passed: Some(found.passed()),
            },
            Err(_) => FewshotCheck {
                relative_error: None,
                passed: Some(false),
            },
        })
    }
}

/// A baseline beside what was learned, on the tasks that it has.
fn compared(
    name: &str,
    meaning: &str,
    found: &[f64],
    learned: &[f64],
    seconds: f64,
) -> FewshotBaseline {
    let differences: Vec<f64> = learned.iter().zip(found).map(|(l, f)| l - f).collect();
    FewshotBaseline {
        name: name.to_owned(),
        meaning: meaning.to_owned(),
        accuracy: Accuracy::of(found),
        behind: Accuracy::of(&differences),
        seconds,
    }
}
