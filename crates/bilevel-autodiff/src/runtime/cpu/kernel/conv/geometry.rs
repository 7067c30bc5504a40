//! Which elements of one picture meet which of another.

use crate::graph::{Convolved, Window};
use crate::rule::Sizes;

/// Places whose elements lie in the same way: a place reads row `base + offset` for each element of the window that has
/// an offset here. With a stride, the rows of a picture that meet the same rows of the kernel are a class of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// The rows that are written: first, count, step.
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) step: usize,
    /// The base of the first row, and the step of the base.
    base: isize,
    base_step: isize,
    /// The rows that are read.
    pub(super) read: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Offset of element r: dilation · r.
    Result { dilation: isize },
    /// Of the elements with dilation · r = rest + stride · k: −k.
    Picture {
        dilation: isize,
        stride: isize,
        rest: isize,
    },
}

impl Axis {
    /// The number of classes along this axis.
    pub(super) fn classes(window: &Window, of: Convolved, axis: usize) -> usize {
        match of {
            Convolved::Picture(_) => window.stride[axis],
            Convolved::Result | Convolved::Kernel(_) => 1,
        }
    }

    /// A class of rows (axis 0) or columns (axis 1).
    pub(super) fn of(
        window: &Window,
        sizes: &Sizes,
        of: Convolved,
        axis: usize,
        class: usize,
    ) -> Self {
        let (stride, padding) = (window.stride[axis], window.padding[axis]);
        let dilation = window.dilation[axis] as isize;
        match of {
            Convolved::Result | Convolved::Kernel(_) => Self {
                first: 0,
                count: sizes.places[axis],
                step: 1,
                base: -(padding as isize),
                base_step: stride as isize,
                read: sizes.picture[axis],
                kind: Kind::Result { dilation },
            },
            Convolved::Picture(_) => {
                let rows = sizes.picture[axis];
                let first = class.min(rows);
                Self {
                    first,
                    count: (rows - first).div_ceil(stride),
                    step: stride,
                    base: ((first + padding) / stride) as isize,
                    base_step: 1,
                    read: sizes.places[axis],
                    kind: Kind::Picture {
                        dilation,
                        stride: stride as isize,
                        rest: ((first + padding) % stride) as isize,
                    },
                }
            }
        }
    }

    pub(super) fn base(&self, number: usize) -> isize {
        self.base + self.base_step * number as isize
    }

    /// The offset of an element of the kernel, if places of this class meet it.
    pub(super) fn offset(&self, element: usize) -> Option<isize> {
        match self.kind {
            Kind::Result { dilation } => Some(dilation * element as isize),
            Kind::Picture {
                dilation,
                stride,
                rest,
            } => {
                let behind = dilation * element as isize - rest;
                (behind % stride == 0).then(|| -behind / stride)
            }
        }
    }
}
