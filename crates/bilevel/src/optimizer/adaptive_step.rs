//! The outer step of HOAG.

use super::{Optimizer, Update};
use crate::error::require;
use crate::hypergradient::{TOLERANCE, TOLERANCE_FACTOR};
use crate::vector::{axpy, norm};
use crate::{Memory, Result, Scalar};

/// Gradient descent with a step 1/L that adapts to the result of the last step, as in HOAG
/// (arXiv 1602.02355 and its reference code).
///
/// With φ_k the value at x_k, ε_k the accuracy of its hypergradient and d = ‖x_k − x_{k−1}‖:
///
/// * φ_k − φ_{k−1} ≥ 0.2 |φ_{k−1}|: rejected, L ← 2 L, back to x_{k−1}, and all later ε are halved;
/// * φ_k > φ_{k−1} + C ε_k + (C + 1) ε_{k−1} d: accepted, L ← 2 L;
/// * φ_k ≤ φ_{k−1} + C ε_k + (C + 1) ε_{k−1} d − L d²/2: accepted, L ← 0.95 L;
/// * between the last two: accepted, L stays.
///
/// We add the second case, and keep L where L d² is below the rounding of φ: the reference stops early, but in a
/// longer run at the minimum, where every d is accepted, its steps would grow until x leaves again. The reference
/// also requires a decrease of L d², which a convex φ gives only with the slack, whatever L is; we require half
/// of it, so that L falls to the curvature of φ.
///
/// Then x_{k+1} = x_k − G_k / L. The first step has a root mean square of `first_move` over the
/// numbers of x. The rule needs no step size and is meant for values that are accurate to ε_k, as
/// [`Hoag`](crate::Hoag) gives them. It takes ε_k from the method's memory, or 0 if there is none, as
/// for a family of several tasks. Not for mini-batches: it would mistake their noise for steps that are too long.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `first_move` | 1 | positive | how far each number moves at first |
/// | `slack` | 0.25 | at least 0 | C |
/// | `lengthen` | 0.95 | (0, 1\] | what L is multiplied by after a good step |
/// | `shorten` | 2 | above 1 | what L is multiplied by after a rejected step |
/// | `allowed_rise` | 0.2 | positive | the share of \|φ\| by which φ may rise (the reference compares φ_k with 1.2 φ_{k−1}, the same for positive values) |
///
/// Cost: only the step. State: n + 3 numbers. A rejected step costs one estimate.
///
/// ```
/// use bilevel::{AdaptiveStep, Memory, Optimizer, Update, optimizer::initial_state};
/// let optimizer = AdaptiveStep { first_move: 4.0, ..AdaptiveStep::default() };
/// let (mut x, mut memory) = ([1.0], Memory::<f64>::default());
/// let mut state = initial_state(&optimizer, 1);
/// // φ = x²/2. The first step goes to −3, where φ is larger: it is taken back.
/// for step in 0..2 {
///     optimizer.update(&Update { step, value: x[0] * x[0] / 2.0, gradient: &[x[0]] }, &mut memory, &mut state, &mut x);
/// }
/// assert_eq!((x[0], memory.number("tolerance factor")), (1.0, Some(0.5)));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdaptiveStep {
    /// How far each number moves at first.
    pub first_move: f64,
    /// C.
    pub slack: f64,
    /// What L is multiplied by after a good step.
    pub lengthen: f64,
    /// What L is multiplied by after a rejected step.
    pub shorten: f64,
    /// The share of |φ| by which φ may rise.
    pub allowed_rise: f64,
}

impl Default for AdaptiveStep {
    fn default() -> Self {
        Self {
            first_move: 1.0,
            slack: 0.25,
            lengthen: 0.95,
            shorten: 2.0,
            allowed_rise: 0.2,
        }
    }
}

/// L, φ_{k−1} and ε_{k−1}, before x_{k−1}.
const HEAD: usize = 3;

impl<T: Scalar> Optimizer<T> for AdaptiveStep {
    fn state_len(&self, x_len: usize) -> usize {
        x_len + HEAD
    }

    fn update(&self, at: &Update<'_, T>, memory: &mut Memory<T>, state: &mut [T], x: &mut [T]) {
        let Some((head, previous_x)) = state.split_first_chunk_mut::<HEAD>() else {
            return;
        };
        let [l, previous, previous_tolerance] = head.map(Scalar::to_double);
        let value = at.value.to_double();
        let tolerance = memory.number(TOLERANCE).unwrap_or(0.0);
        let mut inverse = l;
        if l == 0.0 {
            // Nothing has moved yet.
            inverse = norm(at.gradient) / (self.first_move * (x.len() as f64).sqrt());
        } else {
            let moved: Vec<T> = x.iter().zip(&*previous_x).map(|(&x, &p)| x - p).collect();
            let d = norm(&moved);
            let slack = self.slack * tolerance + (self.slack + 1.0) * previous_tolerance * d;
            let rounding = 4.0 * T::epsilon().to_double() * previous.abs();
            let rise = value - previous;
            if d == 0.0 {
                // Back from a rejected step, or held by a box: nothing to learn from.
            } else if rise > rounding && rise >= self.allowed_rise * previous.abs() {
                head[0] = T::from_f64(self.shorten * l);
                x.copy_from_slice(previous_x);
                let factor = memory.number(TOLERANCE_FACTOR).unwrap_or(1.0);
                memory.set_number(TOLERANCE_FACTOR, factor / 2.0);
                return;
            } else if rise > slack + rounding {
                inverse = self.shorten * l;
            } else if rise <= slack - l * d * d / 2.0 && l * d * d > rounding {
                inverse = self.lengthen * l;
            }
        }
        *head = [inverse, value, tolerance].map(T::from_f64);
        previous_x.copy_from_slice(x);
        if inverse > 0.0 {
            axpy(T::from_f64(-1.0 / inverse), at.gradient, x);
        }
    }

    fn validate(&self, _: usize) -> Result<()> {
        for (field, value) in [
            ("first_move", self.first_move),
            ("allowed_rise", self.allowed_rise),
        ] {
            require(
                value > 0.0 && value.is_finite(),
                field,
                "a positive number",
                value,
            )?;
        }
        require(
            self.slack >= 0.0 && self.slack.is_finite(),
            "slack",
            "a number of at least 0",
            self.slack,
        )?;
        require(
            self.lengthen > 0.0 && self.lengthen <= 1.0,
            "lengthen",
            "above 0 and at most 1",
            self.lengthen,
        )?;
        require(
            self.shorten > 1.0 && self.shorten.is_finite(),
            "shorten",
            "a number above 1",
            self.shorten,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one update at x = `x` with the last one at 0, its value 1, L = 2 and ε = 0.
    fn after(x: f64, value: f64, tolerance: f64) -> (f64, f64, Option<f64>) {
        let mut memory = Memory::default();
        memory.set_number(TOLERANCE, tolerance);
        let mut state = [2.0, 1.0, 0.0, 0.0];
        let mut at = [x];
        let update = Update {
            step: 1,
            value,
            gradient: &[1.0],
        };
        AdaptiveStep::default().update(&update, &mut memory, &mut state, &mut at);
        (at[0], state[0], memory.number(TOLERANCE_FACTOR))
    }

    #[test]
    fn the_four_cases() {
        // φ ≤ 1 − 2 · ¼ / 2: the step is lengthened.
        assert_eq!(after(0.5, 0.75, 0.0), (0.5 - 1.0 / 1.9, 1.9, None));
        // Just above: kept as it is.
        assert_eq!(after(0.5, 0.76, 0.0), (0.0, 2.0, None));
        // But for the accuracy: 0.76 ≤ 0.75 + 0.25 · 0.04.
        assert_eq!(after(0.5, 0.76, 0.04).1, 1.9);
        assert_eq!(after(0.5, 1.0, 0.0), (0.0, 2.0, None));
        // A rise: shorter steps from here on.
        assert_eq!(after(0.5, 1.01, 0.0), (0.25, 4.0, None));
        assert_eq!(after(0.5, 1.19, 0.0), (0.25, 4.0, None));
        // But for the accuracy.
        assert_eq!(after(0.5, 1.005, 0.04).1, 2.0);
        // A rise by more than a fifth: back to 0, L doubled, ε halved.
        assert_eq!(after(0.5, 1.21, 0.0), (0.0, 4.0, Some(0.5)));
        // A move that rounding hides says nothing.
        assert_eq!(after(1e-9, 1.0, 0.0).1, 2.0);
        // No move, no judgement.
        assert_eq!(after(0.0, 5.0, 0.0), (-0.5, 2.0, None));
    }

    /// φ = 1 + x²/8 with ε_k = 1e-3/(k + 1)², for many more steps than it needs.
    #[test]
    fn a_long_run_stays_at_the_minimum() {
        let optimizer = AdaptiveStep {
            first_move: 0.1,
            ..AdaptiveStep::default()
        };
        let (mut x, mut memory) = ([3.0_f64], Memory::default());
        let mut state = super::super::initial_state(&optimizer, 1);
        for step in 0..2000 {
            memory.set_number(TOLERANCE, 1e-3 / (step as f64 + 1.0).powi(2));
            let at = Update {
                step,
                value: 1.0 + x[0] * x[0] / 8.0,
                gradient: &[x[0] / 4.0],
            };
            optimizer.update(&at, &mut memory, &mut state, &mut x);
            assert!(step < 150 || x[0].abs() < 0.02, "{step}: {}", x[0]);
        }
        assert!(x[0].abs() < 1e-4, "{}", x[0]);
    }

    #[test]
    fn the_first_step_has_the_length_that_was_asked_for() {
        let optimizer = AdaptiveStep {
            first_move: 0.5,
            ..AdaptiveStep::default()
        };
        let mut state = [0.0_f64; 7];
        let mut x = [1.0; 4];
        let at = Update {
            step: 0,
            value: 1.0,
            gradient: &[3.0, 3.0, -3.0, 3.0],
        };
        optimizer.update(&at, &mut Memory::default(), &mut state, &mut x);
        assert_eq!(x, [0.5, 0.5, 1.5, 0.5]);
    }
}
