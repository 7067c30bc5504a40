//! A trained model in a file, applied to other files.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CleaningJob;
use super::input::Features;
use super::specification::DataSpecification;
use crate::Error;
use crate::checkpoint::write_whole;
use crate::data::labels::{Labels, class_of};
use crate::data::table::{LabelsWanted, Table};
use crate::data::{Dataset, ImageShape, Malformed};
use crate::model::{Model, ModelChoice, predictions};
use crate::train::Classifier;

const FORMAT: &str = "a model of bilevel";
const VERSION: u32 = 1;

/// A trained model, with all that is needed to apply it to a file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedModel {
    format: String,
    version: u32,
    program: String,
    model: ModelChoice,
    classes: Vec<String>,
    columns: usize,
    image: Option<ImageShape>,
    features: Features,
    /// Parameters, in the order of the model's layers.
    parameters: Vec<f32>,
}

/// What a model says of the rows of a file.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Predicted {
    /// By row, without those that are left out for missing features.
    pub rows: Vec<PredictedRow>,
    /// The share of the rows with a known label for which it is predicted, and their number, if the file has labels.
    pub accuracy: Option<(f64, usize)>,
}

/// What a model says of a row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PredictedRow {
    /// Its number in the file, from 0.
    pub row: usize,
    /// The most probable label.
    pub predicted: String,
    /// Its probability.
    pub probability: f64,
    /// The label in the file, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// The name of the row, if rows have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl CleaningJob {
    /// The model with these parameters, to be applied to other files; None for the digits that come with the program.
    #[must_use]
    pub fn saved_model(&self, parameters: &[f32]) -> Option<SavedModel> {
        let train = self.data.train();
        Some(SavedModel {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model: self.settings.model.into(),
            classes: train.class_names().to_vec(),
            columns: train.columns(),
            image: train.image_shape(),
            features: self.features.clone()?,
            parameters: parameters.to_vec(),
        })
    }
}

impl SavedModel {
    /// Writes it, as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::Write {
            path: path.to_owned(),
            source: error.into(),
        })?;
        write_whole(path, &text)
    }

    /// Reads one.
    ///
    /// # Errors
    /// A file that is none, or of another version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
            program: String,
        }
        let bytes = fs::read(path).map_err(|error| Error::reading(path, error))?;
        let wrong = |found: String| {
            let expected = "a model that bilevel clean --save-model wrote";
            Malformed::new(expected, found).at(path)
        };
        let head: Head = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("other bytes ({error})")))?;
        if head.format != FORMAT {
            return Err(wrong(head.format));
        }
        if head.version != VERSION {
            return Err(wrong(format!(
                "version {} of such models, which bilevel {} wrote",
                head.version, head.program
            )));
        }
        let read: Self = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("a damaged one ({error})")))?;
        let model = read.on().map_err(|error| wrong(error.to_string()))?;
        let expected = model.y_len(read.columns, read.classes.len());
        if read.parameters.len() != expected || !read.parameters.iter().all(|p| p.is_finite()) {
            let found = read.parameters.len();
            return Err(wrong(format!(
                "{found} parameters where a model of {} features and {} classes has {expected} finite ones",
                read.columns,
                read.classes.len()
            )));
        }
        Ok(read)
    }

    fn on(&self) -> Result<Model, Error> {
        self.model.on(self.image)
    }

    /// Applies it to the rows of a file with the columns of the rows that it was trained on; labels are compared with what
    /// is predicted, if the file has any.
    ///
    /// # Errors
    /// A file that cannot be read, or whose columns differ.
    pub fn predict(&self, path: &Path, data: &DataSpecification) -> Result<Predicted, Error> {
        let mut wanted = self.features.wanted.clone();
        wanted.labels = LabelsWanted::IfThere;
        if let Some(label) = &data.label {
            wanted.label = Some(label.clone());
            wanted.labels = LabelsWanted::Yes;
        }
        if data.id.is_some() {
            wanted.id.clone_from(&data.id);
        }
        let table = Table::read(path, &wanted)?;
        let ids = table.ids().map(<[String]>::to_vec);
        let prepared = self.features.preparation.apply(table)?;
        let given: Option<Vec<Option<String>>> = prepared.labels().map(Labels::texts);
        let rows = prepared.rows.clone();
        let names = self.classes.clone();
        let labels = vec![0; rows.len()];
        let mut features = Dataset::of_values(prepared.features, prepared.columns, labels, names)?;
        if let Some(shape) = self
            .image
            .filter(|shape| shape.pixels() == features.columns())
        {
            features = features.with_image_shape(shape)?;
        }
        if features.columns() != self.columns {
            return Err(Error::Columns {
                path: path.to_owned(),
                expected: self.columns,
                found: features.columns(),
            });
        }
        let classifier = Classifier::new(self.on()?, self.parameters.clone());
        let classes = self.classes.len();
        let probabilities = classifier.probabilities(&features)?;
        let predicted = predictions(&probabilities, classes);
        let (mut right, mut known) = (0, 0);
        let found = rows.iter().enumerate().map(|(position, &row)| {
            let class = predicted[position];
            let given = given.as_ref().and_then(|given| given[row].clone());
            if let Some(given) = &given {
                known += 1;
                right += usize::from(class_of(&self.classes, given) == Some(class));
            }
            PredictedRow {
                row,
                predicted: self.classes[class as usize].clone(),
                probability: f64::from(probabilities[position * classes + class as usize]),
                given,
                id: ids.as_ref().and_then(|ids| ids.get(row).cloned()),
            }
        });
        let found = found.collect();
        Ok(Predicted {
            rows: found,
            accuracy: (known > 0).then(|| (right as f64 / known as f64, known)),
        })
    }
}
