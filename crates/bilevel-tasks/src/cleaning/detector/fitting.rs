//! Trainings of one model on the same rows, within the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bilevel_autodiff::Bound;

use super::held::{Held, Mistakes, mean};
use crate::Deadline;
use crate::Error;
use crate::model::Probabilities;
use crate::train::{AfterStep, Descent, LOOK, Trainer, Training};

/// The search for the best number of steps ends that many steps after the best one, and half as many again as that took.
const PATIENCE: usize = 40;

/// Steps in which a model follows targets that change little.
const FURTHER: usize = 40;

/// Shares of the time that is left, where there is no answer yet: for each search for the number of steps, and for each
/// other training.
const SEARCH: f64 = 0.25;
const TRAINING: f64 = 0.3;

/// The rows on which a model is trained with any targets, and how.
pub(super) struct Fitting {
    pub(super) trainer: Trainer,
    /// Columns and classes.
    pub(super) shape: (usize, usize),
    /// Which of all rows models are trained on, if not on all: more would not make them much better.
    pub(super) fitted: Option<Vec<usize>>,
    /// The loss of the rows that models are trained on.
    pub(super) loss: Arc<Bound<f32>>,
    /// The loss of the trusted rows alone, if there are any.
    pub(super) of_trusted: Option<Arc<Bound<f32>>>,
    pub(super) probabilities: Probabilities<f32>,
    /// What ridges are measured in, where they are chosen: see [`unit`](crate::train::unit).
    pub(super) unit: Option<f64>,
    /// Whether there is an answer already, so that the end of the time is an error.
    pub(super) answered: AtomicBool,
    /// The steps of the shortest training that the end of the time ended; the largest number if there is none.
    pub(super) cut: AtomicUsize,
}

/// A model, how many steps led to it, and the largest curvature that these met, if there were any.
pub(super) struct Fitted {
    pub(super) y: Vec<f32>,
    steps: usize,
    met: Option<f64>,
}

/// The number of steps after which rows that are held out are least surprising, and how surprising they are then.
pub(super) struct Watched {
    pub(super) training: Training,
    pub(super) least: f64,
}

/// A training to the end, and how surprising each row is then that is held out; none if the time ended it.
pub(super) struct Judged {
    pub(super) training: Training,
    pub(super) surprise: Vec<f64>,
}

impl Judged {
    pub(super) fn mean(&self) -> f64 {
        mean(&self.surprise)
    }
}

impl Fitting {
    /// Trains without the rows that are held out, if there are any, with a ridge of so many units.
    pub(super) fn watched(
        &self,
        factor: f64,
        targets: &[f32],
        held: Option<(&Held, usize)>,
        mistakes: Mistakes<'_>,
    ) -> Result<Watched, Error> {
        let training = self.all_steps(factor);
        let steps = training.steps;
        let mut found = Watched {
            training,
            least: f64::INFINITY,
        };
        let Some((held, check)) = held else {
            return Ok(found);
        };
        let many = self.unit.is_none();
        let rest = self.without(held, check, targets);
        self.descend(rest, training, self.part(SEARCH), &mut |step, y| {
            if step.is_multiple_of(LOOK) || step == steps {
                let now = mean(&held.surprise(&self.probabilities, y, mistakes)?);
                if now < found.least {
                    found.least = now;
                    found.training.steps = step;
                }
            }
            // A ridge is judged by where it leads to.
            let best = found.training.steps;
            Ok(!many || step < best + PATIENCE + best / 2 || found.least == f64::INFINITY)
        })?;
        Ok(found)
    }

    /// The same for where training leads to.
    pub(super) fn to_the_end(
        &self,
        factor: f64,
        targets: &[f32],
        held: Option<(&Held, usize)>,
        mistakes: Mistakes<'_>,
    ) -> Result<Judged, Error> {
        let training = self.all_steps(factor);
        let mut surprise = Vec::new();
        if let Some((held, check)) = held {
            let rest = self.without(held, check, targets);
            let mut ends = false;
            let y = self.descend(rest, training, self.part(SEARCH), &mut |step, _| {
                ends = step == training.steps;
                Ok(true)
            })?;
            if ends {
                surprise = held.surprise(&self.probabilities, &y, mistakes)?;
            }
        }
        Ok(Judged { training, surprise })
    }

    fn all_steps(&self, factor: f64) -> Training {
        Training {
            steps: self.trainer.steps,
            ridge: factor * self.unit.unwrap_or_default(),
        }
    }

    /// What to descend on with these targets, but for the rows that are held out of so many rows to check and the trusted ones.
    fn without(&self, held: &Held, check: usize, targets: &[f32]) -> (&Bound<f32>, Vec<f32>) {
        let (_, classes) = self.shape;
        let mut rest = targets.to_vec();
        for row in held.rows(check) {
            rest[row * classes..(row + 1) * classes].fill(0.0);
        }
        (&self.loss, self.fitted(rest))
    }

    /// Parameters of a model that is trained in this way.
    pub(super) fn fit(&self, targets: Vec<f32>, training: Training) -> Result<Vec<f32>, Error> {
        let on = (&*self.loss, self.fitted(targets));
        self.descend(on, training, self.part(TRAINING), &mut |_, _| Ok(true))
    }

    /// A model that is trained in this way, or the one that there is trained further. Until this time, where there is no
    /// answer yet.
    pub(super) fn fit_further(
        &self,
        model: Option<Fitted>,
        targets: Vec<f32>,
        training: Training,
        until: Deadline,
    ) -> Result<Fitted, Error> {
        let on = (&*self.loss, self.fitted(targets));
        let (model, steps) = match model {
            None => (self.untrained(), training.steps),
            Some(model) => (model, training.steps.min(FURTHER)),
        };
        let training = Training { steps, ..training };
        self.descend_from(model, on, training, until, &mut |_, _| Ok(true))
    }

    /// Parameters of a model of trusted rows alone, which may be far fewer than all rows, with these targets.
    pub(super) fn fit_trusted(&self, targets: Vec<f32>, ridge: f64) -> Result<Vec<f32>, Error> {
        let loss = self.of_trusted.as_ref().ok_or(Error::NoRows)?;
        let steps = self.trainer.steps;
        let training = Training { steps, ridge };
        let until = self.part(TRAINING);
        self.descend((loss, targets), training, until, &mut |_, _| Ok(true))
    }

    /// Fails if the time is over and there is an answer.
    pub(super) fn expect_time(&self) -> Result<(), Error> {
        if self.answered.load(Ordering::Relaxed) {
            self.trainer.deadline.expect_left()
        } else {
            Ok(())
        }
    }

    /// The targets of the rows that models are trained on.
    fn fitted(&self, targets: Vec<f32>) -> Vec<f32> {
        let Some(fitted) = &self.fitted else {
            return targets;
        };
        let (_, classes) = self.shape;
        let rows = fitted.iter();
        rows.flat_map(|row| &targets[row * classes..(row + 1) * classes])
            .copied()
            .collect()
    }

    /// The mean over the rows that have targets, not over all.
    fn of_mean(mut targets: Vec<f32>, classes: usize) -> Vec<f32> {
        let sum: f64 = targets.iter().map(|&t| f64::from(t)).sum();
        let rows = (targets.len() / classes.max(1)) as f64;
        let factor = if sum > 0.0 { (rows / sum) as f32 } else { 0.0 };
        targets.iter_mut().for_each(|t| *t *= factor);
        targets
    }

    pub(super) fn part(&self, share: f64) -> Deadline {
        self.trainer.deadline.part(share)
    }

    fn untrained(&self) -> Fitted {
        let (columns, classes) = self.shape;
        let trainer = &self.trainer;
        Fitted {
            y: trainer.model.start(columns, classes, trainer.key),
            steps: 0,
            met: None,
        }
    }

    fn descend(
        &self,
        on: (&Bound<f32>, Vec<f32>),
        training: Training,
        until: Deadline,
        after: &mut AfterStep<'_, f32>,
    ) -> Result<Vec<f32>, Error> {
        let from = self.untrained();
        Ok(self.descend_from(from, on, training, until, after)?.y)
    }

    fn descend_from(
        &self,
        from: Fitted,
        (loss, targets): (&Bound<f32>, Vec<f32>),
        training: Training,
        until: Deadline,
        after: &mut AfterStep<'_, f32>,
    ) -> Result<Fitted, Error> {
        self.expect_time()?;
        let targets = Self::of_mean(targets, self.shape.1);
        let (mut last, mut goes_on) = (0, true);
        let trainer = Trainer {
            deadline: match self.answered.load(Ordering::Relaxed) {
                true => self.trainer.deadline,
                false => until,
            },
            ..self.trainer
        };
        let descent = Descent {
            met: from.met,
            ..training.from(from.y)
        };
        let ended = trainer.descend(loss, &targets, descent, &mut |step, y| {
            last = step;
            goes_on = after(step, y)?;
            Ok(goes_on)
        })?;
        let steps = from.steps + last;
        if goes_on && last < training.steps {
            self.cut.fetch_min(steps, Ordering::Relaxed);
        }
        self.expect_time()?;
        Ok(Fitted {
            y: ended.y,
            steps,
            met: Some(ended.met),
        })
    }
}
