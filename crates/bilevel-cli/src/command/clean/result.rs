//! The files of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bilevel::catalogue::{AdjointChoice, Setting};
use bilevel::objective::Calls;
use bilevel_tasks::cleaning::{Baseline, CleaningData, OuterStep, kept};
use bilevel_tasks::data::table::ColumnScale;
use bilevel_tasks::model::predictions;
use bilevel_tasks::train::Classifier;
use serde::{Serialize, Serializer};

use super::findings::Findings;
use super::input::Source;
use super::task::Task;
use crate::arguments::CleanArguments;
use crate::failure::Failure;

/// The name of the file of settings.
pub(crate) const CONFIG: &str = "config.toml";

/// `result.json`.
#[derive(Serialize)]
pub(crate) struct CleanResult<'a> {
    pub(crate) method: String,
    pub(crate) model: String,
    pub(crate) rows: usize,
    pub(crate) trusted: usize,
    pub(crate) seed: u64,
    /// Updates that were made; the kept step may be an earlier one.
    pub(crate) outer_steps: usize,
    /// Of learning the weights and training on the kept rows.
    pub(crate) seconds: f64,
    pub(crate) peak_memory_mb: Option<f64>,
    pub(crate) f: f64,
    pub(crate) f1: Option<f64>,
    pub(crate) precision: Option<f64>,
    pub(crate) recall: Option<f64>,
    pub(crate) suspect_f1: Option<f64>,
    pub(crate) auc: Option<f64>,
    pub(crate) average_precision: Option<f64>,
    pub(crate) test_accuracy: Option<f64>,
    pub(crate) retrained_accuracy: Option<f64>,
    pub(crate) baselines: Baselines,
    pub(crate) gradient_check: GradientCheck,
    /// What was chosen within the budget of memory, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) adjoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) adjoint_reason: Option<&'a str>,
    pub(crate) input: &'a Findings,
}

/// The baselines by name, in their order.
pub(crate) struct Baselines(pub(crate) Vec<(&'static str, Baseline)>);

#[derive(Serialize)]
struct BaselineFigures {
    f1: Option<f64>,
    auc: Option<f64>,
    test_accuracy: Option<f64>,
    retrained_accuracy: Option<f64>,
    seconds: f64,
}

impl Serialize for Baselines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|&(name, baseline)| {
            let figures = BaselineFigures {
                f1: baseline.f1,
                auc: baseline.auc,
                test_accuracy: baseline.test_accuracy,
                retrained_accuracy: baseline.retrained_accuracy,
                seconds: baseline.seconds,
            };
            (name, figures)
        }))
    }
}

#[derive(Serialize)]
pub(crate) struct GradientCheck {
    /// None where the check itself met a number that is not finite, or there is none.
    pub(crate) relative_error: Option<f64>,
    /// None for a method that does not promise the gradient of what training gives.
    pub(crate) passed: Option<bool>,
}

/// A line of `history.jsonl`.
#[derive(Serialize)]
struct HistoryLine<'s> {
    step: usize,
    seconds: f64,
    f: f64,
    g: f64,
    hypergradient_norm: f64,
    held_out_loss: Option<f64>,
    f1: Option<f64>,
    auc: Option<f64>,
    /// What the method complains of.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'s str>,
    /// What else it has to say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    figures: &'s BTreeMap<String, f64>,
    oracle_calls: OracleCalls,
}

#[derive(Serialize)]
pub(crate) struct OracleCalls {
    pub(crate) inner: CallFigures,
    pub(crate) outer: CallFigures,
}

#[derive(Serialize)]
pub(crate) struct CallFigures {
    values: u64,
    grad_y: u64,
    grad_x: u64,
    pulls: u64,
    pushes: u64,
}

impl From<Calls> for CallFigures {
    fn from(calls: Calls) -> Self {
        Self {
            values: calls.values,
            grad_y: calls.grad_y,
            grad_x: calls.grad_x,
            pulls: calls.pulls,
            pushes: calls.pushes,
        }
    }
}

/// An outer step as a line of `history.jsonl`.
pub(super) fn history_line(step: &OuterStep) -> String {
    let line = HistoryLine {
        step: step.step,
        seconds: step.seconds,
        f: step.f,
        g: step.g,
        hypergradient_norm: step.hypergradient_norm,
        held_out_loss: step.held_out,
        f1: step.metrics.as_ref().and_then(|metrics| metrics.f1),
        auc: step.metrics.as_ref().and_then(|metrics| metrics.auc),
        status: step.complaint.as_deref(),
        figures: &step.figures,
        oracle_calls: OracleCalls {
            inner: step.inner_calls.into(),
            outer: step.outer_calls.into(),
        },
    };
    // Names and numbers alone: there is nothing that could fail.
    serde_json::to_string(&line).unwrap_or_default()
}

/// A row of `scores.csv`, by rank.
#[derive(Serialize)]
pub(crate) struct Score {
    pub(crate) row: usize,
    pub(crate) given: String,
    pub(crate) weight: f64,
    pub(crate) rank: usize,
    pub(crate) suspect: bool,
    pub(crate) suggested: String,
    pub(crate) p_suggested: f64,
    /// The name of the row, where rows have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Position among the training rows.
    #[serde(skip)]
    pub(crate) position: usize,
}

/// The rows by rank: the smallest weight first, then by row.
pub(super) fn scores(
    data: &CleaningData,
    ids: Option<&[String]>,
    weights: &[f64],
    retrained: &Classifier<f32>,
) -> Result<Vec<Score>, Failure> {
    let train = data.train();
    let (names, classes) = (train.class_names(), train.classes());
    let probabilities = retrained.probabilities(train).map_err(Failure::run)?;
    let suggested = predictions(&probabilities, classes);
    let kept = kept(weights);
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| {
        let rows = data.train_rows();
        weights[a]
            .total_cmp(&weights[b])
            .then(rows[a].cmp(&rows[b]))
    });
    let scores = order
        .into_iter()
        .enumerate()
        .map(|(rank, position)| {
            let class = suggested[position] as usize;
            let row = data.train_rows()[position];
            Score {
                row,
                id: ids.and_then(|ids| ids.get(row).cloned()),
                given: names[train.labels()[position] as usize].clone(),
                weight: weights[position],
                rank: rank + 1,
                suspect: !kept[position],
                suggested: names[class].clone(),
                p_suggested: f64::from(probabilities[position * classes + class]),
                position,
            }
        })
        .collect();
    Ok(scores)
}

/// The text of `scores.csv`.
pub(super) fn scores_csv(scores: &[Score]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for score in scores {
        writer.serialize(score).map_err(Failure::run)?;
    }
    writer
        .into_inner()
        .map_err(|error| Failure::run(error.into_error()))
}

/// The text of `scaling.csv`.
pub(super) fn scaling_csv(scaling: &[ColumnScale]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = writer.write_record(["column", "mean", "scale"]);
    header.map_err(Failure::run)?;
    for column in scaling {
        let (mean, scale) = (column.mean.to_string(), column.scale.to_string());
        let record = writer.write_record([&column.name, &mean, &scale]);
        record.map_err(Failure::run)?;
    }
    writer
        .into_inner()
        .map_err(|error| Failure::run(error.into_error()))
}

/// `config.toml`: every setting as it was resolved.
#[derive(Serialize)]
struct Config {
    version: &'static str,
    seed: u64,
    data: DataConfig,
    method: MethodConfig,
    run: RunConfig,
}

#[derive(Serialize)]
struct DataConfig {
    /// `digits`, or `table`, `npy` or `idx` with the files.
    source: &'static str,
    table: Option<PathBuf>,
    features: Option<PathBuf>,
    images: Option<PathBuf>,
    labels: Option<PathBuf>,
    label: Option<String>,
    id: Option<String>,
    ignore: Option<Vec<String>>,
    missing: Option<&'static str>,
    trusted: Option<PathBuf>,
    trusted_column: Option<String>,
    trusted_features: Option<PathBuf>,
    trusted_labels: Option<PathBuf>,
    test: Option<PathBuf>,
    test_features: Option<PathBuf>,
    test_images: Option<PathBuf>,
    test_labels: Option<PathBuf>,
    train_rows: usize,
    trusted_rows: usize,
    test_rows: usize,
    corrupt: Option<f64>,
    corruption: Option<String>,
}

#[derive(Serialize)]
struct MethodConfig {
    method: String,
    field: &'static str,
    schedule: Option<String>,
    adjoint: Option<String>,
    memory_budget: Option<String>,
    adjoint_reason: Option<String>,
    step_size: f64,
    aggregate_step_size: Option<f64>,
    steps: Option<usize>,
    dynamics: Option<String>,
    probability: Option<String>,
    damping: Option<f64>,
    linear_tolerance: Option<f64>,
    linear_products: Option<usize>,
    y_step_size: Option<f64>,
    penalty: Option<String>,
    batch: Option<usize>,
    trusted_batch: Option<usize>,
    weight_decay: f64,
    model: String,
}

#[derive(Serialize)]
struct RunConfig {
    outer_steps: usize,
    outer_optimizer: String,
    early_stopping: String,
    patience: Option<usize>,
    time_limit_seconds: Option<f64>,
    threads: usize,
}

/// The text of `config.toml`.
pub(super) fn config(arguments: &CleanArguments, task: &Task) -> Result<String, Failure> {
    let (method, data) = (&task.method, &task.data);
    let schedule = method.schedule();
    let has = |option| method.entry().takes(option);
    let config = Config {
        version: env!("CARGO_PKG_VERSION"),
        seed: arguments.common.seed,
        data: DataConfig {
            source: Source::of(arguments).name(),
            table: arguments.data.clone(),
            features: arguments.features.clone(),
            images: arguments.images.clone(),
            labels: arguments.labels.clone(),
            label: arguments.label.clone(),
            id: arguments.id.clone(),
            ignore: (!arguments.ignore.is_empty()).then(|| arguments.ignore.clone()),
            missing: task.findings.missing_policy(),
            trusted: arguments.trusted.clone(),
            trusted_column: arguments.trusted_column.clone(),
            trusted_features: arguments.trusted_features.clone(),
            trusted_labels: arguments.trusted_labels.clone(),
            test: arguments.test.clone(),
            test_features: arguments.test_features.clone(),
            test_images: arguments.test_images.clone(),
            test_labels: arguments.test_labels.clone(),
            train_rows: data.train().rows(),
            trusted_rows: data.trusted().rows(),
            test_rows: data.test().map_or(0, bilevel_tasks::data::Dataset::rows),
            corrupt: task.corruption.map(|corruption| corruption.rate),
            corruption: task
                .corruption
                .map(|corruption| corruption.kind.to_string()),
        },
        method: MethodConfig {
            method: method.name(),
            field: if method.schedule().is_some() {
                "aggregate"
            } else {
                "inner"
            },
            schedule,
            adjoint: method.settings.adjoint.map(|adjoint| adjoint.to_string()),
            memory_budget: arguments.memory_budget.as_ref().map(ToString::to_string),
            adjoint_reason: task.chosen.as_ref().map(|chosen| chosen.why.clone()),
            step_size: method.settings.step_size,
            aggregate_step_size: method.aggregate_step_size(),
            steps: method.counted_steps(),
            dynamics: has(Setting::Dynamics).then(|| method.settings.dynamics.to_string()),
            probability: has(Setting::Probability).then(|| method.settings.probability.to_string()),
            damping: has(Setting::Damping).then_some(method.settings.damping),
            linear_tolerance: method.settings.linear_tolerance,
            linear_products: method.settings.linear_products,
            y_step_size: method.settings.y_step_size,
            penalty: method.settings.penalty.map(|penalty| penalty.to_string()),
            batch: task.settings.batch,
            trusted_batch: task.settings.trusted_batch,
            weight_decay: task.settings.weight_decay,
            model: task.settings.model.to_string(),
        },
        run: RunConfig {
            outer_steps: task.settings.outer_steps,
            outer_optimizer: task.optimizer.to_string(),
            early_stopping: arguments.early_stopping.to_string(),
            patience: task.settings.early_stopping.map(|_| task.settings.patience),
            time_limit_seconds: task.settings.time_limit.map(|limit| limit.as_secs_f64()),
            threads: rayon::current_num_threads(),
        },
    };
    toml::to_string(&config).map_err(Failure::usage)
}

/// Settings that may differ between the parts of a run.
const FREE: [&str; 4] = [
    "threads",
    "time_limit_seconds",
    // Chosen once, by what is predicted for the threads of that time: see `chosen_adjoint`.
    "memory_budget",
    "adjoint_reason",
];

/// The adjoint that `config.toml` says, where it was chosen within a budget of memory.
pub(crate) fn chosen_adjoint(config: &str) -> Option<AdjointChoice> {
    let config: toml::Table = config.parse().ok()?;
    let method = config.get("method")?;
    method.get("memory_budget")?;
    method.get("adjoint")?.as_str()?.parse().ok()
}

/// The file `path` must say of a run that is continued what this program makes of its options.
pub(super) fn expect_config(
    path: &Path,
    arguments: &CleanArguments,
    task: &Task,
) -> Result<(), Failure> {
    let read = |text: &str| text.parse::<toml::Table>().map_err(Failure::usage);
    let began = std::fs::read_to_string(path)
        .map_err(|source| Failure::usage(anyhow!(source).context(path.display().to_string())))?;
    let (began, now) = (read(&began)?, read(&config(arguments, task)?)?);
    for (group, settings) in &now {
        let Some(settings) = settings.as_table() else {
            continue;
        };
        let before = began.get(group).and_then(toml::Value::as_table);
        let before = before.cloned().unwrap_or_default();
        for name in settings.keys().chain(before.keys()) {
            let (expected, found) = (before.get(name), settings.get(name));
            if expected != found && !FREE.contains(&name.as_str()) {
                let text = |value: Option<&toml::Value>| {
                    value.map_or_else(|| "nothing".to_owned(), toml::Value::to_string)
                };
                return Err(Failure::usage(anyhow!(
                    "{}: expected {group}.{name} to be {}, as when the run began, found {}: this program takes the same options differently",
                    path.display(),
                    text(expected),
                    text(found)
                )));
            }
        }
    }
    Ok(())
}
