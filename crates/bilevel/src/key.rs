//! Splittable random keys: every draw is a pure function of a key.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A splittable source of randomness.
///
/// A key is never used up: [`Key::fold_in`] derives a new, independent key from a
/// number, [`Key::stream`] derives one from a named purpose, and [`Key::rng`] opens a
/// generator. Replays, checkpoints, threads and resumed runs see the same draws by
/// construction, and finite differences use common random numbers.
///
/// Derivation and drawing are both ChaCha (Bernstein, 2008), with different numbers of
/// rounds, so that no derived key equals drawn output.
///
/// ```
/// use bilevel::{Key, Stream};
/// let key = Key::from_seed(7);
/// assert_eq!(key.fold_in(3), Key::from_seed(7).fold_in(3));
/// assert_ne!(key.fold_in(3), key.fold_in(4));
/// assert_ne!(key.stream(Stream::InnerBatch), key.stream(Stream::OuterBatch));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Key([u8; 32]);

/// What a draw is for. Each purpose has its own stream, so that adding a draw in one
/// place changes none elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Stream {
    /// Mini-batches of the inner objective.
    InnerBatch,
    /// The mini-batch of the outer objective at the end of training.
    OuterBatch,
    /// Mini-batches of the outer objective inside the aggregate field.
    FieldBatch,
    /// The start of training.
    Start,
    /// Directions and points of a check.
    Check,
    /// Which tasks an outer step sees, and the draws of each.
    Task,
    /// Whether a debiased estimate is corrected.
    Coin,
    /// Mini-batches inside the solver of a linear system.
    LinearSolver,
    /// The second inner loop of methods that have one in addition to training.
    Auxiliary,
    /// A purpose outside this crate; see [`Stream::named`].
    Named {
        /// What it is for.
        name: &'static str,
        /// What its draws depend on.
        number: u64,
    },
}

impl Stream {
    /// A purpose of your own: its draws depend on the name and differ from all other purposes.
    ///
    /// ```
    /// use bilevel::{Key, Stream};
    /// const SHUFFLE: Stream = Stream::named("shuffle");
    /// assert_ne!(Key::from_seed(0).stream(SHUFFLE), Key::from_seed(0).stream(Stream::named("noise")));
    /// ```
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        // FNV-1a (Fowler, Noll and Vo), with a bit that no purpose of this crate has.
        let (mut number, mut i) = (0xcbf2_9ce4_8422_2325_u64, 0);
        while i < name.len() {
            number = (number ^ name.as_bytes()[i] as u64).wrapping_mul(0x0100_0000_01b3);
            i += 1;
        }
        Self::Named {
            name,
            number: number | 1 << 63,
        }
    }

    /// What draws depend on: never changed, or stored runs would draw otherwise.
    const fn number(self) -> u64 {
        match self {
            Self::InnerBatch => 1,
            Self::OuterBatch => 2,
            Self::FieldBatch => 3,
            Self::Start => 4,
            Self::Check => 7,
            Self::Task => 9,
            Self::Coin => 10,
            Self::LinearSolver => 11,
            Self::Auxiliary => 12,
            Self::Named { number, .. } => number,
        }
    }
}

impl Key {
    /// The root key of a run.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(bytes).derive(u64::MAX)
    }

    /// An independent key for each `number` (a step, a task, a row).
    #[must_use]
    pub fn fold_in(self, number: u64) -> Self {
        self.derive(number)
    }

    /// An independent key for each purpose.
    #[must_use]
    pub fn stream(self, stream: Stream) -> Self {
        // Tagged apart from fold_in by a second derivation.
        self.derive(u64::MAX).derive(stream.number())
    }

    /// A generator of random numbers; the same one for the same key.
    #[must_use]
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }

    /// As many independent standard normal numbers as you take (Box and Muller, 1958).
    pub fn normals(self) -> impl Iterator<Item = f64> {
        use rand::RngExt;
        let mut rng = self.rng();
        std::iter::repeat_with(move || {
            // 1 − u lies in (0, 1].
            let (u, v): (f64, f64) = (rng.random(), rng.random());
            (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        })
    }

    /// Independent numbers of [0, 1), as many as are asked for.
    pub fn uniforms(self) -> impl Iterator<Item = f64> {
        use rand::RngExt;
        let mut rng = self.rng();
        std::iter::repeat_with(move || rng.random())
    }

    fn derive(self, number: u64) -> Self {
        let mut rng = rand_chacha::ChaCha12Rng::from_seed(self.0);
        rng.set_stream(number);
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    /// Golden values: a change here changes every run that anyone has stored.
    #[test]
    fn golden_values() {
        let key = Key::from_seed(42);
        let numbers: [u64; 2] = key.fold_in(1).rng().random();
        assert_eq!(numbers, [3826761560247763714, 12443848904944738174]);
        let streams = [
            (Stream::InnerBatch, 1),
            (Stream::Check, 7),
            (Stream::Auxiliary, 12),
            (Stream::named("shuffle"), 0xc77c62bf680bf6ae),
        ];
        for (stream, number) in streams {
            assert_eq!(key.stream(stream), key.derive(u64::MAX).derive(number));
        }
    }

    #[test]
    fn purposes_and_numbers_do_not_collide() {
        let key = Key::from_seed(0);
        let mut seen = std::collections::HashSet::new();
        for number in 0..100 {
            assert!(seen.insert(key.fold_in(number)));
        }
        for stream in [
            Stream::InnerBatch,
            Stream::OuterBatch,
            Stream::Start,
            Stream::named("start"),
            Stream::named("split"),
        ] {
            assert!(seen.insert(key.stream(stream)));
        }
        assert!(seen.insert(Key::from_seed(1)));
    }
}
