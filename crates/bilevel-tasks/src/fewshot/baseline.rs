//! What a person would do without meta-learning, on the same tasks.

use std::sync::Arc;

use bilevel::{GradientDescent, Hyper, Key};

use super::family::{Adaptation, Family, Opened, accuracy_of};
use super::objectives::{TaskForm, Tasks};
use super::trained::Trained;
use crate::data::Dataset;
use crate::model::Model;
use crate::network::Network;
use crate::train::Trainer;
use crate::{Deadline, Error};

/// Steps of a linear head that is trained to its end.
const HEAD_STEPS: usize = 100;
/// D of D‖y‖²/2 there: the classes of few pictures can be separated.
const HEAD_DECAY: f64 = 1e-3;
/// Steps of training from scratch.
pub(super) const SCRATCH_STEPS: usize = 50;
/// Step sizes of training from scratch, of which validation tasks choose.
pub(super) const SCRATCH_STEP_SIZES: [f64; 3] = [0.01, 0.1, 0.5];

/// The class whose mean is nearest, for each row of `query`; the first of several.
#[must_use]
pub fn nearest_mean(support: &[f32], labels: &[u32], query: &[f32], classes: usize) -> Vec<u32> {
    let width = support.len() / labels.len().max(1);
    let mut means = vec![0.0_f64; classes * width];
    let mut counts = vec![0_usize; classes];
    for (row, &label) in support.chunks_exact(width.max(1)).zip(labels) {
        counts[label as usize] += 1;
        let mean = &mut means[label as usize * width..][..width];
        for (mean, &value) in mean.iter_mut().zip(row) {
            *mean += f64::from(value);
        }
    }
    for (mean, &count) in means.chunks_exact_mut(width.max(1)).zip(&counts) {
        mean.iter_mut()
            .for_each(|value| *value /= count.max(1) as f64);
    }
    let nearest = |row: &[f32]| {
        let distance = |mean: &[f64]| -> f64 {
            let pairs = mean.iter().zip(row);
            pairs.map(|(m, &x)| (m - f64::from(x)).powi(2)).sum()
        };
        let of = means.chunks_exact(width.max(1)).map(distance).enumerate();
        let best = of.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(class, _)| class as u32)
    };
    query.chunks_exact(width.max(1)).map(nearest).collect()
}

/// Predictions of softmax regression on features, standardised by the support set and trained to its end.
///
/// # Errors
/// If training diverges.
pub fn linear_head(
    support: &[f32],
    labels: &[u32],
    query: &[f32],
    classes: usize,
    key: Key,
) -> Result<Vec<u32>, Error> {
    let width = support.len() / labels.len().max(1);
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let data =
        |rows: &[f32], labels: Vec<u32>| Dataset::new(rows.to_vec(), width, labels, names.clone());
    let trainer = Trainer {
        model: Model::Softmax,
        steps: HEAD_STEPS,
        weight_decay: HEAD_DECAY,
        key,
        deadline: Deadline::default(),
    };
    let trained = trainer.train::<f32>(&data(support, labels.to_vec())?)?;
    let rows = query.len() / width.max(1);
    let probabilities = trained.probabilities(&data(query, vec![0; rows])?)?;
    Ok(crate::model::predictions(&probabilities, classes))
}

/// The accuracies of the baselines that need no training of their own on a task: nearest mean of pixels, nearest mean of
/// features, linear head on features.
pub(super) fn of_features(
    family: &Family<f32>,
    number: usize,
    x: &[f32],
) -> Result<[f64; 3], Error> {
    let Opened { support, query, .. } = family.open(number)?;
    let way = family.episodes.way;
    let right = |found: &[u32]| accuracy_of(found, &query.labels);
    let pixels = nearest_mean(&support.elements, &support.labels, &query.elements, way);
    let tasks = &family.tasks;
    let known = tasks.features_of(x, &support.elements)?;
    let asked = tasks.features_of(x, &query.elements)?;
    let means = nearest_mean(&known, &support.labels, &asked, way);
    let head = linear_head(&known, &support.labels, &asked, way, family.key)?;
    Ok([right(&pixels), right(&means), right(&head)])
}

/// Training all parameters of a network from a random start, on the support set alone.
pub(super) struct Scratch {
    family: Family<f32>,
    x: Vec<f32>,
}

impl Scratch {
    /// For the tasks of a family.
    pub(super) fn new(network: Network, of: &Family<f32>, key: Key) -> Result<Self, Error> {
        let shape = of.episodes.classes.set.shape;
        let picture = [shape.height, shape.width, shape.channels];
        let tasks = Tasks::new(
            network,
            picture,
            of.episodes.way,
            TaskForm::plain(Trained::All),
        )?;
        let x = tasks.start(key);
        let family = Family {
            tasks: Arc::new(tasks),
            episodes: of.episodes.clone(),
            ..*of
        };
        Ok(Self { family, x })
    }

    pub(super) fn accuracy(&self, number: usize, step_size: f64) -> Result<f64, Error> {
        let adaptation = Adaptation {
            dynamics: Box::new(GradientDescent {
                step_size: Hyper::Fixed(step_size),
                ..GradientDescent::default()
            }),
            steps: SCRATCH_STEPS,
        };
        match self.family.accuracy(number, &self.x, &adaptation) {
            // It diverged: as good as a guess.
            Err(Error::Method(bilevel::Error::NonFinite { .. })) => {
                Ok(1.0 / self.family.episodes.way as f64)
            }
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_heads_by_hand() {
        // Two classes of two rows; the means are (1, 0) and (0, 2).
        let support = [2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 3.0];
        let labels = [0, 0, 1, 1];
        let query = [1.0, 0.9, 0.4, 1.2, 0.0, 5.0];
        assert_eq!(nearest_mean(&support, &labels, &query, 2), [0, 1, 1]);
        let key = Key::from_seed(0);
        let rows = [3.0, 0.1, 0.1, 4.0];
        assert_eq!(
            linear_head(&support, &labels, &rows, 2, key).unwrap(),
            [0, 1]
        );
    }
}
