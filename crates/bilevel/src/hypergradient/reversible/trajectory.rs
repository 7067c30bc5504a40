//! Steps in fixed-point numbers, and back.

use super::buffer::InformationBuffer;
use super::{Ratio, Reversible};
use crate::adjoint::Rollout;
use crate::dynamics::GradientDescent;
use crate::{Error, Result, Scalar, Set};

/// Integers are kept below this, so that sums of two do not overflow.
const LIMIT: f64 = (1_u64 << 61) as f64;

/// y and v on the way, as integers and as the numbers that they stand for.
pub(super) struct State<T> {
    pub(super) y: Vec<i64>,
    pub(super) v: Vec<i64>,
    pub(super) buffer: InformationBuffer,
    pub(super) y_value: Vec<T>,
    pub(super) v_value: Vec<T>,
    pub(super) direction: Vec<T>,
    pub(super) work: Vec<T>,
}

impl Reversible {
    /// Where the rollout gets its lengths from: the steps are made here.
    pub(super) fn carrier<T>(&self) -> GradientDescent<T> {
        GradientDescent {
            step_size: self.step_size,
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

    fn values<T: Scalar>(&self, integers: &[i64], out: &mut [T]) {
        let unit = self.scale().recip();
        for (out, &integer) in out.iter_mut().zip(integers) {
            *out = T::from_f64(integer as f64 * unit);
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
        let y_value = rollout.start()?;
        let y: Option<Vec<i64>> = y_value
            .iter()
            .map(|y| self.integer(y.to_double()))
            .collect();
        let len = y_value.len();
        let Ratio {
            numerator,
            denominator,
        } = self.momentum;
        let mut state = State {
            y: y.ok_or_else(|| self.out_of_range(0, rollout.cx.outer_step))?,
            v: vec![0; len],
            buffer: InformationBuffer::new((numerator, denominator), len, self.steps),
            y_value,
            v_value: vec![T::zero(); len],
            direction: vec![T::zero(); len],
            work: vec![T::zero(); len],
        };
        self.values(&state.y, &mut state.y_value);
        Ok(state)
    }

    /// The direction at step t, in the state's place for it.
    fn direction<T: Scalar>(
        &self,
        t: usize,
        rollout: &mut Rollout<'_, T>,
        state: &mut State<T>,
    ) -> Result<()> {
        let cx = &mut rollout.cx;
        cx.step = t;
        let weights = self.field.weights(cx);
        weights.grad_y(cx, &state.y_value, &mut state.work, &mut state.direction)?;
        rollout.expect_finite("the direction of the inner variable", t, &state.direction)
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
        self.direction(t, rollout, state)?;
        state.buffer.multiply(&mut state.v);
        let (x, limit) = (rollout.cx.x, LIMIT as i64);
        let mut inside = true;
        for ((y, v), d) in state.y.iter_mut().zip(&mut state.v).zip(&state.direction) {
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
        self.values(&state.y, &mut state.y_value);
        self.values(&state.v, &mut state.v_value);
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
        self.values(&state.y, &mut state.y_value);
        self.direction(t, rollout, state)?;
        for (v, d) in state.v.iter_mut().zip(&state.direction) {
            *v = v.wrapping_sub(self.integer(d.to_double()).unwrap_or(0));
        }
        state.buffer.undo(&mut state.v);
        self.values(&state.v, &mut state.v_value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Closures, Key, Problem, StartFromX};

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
            for fraction_bits in [8, 30, 52] {
                let method = Reversible {
                    momentum: Ratio {
                        numerator,
                        denominator,
                    },
                    steps: 1000,
                    fraction_bits,
                    ..Reversible::default()
                };
                let carrier = method.carrier();
                let x = [0.5, -1.2, 2.0];
                let key = Key::from_seed(0);
                let mut rollout = Rollout::new(&problem, &carrier, 1000, &x, key, 0).unwrap();
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
