//! How the axes of a primitive are walked: what cuts into rows and stages are derived from.

/// What an operand gives to an axis of the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// Its axis of this number: an element of the result needs the same elements of it alone, and may be
    /// computed without the others.
    Same(usize),
    /// Its axis of this number has the same elements, but the result is not computed along it piece by piece.
    Linked(usize),
    /// The same for all elements of the axis.
    Repeated,
    /// Any of its elements.
    Mixed,
}

/// An axis that is summed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summed {
    /// For each operand its axis.
    pub(crate) axes: Vec<usize>,
    /// Whether sums over parts of the axis are computed, which are then added up.
    pub(crate) in_parts: bool,
}

/// How the axes of a primitive and of its operands are walked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Axes {
    /// For each operand, for each axis of the result.
    pub(crate) links: Vec<Vec<Link>>,
    pub(crate) summed: Vec<Summed>,
}

impl Axes {
    /// Of `count` operands, all like the result.
    pub(crate) fn elementwise(rank: usize, count: usize) -> Self {
        Self::of(vec![(0..rank).map(Link::Same).collect(); count])
    }

    pub(crate) fn of(links: Vec<Vec<Link>>) -> Self {
        Self {
            links,
            summed: Vec::new(),
        }
    }

    /// Of one operand of the same rank, all axes of which are walked together but for those named.
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

    /// Of one operand of the same rank: axes of the same size are the same, the others are as `other` says.
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

/// Pairs of axes of two shapes with the same elements in row-major order that are the same: the same
/// size, with as many elements after each.
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
