//! Is a hypergradient right? Checks that you can run on your own problem.

use crate::adjoint::{Rollout, directional};
use crate::dynamics::Dynamics;
use crate::vector::{axpy, dot, norm};
use crate::{At, HyperGradient, Key, Memory, Objective, Result, Scalar, Stream};

/// The difference between two ways to compute the same numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Comparison {
    /// The largest difference, relative to the size of the compared numbers.
    pub relative_error: f64,
    /// The allowed difference.
    pub tolerance: f64,
}

impl Comparison {
    /// Whether the difference is within the tolerance (a NaN is not).
    #[must_use]
    pub fn passed(&self) -> bool {
        self.relative_error <= self.tolerance
    }
}

/// A direction of norm 1 with independent normal numbers before scaling.
#[must_use]
pub fn random_direction<T: Scalar>(key: Key, len: usize) -> Vec<T> {
    let mut direction: Vec<f64> = key.normals().take(len).collect();
    let size = norm(&direction);
    if size > 0.0 {
        for value in &mut direction {
            *value /= size;
        }
    }
    direction.into_iter().map(T::from_f64).collect()
}

/// The hypergradient against central differences of the trained outer objective, along
/// the hypergradient itself and `directions` random directions of norm 1.
///
/// Fourth-order differences with the best of a few steps: 1e-7 relative is usual in f64
/// at a smooth point. If the usual steps do not agree, smaller ones are tried, which cross
/// fewer kinks (as of a relu). Meaningful for exact methods; a method that estimates
/// something else differs by its bias. Each direction costs 16 trainings, at most 28.
///
/// The error is relative to ‖hypergradient‖, which bounds every directional derivative.
///
/// # Errors
/// If the method fails.
pub fn gradient_check<T: Scalar>(
    method: &dyn HyperGradient<T>,
    at: &At<'_, T>,
    directions: usize,
    tolerance: f64,
) -> Result<Comparison> {
    let &At {
        problem, x, key, ..
    } = at;
    method.validate(problem)?;
    let mut gradient = vec![T::zero(); x.len()];
    method.estimate(at, &mut Memory::default(), &mut gradient)?;
    let size = norm(&gradient);
    let mut along = vec![gradient.clone()];
    if size > 0.0 {
        for value in &mut along[0] {
            *value = T::from_f64(value.to_double() / size);
        }
    }
    along.extend(
        (0..directions)
            .map(|i| random_direction(key.stream(Stream::Check).fold_in(i as u64), x.len())),
    );
    let mut worst = 0.0_f64;
    for direction in &along {
        let slope = dot(&gradient, direction);
        // The rounding error grows as the step shrinks and the truncation error as it
        // grows: take the step at which the two meet best.
        let mut error = f64::INFINITY;
        for (attempt, factor) in [1.0, 0.1, 10.0, 0.01, 1e-3, 1e-4, 1e-5].iter().enumerate() {
            // If a model has kinks, as a relu has, a small step crosses few of them or none.
            if attempt >= SMOOTH && error <= tolerance * size {
                break;
            }
            let epsilon = T::epsilon().to_double().powf(0.2) * norm(x).max(1.0) * factor;
            let value = |multiple: f64| -> Result<f64> {
                let mut moved = x.to_vec();
                axpy(T::from_f64(multiple * epsilon), direction, &mut moved);
                let report = method.evaluate(&at.moved(&moved), &Memory::default())?;
                Ok(report.value.to_double())
            };
            let near = value(1.0)? - value(-1.0)?;
            let far = value(2.0)? - value(-2.0)?;
            let difference = (8.0 * near - far) / (12.0 * epsilon);
            error = error.min((slope - difference).abs());
        }
        worst = worst.max(if size > 0.0 { error / size } else { error });
    }
    Ok(Comparison {
        relative_error: worst,
        tolerance,
    })
}

/// Steps that are tried in any case.
const SMOOTH: usize = 4;

/// The hypergradient against forward mode along `directions` random directions of norm 1,
/// relative to ‖hypergradient‖.
///
/// # Errors
/// If the method or an objective fails.
pub fn forward_check<T: Scalar>(
    method: &crate::Unrolled<T>,
    at: &At<'_, T>,
    directions: usize,
    tolerance: f64,
) -> Result<Comparison> {
    let &At {
        problem, x, key, ..
    } = at;
    method.validate(problem)?;
    let mut gradient = vec![T::zero(); x.len()];
    method.estimate(at, &mut Memory::default(), &mut gradient)?;
    let mut worst = 0.0_f64;
    for i in 0..directions {
        let direction = random_direction(key.stream(Stream::Check).fold_in(i as u64), x.len());
        let mut rollout = Rollout::new(at, &*method.dynamics, method.steps)?;
        let (_, forward) = directional(&mut rollout, &direction)?;
        let error = (dot(&gradient, &direction) - forward).abs();
        worst = worst.max(error / norm(&gradient).max(f64::MIN_POSITIVE));
    }
    Ok(Comparison {
        relative_error: worst,
        tolerance,
    })
}

/// ⟨J(dx, ds), w⟩ = ⟨(dx, ds), Jᵀw⟩ for the second step of the dynamics from a random inner
/// variable: push-forward against pull-back, relative to ‖J(dx, ds)‖ ‖w‖. The first step puts
/// the buffers into a realistic state: Adam's second moments, for example, are never negative.
///
/// # Errors
/// If an objective fails.
pub fn adjoint_dot_test<T: Scalar>(
    dynamics: &dyn Dynamics<T>,
    at: &At<'_, T>,
    tolerance: f64,
) -> Result<Comparison> {
    let &At { problem, x, .. } = at;
    dynamics.validate(problem.x_len(), problem.y_len())?;
    let key = at.key.stream(Stream::Check);
    let mut rollout = Rollout::new(&At { key, ..*at }, dynamics, 2)?;
    let mut state = rollout.start()?;
    let y = &mut state[..problem.y_len()];
    axpy(T::one(), &random_direction(key.fold_in(0), y.len()), y);
    rollout.advance(0, &mut state)?;
    let dx: Vec<T> = random_direction(key.fold_in(1), x.len());
    let ds: Vec<T> = random_direction(key.fold_in(2), state.len());
    let w: Vec<T> = random_direction(key.fold_in(3), state.len());
    let (mut next, mut pushed) = (state.clone(), ds.clone());
    rollout.push_forward(1, &dx, &mut next, &mut pushed)?;
    let mut pulled = w.clone();
    rollout.pull_back(1, &state, &next, &mut pulled)?;
    // The start's own path does not belong to the step.
    let mut x_bar = vec![T::zero(); x.len()];
    rollout.finish(&vec![T::zero(); state.len()], &mut x_bar)?;
    let left = dot(&pushed, &w);
    let right = dot(&ds, &pulled) + dot(&dx, &x_bar);
    let size = norm(&pushed) * norm(&w);
    Ok(Comparison {
        relative_error: (left - right).abs() / size.max(f64::MIN_POSITIVE),
        tolerance,
    })
}

/// The second-order products of an objective against central differences of its own
/// gradients at (x, y), relative to the largest product: if one product is zero, for example
/// because x and y enter separately, its differences are only rounding.
///
/// # Errors
/// If the objective fails or offers no second derivatives.
pub fn second_order_check<T: Scalar>(
    objective: &dyn Objective<T>,
    x: &[T],
    y: &[T],
    key: Key,
    tolerance: f64,
) -> Result<Comparison> {
    use crate::objective::{AtX, Counted, FiniteDifference};
    let key = key.stream(Stream::Check);
    let draw = crate::Draw::Step { key, step: 0 };
    let v: Vec<T> = random_direction(key.fold_in(0), y.len());
    let dx: Vec<T> = random_direction(key.fold_in(1), x.len());
    let products = |at: Box<dyn AtX<T> + '_>| -> Result<[Vec<T>; 3]> {
        let mut at = Counted::new(at, crate::Role::Inner);
        let mut y_bar = vec![T::zero(); y.len()];
        at.pull(y, draw, &v, &mut y_bar)?;
        let mut x_bar = vec![T::zero(); x.len()];
        at.finish(&mut x_bar)?;
        let mut pushed = vec![T::zero(); y.len()];
        at.push(y, draw, &dx, &v, &mut pushed)?;
        Ok([y_bar, x_bar, pushed])
    };
    let exact = products(objective.at(x)?)?;
    let differences = FiniteDifference::new(objective);
    let differences = products(differences.at(x)?)?;
    let size = differences.iter().map(|d| norm(d)).fold(0.0, f64::max);
    let mut relative_error = 0.0;
    for (exact, difference) in exact.iter().zip(&differences) {
        let mut error = exact.clone();
        axpy(-T::one(), difference, &mut error);
        let error = norm(&error) / size.max(f64::MIN_POSITIVE);
        // A NaN stays one.
        if error > relative_error || error.is_nan() {
            relative_error = error;
        }
    }
    Ok(Comparison {
        relative_error,
        tolerance,
    })
}

/// Whether two methods give the same bits for the same draws, and each of them again on a
/// second call: checkpointing against full reverse mode, a replay against its original.
///
/// # Errors
/// If a method fails.
pub fn replay_check<T: Scalar>(
    method: &dyn HyperGradient<T>,
    other: &dyn HyperGradient<T>,
    at: &At<'_, T>,
) -> Result<bool> {
    let gradient = |method: &dyn HyperGradient<T>| -> Result<(T, Vec<T>)> {
        let mut out = vec![T::zero(); at.x.len()];
        let report = method.estimate(at, &mut Memory::default(), &mut out)?;
        Ok((report.value, out))
    };
    let first = gradient(method)?;
    Ok(first == gradient(method)? && first == gradient(other)?)
}
