//! How the axes of a primitive's operands and result correspond: the basis for splitting work into rows and stages.

/// How an axis of the result depends on an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// It corresponds to this axis of the operand: an element of the result needs only the same elements of it, and
    /// may be computed without the others.
    Same(usize),
    /// It corresponds to this axis of the operand, but the result cannot be computed along it in blocks.
    Linked(usize),
    /// All elements of the axis need the same elements of the operand.
    Repeated,
    /// An element may need any elements of the operand.
    Mixed,
}

/// An axis that is summed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summed {
    /// The axis of each operand.
    pub(crate) axes: Vec<usize>,
    /// Whether partial sums over blocks of the axis are computed and then added.
    pub(crate) in_parts: bool,
}

/// How the axes of a primitive and its operands correspond.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Axes {
    /// For each operand and each axis of the result.
    pub(crate) links: Vec<Vec<Link>>,
    pub(crate) summed: Vec<Summed>,
}

impl Axes {
    /// For `count` operands in the shape of the result.
    pub(crate) fn elementwise(rank: usize, count: usize) -> Self {
        Self::of(vec![(0..rank).map(Link::Same).collect(); count])
    }

    pub(crate) fn of(links: Vec<Vec<Link>>) -> Self {
        Self {
            links,
            summed: Vec::new(),
        }
    }

    /// For `count` operands of the result's rank, all axes of which correspond except the given ones.
    pub(crate) fn but(rank: usize, count: usize, axes: &[usize]) -> Self {
        let link = |axis: usize| {
            if axes.contains(&axis) {
                Link::Mixed
            } else {
                Link::Same(axis)
            }
        };
        Self::of(vec![(0..rank).map(link).collect(); count])
    }

    /// For one operand of the same rank: axes of equal size correspond, the others are `other`.
    pub(crate) fn where_equal(shape: &[usize], operand: &[usize], other: Link) -> Self {
        let link = |axis: usize| {
            if shape[axis] == operand[axis] {
                Link::Same(axis)
            } else {
                other
            }
        };
        Self::of(vec![(0..shape.len()).map(link).collect()])
    }
}

/// Pairs of corresponding axes of two shapes with the same elements in row-major order: the same
/// size and the same stride.
pub(crate) fn matching_axes(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let after = |shape: &[usize], axis: usize| shape[axis + 1..].iter().product::<usize>();
    let mut pairs = Vec::new();
    for (i, &size) in a.iter().enumerate() {
        if size <= 1 {
            continue;
        }
        let same = (0..b.len()).find(|&j| b[j] == size && after(a, i) == after(b, j));
        if let Some(j) = same {
            pairs.push((i, j));
        }
    }
    pairs
}
