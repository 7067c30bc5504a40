//! Steps in fixed-point numbers, and back.

use super::Reversible;
use super::buffer::InformationBuffer;
use crate::adjoint::Rollout;
use crate::{Error, Hyper, Momentum, Result, Scalar, Set};

/// Integers are kept below this, so that sums of two do not overflow.
const LIMIT: f64 = (1_u64 << 61) as f64;

/// y and v on the way.
pub(super) struct State<T> {
    pub(super) y: Vec<i64>,
    pub(super) v: Vec<i64>,
    pub(super) buffer: InformationBuffer,
    /// The numbers that y and v stand for, as the dynamics want them.
    pub(super) value: Vec<T>,
    /// y, and d_t(x, y).
    direction: Vec<T>,
}

impl Reversible {
    /// The same steps in floating-point numbers: they give directions and derivatives.
    pub(super) fn dynamics<T>(&self) -> Momentum<T> {
        Momentum {
            step_size: self.step_size,
            momentum: Hyper::Fixed(self.momentum.value()),
            nesterov: false,
            field: self.field.clone(),
            set: Set::All,
        }
    }

    fn scale(&self) -> f64 {
        f64::from(self.fraction_bits).exp2()
    }

    fn integer(&self, value: f64) -> Option<i64> {
        let scaled = (value * self.scale()).round();
        (scaled.abs() < LIMIT).then_some(scaled as i64)
    }

    /// Brings the state's numbers up to date with its integers.
    fn evaluate_state<T: Scalar>(&self, state: &mut State<T>) {
        let unit = self.scale().recip();
        let integers = state.y.iter().chain(&state.v);
        for (value, &integer) in state.value.iter_mut().zip(integers) {
            *value = T::from_f64(integer as f64 * unit);
        }
    }

    fn out_of_range(&self, step: usize, outer_step: usize) -> Error {
        Error::OutOfRange {
            limit: LIMIT / self.scale(),
            fraction_bits: self.fraction_bits,
            inner_step: step,
            outer_step,
        }
    }

    /// s_0.
    pub(super) fn start<T: Scalar>(&self, rollout: &mut Rollout<'_, T>) -> Result<State<T>> {
        let value = rollout.start()?;
        let (y, v) = value.split_at(value.len() / 2);
        let y: Option<Vec<i64>> = y.iter().map(|y| self.integer(y.to_double())).collect();
        let len = v.len();
        let mut state = State {
            y: y.ok_or_else(|| self.out_of_range(0, rollout.cx.outer_step))?,
            v: vec![0; len],
            buffer: InformationBuffer::new(self.momentum, len, self.steps),
            value,
            direction: rollout.zero_state(),
        };
        self.evaluate_state(&mut state);
        Ok(state)
    }

    /// d_t(x, y) into the state's place for it: the velocity after one step from rest.
    fn direction<T: Scalar>(
        t: usize,
        rollout: &mut Rollout<'_, T>,
        state: &mut State<T>,
    ) -> Result<()> {
        let (y, v) = state.direction.split_at_mut(state.y.len());
        y.copy_from_slice(&state.value[..y.len()]);
        v.fill(T::zero());
        rollout.advance(t, &mut state.direction)
    }

    /// s v, rounded.
    fn move_of<T: Scalar>(&self, v: i64, x: &[T]) -> i64 {
        // The cast keeps to the range of i64; what is out of the range allowed is found afterwards.
        (self.step_size.value(x).to_double() * v as f64).round() as i64
    }

    pub(super) fn step<T: Scalar>(
        &self,
        t: usize,
        rollout: &mut Rollout<'_, T>,
        state: &mut State<T>,
    ) -> Result<()> {
        Self::direction(t, rollout, state)?;
        state.buffer.multiply(&mut state.v);
        let (x, limit) = (rollout.cx.x, LIMIT as i64);
        let mut inside = true;
        let direction = &state.direction[state.y.len()..];
        for ((y, v), d) in state.y.iter_mut().zip(&mut state.v).zip(direction) {
            match self.integer(d.to_double()) {
                Some(d) => *v += d,
                None => inside = false,
            }
            let moved = y.saturating_sub(self.move_of(*v, x));
            inside &= v.abs() < limit && moved.saturating_abs() < limit;
            *y = moved;
        }
        if !inside {
            return Err(self.out_of_range(t + 1, rollout.cx.outer_step));
        }
        self.evaluate_state(state);
        Ok(())
    }

    /// From s_{t+1} to s_t.
    pub(super) fn undo<T: Scalar>(
        &self,
        t: usize,
        rollout: &mut Rollout<'_, T>,
        state: &mut State<T>,
    ) -> Result<()> {
        // Numbers that were in range come back; others come of an objective that gives other bits, and
        // are found at the start.
        let x = rollout.cx.x;
        for (y, &v) in state.y.iter_mut().zip(&state.v) {
            *y = y.wrapping_add(self.move_of(v, x));
        }
        self.evaluate_state(state);
        Self::direction(t, rollout, state)?;
        let direction = &state.direction[state.y.len()..];
        for (v, d) in state.v.iter_mut().zip(direction) {
            *v = v.wrapping_sub(self.integer(d.to_double()).unwrap_or(0));
        }
        state.buffer.undo(&mut state.v);
        self.evaluate_state(state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Closures, Key, Problem, Ratio, StartFromX};

    /// Every state on the way back is the one on the way there, to the last bit.
    #[test]
    fn the_trajectory_comes_back_bit_for_bit() {
        let objective = || {
            Closures::<f64>::new(
                3,
                3,
                |_, y, _| y.iter().map(|y| y.cos()).sum(),
                |_, y, _, out| (0..3).for_each(|i| out[i] -= (y[i] + 0.1 * y[(i + 1) % 3]).sin()),
            )
        };
        let problem = Problem::new(objective(), objective(), StartFromX::new(0..3)).unwrap();
        for (numerator, denominator) in [(9, 10), (1, 3), (499, 500)] {
            let momentum = Ratio {
                numerator,
                denominator,
            };
            for fraction_bits in [8, 30, 52] {
                let method = Reversible {
                    momentum,
                    steps: 1000,
                    fraction_bits,
                    ..Reversible::default()
                };
                let dynamics = method.dynamics();
                let x = [0.5, -1.2, 2.0];
                let key = Key::from_seed(0);
                let mut rollout =
                    Rollout::new(&At::new(&problem, &x, key), &dynamics, 1000).unwrap();
                let mut state = method.start(&mut rollout).unwrap();
                let mut there = vec![];
                for t in 0..1000 {
                    there.push((state.y.clone(), state.v.clone()));
                    method.step(t, &mut rollout, &mut state).unwrap();
                }
                assert!(state.v.iter().any(|&v| v != 0));
                for (t, there) in there.into_iter().enumerate().rev() {
                    method.undo(t, &mut rollout, &mut state).unwrap();
                    assert_eq!((&state.y, &state.v), (&there.0, &there.1));
                }
                assert!(state.buffer.is_empty());
            }
        }
    }
}
