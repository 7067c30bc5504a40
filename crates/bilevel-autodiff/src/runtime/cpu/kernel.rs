//! The kernels. Together with the machine, which hands them their memory, they are the only unsafe code of the project.
//!
//! Kernels rely on these guarantees of a plan: every place that an instruction names lies within its memory for every
//! block; arguments and results have the lengths of their nodes; the output of an instruction overlaps none of its
//! inputs; and blocks that run at the same time write to separate memory. Lengths and indices of arguments are checked
//! on entry.
#![allow(unsafe_code)]

mod conv;
mod copy;
mod elementwise;
mod frame;
mod lines;
mod matmul;
mod piece;
mod reduce;
mod select;
mod vector;
mod vectorised;
mod walk;

pub(crate) use frame::Frame;
pub(crate) use piece::{Piece, pieces};
pub(crate) use vectorised::Vectorised;
pub(crate) use vectorised::lanes;

use super::instruction::Instruction;

/// Runs one instruction on this block.
pub(crate) fn run<T: Vectorised>(frame: &Frame<'_, T>, instruction: &Instruction) {
    run_piece(frame, instruction, Piece::ALL);
}

/// Runs one of the [`pieces`] of an instruction.
pub(crate) fn run_piece<T: Vectorised>(
    frame: &Frame<'_, T>,
    instruction: &Instruction,
    piece: Piece,
) {
    match instruction {
        Instruction::Elementwise(kernel) => elementwise::run(frame, kernel, piece),
        Instruction::Fused(kernel) => elementwise::run_fused(frame, kernel, piece),
        Instruction::Copy {
            from,
            to,
            axes,
            add,
        } => copy::run(frame, (*from, *to), axes, *add, piece),
        Instruction::Zero { to, count, lanes } => {
            copy::zero(frame, *to, count * lanes.at(frame.rows));
        }
        Instruction::Reduce(kernel) => reduce::run(frame, kernel, piece),
        Instruction::MatMul(kernel) => matmul::run(frame, kernel),
        Instruction::Packed(kernel) => matmul::run_packed(frame, kernel),
        Instruction::TakeRows {
            data,
            data_row,
            index,
            rows,
            width,
            to,
        } => select::take_rows(
            frame,
            (*data, *data_row),
            *index,
            rows.at(frame.rows),
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
        } => select::add_rows(frame, *from, *index, *rows, *width, (*to, *to_rows)),
        Instruction::Select(kernel) => select::run(frame, kernel),
        Instruction::Lines(kernel) => lines::run(frame, kernel),
        Instruction::Conv(kernel) => conv::run(frame, kernel),
        Instruction::PoolIndices(kernel) => conv::pool_indices(frame, kernel),
    }
}
