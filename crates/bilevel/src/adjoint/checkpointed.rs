//! Reverse mode with few kept states.

use super::{Adjoint, Paths, Rollout};
use crate::error::require;
use crate::{Result, Scalar, Sweeps};

/// Reverse mode that keeps `slots` states and recomputes the others, by the binomial
/// schedule of Griewank and Walther (revolve, doi 10.1145/347837.347846), which needs the
/// fewest steps for a given number of slots.
///
/// Makes exactly the same pulls at exactly the same states as [`Reverse`](super::Reverse),
/// so it gives the same bits.
///
/// | setting | range | purpose |
/// |---|---|---|
/// | `slots` | at least 1 | kept states, including s_0; 1 is constant memory |
///
/// Cost: K pulls and [`Checkpointed::forward_steps`] gradients: K(K+1)/2 with one slot,
/// about (1 + r) K with `slots` = the r-th root of r!·K. Memory: `slots` + 3 states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkpointed {
    /// How many states are kept.
    pub slots: usize,
}

impl Checkpointed {
    /// How many inner steps a sweep over K = `steps` makes, including the K of a plain
    /// forward sweep.
    #[must_use]
    pub fn forward_steps(self, steps: usize) -> u128 {
        if steps <= 1 || self.slots == 0 {
            return steps as u128;
        }
        // r·K − C(c+r, r−1), with the fewest repetitions r for which C(c+r, r) ≥ K, are
        // the steps that bring states back; the step into s_K is one more.
        let (slots, steps) = (self.slots as u128, steps as u128);
        let repetitions = repetitions(steps, slots);
        repetitions * steps - binomial(slots + repetitions, repetitions - 1, u128::MAX) + 1
    }
}

/// C(n, k), or `cap` if it is larger.
fn binomial(n: u128, k: u128, cap: u128) -> u128 {
    let k = k.min(n - k.min(n));
    let mut value: u128 = 1;
    for i in 1..=k {
        let Some(product) = value.checked_mul(n - k + i) else {
            return cap;
        };
        value = product / i;
        if value >= cap {
            return cap;
        }
    }
    value
}

/// The fewest repetitions r with C(slots + r, r) ≥ steps.
fn repetitions(steps: u128, slots: u128) -> u128 {
    let enough = |r: u128| binomial(slots + r, r, steps) >= steps;
    // It grows with r: with one slot it is r + 1.
    let mut most = 1;
    while !enough(most) {
        most *= 2;
    }
    let mut least = 0;
    while least < most {
        let middle = least + (most - least) / 2;
        if enough(middle) {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    least
}

/// How many of `steps` steps to go before the next state is kept, with `slots` slots, the
/// one that holds the first state among them: both parts must then do with one
/// repetition less, before, and one slot less, after.
fn split(steps: usize, slots: usize) -> usize {
    let (length, count) = (steps as u128, slots as u128);
    let repetitions = repetitions(length, count);
    let after = binomial(count - 1 + repetitions, repetitions, length);
    let least = binomial(
        count + repetitions - 2,
        repetitions.saturating_sub(2),
        length,
    );
    let first = least.max(length - after);
    (first as usize).clamp(1, steps - 1)
}

impl<T: Scalar> Adjoint<T> for Checkpointed {
    fn name(&self) -> &'static str {
        "checkpointed"
    }

    fn sees(&self, _: usize) -> Paths {
        Paths::ALL
    }

    fn needs_second_order(&self) -> bool {
        true
    }

    fn validate(&self, _: usize, _: usize) -> Result<()> {
        require(self.slots >= 1, "slots", "at least 1", self.slots)
    }

    fn sweeps(&self, steps: usize, _: usize) -> Sweeps {
        Sweeps {
            steps: self.forward_steps(steps) as f64,
            pulls: steps as f64,
            // The state of a segment under way, and the one after it.
            kept_states: self.slots.min(steps) + 2,
            ..Sweeps::default()
        }
    }

    fn differentiate(
        &self,
        rollout: &mut Rollout<'_, T>,
        state: &mut [T],
        bar: &mut [T],
    ) -> Result<T> {
        let steps = rollout.steps();
        if steps == 0 {
            return rollout.seed(state, bar);
        }
        let slots = self.slots.min(steps);
        let mut sweep = Sweep {
            kept: vec![T::zero(); slots * state.len()],
            current: rollout.zero_state(),
            next: rollout.zero_state(),
            last: state,
            bar,
            value: None,
            rollout,
        };
        let len = sweep.last.len();
        sweep.kept[..len].copy_from_slice(sweep.last);
        sweep.segment(0, steps, 0, slots)?;
        // A sweep over at least one step has met the last one.
        Ok(sweep.value.unwrap_or_else(T::nan))
    }
}

/// A sweep back under way.
struct Sweep<'s, 'a, T> {
    rollout: &'s mut Rollout<'a, T>,
    /// The slots.
    kept: Vec<T>,
    current: Vec<T>,
    /// s_{t+1} of the step that is pulled next.
    next: Vec<T>,
    /// s_0 at first, s_K in the end.
    last: &'s mut [T],
    bar: &'s mut [T],
    /// f, as soon as s_K was reached.
    value: Option<T>,
}

impl<T: Scalar> Sweep<'_, '_, T> {
    /// Pulls steps `end` − 1 … `start` back; s_start is in `slot`, and `slots` slots from
    /// there on may be used.
    fn segment(&mut self, start: usize, end: usize, slot: usize, slots: usize) -> Result<()> {
        let len = self.current.len();
        let mut end = end;
        // Part by part from the back; only the slot of s_start stays in use between them.
        while slots > 1 && end - start > 1 {
            let middle = start + split(end - start, slots);
            self.recompute(start, middle, slot)?;
            let next_slot = (slot + 1) * len;
            self.kept[next_slot..next_slot + len].copy_from_slice(&self.current);
            self.segment(middle, end, slot + 1, slots - 1)?;
            end = middle;
        }
        for t in (start..end).rev() {
            self.recompute(start, t, slot)?;
            self.pull_back(t)?;
        }
        Ok(())
    }

    /// `current` = s_to, from the slot that holds s_from.
    fn recompute(&mut self, from: usize, to: usize, slot: usize) -> Result<()> {
        let len = self.current.len();
        self.current
            .copy_from_slice(&self.kept[slot * len..(slot + 1) * len]);
        for t in from..to {
            self.rollout.advance(t, &mut self.current)?;
        }
        Ok(())
    }

    /// Pulls step t back at s_t = `current`.
    fn pull_back(&mut self, t: usize) -> Result<()> {
        if self.value.is_none() {
            self.last.copy_from_slice(&self.current);
            self.rollout.advance(t, self.last)?;
            self.value = Some(self.rollout.seed(self.last, self.bar)?);
            self.next.copy_from_slice(self.last);
        }
        self.rollout
            .pull_back(t, &self.current, &self.next, self.bar)?;
        std::mem::swap(&mut self.current, &mut self.next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest steps that bring back every state, by dynamic programming.
    fn fewest(steps: usize, slots: usize) -> Vec<Vec<u128>> {
        let mut cost = vec![vec![0_u128; slots + 1]; steps + 1];
        for length in 1..=steps {
            for count in 1..=slots {
                let alone = (length * (length - 1) / 2) as u128;
                cost[length][count] = (1..length)
                    .filter(|_| count > 1)
                    .map(|first| {
                        first as u128 + cost[length - first][count - 1] + cost[first][count]
                    })
                    .fold(alone, u128::min);
            }
        }
        cost
    }

    fn steps_of_schedule(steps: usize, slots: usize) -> u128 {
        let (mut end, mut total) = (steps, 0);
        while slots > 1 && end > 1 {
            let first = split(end, slots);
            total += first as u128 + steps_of_schedule(end - first, slots - 1);
            end = first;
        }
        total + (0..end as u128).sum::<u128>()
    }

    #[test]
    fn the_schedule_makes_the_fewest_steps_and_says_how_many() {
        let fewest = fewest(60, 12);
        for (steps, fewest) in fewest.into_iter().enumerate().skip(1) {
            for (slots, least) in fewest.into_iter().enumerate().skip(1) {
                assert_eq!(steps_of_schedule(steps, slots), least, "{steps} {slots}");
                let stated = Checkpointed { slots }.forward_steps(steps);
                assert_eq!(stated, least + 1, "{steps} {slots}");
            }
        }
    }

    #[test]
    fn long_sweeps_are_planned_without_overflow() {
        let one = Checkpointed { slots: 1 }.forward_steps(1_000_000);
        assert_eq!(one, 1_000_000 * 999_999 / 2 + 1);
        assert!(Checkpointed { slots: 10 }.forward_steps(1_000_000) < 12_000_000);
    }
}
