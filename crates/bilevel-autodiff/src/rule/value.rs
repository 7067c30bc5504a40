//! Tensors for the definitions of primitives: elements in row-major order.

use bilevel::Scalar;

use crate::graph::{DType, Node};

/// A tensor's elements in row-major order.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<T> {
    /// Real numbers.
    Real(Vec<T>),
    /// A mask.
    Mask(Vec<bool>),
    /// Indices.
    Index(Vec<u32>),
}

impl<T: Scalar> Value<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Mask(values) => values.len(),
            Self::Index(values) => values.len(),
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        match self {
            Self::Real(_) => DType::Real,
            Self::Mask(_) => DType::Mask,
            Self::Index(_) => DType::Index,
        }
    }

    /// The real numbers; empty for a mask or indices.
    #[must_use]
    pub fn real(&self) -> &[T] {
        match self {
            Self::Real(values) => values,
            Self::Mask(_) | Self::Index(_) => &[],
        }
    }

    pub(crate) fn mask(&self) -> &[bool] {
        match self {
            Self::Mask(values) => values,
            Self::Real(_) | Self::Index(_) => &[],
        }
    }

    pub(crate) fn index(&self) -> &[u32] {
        match self {
            Self::Index(values) => values,
            Self::Real(_) | Self::Mask(_) => &[],
        }
    }

    /// The elements at these positions, in this order.
    pub(crate) fn select(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Real(values) => Self::Real(places.map(|i| values[i]).collect()),
            Self::Mask(values) => Self::Mask(places.map(|i| values[i]).collect()),
            Self::Index(values) => Self::Index(places.map(|i| values[i]).collect()),
        }
    }
}

/// An operand of a definition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a, T> {
    pub(crate) node: &'a Node,
    pub(crate) value: &'a Value<T>,
}

/// The coordinates of the element at a row-major position.
pub(crate) fn coordinates(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (at, &size) in at.iter_mut().zip(shape).rev() {
        *at = place % size;
        place /= size;
    }
    at
}

/// The position of the element at these coordinates. With broadcasting: an axis of size 1 is always read at its
/// only element.
pub(crate) fn place(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(shape).fold(0, |place, (&at, &size)| {
        place * size + at.min(size.saturating_sub(1))
    })
}

/// The coordinates of all elements of a node, in order.
pub(crate) fn all(node: &Node) -> impl Iterator<Item = Vec<usize>> {
    (0..node.len()).map(|i| coordinates(i, &node.shape))
}
