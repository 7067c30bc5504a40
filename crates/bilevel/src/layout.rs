//! Names for the parts of a flat variable.

use std::ops::Range;

/// The parts of a flat variable, in order: a name and a shape each.
///
/// Variables are flat slices everywhere; optimizers, solvers, checkpoints and finite
/// differences need nothing more. A layout says what the numbers mean.
///
/// ```
/// let layout = bilevel::Layout::new([("weight", vec![3, 2]), ("bias", vec![2])]);
/// assert_eq!(layout.len(), 8);
/// assert_eq!(layout.range("bias"), Some(6..8));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    parts: Vec<Part>,
}

/// One named part of a [`Layout`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The name, unique in its layout.
    pub name: String,
    /// The shape, row-major; empty for a scalar.
    pub shape: Vec<usize>,
    /// The index of its first number.
    pub start: usize,
}

impl Part {
    /// How many numbers the part has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the part has no numbers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Layout {
    /// The parts in the given order.
    #[must_use]
    pub fn new<N: Into<String>>(parts: impl IntoIterator<Item = (N, Vec<usize>)>) -> Self {
        let mut layout = Self::default();
        for (name, shape) in parts {
            let start = layout.len();
            layout.parts.push(Part {
                name: name.into(),
                shape,
                start,
            });
        }
        layout
    }

    /// One part that is a plain vector of `len` numbers.
    #[must_use]
    pub fn vector(name: &str, len: usize) -> Self {
        Self::new([(name, vec![len])])
    }

    /// How many numbers all parts have together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.last().map_or(0, |part| part.start + part.len())
    }

    /// Whether there are no numbers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Where the numbers of the part called `name` are.
    #[must_use]
    pub fn range(&self, name: &str) -> Option<Range<usize>> {
        let part = self.parts.iter().find(|part| part.name == name)?;
        Some(part.start..part.start + part.len())
    }
}
