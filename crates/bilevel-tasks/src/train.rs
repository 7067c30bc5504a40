//! Plain training of a model on labelled rows, for baselines and retraining.

mod ridge;

use std::sync::Arc;

use bilevel::vector::{all_finite, axpy, norm};
use bilevel::{Draw, Key, Objective};

use self::ridge::Ridge;
pub(crate) use self::ridge::{FACTORS, MIDDLE, Side, climb, unit};
use crate::Error;
use crate::data::Dataset;
use crate::deadline::Deadline;
use crate::model::{Examples, Loss, LossSettings, Model, Probabilities, Real, predictions};

/// Trains a model by full-batch gradient descent with Nesterov's momentum (restarted where
/// it points uphill): the same loss as elsewhere, but much closer to its minimum in the same
/// number of steps than plain gradient descent, so that the baselines are competitive.
/// The step size follows the curvature: 1 over the largest that was met so far, from the change of the gradient between
/// two steps.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `model` | softmax | | the model to train |
/// | `steps` | 300 | at least 1 | maximum number of gradients |
/// | `weight_decay` | 0 | at least 0 | D of D‖y‖²/2 |
/// | `key` | | | seeds a random start |
/// | `deadline` | never | | training ends early, with what it has, once it has passed |
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trainer {
    /// The model to train.
    pub model: Model,
    /// The maximum number of gradients.
    pub steps: usize,
    /// D of D‖y‖²/2.
    pub weight_decay: f64,
    /// Seeds a random start.
    pub key: Key,
    /// Training ends early, with what it has, once this has passed.
    pub deadline: Deadline,
}

/// Receives the number of a step and its result; says whether training goes on.
pub(crate) type AfterStep<'a, T> = dyn FnMut(usize, &[T]) -> Result<bool, Error> + 'a;

/// The held-out loss is evaluated every this many steps.
pub(crate) const LOOK: usize = 5;

/// Where a descent starts, and what it descends on beside a loss.
pub(crate) struct Descent<T> {
    /// m numbers.
    pub(crate) start: Vec<T>,
    /// The maximum number of gradients.
    pub(crate) steps: usize,
    /// R of R‖w‖²/2, where w are the parameters without biases.
    pub(crate) ridge: f64,
    /// The largest curvature that was met before, where it goes on from an earlier descent on nearly the same loss. Then to
    /// end no lower is no error: it may have begun at the minimum.
    pub(crate) met: Option<f64>,
}

/// Where a descent has led to.
pub(crate) struct Descended<T> {
    /// m numbers.
    pub(crate) y: Vec<T>,
    /// The largest curvature that was met.
    pub(crate) met: f64,
}

/// How a model is trained.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Training {
    /// The number of gradients.
    pub steps: usize,
    /// R of R‖w‖²/2, where w are the parameters without biases.
    pub ridge: f64,
}

impl Training {
    /// From these parameters.
    pub(crate) fn from<T>(self, start: Vec<T>) -> Descent<T> {
        Descent {
            start,
            steps: self.steps,
            ridge: self.ridge,
            met: None,
        }
    }
}

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
        let training = Training {
            steps: self.steps,
            ridge: 0.0,
        };
        self.train_so(data, training)
    }

    /// Trains on all rows of `data` from the model's own start in the way that [`Trainer::train_stopped`] has found.
    ///
    /// # Errors
    /// If there are no rows or training diverges.
    pub fn train_so<T: Real>(
        &self,
        data: &Dataset,
        training: Training,
    ) -> Result<Classifier<T>, Error> {
        let loss = self.loss::<T>().bind(&Examples::new(data), None, 0)?;
        let descent = training.from(self.model.start(data.columns(), data.classes(), self.key));
        let ended = self.descend(&*loss, &[], descent, &mut |_, _| Ok(true))?;
        Ok(Classifier::new(self.model, ended.y))
    }

    /// Trains on `data` and stops where the loss on `held_out` is smallest (evaluated every few steps), with the ridge that
    /// makes it smallest, unless rows are many for their columns or there is a weight decay. Also returns both.
    ///
    /// # Errors
    /// If there are no rows or training diverges.
    pub fn train_stopped<T: Real>(
        &self,
        data: &Dataset,
        held_out: &Dataset,
    ) -> Result<(Classifier<T>, Training), Error> {
        let function = self.loss::<T>();
        let bind = |data| function.bind(&Examples::new(data), None, 0);
        let (loss, watched) = (bind(data)?, bind(held_out)?);
        let mut watched = watched.at(&[])?;
        let start: Vec<T> = self.model.start(data.columns(), data.classes(), self.key);
        let mut stopped = |ridge: f64| {
            let steps = self.steps;
            let mut training = Training { steps: 0, ridge };
            let mut best = (T::infinity(), start.clone());
            let descent = Training { steps, ridge }.from(start.clone());
            self.descend(&*loss, &[], descent, &mut |step, y| {
                if step.is_multiple_of(LOOK) || step == steps {
                    let value = watched.value(y, Draw::All)?;
                    if value < best.0 {
                        best = (value, y.to_vec());
                        training.steps = step;
                    }
                }
                Ok(true)
            })?;
            Ok((best.0, (best.1, training)))
        };
        let unit = self.unit(data);
        let lower = |found: &(T, _), best: &(T, _), _| found.0 < best.0;
        let (_, (y, training)) = match unit {
            None => stopped(0.0)?,
            Some(unit) => climb(MIDDLE, |factor| stopped(factor * unit), lower)?.1,
        };
        Ok((Classifier::new(self.model, y), training))
    }

    /// What ridges are measured in for a model of these rows; None where none is chosen.
    pub(crate) fn unit(&self, data: &Dataset) -> Option<f64> {
        match self.model {
            // A normalisation undoes the size of what comes before it.
            Model::Network(_) => None,
            Model::Softmax | Model::Mlp { .. } if self.weight_decay > 0.0 => None,
            Model::Softmax | Model::Mlp { .. } => unit(data, data.rows()),
        }
    }

    fn loss<T: Real>(&self) -> Loss<T> {
        self.model.loss(LossSettings {
            weighted: false,
            weight_decay: self.weight_decay,
        })
    }

    /// Descends on the loss at x. `after` is called after every step with its number, from 1, and its result.
    pub(crate) fn descend<T: Real>(
        &self,
        loss: &dyn Objective<T>,
        x: &[T],
        Descent {
            start,
            steps,
            ridge,
            met,
        }: Descent<T>,
        after: &mut AfterStep<'_, T>,
    ) -> Result<Descended<T>, Error> {
        let mut handle = loss.at(x)?;
        let ridge = Ridge::new(ridge, loss.y_layout());
        let before = handle.value(&start, Draw::All)? + ridge.value(&start);
        let mut gradient = vec![T::zero(); start.len()];
        let mut secant = Secant::new(&start, met.unwrap_or_default());
        let mut ahead = start.clone();
        // The first steps may lead up, and the time may end with them.
        let may_end_higher = met.is_some() || self.deadline.left().is_some();
        let back = may_end_higher.then(|| start.clone());
        let mut y = start;
        let mut age = 0_u32;
        for step in 1..=steps {
            handle.grad_y(&ahead, Draw::All, &mut gradient)?;
            ridge.add_gradient(&ahead, &mut gradient);
            if !all_finite(&gradient) {
                return Err(Error::BaselineDiverged { step });
            }
            if step == 1 {
                // A short step in the direction of the first gradient shows its curvature.
                let mut near = ahead.clone();
                let mut there = vec![T::zero(); near.len()];
                axpy(T::from_f64(-secant.short(&gradient)), &gradient, &mut near);
                handle.grad_y(&near, Draw::All, &mut there)?;
                ridge.add_gradient(&near, &mut there);
                secant.see(&near, &there);
            }
            if secant.see(&ahead, &gradient) {
                // The step that led here was too long.
                age = 0;
            }
            let previous = y.clone();
            y.copy_from_slice(&ahead);
            axpy(T::from_f64(-secant.step_size()), &gradient, &mut y);
            // O'Donoghue and Candès (2015): restart where the momentum points uphill.
            let uphill = gradient
                .iter()
                .zip(y.iter().zip(&previous))
                .map(|(&g, (&now, &previous))| (g * (now - previous)).to_double())
                .sum::<f64>()
                > 0.0;
            age = if uphill { 0 } else { age + 1 };
            let momentum = T::from_f64(f64::from(age) / (f64::from(age) + 3.0));
            for (ahead, (&now, &previous)) in ahead.iter_mut().zip(y.iter().zip(&previous)) {
                *ahead = now + momentum * (now - previous);
            }
            if !after(step, &y)? || self.deadline.passed() {
                break;
            }
        }
        let end = handle.value(&y, Draw::All)? + ridge.value(&y);
        // Sums over many rows are rounded; a NaN is no descent.
        let descended = end <= before + T::from_f64(1e-4) * before.abs();
        let back = back.filter(|_| met.is_some() || self.deadline.passed());
        let y = match back {
            _ if descended => y,
            Some(start) => start,
            None => return Err(Error::BaselineDiverged { step: steps }),
        };
        let met = secant.curvature;
        Ok(Descended { y, met })
    }
}

/// The largest curvature between two points at which the gradient was seen one after the other.
struct Secant<T> {
    y: Vec<T>,
    gradient: Vec<T>,
    curvature: f64,
}

impl<T: Real> Secant<T> {
    /// Before the first gradient, with the largest curvature that was met before.
    fn new(start: &[T], curvature: f64) -> Self {
        Self {
            y: start.to_vec(),
            gradient: Vec::new(),
            curvature,
        }
    }

    /// The factor of the first gradient that moves y by a hundredth of its length, or of 1 if it is shorter.
    fn short(&self, gradient: &[T]) -> f64 {
        let length = norm(gradient);
        if length > 0.0 {
            0.01 * norm(&self.y).max(1.0) / length
        } else {
            0.0
        }
    }

    /// Sees the gradient at y; returns whether the curvature since the last point is the largest so far. Points that
    /// are too close to each other say nothing: the gradient is rounded.
    fn see(&mut self, y: &[T], gradient: &[T]) -> bool {
        let mut larger = false;
        if self.gradient.len() == gradient.len() {
            let change = |a: &[T], b: &[T]| {
                let squares = a.iter().zip(b).map(|(&a, &b)| (a - b).to_double().powi(2));
                squares.sum::<f64>().sqrt()
            };
            let (moved, turned) = (change(y, &self.y), change(gradient, &self.gradient));
            let found = turned / moved;
            larger = moved > 1e-4 * norm(y) && found > self.curvature && found.is_finite();
            if larger {
                self.curvature = found;
            }
        }
        self.y.copy_from_slice(y);
        self.gradient.clear();
        self.gradient.extend_from_slice(gradient);
        larger
    }

    /// 1 / curvature; 1 where there is none.
    fn step_size(&self) -> f64 {
        if self.curvature > 0.0 {
            1.0 / self.curvature
        } else {
            1.0
        }
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

    /// Its parameters, m numbers.
    #[must_use]
    pub fn parameters(&self) -> &[T] {
        &self.y
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
    use bilevel::Layout;
    use bilevel_autodiff::{Data, Function};

    use super::*;
    use crate::data::digits::digits;

    #[test]
    fn digits_are_learned() {
        let data = digits();
        let (train, test): (Vec<usize>, Vec<usize>) = (0..data.rows()).partition(|i| i % 3 > 0);
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 300,
            weight_decay: 0.0,
            key: Key::from_seed(0),
            deadline: Deadline::default(),
        };
        let classifier = trainer.train::<f32>(&data.select(&train).unwrap()).unwrap();
        let accuracy = classifier.accuracy(&data.select(&test).unwrap());
        let accuracy = accuracy.unwrap().unwrap();
        assert!(accuracy > 0.94, "{accuracy}");
    }

    /// With features a thousand times as large, a fixed step would diverge.
    #[test]
    fn the_scale_of_the_features_does_not_matter() {
        let data = digits();
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 300,
            weight_decay: 0.0,
            key: Key::from_seed(0),
            deadline: Deadline::default(),
        };
        let accuracy = |scale: f32| {
            let features = data.features().iter().map(|&value| value * scale).collect();
            let scaled = Dataset::new(
                features,
                data.columns(),
                data.labels().to_vec(),
                data.class_names().to_vec(),
            );
            let scaled = scaled.unwrap();
            let classifier = trainer.train::<f32>(&scaled).unwrap();
            classifier.accuracy(&scaled).unwrap().unwrap()
        };
        for scale in [0.1, 1.0, 1e3] {
            let found = accuracy(scale);
            assert!(found > 0.95, "{scale} {found}");
        }
    }

    /// Training that its time ends is no worse than its start. Here the first step is too long: the curvature grows on the way.
    #[test]
    fn without_time_there_is_a_model() {
        let steep = Function::<f64>::new(|v| {
            let y = v.y("y");
            ((y * 10.0 - 10.0).exp() - y).sum_all()
        });
        let (x, y) = (Layout::new::<String>([]), Layout::vector("y", 1));
        let loss = steep.bind(&x, &y, Data::new(1)).unwrap();
        let train = |deadline: Deadline| {
            let trainer = Trainer {
                model: Model::Softmax,
                steps: 1,
                weight_decay: 0.0,
                key: Key::from_seed(0),
                deadline,
            };
            let once = Training {
                steps: 1,
                ridge: 0.0,
            };
            trainer.descend(&loss, &[], once.from(vec![0.0]), &mut |_, _| Ok(true))
        };
        let diverged = train(Deadline::default());
        assert!(matches!(diverged, Err(Error::BaselineDiverged { step: 1 })));
        let over = Deadline::within(Some(std::time::Duration::ZERO));
        assert_eq!(train(over).unwrap().y, [0.0]);
    }

    #[test]
    fn divergence_is_an_error() {
        let data = digits();
        let features = data.features().iter().map(|_| f32::MAX).collect();
        let (labels, names) = (data.labels().to_vec(), data.class_names().to_vec());
        let data = Dataset::new(features, data.columns(), labels, names).unwrap();
        let trainer = Trainer {
            model: Model::Softmax,
            steps: 50,
            weight_decay: 1.0,
            key: Key::from_seed(0),
            deadline: Deadline::default(),
        };
        assert!(trainer.train::<f32>(&data).is_err());
    }
}
