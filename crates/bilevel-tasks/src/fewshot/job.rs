//! A few-shot job: from a specification to an outcome; everything is checked before the run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bilevel::catalogue::{Defaults, Method, OptimizerChoice, StepSizeChoice};
use bilevel::driver::Why;
use bilevel::optimizer::{Annealed, Annealing};
use bilevel::{
    CallingThread, Driver, Executor, Field, HyperGradient, Key, Optimizer, Remembers, RunState,
};
use bilevel_autodiff::TaskThreads;

use super::algorithm::Algorithm;
use super::classes::Classes;
use super::episode::Episodes;
use super::family::{Adaptation, Family};
use super::objectives::Tasks;
use super::problem::FewshotProblem;
use super::run::{FewshotProgress, FewshotState, FewshotWatch, Validation, Watcher};
use super::specification::FewshotSpecification;
use super::trained::Trained;
use crate::checkpoint::Fingerprint;
use crate::data::digits::digits;
use crate::data::pictures::{PictureOptions, PictureSet, Split};
use crate::network::Weights;
use crate::stream::{EPISODE, TEST, VALIDATION};
use crate::{Deadline, Error};

/// A specification with its pictures, tasks and method.
///
/// ```
/// use bilevel_tasks::fewshot::{FewshotJob, FewshotSpecification};
/// let text = "[tasks]\nquery = 5\n[learning]\nnetwork = \"conv4:4\"\n[run]\nouter_steps = 3\nvalidation_tasks = 4\ntest_tasks = 4\n";
/// let job = FewshotJob::new(&FewshotSpecification::from_toml(text)?, 1, None)?;
/// let mut state = job.start();
/// let why = job.run(&mut state, &mut ())?;
/// let outcome = job.outcome(&state, why, &mut |_| ())?;
/// assert_eq!(outcome.result.test.tasks, 4);
///
/// // The resolved specification describes the same job.
/// let again = FewshotJob::new(&job.specification, 1, None)?;
/// assert_eq!(again.specification, job.specification);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FewshotJob {
    /// The specification with every value resolved.
    pub specification: FewshotSpecification,
    /// The classes.
    pub classes: Arc<Classes>,
    /// The tasks for training, validation and test.
    pub families: Families,
    /// How training on a support set is differentiated.
    pub method: Method,
    /// The update rule of x.
    pub optimizer: OptimizerChoice,
    /// How updates shrink.
    pub annealing: Annealing,
    /// What the user should know about the data.
    pub notes: Vec<String>,
    /// Where x starts.
    start: Vec<f32>,
    /// The root key of all draws.
    pub key: Key,
    /// Its time, counted from now.
    deadline: Deadline,
    threads: TaskThreads,
}

/// Tasks for each purpose.
pub struct Families {
    /// For training.
    pub train: Family<f32>,
    /// To choose between the steps of training.
    pub validation: Family<f32>,
    /// To judge the result.
    pub test: Family<f32>,
}

/// Updates on the digits: some seconds, to try it.
const DIGITS_STEPS: usize = 200;
/// Updates on other pictures: some minutes.
const STEPS: usize = 5000;
const INNER_STEPS: usize = 5;
const STEP_SIZE: f64 = 0.1;
/// For each class of a task, on features of a mean squared norm of 1: the pictures of a class move its weights by 1 / classes
/// of a step. About half of what makes training unstable, with 5 and with 20 classes.
const UNIT_STEP_SIZE: f64 = 1.0;
/// On features as they are, some hundred of them.
const RAW_STEP_SIZE: f64 = 0.03;
/// A run has about so many validations.
const VALIDATIONS: usize = 20;

impl FewshotJob {
    /// Reads the pictures and builds the tasks, which run on this many threads; decoded pictures are kept in the folder
    /// `cache`. Its time, if it is limited, counts from now.
    ///
    /// # Errors
    /// Whatever is wrong with the specification or the files that it names.
    pub fn new(
        given: &FewshotSpecification,
        threads: usize,
        cache: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let key = Key::from_seed(given.seed);
        let deadline = Deadline::within(given.run.time_limit.map(|limit| limit.0));
        let (method, settings) = method(given)?;
        let (set, notes) = pictures(given, cache)?;
        let data = &given.data;
        let counts = [
            data.train_classes,
            data.validation_classes,
            data.test_classes,
        ];
        let classes = Classes::new(Arc::new(set), counts, data.split_by, data.rotations, key)?;
        let classes = Arc::new(classes);
        let shape = classes.set.shape;
        let picture = [shape.height, shape.width, shape.channels];
        let learning = &given.learning;
        let tasks = Arc::new(Tasks::new(
            learning.network,
            picture,
            given.tasks.way,
            learning.form(),
        )?);
        let family = |split, stream| {
            let episodes = Episodes {
                classes: Arc::clone(&classes),
                split,
                way: given.tasks.way,
                shot: given.tasks.shot,
                query: given.tasks.query,
            };
            episodes.validate()?;
            Ok::<_, Error>(Family {
                tasks: Arc::clone(&tasks),
                episodes,
                key: key.stream(stream),
                meta_batch: given.run.meta_batch,
            })
        };
        let families = Families {
            train: family(Split::Train, EPISODE)?,
            validation: family(Split::Validation, VALIDATION)?,
            test: family(Split::Test, TEST)?,
        };
        let (rule, annealing) = learning.algorithm.optimizer();
        let mut job = Self {
            specification: given.clone(),
            method,
            optimizer: given.run.outer_optimizer.unwrap_or(rule),
            annealing: given.run.outer_schedule.unwrap_or(annealing),
            notes,
            start: start(given, &tasks, key)?,
            families,
            classes,
            key,
            deadline,
            threads: TaskThreads::new(threads).map_err(|source| Error::Threads { source })?,
        };
        job.specification.method = settings;
        job.resolve();
        job.validate()?;
        Ok(job)
    }

    /// Writes every value that was chosen into the specification.
    fn resolve(&mut self) {
        let shape = self.classes.set.shape;
        let specification = &mut self.specification;
        if !specification.data.files.is_empty() {
            specification.data.image_size = Some(crate::cleaning::ImageSize {
                height: u32::try_from(shape.height).unwrap_or(u32::MAX),
                width: u32::try_from(shape.width).unwrap_or(u32::MAX),
            });
        }
        let steps = match specification.data.files.is_empty() {
            true => DIGITS_STEPS,
            false => STEPS,
        };
        let run = &mut specification.run;
        let outer_steps = *run.outer_steps.get_or_insert(steps);
        run.validate_every
            .get_or_insert(outer_steps.div_ceil(VALIDATIONS));
        run.outer_optimizer = Some(self.optimizer);
        run.outer_schedule = Some(self.annealing);
    }

    /// The estimate that x follows.
    ///
    /// # Errors
    /// If the first task cannot be built.
    fn estimate(&self) -> Result<Box<dyn HyperGradient<f32>>, Error> {
        let problem = self.families.train.open(0)?.problem;
        let algorithm = self.specification.learning.algorithm;
        Ok(algorithm.build(&self.method, &problem))
    }

    fn optimizer(&self) -> impl Optimizer<f32> {
        Annealed {
            optimizer: self.optimizer.build::<f32>(),
            annealing: self.annealing,
            steps: self.outer_steps(),
        }
    }

    /// Updates of x.
    #[must_use]
    pub fn outer_steps(&self) -> usize {
        self.specification.run.outer_steps.unwrap_or(STEPS)
    }

    fn validate(&self) -> Result<(), Error> {
        let estimate = self.estimate()?;
        if estimate.remembers() == Remembers::Variables {
            return Err(FewshotProblem::Remembers {
                method: self.method.name(),
            }
            .into());
        }
        let optimizer = self.optimizer();
        Driver::new(&self.families.train, &*estimate, &optimizer, self.key)
            .outer_steps(self.outer_steps())
            .validate()?;
        Ok(())
    }

    /// How y is trained on a new task: without its query set, whatever the field of training.
    #[must_use]
    pub fn adaptation(&self) -> Adaptation<f32> {
        adaptation(&self.method)
    }

    /// Whether tasks run one a thread; fewer tasks than threads use all threads one after the other.
    pub(super) fn executor(&self, tasks: usize) -> &dyn Executor {
        match tasks >= self.threads.len() {
            true => &self.threads,
            false => &CallingThread,
        }
    }

    /// The state before the first outer step.
    #[must_use]
    pub fn start(&self) -> FewshotState {
        FewshotState {
            run: RunState::new(self.start.clone(), &self.optimizer()),
            progress: FewshotProgress::default(),
        }
    }

    /// Fails unless the state belongs to this job.
    ///
    /// # Errors
    /// Another number of parameters.
    pub fn expect_state(&self, state: &FewshotState) -> Result<(), Error> {
        let x_len = self.start.len();
        let best = state
            .progress
            .best
            .as_ref()
            .map_or(x_len, |best| best.x.len());
        let moments = self.optimizer().state_len(x_len);
        for (what, expected, found) in [
            ("x", x_len, state.run.x.len()),
            ("the best x", x_len, best),
            (
                "the state of the optimizer",
                moments,
                state.run.optimizer.len(),
            ),
        ] {
            if expected != found {
                return Err(Error::Method(bilevel::Error::Length {
                    what,
                    expected,
                    found,
                }));
            }
        }
        Ok(())
    }

    /// Another limit of its time, counted from now.
    pub fn limit_time(&mut self, limit: Option<Duration>) {
        self.deadline = Deadline::within(limit);
    }

    /// Runs from `state` on, and returns why the run ended. It can be continued from the final `state`.
    ///
    /// # Errors
    /// The error that stopped the run; `state` is then the last good one.
    pub fn run(
        &self,
        state: &mut FewshotState,
        watch: &mut dyn FewshotWatch,
    ) -> Result<Why, Error> {
        self.expect_state(state)?;
        let (estimate, optimizer) = (self.estimate()?, self.optimizer());
        let run = &self.specification.run;
        let adaptation = self.adaptation();
        let limit = self.deadline.left().map(|left| state.run.elapsed + left);
        let mut watcher = Watcher {
            validation: Validation {
                family: &self.families.validation,
                adaptation: &adaptation,
                tasks: run.validation_tasks,
                every: run.validate_every.unwrap_or(1),
                last: self.outer_steps(),
                executor: self.executor(run.validation_tasks),
            },
            progress: &mut state.progress,
            watch,
        };
        let why = Driver::new(&self.families.train, &*estimate, &optimizer, self.key)
            .outer_steps(self.outer_steps())
            .time_limit(limit)
            .executor(self.executor(run.meta_batch))
            .observer(&mut watcher)
            .run(&mut state.run)?;
        Ok(why)
    }

    /// Whether these are the same pictures in the same classes.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut print = Fingerprint::default();
        let set = &self.classes.set;
        let shape = [set.shape.height, set.shape.width, set.shape.channels];
        print.list(shape.iter().map(|&length| (length as u64).to_le_bytes()));
        for class in &set.classes {
            print.text(&class.name);
            let pictures = class.pictures.iter();
            print.list(pictures.map(|&picture| u64::from(picture).to_le_bytes()));
        }
        for split in [Split::Train, Split::Validation, Split::Test] {
            let classes = self.classes.of(split).iter();
            print.list(classes.map(|class| (class.class as u64).to_le_bytes()));
        }
        let (words, rest) = set.bytes.as_chunks::<8>();
        print.list(words.iter().copied());
        print.list(rest.iter().map(|&byte| u64::from(byte).to_le_bytes()));
        print.finish()
    }
}

/// How y is trained on a new task by the steps of a method.
pub(super) fn adaptation(method: &Method) -> Adaptation<f32> {
    let mut settings = method.settings.clone();
    settings.field = Field::Inner;
    Adaptation {
        dynamics: settings.dynamics(),
        steps: settings.steps,
    }
}

/// The method of a specification, and its settings with every value.
pub(super) fn method(
    given: &FewshotSpecification,
) -> Result<(Method, bilevel::catalogue::Settings), Error> {
    let algorithm = given.learning.algorithm;
    let mut settings = algorithm.settings(&given.method)?;
    let only_all = algorithm.trained() == Trained::All;
    for (setting, no_meaning) in [
        ("raw_features", given.learning.raw_features && only_all),
        (
            "learn_step_sizes",
            given.learning.learn_step_sizes && algorithm == Algorithm::Reptile,
        ),
    ] {
        if no_meaning {
            let algorithm = algorithm.to_string();
            return Err(FewshotProblem::Setting { algorithm, setting }.into());
        }
    }
    // The curvature changes with x, so no single measurement holds; what the literature uses is the default.
    if settings.step_size == Some(StepSizeChoice::Auto) {
        settings.step_size = None;
    }
    let defaults = Defaults {
        steps: match algorithm {
            // Heads are trained quickly, and Reptile goes where training leads.
            Algorithm::HyperRepresentation | Algorithm::Reptile => 2 * INNER_STEPS,
            Algorithm::Maml | Algorithm::FirstOrder | Algorithm::Ufo => INNER_STEPS,
        },
        step_size: match (only_all, given.learning.raw_features) {
            (true, _) => STEP_SIZE,
            (false, true) => RAW_STEP_SIZE,
            (false, false) => UNIT_STEP_SIZE * given.tasks.way as f64,
        },
        ..Defaults::CLOSED_FORM
    };
    let method = Method::new(&settings, defaults)?;
    let mut resolved = method.given();
    if algorithm == Algorithm::Reptile {
        resolved.method = None;
        resolved.adjoint = None;
    }
    Ok((method, resolved))
}

/// The pictures that a specification names.
fn pictures(
    given: &FewshotSpecification,
    cache: Option<PathBuf>,
) -> Result<(PictureSet, Vec<String>), Error> {
    let data = &given.data;
    if data.files.is_empty() {
        let digits = PictureSet::of_dataset(&digits()).ok_or(Error::NoRows)?;
        return Ok((digits, Vec::new()));
    }
    let mut options = PictureOptions {
        size: data.image_size.map(|size| (size.height, size.width)),
        cache,
    };
    let (mut set, mut notes) = PictureSet::read(&data.files, &options)?;
    if !data.test.is_empty() {
        let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        options.size = Some((side(set.shape.height), side(set.shape.width)));
        let (test, more) = PictureSet::read(&data.test, &options)?;
        notes.extend(more);
        set = set.with_test(test)?;
    }
    Ok((set, notes))
}

/// Where x starts: at random, or at weights from a file.
fn start(given: &FewshotSpecification, tasks: &Tasks<f32>, key: Key) -> Result<Vec<f32>, Error> {
    let mut x = tasks.start(key);
    if let Some(path) = &given.learning.weights {
        let weights = Weights::read(path)?;
        let wrong = |problem| Error::Weights {
            path: path.clone(),
            problem: Box::new(problem),
        };
        // A head for other classes is of no use: features alone are taken then.
        let features = weights.of::<f32>(tasks.features()).map_err(wrong)?;
        x[..features.len()].copy_from_slice(&features);
        if let Ok(all) = weights.of::<f32>(&tasks.outer_parameters()) {
            x[..all.len()].copy_from_slice(&all);
        }
    }
    Ok(x)
}
