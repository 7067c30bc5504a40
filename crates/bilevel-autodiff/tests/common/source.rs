//! Random numbers and shapes from a seed.

use bilevel::Key;
use bilevel_autodiff::Shape;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(crate) struct Source(ChaCha8Rng);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Key::from_seed(seed).rng())
    }

    /// One of 0, …, n − 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_range(0.0..1.0) < probability
    }

    /// A number of [low, high) that `f32` holds too.
    pub(crate) fn number(&mut self, low: f64, high: f64) -> f64 {
        f64::from(self.wide(low, high) as f32)
    }

    /// A number of [low, high).
    pub(crate) fn wide(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    /// As [`Source::number`], of either sign.
    pub(crate) fn signed(&mut self, low: f64, high: f64) -> f64 {
        let size = self.number(low, high);
        if self.chance(0.5) { size } else { -size }
    }

    pub(crate) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// The size of an axis: small, sometimes 0, often 1.
    pub(crate) fn size(&mut self) -> usize {
        self.one_of(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    }

    /// A shape of at least `least` axes and at most `most`.
    pub(crate) fn shape(&mut self, least: usize, most: usize) -> Shape {
        let rank = least + self.below(most - least + 1);
        (0..rank).map(|_| self.size()).collect()
    }

    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// Each of 0, …, n − 1 or not.
    pub(crate) fn subset(&mut self, n: usize) -> Vec<usize> {
        (0..n).filter(|_| self.chance(0.5)).collect()
    }
}
