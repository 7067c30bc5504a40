//! Cotangents of kernels: for each element of the kernel, the sum over all places of what they read, times what they
//! write.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use super::geometry::Axis;
use super::unfolded::{UNFOLDED, is_unfolded, unfold, zeros};
use crate::graph::Convolved;
use crate::runtime::cpu::instruction::Conv;
use crate::runtime::cpu::kernel::vector::{Kernel, Lanes};
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The places whose terms are summed in registers before they are added to the cotangent.
const PLACES: usize = 64;

/// The channels of a part are a quarter of all, but within these limits: fewer read more of the cotangents again.
const CHANNELS: [usize; 2] = [8, 32];

/// How the cotangent is cut into parts: some channels of all elements of the kernel.
pub(super) struct KernelParts<'a> {
    conv: &'a Conv,
    /// The elements of the kernel, and the rows of one: all rows at once, if pictures are unfolded.
    elements: usize,
    rows: usize,
}

impl<'a> KernelParts<'a> {
    pub(super) fn of(conv: &'a Conv) -> Self {
        let sizes = &conv.sizes;
        let elements = sizes.kernel[0] * sizes.kernel[1];
        let (elements, rows) = match is_unfolded(conv) {
            true => (1, elements * sizes.channels),
            false => (elements, sizes.inputs()),
        };
        Self {
            conv,
            elements,
            rows,
        }
    }

    /// The rows of a part.
    fn each(&self) -> usize {
        let most = self.rows.div_ceil(4).clamp(CHANNELS[0], CHANNELS[1]);
        let pieces = self.rows.div_ceil(most).max(1);
        self.rows.div_ceil(pieces).max(1)
    }

    pub(super) fn count(&self) -> usize {
        self.conv.sizes.groups * self.rows.div_ceil(self.each())
    }

    /// The group, the first row and the number of rows.
    fn part(&self, part: usize) -> (usize, usize, usize) {
        let groups = self.conv.sizes.groups;
        let first = part / groups * self.each();
        (part % groups, first, self.each().min(self.rows - first))
    }
}

/// One part.
pub(super) struct KernelPart<'a, T> {
    pub(super) conv: &'a Conv,
    pub(super) pictures: *const T,
    pub(super) cotangents: *const T,
    pub(super) to: *mut T,
    pub(super) part: usize,
}

/// What a place reads, from the first channel of the part on, and its cotangent.
type Pair<T> = (*const T, *const T);

/// A place: the row and the column that the first element of the kernel reads, its picture, and its cotangent.
#[derive(Clone, Copy)]
struct Place<T> {
    row: isize,
    column: isize,
    picture: *const T,
    cotangent: *const T,
}

#[repr(align(64))]
struct Unfolded<T>([MaybeUninit<T>; UNFOLDED]);

impl<T: Vectorised> Kernel<T> for KernelPart<'_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let conv = self.conv;
        let parts = KernelParts::of(conv);
        let (group, first, rows) = parts.part(self.part);
        let sizes = &conv.sizes;
        let (all, outputs) = (sizes.outputs, sizes.outputs / sizes.groups);
        let to = self.to.wrapping_add(first * all + group * outputs);
        let element_len = parts.rows * all;
        let cleared = if conv.add { 0 } else { parts.elements * rows };
        for row in 0..cleared {
            let at = row / rows * element_len + row % rows * all;
            // Safety: the plan's guarantee, see `kernel`.
            let out = unsafe { std::slice::from_raw_parts_mut(to.add(at), outputs) };
            out.fill(T::zero());
        }
        let places = sizes.pictures * sizes.places[0] * sizes.places[1];
        let of_group = (
            self.pictures.wrapping_add(group * sizes.inputs() + first),
            self.cotangents.wrapping_add(group * outputs),
        );
        let mut pairs = [(zeros::<T>(), zeros::<T>()); PLACES];
        if is_unfolded(conv) {
            let mut memory = Unfolded([const { MaybeUninit::<T>::uninit() }; UNFOLDED]);
            let unfolded = memory.0.as_mut_ptr().cast::<T>();
            let at_once = PLACES.min(UNFOLDED / parts.rows);
            for begin in (0..places).step_by(at_once) {
                let end = places.min(begin + at_once);
                // Safety: so many places fit.
                unsafe { unfold(conv, self.pictures, begin..end, unfolded) };
                for (place, pair) in (begin..end).zip(&mut pairs) {
                    let from = unfolded.wrapping_add((place - begin) * parts.rows + first);
                    *pair = (from, of_group.1.wrapping_add(place * all));
                }
                self.add(lanes, &pairs[..end - begin], (rows, outputs), to);
            }
            return;
        }
        let [down, right] =
            [0, 1].map(|axis| Axis::of(&conv.window, sizes, Convolved::Result, axis, 0));
        let mut block = [Place {
            row: 0,
            column: 0,
            picture: zeros::<T>(),
            cotangent: zeros::<T>(),
        }; PLACES];
        for begin in (0..places).step_by(PLACES) {
            let end = places.min(begin + PLACES);
            for (place, slot) in (begin..end).zip(&mut block) {
                let (n, inside) = (
                    place / (down.count * right.count),
                    place % (down.count * right.count),
                );
                *slot = Place {
                    row: down.base(inside / right.count),
                    column: right.base(inside % right.count),
                    picture: of_group
                        .0
                        .wrapping_add(n * down.read * right.read * sizes.channels),
                    cotangent: of_group.1.wrapping_add(place * all),
                };
            }
            for element in 0..parts.elements {
                let (r, s) = (element / sizes.kernel[1], element % sizes.kernel[1]);
                let (Some(r), Some(s)) = (down.offset(r), right.offset(s)) else {
                    continue;
                };
                let mut count = 0;
                for place in &block[..end - begin] {
                    let (row, column) = ((place.row + r) as usize, (place.column + s) as usize);
                    // Above the picture is far below it.
                    if row < down.read && column < right.read {
                        let at = (row * right.read + column) * sizes.channels;
                        pairs[count] = (place.picture.wrapping_add(at), place.cotangent);
                        count += 1;
                    }
                }
                let to = to.wrapping_add(element * element_len);
                self.add(lanes, &pairs[..count], (rows, outputs), to);
            }
        }
    }
}

impl<T: Vectorised> KernelPart<'_, T> {
    /// Adds the terms of some places to all rows and columns of the part.
    #[inline(always)]
    fn add<W: Lanes<T>>(
        &self,
        lanes: W,
        pairs: &[Pair<T>],
        (rows, columns): (usize, usize),
        to: *mut T,
    ) {
        let most = if W::MANY { 4 } else { 2 };
        let all = self.conv.sizes.outputs;
        let mut column = 0;
        while column < columns {
            let whole = (columns - column) / W::COUNT;
            let vectors = match whole {
                0 | 1 => 1,
                2 | 3 => 2,
                _ => most,
            };
            let last = W::COUNT.min(columns - column - (vectors - 1) * W::COUNT);
            let mut row = 0;
            while row < rows {
                let left = rows - row;
                let height = match left {
                    1..=3 => 1,
                    4 | 8 => 4,
                    5 | 9 | 10 => 5,
                    // In sixes and fives, and fours where it must be.
                    _ if left % 6 == 0 => 6,
                    _ if left < 20 && left % 6 == 4 => 6,
                    _ if left < 20 && left % 6 == 5 => 6,
                    _ => 5,
                };
                let tile = Tile {
                    row,
                    column,
                    last,
                    to: to.wrapping_add(row * all + column),
                    all,
                };
                match height {
                    6 => tile_of::<T, W, 6>(lanes, pairs, tile, vectors),
                    5 => tile_of::<T, W, 5>(lanes, pairs, tile, vectors),
                    4 => tile_of::<T, W, 4>(lanes, pairs, tile, vectors),
                    _ => tile_of::<T, W, 1>(lanes, pairs, tile, vectors),
                }
                row += height;
            }
            column += vectors * W::COUNT;
        }
    }
}

#[derive(Clone, Copy)]
struct Tile<T> {
    row: usize,
    column: usize,
    /// Columns of the last vector.
    last: usize,
    to: *mut T,
    /// From one row to the next.
    all: usize,
}

#[inline(always)]
fn tile_of<T: Vectorised, W: Lanes<T>, const M: usize>(
    lanes: W,
    pairs: &[Pair<T>],
    tile: Tile<T>,
    vectors: usize,
) {
    let whole = tile.last == W::COUNT;
    match (vectors, whole) {
        (1, false) => tile_with::<T, W, M, 1, true>(lanes, pairs, tile),
        (1, true) => tile_with::<T, W, M, 1, false>(lanes, pairs, tile),
        (2, _) => tile_with::<T, W, M, 2, false>(lanes, pairs, tile),
        (_, _) => tile_with::<T, W, M, 4, false>(lanes, pairs, tile),
    }
}

/// `PART`: the last vector has fewer columns.
#[inline(always)]
fn tile_with<T: Vectorised, W: Lanes<T>, const M: usize, const N: usize, const PART: bool>(
    lanes: W,
    pairs: &[Pair<T>],
    tile: Tile<T>,
) {
    let mut sums = [[lanes.splat(T::zero()); N]; M];
    // Safety: the plan's guarantee, see `kernel`: the pairs point into their tensors.
    unsafe {
        for &(from, cotangent) in pairs {
            let (from, cotangent) = (from.add(tile.row), cotangent.add(tile.column));
            let mut g = [lanes.splat(T::zero()); N];
            for v in 0..N {
                let at = cotangent.add(v * W::COUNT);
                g[v] = match PART && v + 1 == N {
                    true => lanes.load_part(at, tile.last),
                    false => lanes.load(at),
                };
            }
            for i in 0..M {
                let a = lanes.splat(*from.add(i));
                for v in 0..N {
                    sums[i][v] = lanes.multiply_add(a, g[v], sums[i][v]);
                }
            }
        }
        for i in 0..M {
            for v in 0..N {
                let at = tile.to.add(i * tile.all + v * W::COUNT);
                match PART && v + 1 == N {
                    true => {
                        let present = lanes.load_part(at, tile.last);
                        lanes.store_part(at, tile.last, lanes.add(present, sums[i][v]));
                    }
                    false => lanes.store(at, lanes.add(lanes.load(at), sums[i][v])),
                }
            }
        }
    }
}
