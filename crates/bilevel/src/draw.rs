//! Which rows an evaluation sees: a pure function of a key and a step.

use crate::{Error, Key, Result};

/// The randomness of one evaluation of an objective.
///
/// An objective that uses all of its data ignores it; one with mini-batches takes
/// its rows from [`Draw::rows`], so that the backward sweep sees the batches of the
/// forward sweep without storing them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Draw {
    /// All rows: for reports and held-out losses.
    All,
    /// The batch of one step.
    Step {
        /// The key of the sweep, a different one for each outer step.
        key: Key,
        /// The step within the sweep, from 0.
        step: u64,
    },
}

impl Draw {
    /// The rows of this draw, out of `rows`, `batch` at a time: None for all rows.
    ///
    /// Steps walk through keyed permutations of the rows, a new one for each epoch, so
    /// that one epoch visits every row exactly once (a batch may straddle two epochs).
    /// A batch as large as the data, or larger, means all rows. O(1) memory, O(batch) time.
    #[must_use]
    pub fn rows(self, rows: usize, batch: usize) -> Option<Rows> {
        let Self::Step { key, step } = self else {
            return None;
        };
        if batch >= rows || batch == 0 {
            return None;
        }
        let position = step * batch as u64;
        let epoch = position / rows as u64;
        Some(Rows {
            key,
            rows: rows as u64,
            epoch,
            offset: position % rows as u64,
            left: batch,
            permutation: Permutation::new(key.fold_in(epoch), rows as u64),
        })
    }
}

/// The rows of one batch, in the order in which they are visited.
#[derive(Clone, Debug)]
pub struct Rows {
    key: Key,
    rows: u64,
    epoch: u64,
    offset: u64,
    left: usize,
    permutation: Permutation,
}

impl Iterator for Rows {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        if self.offset == self.rows {
            self.epoch += 1;
            self.offset = 0;
            self.permutation = Permutation::new(self.key.fold_in(self.epoch), self.rows);
        }
        let row = self.permutation.apply(self.offset);
        self.offset += 1;
        Some(row as usize)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Rows {}

/// Checks a batch size against the number of rows.
///
/// # Errors
/// [`Error::Setting`] if it is zero or larger than `rows`.
pub fn check_batch(field: &'static str, batch: usize, rows: usize) -> Result<()> {
    if (1..=rows).contains(&batch) {
        Ok(())
    } else {
        Err(Error::Setting {
            field,
            range: "at least 1 and at most the number of rows",
            value: format!("{batch} with {rows} rows"),
        })
    }
}

/// A keyed permutation of 0..len: a balanced Feistel network over the next power of
/// four, walked until it lands inside (Black and Rogaway, 2002). Fewer than four
/// evaluations a row on average.
#[derive(Clone, Debug)]
struct Permutation {
    len: u64,
    half_bits: u32,
    round_keys: [u64; Self::ROUNDS],
}

impl Permutation {
    /// Enough for shuffling: four give a pseudorandom permutation with random round
    /// functions, and two more make up for cheap ones.
    const ROUNDS: usize = 6;

    fn new(key: Key, len: u64) -> Self {
        use rand::RngExt;
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Self {
            len,
            half_bits: bits.div_ceil(2).max(1),
            round_keys: key.rng().random(),
        }
    }

    fn apply(&self, index: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let mut value = index;
        loop {
            let (mut left, mut right) = (value >> self.half_bits, value & mask);
            for &round_key in &self.round_keys {
                (left, right) = (right, left ^ (mix(right ^ round_key) & mask));
            }
            value = (left << self.half_bits) | right;
            if value < self.len {
                return value;
            }
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draw(seed: u64, step: u64) -> Draw {
        Draw::Step {
            key: Key::from_seed(seed),
            step,
        }
    }

    proptest! {
        #[test]
        fn every_epoch_visits_every_row_exactly_once(rows in 2_usize..300, batch in 1_usize..50, seed: u64) {
            prop_assume!(batch < rows);
            let epochs = 3;
            let steps = (epochs * rows).div_ceil(batch) as u64;
            let visited: Vec<usize> = (0..steps)
                .flat_map(|step| draw(seed, step).rows(rows, batch).unwrap())
                .collect();
            let mut orders = Vec::new();
            for epoch in visited.chunks_exact(rows).take(epochs) {
                let mut sorted = epoch.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..rows).collect::<Vec<_>>());
                orders.push(epoch.to_vec());
            }
            if rows > 20 {
                prop_assert_ne!(&orders[0], &orders[1]);
            }
        }
    }

    #[test]
    fn draws_differ_between_steps_and_keys_and_repeat_for_the_same() {
        let rows = |seed, step| draw(seed, step).rows(1000, 50).unwrap().collect::<Vec<_>>();
        assert_eq!(rows(1, 3), rows(1, 3));
        assert_ne!(rows(1, 3), rows(1, 4));
        assert_ne!(rows(1, 3), rows(2, 3));
        assert_eq!(draw(1, 3).rows(50, 50).map(Iterator::count), None);
    }

    #[test]
    fn rows_are_spread_evenly() {
        // The first batch of many keys: each of 10 rows is expected 300 times of 3000
        // draws of one row; 5 standard deviations are 82.
        let mut counts = [0_i32; 10];
        for seed in 0..3000 {
            let row = draw(seed, 0).rows(10, 1).unwrap().next().unwrap();
            counts[row] += 1;
        }
        assert!(
            counts.iter().all(|count| (count - 300).abs() < 82),
            "{counts:?}"
        );
    }
}
