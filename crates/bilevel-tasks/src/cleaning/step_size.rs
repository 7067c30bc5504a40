//! The step size of training on weighted rows, from the curvature that it meets.

use std::fmt;
use std::time::Instant;

use super::{Cleaning, CleaningData};
use crate::Error;
use crate::model::{Model, Real};
use crate::stream::CURVATURE;
use bilevel::catalogue::{DynamicsChoice, Method};
use bilevel::curvature::Followed;
use bilevel::{Field, Key, Objective};

/// The part of 1 / curvature that a step is. One is the largest that never overshoots a quadratic; with half of it the
/// learned weights keep the right rows more often (on pictures by .01 to .02 of F1), and a network's curvature may
/// double while it trains.
pub(super) const PART: f64 = 0.5;

/// Adam divides by the size of the gradient: its step does not depend on the curvature.
const OF_ADAM: f64 = 0.01;

/// A step size that was measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MeasuredStepSize {
    /// The step size.
    pub step_size: f64,
    /// The largest absolute eigenvalue of the Hessian of the loss along training on the rows, all with weight 1. None
    /// where the dynamics do not depend on it.
    pub curvature: Option<f64>,
    /// Whether the time ended before it was measured.
    pub guessed: bool,
}

impl fmt::Display for MeasuredStepSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.curvature {
            Some(curvature) if self.guessed => write!(
                formatter,
                "step size {:.4}: half of 1 / {curvature:.4}, a guess of the curvature, as the time did not suffice to measure it",
                self.step_size
            ),
            Some(curvature) => write!(
                formatter,
                "step size {:.4}: half of 1 / {curvature:.4}, the largest curvature of training on these rows",
                self.step_size
            ),
            None => write!(
                formatter,
                "step size {}: that of Adam on any data",
                self.step_size
            ),
        }
    }
}

/// Half of 1 / the largest curvature that gradient descent meets on the rows with weight 1, and on the trusted rows
/// where the field follows them too. The same data and key give the same bits, unless the time ends before, when it is a
/// guess. None if there is no curvature.
pub(super) fn measured<T: Real>(
    cleaning: &Cleaning<T>,
    method: &Method,
    key: Key,
    until: Option<Instant>,
) -> Result<Option<MeasuredStepSize>, Error> {
    if method.settings.dynamics == DynamicsChoice::Adam {
        return Ok(Some(MeasuredStepSize {
            step_size: OF_ADAM,
            curvature: None,
            guessed: false,
        }));
    }
    let problem = cleaning.problem();
    // σ(40) is 1 in both precisions.
    let x = vec![T::from_f64(40.0); problem.x_len()];
    let mut start = vec![T::zero(); problem.y_len()];
    problem.start().start(&x, key, &mut start)?;
    let mut objectives: Vec<&dyn Objective<T>> = vec![problem.inner()];
    if !method.is_unrolled() || matches!(method.settings.field, Field::Aggregate { .. }) {
        objectives.push(problem.outer());
    }
    let settings = &cleaning.settings;
    let batches = settings.batch.is_some() || settings.trusted_batch.is_some();
    let followed = Followed {
        steps: method.settings.steps.min(MOST_FOLLOWED),
        batches: if batches { BATCHES } else { 0 },
        until,
        ..Followed::default()
    };
    let key = key.stream(CURVATURE);
    let largest = followed.largest(&objectives, &x, &start, key)?;
    Ok(largest.map(|curvature| MeasuredStepSize {
        step_size: PART / curvature,
        curvature: Some(curvature),
        guessed: until.is_some_and(|until| Instant::now() >= until),
    }))
}

/// The rows from which the curvature is measured, so that this takes seconds: all, or the first of many.
pub(super) fn sampled(data: &CleaningData, model: Model) -> Result<Option<CleaningData>, Error> {
    /// Multiplications of a pass over them.
    const MOST: usize = 400_000_000;
    let train = data.train();
    let row = model.multiplications(train.row_numbers(), train.classes());
    let rows = MOST / row.max(1);
    if rows >= train.rows() {
        return Ok(None);
    }
    // They are in random order.
    let first: Vec<usize> = (0..rows.max(LEAST_SAMPLED).min(train.rows())).collect();
    let trusted = data.trusted().clone();
    CleaningData::new(train.select(&first)?, None, trusted, None).map(Some)
}

/// No fewer rows.
const LEAST_SAMPLED: usize = 1000;

/// The curvature changes little after so many steps.
const MOST_FOLLOWED: usize = 200;

/// Mini-batches whose curvature is measured at each point.
const BATCHES: u64 = 3;
