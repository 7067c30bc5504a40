//! Random orders.

use bilevel::Key;
use rand::seq::SliceRandom;

/// 0..len in an order drawn from `key`.
pub(crate) fn shuffled(len: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut key.rng());
    order
}
