//! Random numbers and shapes from a seed.

use bilevel::Key;
use bilevel_autodiff::Draw;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub(crate) struct Source(ChaCha8Rng);

impl Draw for Source {
    fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Key::from_seed(seed).rng())
    }

    pub(crate) fn likely(&mut self, probability: f64) -> bool {
        self.0.random_range(0.0..1.0) < probability
    }

    /// A number in [low, high) that `f32` represents exactly.
    pub(crate) fn number(&mut self, low: f64, high: f64) -> f64 {
        f64::from(self.wide(low, high) as f32)
    }

    /// A number in [low, high).
    pub(crate) fn wide(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    /// Like [`Source::number`], of either sign.
    pub(crate) fn signed(&mut self, low: f64, high: f64) -> f64 {
        let size = self.number(low, high);
        if self.chance() { size } else { -size }
    }

    pub(crate) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}
