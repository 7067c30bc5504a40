//! Results of convolutions and cotangents of pictures: each place sums the products of what it reads with the weights of
//! each element of the kernel.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use super::geometry::Axis;
use super::unfolded::{MOST_CHANNELS, UNFOLDED, is_unfolded, unfold, zeros};
use crate::graph::Convolved;
use crate::runtime::cpu::instruction::Conv;
use crate::runtime::cpu::kernel::vector::{Kernel, Lanes};
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The most places of a block: their sums stay in cache while one element of the kernel after the other is added.
const MOST_PLACES: usize = 96;

/// With fewer blocks, smaller ones, for as many threads.
const FEWEST_BLOCKS: usize = 4;

/// Rows of a tile: places whose sums are in registers.
const HEIGHTS: [usize; 2] = [6, 5];

/// How places are cut into blocks.
pub(super) struct Blocks<'a> {
    conv: &'a Conv,
    classes: [usize; 2],
}

/// A block of places.
struct Block {
    rows: Axis,
    columns: Axis,
    group: usize,
    first: usize,
    len: usize,
    height: usize,
}

impl<'a> Blocks<'a> {
    pub(super) fn of(conv: &'a Conv) -> Self {
        let classes = [0, 1].map(|axis| Axis::classes(&conv.window, conv.of, axis));
        Self { conv, classes }
    }

    fn class(&self, class: usize) -> [Axis; 2] {
        let number = [class / self.classes[1], class % self.classes[1]];
        [0, 1].map(|axis| {
            let conv = self.conv;
            Axis::of(&conv.window, &conv.sizes, conv.of, axis, number[axis])
        })
    }

    fn places(&self, [rows, columns]: &[Axis; 2]) -> usize {
        self.conv.sizes.pictures * rows.count * columns.count
    }

    /// The places of a block of a class with so many places, and the rows of its tiles.
    fn sizes(&self, places: usize) -> (usize, usize) {
        let most = match is_unfolded(self.conv) {
            true => (UNFOLDED / self.unfolded()).min(MOST_PLACES),
            false => MOST_PLACES,
        };
        let blocks = places.div_ceil(most);
        let blocks = blocks.max(FEWEST_BLOCKS.min(places.div_ceil(2 * HEIGHTS[0])));
        let len = places.div_ceil(blocks.max(1)).max(1);
        let waste = |height: &usize| len.next_multiple_of(*height);
        let height = HEIGHTS.into_iter().min_by_key(waste).unwrap_or(HEIGHTS[0]);
        (len.next_multiple_of(height).min(most.max(height)), height)
    }

    /// The numbers of an unfolded place.
    fn unfolded(&self) -> usize {
        let sizes = &self.conv.sizes;
        sizes.kernel[0] * sizes.kernel[1] * sizes.channels
    }

    pub(super) fn count(&self) -> usize {
        let of_class = |class| {
            let places = self.places(&self.class(class));
            places.div_ceil(self.sizes(places).0)
        };
        let all = (0..self.classes[0] * self.classes[1]).map(of_class);
        all.sum::<usize>() * self.conv.sizes.groups
    }

    fn block(&self, part: usize) -> Option<Block> {
        let groups = self.conv.sizes.groups;
        let (group, mut number) = (part % groups, part / groups);
        for class in 0..self.classes[0] * self.classes[1] {
            let [rows, columns] = self.class(class);
            let places = self.places(&[rows, columns]);
            let (len, height) = self.sizes(places);
            let blocks = places.div_ceil(len);
            if number < blocks {
                let first = number * len;
                return Some(Block {
                    rows,
                    columns,
                    group,
                    first,
                    len: len.min(places - first),
                    height,
                });
            }
            number -= blocks;
        }
        None
    }
}

/// One block.
pub(super) struct GatherPart<'a, T> {
    pub(super) conv: &'a Conv,
    pub(super) pictures: *const T,
    pub(super) weights: *const T,
    pub(super) to: *mut T,
    pub(super) part: usize,
}

/// A place: the row and the column of its first element, where its picture begins, and where its sums are written.
#[derive(Clone, Copy)]
struct Place<T> {
    row: isize,
    column: isize,
    picture: *const T,
    to: *mut T,
}

/// The sums of some columns over `channels`.
#[derive(Clone, Copy)]
struct Columns<T> {
    weights: *const T,
    /// From the weights of one channel to those of the next.
    row: usize,
    channels: usize,
    /// The first column.
    first: usize,
    /// Columns of the last vector.
    last: usize,
    /// Whether these are the first terms, which are not added to anything.
    starts: bool,
}

#[repr(align(64))]
struct Unfolded<T>([MaybeUninit<T>; UNFOLDED]);

impl<T: Vectorised> Kernel<T> for GatherPart<'_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let Some(block) = Blocks::of(self.conv).block(self.part) else {
            return;
        };
        match block.height {
            5 => self.block::<W, 5>(lanes, &block),
            _ => self.block::<W, 6>(lanes, &block),
        }
    }
}

impl<T: Vectorised> GatherPart<'_, T> {
    /// The channels that are read and written of a group, and of all groups.
    fn channels(&self) -> [(usize, usize); 2] {
        let sizes = &self.conv.sizes;
        let pictures = (sizes.inputs(), sizes.channels);
        let results = (sizes.outputs / sizes.groups, sizes.outputs);
        match self.conv.of {
            Convolved::Picture(_) => [results, pictures],
            Convolved::Result | Convolved::Kernel(_) => [pictures, results],
        }
    }

    #[inline(always)]
    fn block<W: Lanes<T>, const M: usize>(&self, lanes: W, block: &Block) {
        let conv = self.conv;
        let [(inputs, read), (outputs, written)] = self.channels();
        // Places of the last tile that do not exist lie above every picture, so they read zeros.
        let mut places = [Place {
            row: isize::MIN / 2,
            column: 0,
            picture: zeros(),
            to: self.to,
        }; MOST_PLACES + HEIGHTS[0]];
        let (rows, columns) = (&block.rows, &block.columns);
        let each = rows.count * columns.count;
        let height = match conv.of {
            Convolved::Picture(_) => conv.sizes.picture,
            Convolved::Result | Convolved::Kernel(_) => conv.sizes.places,
        };
        for (i, place) in places[..block.len].iter_mut().enumerate() {
            let number = block.first + i;
            let (n, inside) = (number / each, number % each);
            let (i, j) = (inside / columns.count, inside % columns.count);
            let to = (n * height[0] + rows.first + i * rows.step) * height[1]
                + columns.first
                + j * columns.step;
            *place = Place {
                row: rows.base(i),
                column: columns.base(j),
                picture: self
                    .pictures
                    .wrapping_add(n * rows.read * columns.read * read + block.group * inputs),
                to: self.to.wrapping_add(to * written + block.group * outputs),
            };
        }
        let places = &places[..block.len.next_multiple_of(M)];
        // The weights of an element of the kernel: (input channels of the group, all output channels), or, of a
        // transposed kernel, (output channels of the group, input channels of the group).
        let (element, row, group) = match conv.of {
            Convolved::Picture(_) => (conv.sizes.outputs * outputs, outputs, inputs * outputs),
            Convolved::Result | Convolved::Kernel(_) => (inputs * written, written, outputs),
        };
        let weights = self.weights.wrapping_add(block.group * group);
        if is_unfolded(conv) {
            return self.unfolded::<W, M>(lanes, block, places, outputs);
        }
        self.each_columns(
            lanes,
            outputs,
            #[inline(always)]
            |this, lanes, first, vectors, last| {
                let mut starts = !conv.add;
                for r in 0..conv.sizes.kernel[0] {
                    for s in 0..conv.sizes.kernel[1] {
                        let (Some(down), Some(right)) = (rows.offset(r), columns.offset(s)) else {
                            continue;
                        };
                        let weights =
                            weights.wrapping_add((r * conv.sizes.kernel[1] + s) * element + first);
                        let mut channel = 0;
                        while channel < inputs {
                            let columns_of = Columns {
                                weights: weights.wrapping_add(channel * row),
                                row,
                                channels: MOST_CHANNELS.min(inputs - channel),
                                first,
                                last,
                                starts,
                            };
                            for tile in places.chunks_exact(M) {
                                let mut from = [zeros::<T>(); M];
                                for i in 0..M {
                                    let (i_row, i_column) =
                                        (tile[i].row + down, tile[i].column + right);
                                    let inside = (0..rows.read as isize).contains(&i_row)
                                        && (0..columns.read as isize).contains(&i_column);
                                    if inside {
                                        let at = i_row as usize * columns.read + i_column as usize;
                                        from[i] = tile[i].picture.wrapping_add(at * read + channel);
                                    }
                                }
                                let live = this.live(block, places, tile);
                                tile_of::<T, W, M>(lanes, from, columns_of, tile, live, vectors);
                            }
                            starts = false;
                            channel += columns_of.channels;
                        }
                    }
                }
                if starts {
                    // No element of the kernel meets these places, or there are no channels.
                    for place in &places[..block.len] {
                        for column in first..outputs.min(first + vectors * W::COUNT) {
                            // Safety: the plan's guarantee, see `kernel`.
                            unsafe { *place.to.add(column) = T::zero() };
                        }
                    }
                }
            },
        );
    }

    /// The places of a tile that exist.
    #[inline(always)]
    fn live(&self, block: &Block, places: &[Place<T>], tile: &[Place<T>]) -> usize {
        let before = (tile.as_ptr().addr() - places.as_ptr().addr()) / size_of::<Place<T>>();
        (block.len - before).min(tile.len())
    }

    /// All columns, in pieces of one, two or four vectors.
    #[inline(always)]
    fn each_columns<W: Lanes<T>>(
        &self,
        lanes: W,
        columns: usize,
        run: impl Fn(&Self, W, usize, usize, usize),
    ) {
        let most = if W::MANY { 4 } else { 2 };
        let mut first = 0;
        while first < columns {
            let whole = (columns - first) / W::COUNT;
            let vectors = match whole {
                0 | 1 => 1,
                2 | 3 => 2,
                _ => most,
            };
            let last = W::COUNT.min(columns - first - (vectors - 1) * W::COUNT);
            run(self, lanes, first, vectors, last);
            first += vectors * W::COUNT;
        }
    }

    /// A block of pictures of few channels.
    #[inline(always)]
    fn unfolded<W: Lanes<T>, const M: usize>(
        &self,
        lanes: W,
        block: &Block,
        places: &[Place<T>],
        outputs: usize,
    ) {
        let mut memory = Unfolded([const { MaybeUninit::<T>::uninit() }; UNFOLDED]);
        let start = memory.0.as_mut_ptr().cast::<T>();
        let length = Blocks::of(self.conv).unfolded();
        // Safety: a block is that small.
        unsafe {
            let range = block.first..block.first + block.len;
            unfold(self.conv, self.pictures, range, start);
        }
        self.each_columns(
            lanes,
            outputs,
            #[inline(always)]
            |this, lanes, first, vectors, last| {
                for (number, tile) in places.chunks_exact(M).enumerate() {
                    let live = this.live(block, places, tile);
                    let from = std::array::from_fn(|i| {
                        start
                            .cast_const()
                            .wrapping_add((number * M + i.min(live - 1)) * length)
                    });
                    let columns = Columns {
                        weights: this.weights.wrapping_add(first),
                        row: outputs,
                        channels: length,
                        first,
                        last,
                        starts: !this.conv.add,
                    };
                    tile_of::<T, W, M>(lanes, from, columns, tile, live, vectors);
                }
            },
        );
    }
}

#[inline(always)]
fn tile_of<T: Vectorised, W: Lanes<T>, const M: usize>(
    lanes: W,
    from: [*const T; M],
    columns: Columns<T>,
    tile: &[Place<T>],
    live: usize,
    vectors: usize,
) {
    let whole = columns.last == W::COUNT;
    match (vectors, whole) {
        (1, false) => tile_with::<T, W, M, 1, true>(lanes, from, columns, tile, live),
        (1, true) => tile_with::<T, W, M, 1, false>(lanes, from, columns, tile, live),
        (2, _) => tile_with::<T, W, M, 2, false>(lanes, from, columns, tile, live),
        (_, _) => tile_with::<T, W, M, 4, false>(lanes, from, columns, tile, live),
    }
}

/// `PART`: the last vector has fewer columns.
#[inline(always)]
fn tile_with<T: Vectorised, W: Lanes<T>, const M: usize, const N: usize, const PART: bool>(
    lanes: W,
    from: [*const T; M],
    columns: Columns<T>,
    tile: &[Place<T>],
    live: usize,
) {
    let mut sums = [[lanes.splat(T::zero()); N]; M];
    // Safety: the plan's guarantee, see `kernel`: all places lie in their tensors, and zeros are as long as the channels
    // at once.
    unsafe {
        if !columns.starts {
            for i in 0..M {
                if i < live {
                    for v in 0..N {
                        let at = tile[i].to.add(columns.first + v * W::COUNT);
                        sums[i][v] = match PART && v + 1 == N {
                            true => lanes.load_part(at, columns.last),
                            false => lanes.load(at),
                        };
                    }
                }
            }
        }
        let mut weights = columns.weights;
        for c in 0..columns.channels {
            let mut w = [lanes.splat(T::zero()); N];
            for v in 0..N {
                let at = weights.add(v * W::COUNT);
                w[v] = match PART && v + 1 == N {
                    true => lanes.load_part(at, columns.last),
                    false => lanes.load(at),
                };
            }
            for i in 0..M {
                let a = lanes.splat(*from[i].add(c));
                for v in 0..N {
                    sums[i][v] = lanes.multiply_add(a, w[v], sums[i][v]);
                }
            }
            weights = weights.wrapping_add(columns.row);
        }
        for i in 0..M {
            if i < live {
                for v in 0..N {
                    let at = tile[i].to.add(columns.first + v * W::COUNT);
                    match PART && v + 1 == N {
                        true => lanes.store_part(at, columns.last, sums[i][v]),
                        false => lanes.store(at, sums[i][v]),
                    }
                }
            }
        }
    }
}
