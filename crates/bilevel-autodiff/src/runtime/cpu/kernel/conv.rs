//! Convolutions: results, and the cotangents of pictures and kernels.
//!
//! Nothing is unfolded in memory: a tile of a few places and some vectors of channels is summed in registers, and reads
//! each element of a picture through a pointer, which is that of zeros in the padding. Only pictures of few channels are
//! unfolded, one block at a time.

mod gather;
mod geometry;
mod kernels;
mod unfolded;

use super::frame::Frame;
use super::vectorised::{Vectorised, vectorised};
use crate::graph::Convolved;
use crate::runtime::cpu::instruction;
use crate::runtime::cpu::threads::{WORTH_A_THREAD, each};
use gather::{Blocks, GatherPart};
use kernels::{KernelPart, KernelParts};

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, conv: &instruction::Conv) {
    let (a, b) = (frame.read(conv.a), frame.read(conv.b));
    let task = Task {
        conv,
        a,
        b,
        to: frame.write(conv.to),
    };
    let parts = task.parts();
    if conv.sizes.flops() < WORTH_A_THREAD {
        (0..parts).for_each(|part| task.run(part));
    } else {
        each(parts, &|part| task.run(part));
    }
}

struct Task<'a, T> {
    conv: &'a instruction::Conv,
    a: *const T,
    b: *const T,
    to: *mut T,
}

// Safety: parts read the same memory and write to separate places.
unsafe impl<T: Vectorised> Sync for Task<'_, T> {}

impl<T: Vectorised> Task<'_, T> {
    /// The number of parts, by the sizes alone.
    fn parts(&self) -> usize {
        match self.conv.of {
            Convolved::Result | Convolved::Picture(_) => Blocks::of(self.conv).count(),
            Convolved::Kernel(_) => KernelParts::of(self.conv).count(),
        }
    }

    fn run(&self, part: usize) {
        let Self { conv, a, b, to } = *self;
        match conv.of {
            Convolved::Result | Convolved::Picture(_) => vectorised(GatherPart {
                conv,
                pictures: a,
                weights: b,
                to,
                part,
            }),
            Convolved::Kernel(_) => vectorised(KernelPart {
                conv,
                pictures: a,
                cotangents: b,
                to,
                part,
            }),
        }
    }
}

/// The place of the largest element of each window.
pub(super) fn pool_indices<T: Vectorised>(frame: &Frame<'_, T>, pool: &instruction::PoolIndices) {
    let (from, to) = (frame.read(pool.from), frame.write(pool.to));
    let [rows, columns] = pool.places;
    for line in 0..pool.pictures * rows {
        let (n, row) = (line / rows, line % rows);
        for column in 0..columns {
            let place = (n * rows + row) * columns + column;
            // Safety: the plan's guarantee, see `kernel`.
            let out = unsafe {
                std::slice::from_raw_parts_mut(to.add(place * pool.channels), pool.channels)
            };
            let at = |element: [usize; 2]| pool.window.at(pool.picture, [row, column], element);
            largest(pool, n, at, from, out);
        }
    }
}

fn largest<T: Vectorised>(
    pool: &instruction::PoolIndices,
    n: usize,
    at: impl Fn([usize; 2]) -> Option<[usize; 2]>,
    from: *const T,
    out: &mut [T],
) {
    let [height, width] = pool.picture;
    let elements = (0..pool.size[0] * pool.size[1])
        .filter_map(|element| at([element / pool.size[1], element % pool.size[1]]))
        .map(|[i, j]| i * width + j);
    let mut first = true;
    for element in elements {
        let start = (n * height * width + element) * pool.channels;
        for (channel, out) in out.iter_mut().enumerate() {
            // Safety: the plan's guarantee, see `kernel`; indices lie in the picture.
            let above = first
                || unsafe {
                    let best = (n * height * width + out.index()) * pool.channels;
                    let (top, number) = (*from.add(best + channel), *from.add(start + channel));
                    // The first of equal ones; the first NaN.
                    !top.is_nan() && (number > top || number.is_nan())
                };
            if above {
                *out = T::from_index(element as u32);
            }
        }
        first = false;
    }
}
