//! Packs a block of rows: groups its lines, and copies the numbers at their places.

use std::ops::Range;

use bilevel::Scalar;
use pulp::{Arch, Simd, WithSimd};

use super::panels::{Lines, Panels};
use crate::runtime::cpu::limits::HEIGHT;
use crate::runtime::matrix::{Matrix, RowNumbers};
use crate::runtime::sparse::SparseRows;

/// The next line of a panel is chosen from this many of the remaining lines.
const CHOICE: usize = 512;

/// No more words are compared to choose it: sets of lines with very many places take long.
const COMPARED: usize = 1 << 16;

/// Places in one word of a set.
const WORD: usize = 64;

/// Rows of a matrix whose lines are packed.
pub(super) struct Block<'a, T> {
    lines: Lines,
    /// The number of rows, and of columns.
    rows: usize,
    columns: usize,
    numbers: Numbers<'a, T>,
}

enum Numbers<'a, T> {
    /// Rows, each so far behind the one before it.
    Dense {
        rows: &'a [T],
        stride: usize,
    },
    /// The lines without their zeros: a range of stored rows, or the columns.
    Rows(&'a SparseRows<T>, Range<usize>),
    Columns(SparseRows<T>),
}

/// Which lines are packed together.
struct Groups {
    /// The lines of each panel, as in [`Panels`].
    lines: Vec<[u32; HEIGHT]>,
    live: Vec<u8>,
    /// For each panel, the set of places where at least one of its lines is not zero.
    sets: Vec<u64>,
}

/// Lines that have no panel yet, of which the first may be chosen.
struct Remaining {
    candidates: Vec<usize>,
    rest: Range<usize>,
}

impl Remaining {
    fn new(lines: usize, choice: usize) -> Self {
        let mut rest = 0..lines;
        let candidates = rest.by_ref().take(choice).collect();
        Self { candidates, rest }
    }

    /// Takes a candidate away; the next line becomes one.
    fn take(&mut self, number: usize) -> usize {
        let line = self.candidates.remove(number);
        self.candidates.extend(self.rest.next());
        line
    }
}

/// Groups lines with the machine's instructions for comparing numbers and counting places.
struct Group<'a, T: Scalar>(&'a Block<'a, T>);

impl<T: Scalar> WithSimd for Group<'_, T> {
    type Output = Groups;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Groups {
        let block = self.0;
        let (lines, words) = (block.shape().0, block.words());
        let used = block.used();
        let few = block.stores_few();
        // A panel is the first remaining line and those that add the fewest places.
        let choice = CHOICE.min(COMPARED / words.max(1)).max(HEIGHT);
        let mut left = Remaining::new(lines, choice);
        let count = lines.div_ceil(HEIGHT);
        let mut groups = Groups {
            lines: Vec::with_capacity(count),
            live: Vec::with_capacity(count),
            sets: Vec::with_capacity(count * words),
        };
        while !left.candidates.is_empty() {
            let first = left.take(0);
            let mut together = [first as u32; HEIGHT];
            let mut live = 1;
            let begin = groups.sets.len();
            groups
                .sets
                .extend_from_slice(&used[first * words..(first + 1) * words]);
            let union = &mut groups.sets[begin..];
            while live < HEIGHT && !left.candidates.is_empty() {
                let number = if few {
                    block.nearest_stored(&left.candidates, union)
                } else {
                    nearest(&used, &left.candidates, union)
                };
                let line = left.take(number);
                for (all, own) in union.iter_mut().zip(&used[line * words..]) {
                    *all |= own;
                }
                together[live..].fill(line as u32);
                live += 1;
            }
            groups.lines.push(together);
            groups.live.push(live as u8);
        }
        groups
    }
}

/// The position in `lines` of the line that adds the fewest places to a union.
#[inline(always)]
fn nearest(used: &[u64], lines: &[usize], union: &[u64]) -> usize {
    // With a length that the compiler knows, short sets (such as those of columns) stay in registers.
    match union.len() {
        1 => nearest_of(1, used, lines, union),
        2 => nearest_of(2, used, lines, union),
        3 => nearest_of(3, used, lines, union),
        4 => nearest_of(4, used, lines, union),
        5 => nearest_of(5, used, lines, union),
        words => nearest_of(words, used, lines, union),
    }
}

/// The same for sets of `words` words.
#[inline(always)]
fn nearest_of(words: usize, used: &[u64], lines: &[usize], union: &[u64]) -> usize {
    let union = &union[..words];
    let (mut nearest, mut fewest) = (0, u32::MAX);
    for (number, &line) in lines.iter().enumerate() {
        let own = &used[line * words..][..words];
        let mut added = 0;
        for i in 0..words {
            added += (own[i] & !union[i]).count_ones();
        }
        if added < fewest {
            (nearest, fewest) = (number, added);
            if added == 0 {
                break;
            }
        }
    }
    nearest
}

/// The places of a set, in order.
fn places(set: &[u64]) -> impl Iterator<Item = usize> {
    set.iter().enumerate().flat_map(|(number, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let place = left.trailing_zeros() as usize;
            (left != 0).then(|| {
                left &= left - 1;
                number * WORD + place
            })
        })
    })
}

impl<'a, T: Scalar> Block<'a, T> {
    pub(super) fn new(matrix: &'a Matrix<T>, rows: Range<usize>, lines: Lines) -> Self {
        let numbers = match (matrix.numbers(rows.clone()), lines) {
            (RowNumbers::Dense(numbers), _) => Numbers::Dense {
                rows: numbers,
                stride: matrix.stride(),
            },
            (RowNumbers::Sparse(all), Lines::Rows) => Numbers::Rows(all, rows.clone()),
            (RowNumbers::Sparse(all), Lines::Columns) => {
                Numbers::Columns(all.transposed(rows.clone()))
            }
        };
        Self {
            lines,
            rows: rows.len(),
            columns: matrix.columns(),
            numbers,
        }
    }

    /// The number of lines, and the length of a line.
    fn shape(&self) -> (usize, usize) {
        match self.lines {
            Lines::Rows => (self.rows, self.columns),
            Lines::Columns => (self.columns, self.rows),
        }
    }

    /// The number of words in a line's set.
    fn words(&self) -> usize {
        self.shape().1.div_ceil(WORD)
    }

    /// The numbers of each row, of a dense block.
    #[inline(always)]
    fn dense_rows(rows: &[T], stride: usize, columns: usize) -> impl Iterator<Item = &[T]> {
        rows.chunks_exact(stride).map(move |row| &row[..columns])
    }

    /// For each line, the set of places where it is not zero. A NaN is not zero.
    #[inline(always)]
    fn used(&self) -> Vec<u64> {
        match (&self.numbers, self.lines) {
            (&Numbers::Dense { rows, stride }, Lines::Rows) => {
                self.used_by_rows(Self::dense_rows(rows, stride, self.columns))
            }
            (&Numbers::Dense { rows, stride }, Lines::Columns) => {
                self.used_by_columns(Self::dense_rows(rows, stride, self.columns))
            }
            (Numbers::Rows(..) | Numbers::Columns(_), _) => self.used_by_stored(),
        }
    }

    #[inline(always)]
    fn used_by_rows<'b>(&self, rows: impl Iterator<Item = &'b [T]>) -> Vec<u64>
    where
        T: 'b,
    {
        let mut used = Vec::with_capacity(self.rows * self.words());
        for row in rows {
            used.extend(row.chunks(WORD).map(|values| {
                let bits = values.iter().zip(0..);
                bits.fold(0, |word, (value, bit)| {
                    word | u64::from(*value != T::zero()) << bit
                })
            }));
        }
        used
    }

    #[inline(always)]
    fn used_by_columns<'b>(&self, mut rows: impl Iterator<Item = &'b [T]>) -> Vec<u64>
    where
        T: 'b,
    {
        let words = self.words();
        let mut used = vec![0; self.columns * words];
        let mut word_of = vec![0_u64; self.columns];
        for number in 0..words {
            word_of.fill(0);
            for (bit, row) in rows.by_ref().take(WORD).enumerate() {
                for (word, value) in word_of.iter_mut().zip(row) {
                    *word |= u64::from(*value != T::zero()) << bit;
                }
            }
            for (column, &word) in word_of.iter().enumerate() {
                used[column * words + number] = word;
            }
        }
        used
    }

    fn used_by_stored(&self) -> Vec<u64> {
        let ((lines, _), words) = (self.shape(), self.words());
        let mut used = vec![0; lines * words];
        for line in 0..lines {
            let set = &mut used[line * words..(line + 1) * words];
            let (places, values) = self.stored(line);
            for (&place, &value) in places.iter().zip(values) {
                let place = place as usize;
                set[place / WORD] |= u64::from(value != T::zero()) << (place % WORD);
            }
        }
        used
    }

    /// The places and numbers of a line that are stored: none of a dense block.
    fn stored(&self, line: usize) -> (&[u32], &[T]) {
        match &self.numbers {
            Numbers::Dense { .. } => (&[], &[]),
            Numbers::Rows(all, rows) => all.row(rows.start + line),
            Numbers::Columns(columns) => columns.row(line),
        }
    }

    /// Whether going through the places of lines takes less time than comparing their sets.
    fn stores_few(&self) -> bool {
        /// Words that are compared in the time of a place.
        const WORDS: usize = 4;
        let lines = self.shape().0;
        let (all, rows) = match &self.numbers {
            Numbers::Dense { .. } => return false,
            Numbers::Rows(all, rows) => (*all, rows.clone()),
            Numbers::Columns(columns) => (columns, 0..lines),
        };
        let stored = all.stored(rows.clone());
        // Stored zeros would have to be told from other numbers.
        stored * WORDS < lines * self.words() && stored == all.nonzeros(rows)
    }

    /// As [`nearest`], by the places of the lines.
    #[inline(always)]
    fn nearest_stored(&self, lines: &[usize], union: &[u64]) -> usize {
        let (mut nearest, mut fewest) = (0, u32::MAX);
        for (number, &line) in lines.iter().enumerate() {
            let (places, _) = self.stored(line);
            let is_new = |place: &u32| {
                let place = *place as usize;
                1 ^ (union[place / WORD] >> (place % WORD) & 1) as u32
            };
            let added = places.iter().map(is_new).sum();
            if added < fewest {
                (nearest, fewest) = (number, added);
                if added == 0 {
                    break;
                }
            }
        }
        nearest
    }

    fn groups(&self) -> Groups {
        Arch::new().dispatch(Group(self))
    }

    /// The number of places in all panels.
    pub(super) fn kept(&self) -> usize {
        count(&self.groups().sets)
    }

    pub(super) fn pack(&self) -> Panels<T> {
        let groups = self.groups();
        let kept = count(&groups.sets);
        let mut packed = Panels {
            ends: Vec::with_capacity(groups.lines.len()),
            lines: groups.lines,
            live: groups.live,
            places: Vec::with_capacity(kept),
            values: Vec::with_capacity(kept * HEIGHT),
        };
        let sets = groups.sets.chunks_exact(self.words());
        for (&lines, set) in packed.lines.iter().zip(sets) {
            let before = packed.places.len();
            packed.places.extend(places(set).map(|place| place as u32));
            self.copy(lines, &packed.places[before..], &mut packed.values);
            packed.ends.push(packed.places.len() as u32);
        }
        packed
    }

    /// Copies the numbers that lines have at these places, which increase.
    fn copy(&self, lines: [u32; HEIGHT], places: &[u32], to: &mut Vec<T>) {
        let lines = lines.map(|line| line as usize);
        let Numbers::Dense { rows, stride } = self.numbers else {
            let mut left = lines.map(|line| {
                let (places, values) = self.stored(line);
                places.iter().zip(values).peekable()
            });
            for place in places {
                to.extend(left.each_mut().map(|left| {
                    while left.next_if(|&(at, _)| at < place).is_some() {}
                    let found = left.next_if(|&(at, _)| at == place);
                    found.map_or(T::zero(), |(_, &value)| value)
                }));
            }
            return;
        };
        let (of, between) = match self.lines {
            Lines::Rows => (lines.map(|line| line * stride), 1),
            Lines::Columns => (lines, stride),
        };
        for &place in places {
            to.extend_from_slice(&of.map(|first| rows[first + place as usize * between]));
        }
    }
}

fn count(sets: &[u64]) -> usize {
    sets.iter().map(|word| word.count_ones() as usize).sum()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The lines of each panel by definition: the first remaining one, and those that add the fewest places.
    fn panels_by_definition(used: &[Vec<bool>]) -> Vec<Vec<usize>> {
        let mut left: Vec<usize> = (0..used.len()).collect();
        let mut panels = Vec::new();
        while !left.is_empty() {
            let mut panel = vec![left.remove(0)];
            while panel.len() < HEIGHT && !left.is_empty() {
                let added = |line: usize| {
                    let is_new = |place: &usize| {
                        used[line][*place] && !panel.iter().any(|&other| used[other][*place])
                    };
                    (0..used[line].len()).filter(is_new).count()
                };
                let choice = 0..left.len().min(CHOICE);
                let next = choice.min_by_key(|&number| added(left[number]));
                panel.push(left.remove(next.unwrap_or(0)));
            }
            panels.push(panel);
        }
        panels
    }

    /// The numbers of each row that are not zero, and the zeros of every third column if these are stored too.
    fn stored(values: &[f64], columns: usize, zeros: bool) -> SparseRows<f64> {
        let (mut starts, mut at, mut numbers) = (vec![0], Vec::new(), Vec::new());
        for row in values.chunks(columns) {
            for (column, &value) in row.iter().enumerate() {
                if value != 0.0 || (zeros && column % 3 == 0) {
                    at.push(column as u32);
                    numbers.push(value);
                }
            }
            starts.push(at.len());
        }
        SparseRows::new(starts, at, numbers, columns).unwrap()
    }

    #[test]
    fn panels_have_the_lines_and_numbers_of_the_definition() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut few = 0;
        // Sets of 1 to 10 words, full or not, for both kinds of lines; also more lines than `CHOICE`, and sets that are
        // nearly empty.
        for (rows, columns, least) in [
            (4, 4, 10),
            (13, 64, 10),
            (64, 13, 10),
            (70, 130, 10),
            (200, 200, 10),
            (330, 260, 10),
            (450, 70, 10),
            (40, 600, 10),
            (600, 12, 10),
            (300, 600, 4000),
            (600, 400, 4000),
        ] {
            let first = 3;
            let values: Vec<f64> = (0..(first + rows) * columns)
                .map(|place| {
                    // Columns differ in how full they are, and some are empty.
                    let full = (place % columns) % 7;
                    if random.random_range(0..least) < full {
                        random.random_range(1.0..2.0)
                    } else {
                        0.0
                    }
                })
                .collect();
            // All columns; and without the last, with padding between the rows.
            let kept: Vec<u32> = (0..columns as u32 - 1).collect();
            let all = Matrix::shared(values.clone().into(), columns);
            let some = Matrix::of_columns(&values, columns, &kept);
            // Without most of the zeros.
            let stored = Matrix::sparse(stored(&values, columns, least == 10), None);
            for (matrix, lines) in [
                (&all, Lines::Rows),
                (&all, Lines::Columns),
                (&some, Lines::Rows),
                (&some, Lines::Columns),
                (&stored, Lines::Rows),
                (&stored, Lines::Columns),
            ] {
                let block = Block::new(matrix, first..first + rows, lines);
                let (count, len) = block.shape();
                few += usize::from(block.stores_few());
                let number = |line: usize, place: usize| {
                    let (row, column) = match lines {
                        Lines::Rows => (line, place),
                        Lines::Columns => (place, line),
                    };
                    values[(first + row) * columns + column]
                };
                let used: Vec<Vec<bool>> = (0..count)
                    .map(|line| (0..len).map(|place| number(line, place) != 0.0).collect())
                    .collect();
                let packed = block.pack();
                let case = format!("{rows} x {columns}, {lines:?}");
                let expected = panels_by_definition(&used);
                assert_eq!(packed.lines.len(), expected.len(), "{case}");
                assert_eq!(packed.places.len(), block.kept(), "{case}");
                let mut begin = 0;
                for (panel, expected) in expected.iter().enumerate() {
                    let live = usize::from(packed.live[panel]);
                    let found = packed.lines[panel].map(|line| line as usize);
                    assert_eq!(&found[..live], expected, "panel {panel} of {case}");
                    let end = packed.ends[panel] as usize;
                    let places: Vec<usize> = packed.places[begin..end]
                        .iter()
                        .map(|&place| place as usize)
                        .collect();
                    let is_used = |place: &usize| expected.iter().any(|&line| used[line][*place]);
                    let all: Vec<usize> = (0..len).filter(is_used).collect();
                    assert_eq!(places, all, "panel {panel} of {case}");
                    for (at, place) in (begin..end).zip(places) {
                        let values = found.map(|line| number(line, place));
                        assert_eq!(
                            packed.values[at * HEIGHT..(at + 1) * HEIGHT],
                            values,
                            "{case}"
                        );
                    }
                    begin = end;
                }
            }
        }
        assert_eq!(few, 4, "of the nearly empty ones, both kinds of lines");
    }
}
