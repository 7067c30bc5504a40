//! Data hyper-cleaning: one weight per training row, learned so that training on the
//! weighted rows does well on trusted rows.
//!
//! Inner loss: g(x, y) = mean_i σ(x_i) · cross-entropy of training row i under its given
//! label, plus weight decay. Outer loss: f(y) = mean cross-entropy of the trusted rows.
//! Start: x = 0, so every weight is one half. References: reverse-HG (arXiv 1703.01785),
//! BDA (arXiv 2006.04045), Improved Bilevel Model (arXiv 2009.00690).

mod baseline;
mod caution;
mod checkpoint;
mod cleaned;
mod cleaned_files;
mod demand;
mod detector;
mod findings;
mod forecast;
mod gradient;
mod input;
mod job;
mod judge;
mod learning;
mod left_out;
mod outcome;
mod output;
mod problem;
mod review;
mod run;
mod saved_model;
mod specification;
mod split;
mod stage;
mod step_size;
mod text_form;
mod together;
mod verdict;

pub use crate::checkpoint::{Origin, Results};
pub use baseline::{Baseline, baselines, retrain};
pub use caution::Caution;
pub use checkpoint::CleaningCheckpoint;
pub use detector::{Choice, DetectorPage, Expected, Interval, detector_pages};
pub use findings::{Findings, Warning};
pub use forecast::{Forecast, Sizes};
pub use gradient::{GradientCheck, random_x};
pub use job::CleaningJob;
pub use judge::{Judge, JudgeChoice, MethodSpecification};
pub use learning::Learning;
pub use left_out::{LeftOut, WhyLeftOut};
pub use outcome::{
    AnnotatorRow, Baselines, CleaningOutcome, CleaningResult, HistoryLine, OracleCalls, Score,
    Suggestion, scaling_csv, scores_csv,
};
pub use output::{CleanedAs, OutputSpecification};
pub use problem::CleaningProblem;
pub use run::{Cleaned, CleaningState, Kept, OuterStep, Progress, Watch};
pub use saved_model::{Predicted, PredictedRow, SavedModel};
pub use specification::{
    CleaningSpecification, DataSpecification, EarlyStopping, JobName, RunSpecification, TimeLimit,
    TrainingSpecification, read_rate, read_seed, read_threads,
};
pub use split::{CleaningData, RowNumbers, Split};
pub use stage::Stage;
pub use step_size::MeasuredStepSize;
pub use text_form::{DecimalMark, ImageSize, Separator};

use std::sync::Arc;
use std::time::Duration;

use bilevel::{FixedStart, Key, Objective, Problem};

use bilevel_autodiff::Bound;

use crate::Error;
use crate::cost::Programs;
use crate::data::Dataset;
use crate::metrics::CleaningMetrics;
use crate::model::{Examples, Loss, LossSettings, Model, Real};
use crate::stream::SPLIT;
use together::Together;

/// The task to solve, without the method.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `model` | softmax | | the model to train |
/// | `batch` | all | 1 … rows | training rows of an inner step |
/// | `trusted_batch` | all | 1 … trusted rows | trusted rows of an evaluation of f |
/// | `weight_decay` | 0 | at least 0 | D of D‖y‖²/2 in g |
/// | `early_stopping` | 0.2 | 0 … 1, exclusive | share of trusted rows held out to select the outer step; None keeps the last |
/// | `patience` | 20 | at least 1 | outer steps without improvement on them before the run ends |
/// | `outer_steps` | 60 | at least 1 | updates of x |
/// | `time_limit` | none | | no update starts after it, counted from the start of the run |
#[derive(Clone, PartialEq, Debug)]
pub struct CleaningSettings {
    /// The model to train.
    pub model: Model,
    /// Training rows of an inner step; None for all.
    pub batch: Option<usize>,
    /// Trusted rows of an evaluation of f; None for all.
    pub trusted_batch: Option<usize>,
    /// D of D‖y‖²/2 in g.
    pub weight_decay: f64,
    /// Share of the trusted rows that is held out.
    pub early_stopping: Option<f64>,
    /// Outer steps without improvement before the run ends.
    pub patience: usize,
    /// Updates of x, at most.
    pub outer_steps: usize,
    /// No update starts after it, counted from the start of the run, even if the run is
    /// resumed.
    pub time_limit: Option<Duration>,
}

impl Default for CleaningSettings {
    fn default() -> Self {
        Self {
            model: Model::Softmax,
            batch: None,
            trusted_batch: None,
            weight_decay: 0.0,
            early_stopping: Some(0.2),
            patience: 20,
            outer_steps: 60,
            time_limit: None,
        }
    }
}

impl CleaningSettings {
    fn validate(&self) -> Result<(), Error> {
        let require = |holds, field, range, value: String| {
            if holds {
                Ok(())
            } else {
                Err(Error::Setting {
                    field,
                    range,
                    value,
                })
            }
        };
        require(
            self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
            "weight decay",
            "a number of at least 0",
            self.weight_decay.to_string(),
        )?;
        if let Some(share) = self.early_stopping {
            require(
                share > 0.0 && share < 1.0,
                "early stopping",
                "a share of the trusted rows, above 0 and below 1",
                share.to_string(),
            )?;
        }
        require(
            self.patience >= 1,
            "patience",
            "at least 1",
            self.patience.to_string(),
        )
    }
}

/// A cleaning task, ready for any method.
pub struct Cleaning<T> {
    settings: CleaningSettings,
    problem: Problem<T>,
    inner: Arc<Bound<T>>,
    outer: Arc<Bound<T>>,
    held_out: Option<Arc<dyn Objective<T>>>,
    wrong: Option<Vec<bool>>,
    /// Rows of the outer loss.
    trusted: usize,
}

impl<T: Real> Cleaning<T> {
    /// Sets up the task; `key` determines which trusted rows are held out.
    ///
    /// # Errors
    /// A setting out of range, or too few rows.
    pub fn new(data: &CleaningData, settings: &CleaningSettings, key: Key) -> Result<Self, Error> {
        settings.validate()?;
        let (columns, classes) = (data.train().columns(), data.train().classes());
        let rows = data.train().rows();
        if data.trusted().rows() == 0 {
            return Err(Error::NoRows);
        }
        let (trusted, held_out) =
            Self::hold_out(data.trusted(), data.trusted_groups(), settings, key)?;
        if let Some(batch) = settings.trusted_batch {
            bilevel::check_batch("trusted batch", batch, trusted.rows())?;
        }
        let model = settings.model;
        let (inner, plain) = losses::<T>(settings);
        let inner = inner.bind(&Examples::new(data.train()), settings.batch, rows)?;
        let outer = plain.bind(&Examples::new(&trusted), settings.trusted_batch, rows)?;
        let held_out = held_out
            .map(|held_out| plain.bind(&Examples::new(&held_out), None, rows))
            .transpose()?;
        Ok(Self {
            problem: Problem::from_shared(
                inner.clone(),
                outer.clone(),
                Arc::new(FixedStart(model.start(columns, classes, key))),
            )?,
            inner,
            outer,
            held_out: held_out.map(|held_out| held_out as _),
            wrong: data.wrong(),
            trusted: trusted.rows(),
            settings: settings.clone(),
        })
    }

    fn hold_out(
        trusted: &Dataset,
        groups: Option<&[u32]>,
        settings: &CleaningSettings,
        key: Key,
    ) -> Result<(Dataset, Option<Dataset>), Error> {
        let Some(share) = settings.early_stopping else {
            return Ok((trusted.clone(), None));
        };
        let rows = trusted.rows();
        let held = ((rows as f64 * share).round() as usize).max(1);
        if held >= rows {
            return Err(Error::TooFewTrusted { rows, held });
        }
        let together = Together(groups);
        let order = together.shuffled(rows, key.stream(SPLIT).fold_in(HOLD_OUT));
        let (held, rest) = order.split_at(together.cut(&order, held));
        Ok((trusted.select(rest)?, Some(trusted.select(held)?)))
    }

    /// The bilevel problem itself.
    #[must_use]
    pub fn problem(&self) -> &Problem<T> {
        &self.problem
    }

    /// Its two losses, to predict the cost of a hypergradient on this many threads.
    #[must_use]
    pub fn programs(&self, threads: usize) -> Programs<'_, T> {
        Programs::new(&self.inner, &self.outer, threads)
    }

    /// Metrics (F1, AUC, …) of the given weights; None if the truth is unknown.
    ///
    /// # Errors
    /// If the number of weights differs from the number of rows.
    pub fn metrics(&self, weights: &[f64]) -> Result<Option<CleaningMetrics>, Error> {
        let Some(wrong) = &self.wrong else {
            return Ok(None);
        };
        CleaningMetrics::new(weights, &kept(weights), wrong).map(Some)
    }
}

/// The loss weighted by x, and the unweighted one.
fn losses<T: Real>(settings: &CleaningSettings) -> (Loss<T>, Loss<T>) {
    let inner = LossSettings {
        weighted: true,
        weight_decay: settings.weight_decay,
    };
    let model = settings.model;
    (model.loss(inner), model.loss(LossSettings::default()))
}

/// A job that takes longer must be asked for.
pub const LONGEST_HOURS: u64 = 12;

/// Separates the draw of the held-out rows from other draws of its stream.
const HOLD_OUT: u64 = 1;

/// σ(x), in double precision.
#[must_use]
pub fn weights<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter()
        .map(|x| 1.0 / (1.0 + (-x.to_double()).exp()))
        .collect()
}

/// Which rows are kept: those with a weight of at least the start value, one half.
#[must_use]
pub fn kept(weights: &[f64]) -> Vec<bool> {
    weights.iter().map(|&weight| weight >= 0.5).collect()
}
