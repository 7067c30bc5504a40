//! The kernels, and the only unsafe code of the project.
//!
//! A plan guarantees what they rely on: every place that an instruction names lies within its memory
//! for every block, arguments and results have the lengths of their nodes, what is written overlaps
//! nothing that the same instruction reads, and blocks that run at the same time write to memories of
//! their own. Arguments are checked where they come in: lengths and indices.
#![allow(unsafe_code)]

mod copy;
mod elementwise;
mod machine;
mod matmul;
mod real;
mod reduce;
mod select;
mod threads;
mod vector;

use std::sync::Arc;

pub(crate) use elementwise::CHUNK;
pub use machine::{Argument, Workspace};
pub(crate) use matmul::{MOST_COLUMNS, MOST_SHARED, strip_columns};
pub use real::Real;
pub(crate) use threads::each;

use crate::plan::instruction::Instruction;
use crate::plan::view::{At, Space};
use crate::sparse::Packed;
use machine::Slot;

/// The memories as one block sees them.
#[derive(Clone, Copy)]
struct Frame<'a, T> {
    inputs: &'a [Slot<T>],
    outputs: &'a [*mut T],
    constants: *const T,
    packed: &'a [Arc<Packed<T>>],
    arena: *mut T,
    block: *mut T,
    partial: *mut T,
    /// Numbers of one chunk of a fused kernel.
    chunk: *mut T,
    /// The block among all, its first row and how many rows it has.
    block_number: usize,
    first_row: usize,
    rows: usize,
    /// Whether this is the first block of its group, so that there are no partial sums yet.
    first: bool,
}

// Safety: blocks that run at the same time write to different places, as the module says.
unsafe impl<T: Real> Send for Frame<'_, T> {}
// Safety: as above.
unsafe impl<T: Real> Sync for Frame<'_, T> {}

impl<T: Real> Frame<'_, T> {
    fn offset(&self, at: At) -> usize {
        at.offset + at.per_row * self.first_row + at.times_rows * self.rows
    }

    /// Whether nothing has been added up at `at`: partial sums are those of the first block, and then added to.
    fn starts(&self, at: At) -> bool {
        self.first && at.space == Space::Partial
    }

    /// Where `at` is, to read.
    fn read(&self, at: At) -> *const T {
        let base: *const T = match at.space {
            Space::Input(number) => match self.inputs[number] {
                Slot::Real(base) => base,
                Slot::Index(_) => std::ptr::null(),
            },
            Space::Output(number) => self.outputs[number],
            Space::Constant => self.constants,
            Space::Arena | Space::Buffer(_) => self.arena,
            Space::Block => self.block,
            Space::Partial => self.partial,
        };
        base.wrapping_add(self.offset(at))
    }

    /// Where `at` is, to write.
    fn write(&self, at: At) -> *mut T {
        let base = match at.space {
            Space::Output(number) => self.outputs[number],
            Space::Block => self.block,
            Space::Partial => self.partial,
            _ => self.arena,
        };
        base.wrapping_add(self.offset(at))
    }

    /// Where the indices of `at` are.
    fn index(&self, at: At) -> *const u32 {
        match at.space {
            Space::Input(number) => match self.inputs[number] {
                Slot::Index(base) => base.wrapping_add(self.offset(at)),
                Slot::Real(_) => std::ptr::null(),
            },
            _ => std::ptr::null(),
        }
    }

    /// Runs one instruction on this block.
    fn run(&self, instruction: &Instruction) {
        match instruction {
            Instruction::Elementwise(kernel) => elementwise::run(self, kernel),
            Instruction::Fused(kernel) => elementwise::run_fused(self, kernel),
            Instruction::Copy {
                from,
                to,
                axes,
                add,
            } => copy::run(self, *from, *to, axes, *add),
            Instruction::Zero { to, count, lanes } => {
                copy::zero(self, *to, count * lanes.at(self.rows));
            }
            Instruction::Reduce(kernel) => reduce::run(self, kernel),
            Instruction::MatMul(kernel) => matmul::run(self, kernel),
            Instruction::Sparse(kernel) => matmul::run_sparse(self, kernel),
            Instruction::TakeRows {
                data,
                data_row,
                index,
                rows,
                width,
                to,
            } => select::take_rows(
                self,
                (*data, *data_row),
                *index,
                rows.at(self.rows),
                *width,
                *to,
            ),
            Instruction::AddRows {
                from,
                index,
                rows,
                width,
                to,
                to_rows,
            } => select::add_rows(self, *from, *index, *rows, *width, (*to, *to_rows)),
            Instruction::Select(kernel) => select::run(self, kernel),
        }
    }
}

/// Walks over all places of some axes, outermost first, with the offsets of N tensors.
#[inline(always)]
fn walk<const N: usize>(axes: &[(usize, [isize; N])], mut visit: impl FnMut([isize; N])) {
    // The short cases, which are nearly all, without a call for each place.
    match axes {
        [] => visit([0; N]),
        [one] => along(one, [0; N], &mut visit),
        [outer, inner] => along(outer, [0; N], &mut |at| along(inner, at, &mut visit)),
        _ => nested(axes, [0; N], &mut visit),
    }
}

#[inline(always)]
fn along<const N: usize>(
    &(count, strides): &(usize, [isize; N]),
    mut at: [isize; N],
    visit: &mut impl FnMut([isize; N]),
) {
    for _ in 0..count {
        visit(at);
        for (at, stride) in at.iter_mut().zip(strides) {
            *at += stride;
        }
    }
}

fn nested<const N: usize>(
    axes: &[(usize, [isize; N])],
    at: [isize; N],
    visit: &mut impl FnMut([isize; N]),
) {
    match axes.split_first() {
        None => visit(at),
        Some((outer, rest)) => along(outer, at, &mut |at| nested(rest, at, visit)),
    }
}
