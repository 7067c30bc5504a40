//! The specification of a cleaning job, as stored in a file.

mod values;

use std::path::{Path, PathBuf};

use bilevel::Error;
use bilevel::catalogue::{OptimizerChoice, Setting, Settings, Size};
use bilevel::text::{self, Kind, serial};
use serde::{Deserialize, Deserializer, Serialize};

use super::CleaningSettings;
use super::judge::{JudgeChoice, MethodSpecification};
use super::output::OutputSpecification;
use super::text_form::{DecimalMark, ImageSize, Separator};
use crate::corruption::CorruptionKind;
use crate::data::STANDARD_INPUT;
use crate::data::preparation::{Missing, Scale};
use crate::model::{Model, ModelChoice};
use crate::specification::{self, SpecificationProblem, keys_of};
pub use crate::specification::{TimeLimit, read_rate, read_seed, read_threads};
pub use values::EarlyStopping;

/// A cleaning job. Fields that are None get their defaults; the specification of an actual run
/// ([`CleaningJob::specification`](super::CleaningJob)) has every value.
///
/// ```
/// use bilevel_tasks::cleaning::CleaningSpecification;
/// let text = "seed = 3\n[method]\nmethod = \"basic\"\nsteps = 20\n";
/// let job = CleaningSpecification::from_toml(text)?;
/// assert_eq!(job.method.weights.steps, Some(20));
///
/// let error = CleaningSpecification::from_toml("[method]\nstep = 20\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 2: unknown key \"step\" in [method]; did you mean \"steps\"?");
/// # Ok::<(), bilevel_tasks::specification::SpecificationProblem>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct CleaningSpecification {
    /// The job.
    pub job: JobName,
    /// The version of the program that wrote the specification; nothing depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Root of every random draw.
    #[serde(deserialize_with = "seed")]
    pub seed: u64,
    /// The rows.
    pub data: DataSpecification,
    /// Who judges the labels, and how weights are learned.
    pub method: MethodSpecification,
    /// What is trained, and on how many rows.
    pub training: TrainingSpecification,
    /// How the weights are updated, and when the run ends.
    pub run: RunSpecification,
    /// What is written besides the folder of the run.
    #[serde(skip_serializing_if = "is_default")]
    pub output: OutputSpecification,
}

/// The name of this job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobName {
    /// Cleaning.
    #[default]
    Clean,
}

impl<'de> Deserialize<'de> for JobName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match String::deserialize(deserializer)?.as_str() {
            "clean" => Ok(Self::Clean),
            // Specifications of other jobs are told apart before they are read.
            other => Err(D::Error::unknown_variant(other, &["clean", "fewshot"])),
        }
    }
}

/// The rows to clean: the digits that come with the program, unless a file is named. A file is of any known format.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct DataSpecification {
    /// File of the rows to check, or folder of pictures. Also called `table`, `features` or `images`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        alias = "table",
        alias = "features",
        alias = "images"
    )]
    pub file: Option<PathBuf>,
    /// File of their labels, if they are apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Column of labels, or array of labels in a file of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Column of row names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Column of who gave each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotator: Option<String>,
    /// Column of groups of rows that belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Columns to leave out of the features.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Columns to keep as features, even if they seem to number the rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Columns of categories, even if their cells are numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// How missing values are handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// How features are scaled; if not given, all but pixels are standardised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Texts that stand for no value, in addition to the usual ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_text: Vec<String>,
    /// Texts that are labels, although they usually stand for a missing one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label_text: Vec<String>,
    /// Whether labels that look the same are one class.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub merge_labels: bool,
    /// What separates the cells of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// The mark before the fraction of a number in text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalMark>,
    /// Whether the first line of text has the names of the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Height and width to which pictures in a folder are resized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<ImageSize>,
    /// File of trusted rows, whose labels are right.
    #[serde(skip_serializing_if = "Option::is_none", alias = "trusted_features")]
    pub trusted: Option<PathBuf>,
    /// File of their labels, if they are apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_labels: Option<PathBuf>,
    /// Column that says which rows are trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_column: Option<String>,
    /// File of test rows.
    #[serde(
        skip_serializing_if = "Option::is_none",
        alias = "test_features",
        alias = "test_images"
    )]
    pub test: Option<PathBuf>,
    /// File of their labels, if they are apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<PathBuf>,
    /// Number of rows to draw for cleaning.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub train_rows: Option<usize>,
    /// Number of trusted rows to draw from the same file.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub trusted_rows: Option<usize>,
    /// The share of labels to corrupt.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "rate")]
    pub corrupt: Option<f64>,
    /// What a corrupted label becomes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corruption: Option<CorruptionKind>,
}

/// What is trained, and on how many rows.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct TrainingSpecification {
    /// The model to train.
    pub model: ModelChoice,
    /// Training rows in each inner step.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub batch: Option<usize>,
    /// Trusted rows in each evaluation of f.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub trusted_batch: Option<usize>,
    /// D of D‖y‖²/2 in g.
    #[serde(deserialize_with = "non_negative")]
    pub weight_decay: f64,
}

impl TrainingSpecification {
    /// The settings of a problem with this training of a model, without held-out rows.
    #[must_use]
    pub fn settings(&self, model: Model) -> CleaningSettings {
        CleaningSettings {
            model,
            batch: self.batch,
            trusted_batch: self.trusted_batch,
            weight_decay: self.weight_decay,
            early_stopping: None,
            ..CleaningSettings::default()
        }
    }
}

/// How the weights are updated, and when the run ends.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct RunSpecification {
    /// Maximum number of updates of the weights.
    #[serde(deserialize_with = "whole")]
    pub outer_steps: usize,
    /// The update rule of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer_optimizer: Option<OptimizerChoice>,
    /// Share of the trusted rows that is held out.
    pub early_stopping: EarlyStopping,
    /// Outer steps without improvement before the run ends.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub patience: Option<usize>,
    /// Memory that a hypergradient may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<Size>,
    /// No update starts after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeLimit>,
    /// Number of threads; results do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "threads")]
    pub threads: Option<usize>,
}

impl Default for RunSpecification {
    fn default() -> Self {
        Self {
            outer_steps: CleaningSettings::default().outer_steps,
            outer_optimizer: None,
            early_stopping: EarlyStopping::default(),
            patience: None,
            memory_budget: None,
            time_limit: None,
            threads: None,
        }
    }
}

impl CleaningSpecification {
    /// Reads a specification from TOML.
    ///
    /// # Errors
    /// An unknown key, a wrong type, or a value out of its range, with its line.
    pub fn from_toml(text: &str) -> Result<Self, SpecificationProblem> {
        let tables = [
            ("", keys_of::<Self>()),
            ("data", keys_of::<DataSpecification>()),
            ("method", keys_of::<MethodSpecification>()),
            ("training", keys_of::<TrainingSpecification>()),
            ("run", keys_of::<RunSpecification>()),
            ("output", keys_of::<OutputSpecification>()),
        ];
        specification::read(text, &tables, names_of)
    }

    /// The specification as TOML.
    ///
    /// # Errors
    /// A path that is not valid text.
    pub fn to_toml(&self) -> Result<String, SpecificationProblem> {
        specification::write(self)
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.data.paths().chain(self.output.paths())
    }

    /// The same, with `folder` prepended to relative paths.
    #[must_use]
    pub fn from_folder(mut self, folder: &Path) -> Self {
        for path in self.paths() {
            *path = folder.join(&*path);
        }
        self
    }

    /// The same, with `-`, standard input, in place of the path of a pipe, if there is only one.
    #[must_use]
    pub fn with_pipes_as_standard_input(mut self) -> Self {
        let is_pipe = |path: &Path| {
            let metadata = std::fs::metadata(path);
            metadata.is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
        };
        let mut pipes: Vec<&mut PathBuf> = self.data.paths().filter(|path| is_pipe(path)).collect();
        if let [pipe] = &mut pipes[..] {
            **pipe = PathBuf::from(STANDARD_INPUT);
        }
        self
    }

    /// The same, with paths inside `folder` written relative to `folder`.
    #[must_use]
    pub fn seen_from(mut self, folder: &Path) -> Self {
        for path in self.paths() {
            if let Ok(inside) = path.strip_prefix(folder) {
                *path = inside.to_owned();
            }
        }
        self
    }
}

/// The known names for a value, if this text should be one of them and is not.
fn names_of(table: &str, key: &str, found: &str) -> Vec<&'static str> {
    let setting = || Setting::ALL.into_iter().find(|s| s.name() == key);
    let error = match (table, key) {
        ("method", "method") => found.parse::<JudgeChoice>().err(),
        ("method", _) => setting().and_then(|s| Settings::default().set(s, found).err()),
        ("training", "model") => found.parse::<ModelChoice>().err(),
        ("run", "outer_optimizer") => found.parse::<OptimizerChoice>().err(),
        ("data", "corruption") => return CorruptionKind::ALL.map(CorruptionKind::name).to_vec(),
        _ => None,
    };
    match error {
        Some(Error::Expected { known, .. }) => known,
        Some(Error::Unknown { known, .. }) => known.to_vec(),
        _ => Vec::new(),
    }
}

impl CleaningSpecification {
    /// The first key whose value differs from `other`, among keys that results depend on.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Option<String> {
        let neutral = |specification: &Self| {
            let mut neutral = specification.clone();
            neutral.version = None;
            neutral.run.threads = None;
            neutral.run.time_limit = None;
            neutral.run.memory_budget = None;
            neutral.output = OutputSpecification::default();
            toml::Table::try_from(neutral).unwrap_or_default()
        };
        let (one, two) = (neutral(self), neutral(other));
        for (group, value) in &one {
            let other = two.get(group);
            let (Some(keys), Some(others)) =
                (value.as_table(), other.and_then(toml::Value::as_table))
            else {
                if Some(value) != other {
                    return Some(group.clone());
                }
                continue;
            };
            let all = keys.keys().chain(others.keys());
            if let Some(key) = all
                .into_iter()
                .find(|key| keys.get(*key) != others.get(*key))
            {
                return Some(format!("{group}.{key}"));
            }
        }
        None
    }
}

impl DataSpecification {
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [
            &mut self.file,
            &mut self.labels,
            &mut self.trusted,
            &mut self.trusted_labels,
            &mut self.test,
            &mut self.test_labels,
        ]
        .into_iter()
        .flatten()
        // Standard input is in no folder.
        .filter(|path| path.as_os_str() != STANDARD_INPUT)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    serial::deserialize(deserializer, Kind::Number, read_seed)
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    serial::deserialize(deserializer, Kind::Number, text::positive_count)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    whole(deserializer).map(Some)
}

fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    serial::deserialize(deserializer, Kind::Number, read_threads).map(Some)
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    serial::deserialize(deserializer, Kind::Number, read_rate).map(Some)
}

fn non_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    serial::deserialize(deserializer, Kind::Number, text::non_negative)
}
