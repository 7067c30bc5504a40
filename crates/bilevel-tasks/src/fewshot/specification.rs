//! The specification of a few-shot job, as stored in a file.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bilevel::catalogue::{OptimizerChoice, Setting, Settings};
use bilevel::optimizer::Annealing;
use bilevel::text::{self, Kind, serial};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::algorithm::Algorithm;
use super::classes::{Rotations, SplitBy};
use super::objectives::TaskForm;
use super::trained::Trained;
use crate::cleaning::ImageSize;
use crate::network::Network;
use crate::specification::{
    self, SpecificationProblem, TimeLimit, keys_of, read_seed, read_threads,
};

/// A few-shot job. Fields that are None get their defaults; the specification of an actual run has every value.
///
/// ```
/// use bilevel_tasks::fewshot::FewshotSpecification;
/// let text = "job = \"fewshot\"\n[tasks]\nway = 20\n[method]\nsteps = 3\n";
/// let job = FewshotSpecification::from_toml(text)?;
/// assert_eq!((job.tasks.way, job.method.steps), (20, Some(3)));
/// # Ok::<(), bilevel_tasks::specification::SpecificationProblem>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct FewshotSpecification {
    /// The job.
    pub job: FewshotName,
    /// The version of the program that wrote the specification; nothing depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Root of every random draw.
    #[serde(deserialize_with = "seed")]
    pub seed: u64,
    /// The pictures.
    pub data: PictureSpecification,
    /// The tasks.
    pub tasks: TaskSpecification,
    /// What is learned.
    pub learning: LearningSpecification,
    /// How training on a support set is differentiated; without a name, as the algorithm has it.
    pub method: Settings,
    /// How x is updated and judged.
    pub run: FewshotRun,
}

/// The name of this job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FewshotName {
    /// Few-shot learning.
    #[default]
    Fewshot,
}

/// The pictures: the digits that come with the program, unless files are named.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct PictureSpecification {
    /// Folders, archives or files of pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// The same with classes for the test alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<PathBuf>,
    /// Height and width to which pictures are resized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<ImageSize>,
    /// Whether turned pictures are classes of their own.
    #[serde(serialize_with = "shown", deserialize_with = "serial::text")]
    pub rotations: Rotations,
    /// What is drawn together for training, validation or test.
    #[serde(serialize_with = "shown", deserialize_with = "serial::text")]
    pub split_by: SplitBy,
    /// Classes for training, before they are turned.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub train_classes: Option<usize>,
    /// Classes for validation.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub validation_classes: Option<usize>,
    /// Classes for the test.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub test_classes: Option<usize>,
}

/// The tasks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct TaskSpecification {
    /// Classes of a task.
    #[serde(deserialize_with = "whole")]
    pub way: usize,
    /// Pictures of each class that a task is trained on.
    #[serde(deserialize_with = "whole")]
    pub shot: usize,
    /// Pictures of each class that a task is judged on.
    #[serde(deserialize_with = "whole")]
    pub query: usize,
}

impl Default for TaskSpecification {
    fn default() -> Self {
        Self {
            way: 5,
            shot: 1,
            query: 15,
        }
    }
}

/// What is learned.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct LearningSpecification {
    /// The algorithm.
    #[serde(serialize_with = "shown", deserialize_with = "serial::text")]
    pub algorithm: Algorithm,
    /// The network.
    pub network: Network,
    /// Whether inner step sizes are learned.
    pub learn_step_sizes: bool,
    /// Whether a head is trained on features as they are, not on those of a mean squared norm of 1.
    pub raw_features: bool,
    /// A file of weights to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
}

impl Default for LearningSpecification {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            network: Network::Conv4 {
                filters: 64,
                pooled: false,
            },
            learn_step_sizes: false,
            raw_features: false,
            weights: None,
        }
    }
}

/// How x is updated and judged.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a table")]
pub struct FewshotRun {
    /// Updates of x.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub outer_steps: Option<usize>,
    /// Tasks of each update.
    #[serde(deserialize_with = "whole")]
    pub meta_batch: usize,
    /// The update rule of x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer_optimizer: Option<OptimizerChoice>,
    /// How updates shrink.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "shown_some",
        deserialize_with = "annealing"
    )]
    pub outer_schedule: Option<Annealing>,
    /// Updates between two validations.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub validate_every: Option<usize>,
    /// Tasks of a validation.
    #[serde(deserialize_with = "whole")]
    pub validation_tasks: usize,
    /// Tasks of the test.
    #[serde(deserialize_with = "whole")]
    pub test_tasks: usize,
    /// No update starts after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeLimit>,
    /// Number of threads; results do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "threads")]
    pub threads: Option<usize>,
}

impl Default for FewshotRun {
    fn default() -> Self {
        Self {
            outer_steps: None,
            meta_batch: 4,
            outer_optimizer: None,
            outer_schedule: None,
            validate_every: None,
            validation_tasks: 100,
            test_tasks: 600,
            time_limit: None,
            threads: None,
        }
    }
}

impl LearningSpecification {
    /// How its objectives are written.
    #[must_use]
    pub fn form(&self) -> TaskForm {
        let trained = self.algorithm.trained();
        TaskForm {
            trained,
            learned_steps: self.learn_step_sizes,
            unit_features: trained == Trained::Head && !self.raw_features,
        }
    }
}

impl FewshotSpecification {
    /// Reads a specification from TOML.
    ///
    /// # Errors
    /// An unknown key, a wrong type, or a value out of its range, with its line.
    pub fn from_toml(text: &str) -> Result<Self, SpecificationProblem> {
        let tables = [
            ("", keys_of::<Self>()),
            ("data", keys_of::<PictureSpecification>()),
            ("tasks", keys_of::<TaskSpecification>()),
            ("learning", keys_of::<LearningSpecification>()),
            ("method", keys_of::<Settings>()),
            ("run", keys_of::<FewshotRun>()),
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
        let data = self.data.files.iter_mut().chain(&mut self.data.test);
        data.chain(&mut self.learning.weights)
    }

    /// The same, with `folder` prepended to relative paths.
    #[must_use]
    pub fn from_folder(mut self, folder: &Path) -> Self {
        for path in self.paths() {
            *path = folder.join(&*path);
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
    use bilevel::Error;
    let setting = || Setting::ALL.into_iter().find(|s| s.name() == key);
    let error = match (table, key) {
        ("method", "method") => found.parse::<bilevel::catalogue::MethodChoice>().err(),
        ("method", _) => setting().and_then(|s| Settings::default().set(s, found).err()),
        ("learning", "algorithm") => found.parse::<Algorithm>().err(),
        ("learning", "network") => found.parse::<Network>().err(),
        ("run", "outer_optimizer") => found.parse::<OptimizerChoice>().err(),
        ("run", "outer_schedule") => found.parse::<Annealing>().err(),
        ("data", "rotations") => found.parse::<Rotations>().err(),
        ("data", "split_by") => found.parse::<SplitBy>().err(),
        _ => None,
    };
    match error {
        Some(Error::Expected { known, .. }) => known,
        Some(Error::Unknown { known, .. }) => known.to_vec(),
        _ => Vec::new(),
    }
}

fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[allow(clippy::ref_option, reason = "serde hands a reference")]
fn shown_some<S: Serializer>(
    value: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn annealing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Annealing>, D::Error> {
    serial::deserialize(deserializer, Kind::Text, Annealing::from_str).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut job = FewshotSpecification {
            seed: 3,
            ..FewshotSpecification::default()
        };
        job.data.files = vec!["a.zip".into()];
        job.learning.algorithm = Algorithm::Maml;
        job.run.outer_schedule = Some(Annealing::Linear);
        job.method.steps = Some(7);
        let text = job.to_toml().unwrap();
        assert_eq!(FewshotSpecification::from_toml(&text).unwrap(), job);
        let error =
            FewshotSpecification::from_toml("[learning]\nalgorithm = \"mam\"\n").unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"maml\"?"),
            "{error}"
        );
        let error = FewshotSpecification::from_toml("[tasks]\nways = 3\n").unwrap_err();
        assert!(
            error.to_string().contains("did you mean \"way\"?"),
            "{error}"
        );
    }
}
