//! Plain training of a model on labelled rows, for baselines and retraining.

use std::sync::Arc;

use bilevel::vector::axpy;
use bilevel::{Draw, Key, Objective};

use crate::Error;
use crate::data::Dataset;
use crate::model::{Examples, Loss, LossSettings, Model, Probabilities, Real, predictions};

/// Trains a model by full-batch gradient descent with Nesterov's momentum (restarted where
/// it points uphill): the same loss as elsewhere, but much closer to its minimum in the same
/// number of steps than plain gradient descent, so that the baselines are competitive.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `model` | softmax | | the model to train |
/// | `steps` | 300 | at least 1 | maximum number of gradients |
/// | `step_size` | 0.5 | positive | |
/// | `weight_decay` | 0 | at least 0 | D of D‖y‖²/2 |
/// | `key` | | | seeds a random start |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trainer {
    /// The model to train.
    pub model: Model,
    /// The maximum number of gradients.
    pub steps: usize,
    /// The step size.
    pub step_size: f64,
    /// D of D‖y‖²/2.
    pub weight_decay: f64,
    /// Seeds a random start.
    pub key: Key,
}

/// Receives the number of a step and its result.
type AfterStep<'a, T> = dyn FnMut(usize, &[T]) -> Result<(), Error> + 'a;

/// The held-out loss is evaluated every this many steps.
const LOOK: usize = 5;

/// A trained classifier.
#[derive(Clone)]
pub struct Classifier<T> {
    probabilities: Arc<Probabilities<T>>,
    y: Vec<T>,
}

impl Trainer {
    /// Trains on all rows of `data` from the model's own start, for all steps.
    ///
    /// # Errors
    /// If there are no rows or training diverges.
    pub fn train<T: Real>(&self, data: &Dataset) -> Result<Classifier<T>, Error> {
        let loss = self.loss::<T>().bind(&Examples::new(data), None, 0)?;
        let start = self.model.start(data.columns(), data.classes(), self.key);
        let y = self.descend(&*loss, start, self.steps, &mut |_, _| Ok(()))?;
        Ok(Classifier::new(self.model, y))
    }

    /// Trains on `data` and stops where the loss on `held_out` is smallest (evaluated
    /// every few steps). Also returns that number of steps.
    ///
    /// # Errors
    /// If there are no rows or training diverges.
    pub fn train_stopped<T: Real>(
        &self,
        data: &Dataset,
        held_out: &Dataset,
    ) -> Result<(Classifier<T>, usize), Error> {
        let function = self.loss::<T>();
        let bind = |data| function.bind(&Examples::new(data), None, 0);
        let (loss, watched) = (bind(data)?, bind(held_out)?);
        let mut watched = watched.at(&[])?;
        let start: Vec<T> = self.model.start(data.columns(), data.classes(), self.key);
        let mut best = (T::infinity(), 0, start.clone());
        self.descend(&*loss, start, self.steps, &mut |step, y| {
            if step.is_multiple_of(LOOK) || step == self.steps {
                let value = watched.value(y, Draw::All)?;
                if value < best.0 {
                    best = (value, step, y.to_vec());
                }
            }
            Ok(())
        })?;
        Ok((Classifier::new(self.model, best.2), best.1))
    }

    fn loss<T: Real>(&self) -> Loss<T> {
        self.model.loss(LossSettings {
            weighted: false,
            weight_decay: self.weight_decay,
        })
    }

    /// `after` is called after every step with its number, from 1, and its result.
    fn descend<T: Real>(
        &self,
        loss: &dyn Objective<T>,
        start: Vec<T>,
        steps: usize,
        after: &mut AfterStep<'_, T>,
    ) -> Result<Vec<T>, Error> {
        let mut handle = loss.at(&[])?;
        let step_size = T::from_f64(self.step_size);
        let mut gradient = vec![T::zero(); start.len()];
        let mut ahead = start.clone();
        let mut y = start;
        let mut age = 0_u32;
        for step in 1..=steps {
            handle.grad_y(&ahead, Draw::All, &mut gradient)?;
            if !bilevel::vector::all_finite(&gradient) {
                return Err(Error::BaselineDiverged { step });
            }
            let before = y.clone();
            y.copy_from_slice(&ahead);
            axpy(-step_size, &gradient, &mut y);
            // O'Donoghue and Candès (2015): restart where the momentum points uphill.
            let uphill = gradient
                .iter()
                .zip(y.iter().zip(&before))
                .map(|(&g, (&now, &before))| (g * (now - before)).to_double())
                .sum::<f64>()
                > 0.0;
            age = if uphill { 0 } else { age + 1 };
            let momentum = T::from_f64(f64::from(age) / (f64::from(age) + 3.0));
            for (ahead, (&now, &before)) in ahead.iter_mut().zip(y.iter().zip(&before)) {
                *ahead = now + momentum * (now - before);
            }
            after(step, &y)?;
        }
        Ok(y)
    }
}

impl<T: Real> Classifier<T> {
    /// A model with given parameters, m numbers.
    #[must_use]
    pub fn new(model: Model, y: Vec<T>) -> Self {
        Self {
            probabilities: Arc::new(model.probabilities()),
            y,
        }
    }

    /// The probability of each class for each row: rows × classes.
    ///
    /// # Errors
    /// If the data differ in columns or classes from the training data.
    pub fn probabilities(&self, data: &Dataset) -> Result<Vec<T>, Error> {
        self.probabilities.of(&self.y, &Examples::new(data))
    }

    /// The accuracy: the share of rows whose most probable class is their label; None without rows.
    ///
    /// # Errors
    /// As [`Classifier::probabilities`].
    pub fn accuracy(&self, data: &Dataset) -> Result<Option<f64>, Error> {
        let predicted = predictions(&self.probabilities(data)?, data.classes());
        crate::metrics::accuracy(&predicted, data.labels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits::digits;

    #[test]
    fn digits_are_learned() {
        let data = digits();
        let (train, test): (Vec<usize>, Vec<usize>) = (0..data.rows()).partition(|i| i % 3 > 0);
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 300,
            step_size: 0.5,
            weight_decay: 0.0,
            key: Key::from_seed(0),
        };
        let classifier = trainer.train::<f32>(&data.select(&train).unwrap()).unwrap();
        let accuracy = classifier.accuracy(&data.select(&test).unwrap());
        let accuracy = accuracy.unwrap().unwrap();
        assert!(accuracy > 0.94, "{accuracy}");
    }

    #[test]
    fn divergence_is_an_error() {
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 50,
            step_size: 1e38,
            weight_decay: 1.0,
            key: Key::from_seed(0),
        };
        assert!(trainer.train::<f32>(&digits()).is_err());
    }
}
