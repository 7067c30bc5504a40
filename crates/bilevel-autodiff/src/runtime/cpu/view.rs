//! The layout of a node's elements: a place in a memory, and a stride for each axis.

/// The size of an axis: fixed, or the rows of the running block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    Fixed(usize),
    Rows,
}

impl Extent {
    pub(crate) fn at(self, rows: usize) -> usize {
        match self {
            Self::Fixed(size) => size,
            Self::Rows => rows,
        }
    }
}

/// A distance between elements: `fixed + rows · (rows of the running block)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stride {
    pub(crate) fixed: isize,
    pub(crate) rows: isize,
}

impl Stride {
    pub(crate) const ZERO: Self = Self { fixed: 0, rows: 0 };
    pub(crate) const ONE: Self = Self { fixed: 1, rows: 0 };

    pub(crate) fn fixed(fixed: usize) -> Self {
        Self {
            fixed: fixed as isize,
            rows: 0,
        }
    }

    pub(crate) fn rows(times: usize) -> Self {
        Self {
            fixed: 0,
            rows: times as isize,
        }
    }

    pub(crate) fn times(self, count: usize) -> Self {
        Self {
            fixed: self.fixed * count as isize,
            rows: self.rows * count as isize,
        }
    }

    pub(crate) fn at(self, rows: usize) -> isize {
        self.fixed + self.rows * rows as isize
    }
}

/// A memory space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Space {
    /// An argument; in a finished plan, numbered among the arguments that hold numbers.
    Input(usize),
    /// In a finished plan, an argument that holds indices, numbered among those.
    Indices(usize),
    /// A result.
    Output(usize),
    /// Constants, known when a program is compiled.
    Constant,
    /// A buffer that has no place yet.
    Buffer(usize),
    /// The memory of whole tensors.
    Arena,
    /// The memory of the running block.
    Block,
    /// The partial sums of the running group of blocks.
    Partial,
}

/// The first element of a tensor, or of the running block:
/// `offset + per_row · (first row) + times_rows · (rows of the block)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At {
    pub(crate) space: Space,
    pub(crate) offset: usize,
    pub(crate) per_row: usize,
    pub(crate) times_rows: usize,
}

impl At {
    pub(crate) fn start(space: Space, offset: usize) -> Self {
        Self {
            space,
            offset,
            per_row: 0,
            times_rows: 0,
        }
    }

    /// `count` strides further.
    pub(crate) fn advanced(mut self, stride: Stride, count: usize) -> Self {
        self.offset += stride.fixed as usize * count;
        self.times_rows += stride.rows as usize * count;
        self
    }
}

/// A tensor in memory: axes in the order of its shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct View {
    pub(crate) at: At,
    pub(crate) dims: Vec<Extent>,
    pub(crate) strides: Vec<Stride>,
}

impl View {
    /// Row-major; sets `per_row` if there is a row axis.
    pub(crate) fn natural(
        space: Space,
        offset: usize,
        shape: &[usize],
        rows: Option<usize>,
    ) -> Self {
        let mut stride = 1;
        let mut strides = vec![Stride::ZERO; shape.len()];
        for (axis, &size) in shape.iter().enumerate().rev() {
            strides[axis] = Stride::fixed(stride);
            stride *= size;
        }
        Self {
            at: At {
                per_row: rows.map_or(0, |axis| strides[axis].fixed as usize),
                ..At::start(space, offset)
            },
            dims: dims(shape, rows),
            strides,
        }
    }

    /// The row axis innermost, with stride 1, the others in row-major order before it. `spans` says
    /// whether the tensor has all blocks, one after the other, or one block.
    pub(crate) fn lanes(space: Space, shape: &[usize], rows: usize, spans: bool) -> Self {
        let mut stride = 1;
        let mut strides = vec![Stride::ONE; shape.len()];
        for (axis, &size) in shape.iter().enumerate().rev() {
            if axis != rows {
                strides[axis] = Stride::rows(stride);
                stride *= size;
            }
        }
        Self {
            at: At {
                per_row: if spans { stride } else { 0 },
                ..At::start(space, 0)
            },
            dims: dims(shape, Some(rows)),
            strides,
        }
    }
}

pub(crate) fn dims(shape: &[usize], rows: Option<usize>) -> Vec<Extent> {
    shape
        .iter()
        .enumerate()
        .map(|(axis, &size)| {
            if Some(axis) == rows {
                Extent::Rows
            } else {
                Extent::Fixed(size)
            }
        })
        .collect()
}

/// Merges axes that are walked in order into one, if one stride is enough; axes of size 1 are
/// skipped.
pub(crate) fn collapse(axes: &[(usize, Stride)]) -> Option<(usize, Stride)> {
    let mut walked = axes.iter().rev().filter(|&&(size, _)| size != 1);
    let Some(&(mut count, stride)) = walked.next() else {
        return Some((1, Stride::ZERO));
    };
    for &(size, next) in walked {
        if next != stride.times(count) {
            return None;
        }
        count *= size;
    }
    Some((count, stride))
}
