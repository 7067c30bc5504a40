//! What was learned, as a file of weights that says what it is.

use serde::{Deserialize, Serialize};

use super::job::FewshotJob;
use super::objectives::Tasks;
use super::specification::{FewshotSpecification, LearningSpecification, TaskSpecification};
use crate::data::ImageShape;
use crate::network::{Weights, WeightsProblem, layout};

/// What weights of a few-shot run are, stored beside them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AboutWeights {
    /// The shape of the pictures.
    pub picture: ImageShape,
    /// The tasks of training.
    pub tasks: TaskSpecification,
    /// What was learned.
    pub learning: LearningSpecification,
    /// How a task is trained.
    pub method: bilevel::catalogue::Settings,
    /// Learned logarithms of step sizes, where there are any.
    pub steps: Vec<f32>,
}

impl AboutWeights {
    /// A specification with the same training of a task.
    #[must_use]
    pub fn specification(&self) -> FewshotSpecification {
        FewshotSpecification {
            tasks: self.tasks.clone(),
            learning: self.learning.clone(),
            method: self.method.clone(),
            ..FewshotSpecification::default()
        }
    }
}

impl FewshotJob {
    /// x as a safetensors file, with PyTorch's names and shapes.
    ///
    /// # Errors
    /// If the writer refuses.
    pub fn weights(&self, x: &[f32]) -> Result<Vec<u8>, WeightsProblem> {
        let tasks: &Tasks<f32> = &self.families.test.tasks;
        let parameters = tasks.outer_parameters();
        let (numbers, steps) = x.split_at(layout(&parameters).len().min(x.len()));
        let about = AboutWeights {
            picture: self.classes.set.shape,
            tasks: self.specification.tasks.clone(),
            learning: LearningSpecification {
                weights: None,
                ..self.specification.learning.clone()
            },
            method: self.specification.method.clone(),
            steps: steps.to_vec(),
        };
        let about = serde_json::to_string(&about).map_err(|error| WeightsProblem::Format {
            found: error.to_string(),
        })?;
        Weights::bytes(&parameters, numbers, Some(about))
    }
}
