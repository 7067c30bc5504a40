//! Copies of elements from one strided layout to another.

use super::frame::Frame;
use super::piece::Piece;
use super::vectorised::Vectorised;
use super::walk::walk;
use crate::graph::MOST_AXES;
use crate::runtime::cpu::instruction::CopyAxis;
use crate::runtime::cpu::view::At;

pub(super) fn zero<T: Vectorised>(frame: &Frame<'_, T>, to: At, count: usize) {
    // Safety: the plan's guarantee, see `kernel`.
    unsafe { std::slice::from_raw_parts_mut(frame.write(to), count) }.fill(T::zero());
}

pub(super) fn run<T: Vectorised>(
    frame: &Frame<'_, T>,
    (from, to): (At, At),
    axes: &[CopyAxis],
    add: bool,
    piece: Piece,
) {
    let (mut from, mut to) = (frame.read(from), frame.write(to));
    let mut resolved = [(0_usize, [0_isize; 2]); MOST_AXES];
    for (slot, axis) in resolved.iter_mut().zip(axes) {
        let strides = [axis.from.at(frame.rows), axis.to.at(frame.rows)];
        *slot = (axis.extent.at(frame.rows), strides);
    }
    if piece != Piece::ALL
        && let Some((count, strides)) = resolved[..axes.len().min(MOST_AXES)]
            .iter_mut()
            .max_by_key(|(count, _)| *count)
    {
        let part = piece.of(*count, 16);
        from = from.wrapping_offset(strides[0] * part.start as isize);
        to = to.wrapping_offset(strides[1] * part.start as isize);
        *count = part.len();
    }
    let axes = &resolved[..axes.len().min(MOST_AXES)];
    if let [outer @ .., (rows, [1, row]), (columns, [column, 1])] = axes
        && !add
        && *column != 1
    {
        let matrix = Transposed {
            rows: *rows,
            columns: *columns,
            column: *column,
            row: *row,
        };
        // Safety: the plan's guarantee, see `kernel`.
        return walk(outer, |[a, b]| unsafe {
            matrix.copy(from.wrapping_offset(a), to.wrapping_offset(b));
        });
    }
    // The innermost axis, merged with the axes before it that continue it.
    let (mut count, strides, mut outer) = match axes.split_last() {
        None => (1, [0, 0], axes),
        Some((&(count, strides), outer)) => (count, strides, outer),
    };
    while let Some((&(more, next), rest)) = outer.split_last() {
        if next != strides.map(|stride| stride * count as isize) {
            break;
        }
        count *= more;
        outer = rest;
    }
    if count == 0 {
        return;
    }
    walk(outer, |[a, b]| {
        let (from, to) = (from.wrapping_offset(a), to.wrapping_offset(b));
        // Safety: the plan's guarantee, see `kernel`.
        unsafe {
            if strides == [1, 1] {
                let from = std::slice::from_raw_parts(from, count);
                let to = std::slice::from_raw_parts_mut(to, count);
                if add {
                    for (to, &from) in to.iter_mut().zip(from) {
                        *to += from;
                    }
                } else {
                    to.copy_from_slice(from);
                }
            } else {
                for i in 0..count as isize {
                    let (from, to) = (from.offset(strides[0] * i), to.offset(strides[1] * i));
                    if add {
                        *to += *from;
                    } else {
                        *to = *from;
                    }
                }
            }
        }
    });
}

/// A matrix whose columns are contiguous where it is read, and its rows where it is written.
#[derive(Clone, Copy)]
struct Transposed {
    rows: usize,
    columns: usize,
    /// From one column to the next where it is read, from one row to the next where it is written.
    column: isize,
    row: isize,
}

impl Transposed {
    /// Tile by tile, so that each cache line is read and written once.
    ///
    /// # Safety
    /// The matrix lies in both memories.
    unsafe fn copy<T: Vectorised>(self, from: *const T, to: *mut T) {
        const TILE: usize = 16;
        for i in (0..self.rows).step_by(TILE) {
            for j in (0..self.columns).step_by(TILE) {
                for row in i..self.rows.min(i + TILE) {
                    for column in j..self.columns.min(j + TILE) {
                        let read = row as isize + self.column * column as isize;
                        let written = self.row * row as isize + column as isize;
                        // Safety: required of the caller.
                        unsafe { *to.offset(written) = *from.offset(read) };
                    }
                }
            }
        }
    }
}
