//! What a method remembers from one outer step to the next.

#[cfg(feature = "serde")]
mod stored;

use std::collections::BTreeMap;

use crate::error::expect_length;
use crate::{Result, Scalar};

/// Named buffers and numbers that a method carries from one estimate to the next: warm
/// starts, the variables of single-loop methods, running estimates.
///
/// It is part of the state of a run and of its checkpoint, so a continued run gives the same
/// bits; work space is not kept here. A method made of other methods gives each of them its
/// own memory, [`Memory::part`]. Empty before the first estimate.
///
/// ```
/// use bilevel::Memory;
/// let mut memory = Memory::<f64>::default();
/// let warm = memory.vector_or("y", 2, |start| { start.copy_from_slice(&[1.0, 2.0]); Ok(()) })?;
/// warm[0] = 3.0;
/// assert_eq!(memory.vector("y"), Some(&[3.0, 2.0][..]));
/// memory.part("cheap").set_number("rate", 0.5);
/// assert_eq!(memory.part("cheap").number("rate"), Some(0.5));
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Memory<T> {
    vectors: BTreeMap<String, Vec<T>>,
    numbers: BTreeMap<String, f64>,
    parts: BTreeMap<String, Memory<T>>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self {
            vectors: BTreeMap::new(),
            numbers: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }
}

impl<T: Scalar> Memory<T> {
    /// The buffer of that name, if there is one.
    #[must_use]
    pub fn vector(&self, name: &str) -> Option<&[T]> {
        self.vectors.get(name).map(Vec::as_slice)
    }

    /// The buffer of that name, `len` numbers; if it does not exist yet, it starts as zeros
    /// and `start` fills it.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) if it has another length, or `start` fails.
    pub fn vector_or(
        &mut self,
        name: &'static str,
        len: usize,
        start: impl FnOnce(&mut [T]) -> Result<()>,
    ) -> Result<&mut [T]> {
        use std::collections::btree_map::Entry;
        match self.vectors.entry(name.to_owned()) {
            Entry::Occupied(entry) => {
                expect_length(name, len, entry.get().len())?;
                Ok(entry.into_mut())
            }
            Entry::Vacant(entry) => {
                let mut vector = vec![T::zero(); len];
                start(&mut vector)?;
                Ok(entry.insert(vector))
            }
        }
    }

    /// Stores a copy of `values` under that name and replaces what was there.
    pub fn set_vector(&mut self, name: &str, values: &[T]) {
        match self.vectors.get_mut(name) {
            Some(vector) => {
                vector.clear();
                vector.extend_from_slice(values);
            }
            None => {
                self.vectors.insert(name.to_owned(), values.to_vec());
            }
        }
    }

    /// The number of that name, if there is one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// Stores `value` under that name.
    pub fn set_number(&mut self, name: &str, value: f64) {
        self.numbers.insert(name.to_owned(), value);
    }

    /// The memory of one part of a method.
    pub fn part(&mut self, name: &str) -> &mut Self {
        self.parts.entry(name.to_owned()).or_default()
    }

    /// The memory of one part of a method, if it has any.
    #[must_use]
    pub fn existing_part(&self, name: &str) -> Option<&Self> {
        self.parts.get(name)
    }

    /// How many numbers are stored in all parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vectors.values().map(Vec::len).sum::<usize>()
            + self.numbers.len()
            + self.parts.values().map(Self::len).sum::<usize>()
    }

    /// Whether nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
