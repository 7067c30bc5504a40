//! A person's own pictures: a learned start is trained on a few of each class, and recognises the others.

use std::path::Path;
use std::sync::Arc;

use bilevel::Key;
use bilevel::catalogue::StepSizeChoice;
use serde::Serialize;

use super::baseline::nearest_mean;
use super::classes::is_bright;
use super::episode::elements;
use super::family::accuracy_of;
use super::job::{adaptation, method};
use super::objectives::{Pictures, Tasks};
use super::saved::AboutWeights;
use super::trained::Trained;
use crate::Error;
use crate::data::pictures::OwnPictures;
use crate::model::predictions;
use crate::network::{Weights, WeightsProblem, layout};

/// A picture and the class that it is recognised as.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Recognised {
    /// Its file.
    pub file: String,
    /// The class.
    pub label: String,
    /// The probability of the class, where the learned start recognises it.
    pub probability: Option<f64>,
}

/// How many labelled pictures are recognised rightly, each by training without it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct OwnCheck {
    /// Labelled pictures.
    pub pictures: usize,
    /// The share recognised from the learned start.
    pub learned: f64,
    /// The share whose nearest class mean of learned features is right.
    pub features: f64,
    /// The share whose nearest class mean of pixels is right.
    pub pixels: f64,
}

/// What came of own pictures.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Adapted {
    /// The classes, with their labelled pictures.
    pub classes: Vec<(String, usize)>,
    /// The check, where each class has at least two pictures.
    pub check: Option<OwnCheck>,
    /// What recognises: `learned`, or `features` or `pixels` where the check says that these are better.
    pub by: String,
    /// The pictures without a label.
    pub recognised: Vec<Recognised>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Folds of the check.
const FOLDS: usize = 5;
/// Pictures that are recognised together.
const TOGETHER: usize = 128;

/// Everything that recognises.
struct Recogniser {
    tasks: Tasks<f32>,
    x: Vec<f32>,
    adaptation: super::family::Adaptation<f32>,
    own: OwnPictures,
    inverted: bool,
    key: Key,
}

/// Labelled pictures.
type Labelled = Vec<(u32, u32)>;

impl Recogniser {
    fn pictures(&self, pictures: impl Iterator<Item = u32>) -> Arc<[f32]> {
        let drawn: Vec<(u32, u8)> = pictures.map(|picture| (picture, 0)).collect();
        elements(&self.own.set, self.inverted, &drawn)
    }

    fn classes(&self) -> usize {
        self.own.set.classes.len()
    }

    /// Batch statistics are those of the pictures that are asked for together with the labelled ones.
    fn asked(&self, support: &Labelled, asked: &[u32]) -> Arc<[f32]> {
        self.pictures(asked.iter().copied().chain(support.iter().map(|&(p, _)| p)))
    }

    /// The logits of pictures from the learned start, after training on the labelled ones.
    fn learned(&self, support: &Labelled, asked: &[u32]) -> Result<Vec<f32>, Error> {
        let known = Pictures {
            elements: self.pictures(support.iter().map(|&(picture, _)| picture)),
            labels: support.iter().map(|&(_, label)| label).collect(),
        };
        let task = self.tasks.bind(&known, &known)?;
        let problem = self.tasks.problem(&task)?;
        let y = self.adaptation.train(&problem, &self.x, self.key)?;
        let mut all = Vec::new();
        for asked in asked.chunks(TOGETHER) {
            let logits = self
                .tasks
                .logits(&self.x, &y, &self.asked(support, asked))?;
            all.extend_from_slice(&logits[..asked.len() * self.classes()]);
        }
        Ok(all)
    }

    /// The nearest class mean of learned features.
    fn features(&self, support: &Labelled, asked: &[u32]) -> Result<Vec<u32>, Error> {
        let labels: Vec<u32> = support.iter().map(|&(_, label)| label).collect();
        let known = self.pictures(support.iter().map(|&(picture, _)| picture));
        let known = self.tasks.features_of(&self.x, &known)?;
        let width = known.len() / labels.len().max(1);
        let mut all = Vec::new();
        for asked in asked.chunks(TOGETHER) {
            let features = self
                .tasks
                .features_of(&self.x, &self.asked(support, asked))?;
            let own = &features[..asked.len() * width];
            all.extend(nearest_mean(&known, &labels, own, self.classes()));
        }
        Ok(all)
    }

    fn pixels(&self, support: &Labelled, asked: &[u32]) -> Vec<u32> {
        let labels: Vec<u32> = support.iter().map(|&(_, label)| label).collect();
        let known = self.pictures(support.iter().map(|&(picture, _)| picture));
        let asked = self.pictures(asked.iter().copied());
        nearest_mean(&known, &labels, &asked, self.classes())
    }

    /// The labelled pictures without those of a fold, and those; all and none without a number.
    fn fold(&self, number: Option<usize>, folds: usize) -> (Labelled, Labelled) {
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        for (label, class) in (0..).zip(&self.own.set.classes) {
            for (place, &picture) in class.pictures.iter().enumerate() {
                let to = match number == Some(place % folds) {
                    true => &mut left,
                    false => &mut kept,
                };
                to.push((picture, label));
            }
        }
        (kept, left)
    }

    fn check(&self) -> Result<Option<OwnCheck>, Error> {
        let classes = self.own.set.classes.iter();
        let least = classes.map(|class| class.pictures.len()).min().unwrap_or(0);
        if least < 2 {
            return Ok(None);
        }
        let folds = least.min(FOLDS);
        let (mut right, mut pictures) = ([0.0; 3], 0);
        for number in 0..folds {
            let (kept, left) = self.fold(Some(number), folds);
            let (asked, labels): (Vec<u32>, Vec<u32>) = left.into_iter().unzip();
            let learned = predictions(&self.learned(&kept, &asked)?, self.classes());
            let all = [
                learned,
                self.features(&kept, &asked)?,
                self.pixels(&kept, &asked),
            ];
            for (right, found) in right.iter_mut().zip(&all) {
                *right += accuracy_of(found, &labels) * labels.len() as f64;
            }
            pictures += labels.len();
        }
        let [learned, features, pixels] = right.map(|right| right / pictures.max(1) as f64);
        Ok(Some(OwnCheck {
            pictures,
            learned,
            features,
            pixels,
        }))
    }
}

/// Trains what `bilevel fewshot` learned on the labelled pictures of a folder, and recognises its others.
///
/// The folder has a folder of pictures for each class; those beside these folders, or in one called `unlabelled`, are
/// recognised. Where each class has two pictures or more, labelled ones are left out in turn to see what recognises best.
///
/// # Errors
/// Weights that no few-shot run wrote, pictures that cannot be read, fewer than two classes.
pub fn adapt(weights: &Path, folder: &Path) -> Result<Adapted, Error> {
    let read = Weights::read(weights)?;
    let wrong = |problem| Error::Weights {
        path: weights.to_owned(),
        problem: Box::new(problem),
    };
    let about = read.about.as_deref().unwrap_or_default();
    let about: AboutWeights = serde_json::from_str(about).map_err(|error| {
        wrong(WeightsProblem::Format {
            found: format!("a file that does not say which few-shot run wrote it ({error})"),
        })
    })?;
    let own = OwnPictures::read(folder, about.picture)?;
    let (way, classes) = (about.tasks.way, own.set.classes.len());
    let (learning, shape) = (&about.learning, about.picture);
    let picture = [shape.height, shape.width, shape.channels];
    let trained = learning.algorithm.trained();
    let new = |classes| Tasks::<f32>::new(learning.network, picture, classes, learning.form());
    let (of_training, tasks) = (new(way)?, new(classes)?);
    let stored = read
        .of::<f32>(&of_training.outer_parameters())
        .map_err(wrong)?;
    let mut notes = Vec::new();
    let mut x = stored;
    if trained == Trained::All && way != classes {
        let from = layout(of_training.features()).len();
        let head = x.split_off(from);
        x.extend(mean_head(&head, way, classes));
        notes.push(format!(
            "the start was learned for {way} classes: for {classes}, the head starts at the mean of theirs"
        ));
    }
    x.extend(&about.steps);
    if x.len() != tasks.x_len() {
        return Err(wrong(WeightsProblem::Format {
            found: format!("{} learned numbers instead of {}", x.len(), tasks.x_len()),
        }));
    }
    let labelled = own.set.classes.iter().flat_map(|class| &class.pictures);
    let inverted = is_bright(&own.set, labelled.copied());
    let mut specification = about.specification();
    if trained == Trained::Head
        && let Some(StepSizeChoice::Fixed(step)) = &mut specification.method.step_size
    {
        // The pictures of a class move its weights by 1 / classes of a step.
        *step *= classes as f64 / way as f64;
    }
    let (method, _) = method(&specification)?;
    let recogniser = Recogniser {
        adaptation: adaptation(&method),
        tasks,
        x,
        inverted,
        own,
        key: Key::from_seed(0),
    };
    let check = recogniser.check()?;
    let by = match check {
        Some(check) if check.features.max(check.pixels) > check.learned => {
            if check.features >= check.pixels {
                "features"
            } else {
                "pixels"
            }
        }
        _ => "learned",
    };
    let own = &recogniser.own;
    let (all, _) = recogniser.fold(None, 1);
    let mut probabilities = None;
    let found = match by {
        "features" => recogniser.features(&all, &own.unlabelled)?,
        "pixels" => recogniser.pixels(&all, &own.unlabelled),
        _ => {
            let logits = recogniser.learned(&all, &own.unlabelled)?;
            probabilities = Some(
                logits
                    .chunks_exact(classes)
                    .map(largest)
                    .collect::<Vec<_>>(),
            );
            predictions(&logits, classes)
        }
    };
    let recognised = own.unlabelled.iter().zip(&found).enumerate();
    let recognised = recognised.map(|(place, (&picture, &label))| Recognised {
        file: own.names[picture as usize].clone(),
        label: own.set.classes[label as usize].name.clone(),
        probability: probabilities.as_ref().map(|all| all[place]),
    });
    Ok(Adapted {
        classes: own
            .set
            .classes
            .iter()
            .map(|class| (class.name.clone(), class.pictures.len()))
            .collect(),
        check,
        by: by.to_owned(),
        recognised: recognised.collect(),
        notes,
    })
}

/// The largest probability of these logits.
fn largest(logits: &[f32]) -> f64 {
    let most = logits
        .iter()
        .fold(f64::NEG_INFINITY, |most, &l| most.max(f64::from(l)));
    let sum: f64 = logits.iter().map(|&l| (f64::from(l) - most).exp()).sum();
    1.0 / sum
}

/// A head for another number of classes, each at the mean of the learned ones.
fn mean_head(head: &[f32], way: usize, classes: usize) -> Vec<f32> {
    let rows = head.chunks_exact(way.max(1));
    rows.flat_map(|row| {
        let mean = row.iter().sum::<f32>() / way.max(1) as f32;
        std::iter::repeat_n(mean, classes)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_for_more_classes_is_the_mean() {
        // Two features and a bias of two classes.
        let head = [1.0, 3.0, 0.0, -2.0, 4.0, 4.0];
        let more = mean_head(&head, 2, 3);
        assert_eq!(more, [2.0, 2.0, 2.0, -1.0, -1.0, -1.0, 4.0, 4.0, 4.0]);
        assert!((largest(&[0.0, 0.0]) - 0.5).abs() < 1e-12);
    }
}
