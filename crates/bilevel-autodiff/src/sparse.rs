//! Matrices of given data with many zeros, packed once so that no product multiplies by them.
//!
//! A packed matrix is cut into panels of [`HEIGHT`] lines, in which those with their numbers at the same places
//! are together; a panel keeps what is summed over where one of its lines is not zero. Lines are rows for A·B
//! and columns for Aᵀ·B. The zeros that a panel keeps do not change a sum, so that the result does not depend on
//! which lines are together. (It does for 0·y with an infinite y, which is 0 where it is left out.)

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::{Arch, Simd, WithSimd};

use crate::cpu::Real;
use crate::plan::Partition;

/// Lines of a panel: each number of the other operand that is read is used so many times.
pub(crate) const HEIGHT: usize = 4;

/// From how many of the lines that follow the next of a panel is chosen.
const CHOICE: usize = 512;

/// Rows that tell how full the panels of a matrix are.
const SAMPLE: usize = 320;

/// Numbers that are worth a thread of their own.
const WORTH_A_THREAD: usize = 200_000;

/// What the lines of a packed matrix are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lines {
    /// Rows: for A·B.
    Rows,
    /// Columns: for Aᵀ·B.
    Columns,
}

/// How much of a matrix its panels keep, as a share of all numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fill {
    pub(crate) rows: f64,
    pub(crate) columns: f64,
}

impl Fill {
    pub(crate) fn of(self, lines: Lines) -> f64 {
        match lines {
            Lines::Rows => self.rows,
            Lines::Columns => self.columns,
        }
    }
}

/// A matrix of data, and its packed forms, each made when a program first needs it.
#[derive(Debug)]
pub(crate) struct Sparse<T> {
    values: Arc<[T]>,
    columns: usize,
    /// Estimated from some of the rows.
    pub(crate) fill: Fill,
    packed: Mutex<Vec<Form<T>>>,
}

/// A packed form: of what lines, for which blocks.
type Form<T> = (Lines, Partition, Arc<Packed<T>>);

/// The panels of each block of rows.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    pub(crate) blocks: Vec<Panels<T>>,
}

/// The panels of a block: lines are numbered from the block's first row, or are columns.
#[derive(Debug)]
pub(crate) struct Panels<T> {
    /// Of each panel: its lines; the last again where there are fewer.
    pub(crate) lines: Vec<[u32; HEIGHT]>,
    /// Of each panel: how many lines there are.
    pub(crate) live: Vec<u8>,
    /// Of each panel: where its places end.
    pub(crate) ends: Vec<u32>,
    /// What is summed over: columns, or rows from the block's first.
    pub(crate) places: Vec<u32>,
    /// Of each place: the numbers of all lines.
    pub(crate) values: Vec<T>,
}

impl<T: Real> Sparse<T> {
    /// The row-major matrix of these columns, if its panels leave anything out.
    pub(crate) fn of(values: &Arc<[T]>, columns: usize) -> Option<Self> {
        let rows = values.len().checked_div(columns)?;
        let zeros = values.iter().filter(|&&value| value == T::zero()).count();
        // Panels keep more than what is not zero.
        if rows < HEIGHT || columns < HEIGHT || 4 * zeros < values.len() {
            return None;
        }
        let fill = |lines| {
            let block = Block {
                values,
                columns,
                rows: 0..rows.min(SAMPLE),
                lines,
            };
            let kept: usize = block.panels().iter().map(|panel| panel.places.len()).sum();
            (kept * HEIGHT) as f64 / (block.rows.len() * columns) as f64
        };
        let fill = Fill {
            rows: fill(Lines::Rows),
            columns: fill(Lines::Columns),
        };
        (fill.rows.min(fill.columns) < 1.0).then(|| Self {
            values: values.clone(),
            columns,
            fill,
            packed: Mutex::default(),
        })
    }

    /// The packed form for blocks that are cut so.
    pub(crate) fn packed(&self, lines: Lines, partition: Partition) -> Arc<Packed<T>> {
        // Whoever panicked did not leave anything half done.
        let mut all = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all
            .iter()
            .find(|(of, cut, _)| (*of, *cut) == (lines, partition));
        if let Some((.., packed)) = known {
            return packed.clone();
        }
        let blocks: Vec<Range<usize>> = partition.blocks().collect();
        let pack = |blocks: &[Range<usize>]| -> Vec<Panels<T>> {
            let block = |rows: &Range<usize>| Block {
                values: &self.values,
                columns: self.columns,
                rows: rows.clone(),
                lines,
            };
            blocks.iter().map(|rows| block(rows).pack()).collect()
        };
        let threads = rayon::current_num_threads().min(self.values.len() / WORTH_A_THREAD + 1);
        let at_once = blocks.len().div_ceil(threads).max(1);
        // Not by the threads of the pool: while one of them waits for the others it may take up work that asks for
        // what is locked here.
        let packed = std::thread::scope(|scope| {
            let mut parts = blocks.chunks(at_once);
            let first = parts.next().unwrap_or_default();
            let others: Vec<_> = parts
                .map(|part| (part, scope.spawn(|| pack(part))))
                .collect();
            let mut all = pack(first);
            for (part, other) in others {
                all.extend(other.join().unwrap_or_else(|_| pack(part)));
            }
            all
        });
        let packed = Arc::new(Packed { blocks: packed });
        all.push((lines, partition, packed.clone()));
        packed
    }
}

impl<T> Packed<T> {
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |panels: &Panels<T>| {
            size_of_val(&*panels.lines)
                + size_of_val(&*panels.live)
                + size_of_val(&*panels.ends)
                + size_of_val(&*panels.places)
                + size_of_val(&*panels.values)
        };
        self.blocks.iter().map(bytes).sum()
    }
}

/// Lines that are packed together, and the places at which one of them at least is not zero.
struct Panel {
    lines: Vec<usize>,
    places: Vec<usize>,
}

/// Which of some lines adds the fewest places to a union, with the machine's instruction to count them.
struct Nearest<'a> {
    used: &'a [u64],
    lines: &'a [usize],
    union: &'a [u64],
}

impl WithSimd for Nearest<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let words = self.union.len();
        let (mut nearest, mut fewest) = (0, u32::MAX);
        for (number, &line) in self.lines.iter().enumerate() {
            let mut added = 0;
            for (own, all) in self.used[line * words..].iter().zip(self.union) {
                added += (own & !all).count_ones();
            }
            if added < fewest {
                (nearest, fewest) = (number, added);
            }
        }
        nearest
    }
}

struct Block<'a, T> {
    values: &'a [T],
    columns: usize,
    rows: Range<usize>,
    lines: Lines,
}

impl<T: Real> Block<'_, T> {
    /// How many lines there are, and how many numbers a line has.
    fn shape(&self) -> (usize, usize) {
        match self.lines {
            Lines::Rows => (self.rows.len(), self.columns),
            Lines::Columns => (self.columns, self.rows.len()),
        }
    }

    /// Starting with the first that is left, lines that add the fewest places.
    fn panels(&self) -> Vec<Panel> {
        let (lines, len) = self.shape();
        let words = len.div_ceil(64);
        let mut used = vec![0_u64; lines * words];
        let rows = self.values[self.rows.start * self.columns..self.rows.end * self.columns]
            .chunks_exact(self.columns);
        for (row, values) in rows.enumerate() {
            for (column, value) in values.iter().enumerate() {
                let (line, place) = match self.lines {
                    Lines::Rows => (row, column),
                    Lines::Columns => (column, row),
                };
                // A NaN counts.
                used[line * words + place / 64] |= u64::from(*value != T::zero()) << (place % 64);
            }
        }
        let mut left: Vec<usize> = (0..lines).collect();
        let mut panels = Vec::with_capacity(lines.div_ceil(HEIGHT));
        while !left.is_empty() {
            let first = left.remove(0);
            let mut union = used[first * words..(first + 1) * words].to_vec();
            let mut together = vec![first];
            while together.len() < HEIGHT && !left.is_empty() {
                let next = Arch::new().dispatch(Nearest {
                    used: &used,
                    lines: &left[..left.len().min(CHOICE)],
                    union: &union,
                });
                let line = left.remove(next);
                for (all, own) in union.iter_mut().zip(&used[line * words..]) {
                    *all |= own;
                }
                together.push(line);
            }
            panels.push(Panel {
                lines: together,
                places: (0..len)
                    .filter(|place| union[place / 64] >> (place % 64) & 1 == 1)
                    .collect(),
            });
        }
        panels
    }

    fn pack(&self) -> Panels<T> {
        let panels = self.panels();
        let kept = panels.iter().map(|panel| panel.places.len()).sum();
        let values = &self.values[self.rows.start * self.columns..];
        let mut packed = Panels {
            lines: Vec::with_capacity(panels.len()),
            live: Vec::with_capacity(panels.len()),
            ends: Vec::with_capacity(panels.len()),
            places: Vec::with_capacity(kept),
            values: Vec::with_capacity(kept * HEIGHT),
        };
        for panel in panels {
            let last = panel.lines.len() - 1;
            let lines: [usize; HEIGHT] = std::array::from_fn(|i| panel.lines[i.min(last)]);
            let (of, between) = match self.lines {
                Lines::Rows => (lines.map(|line| line * self.columns), 1),
                Lines::Columns => (lines, self.columns),
            };
            packed
                .places
                .extend(panel.places.iter().map(|&place| place as u32));
            for place in panel.places {
                packed
                    .values
                    .extend(of.map(|first| values[first + place * between]));
            }
            packed.lines.push(lines.map(|line| line as u32));
            packed.live.push(panel.lines.len() as u8);
            packed.ends.push(packed.places.len() as u32);
        }
        packed
    }
}
