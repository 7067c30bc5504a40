//! Runs a plan: phases in order, whole tensors on the calling thread, groups of blocks as tasks.
#![allow(unsafe_code)]

use std::sync::Arc;

use super::instruction::Instruction;
use super::kernel::{self, Frame, Piece, Vectorised};
use super::packed::Packed;
use super::plan::{Merge, PhaseCode, Plan};
use super::threads::{WORTH_A_THREAD, each};
use super::view::{At, Space};
use crate::runtime::Argument;

/// The memory that a workspace keeps for the CPU between runs.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    arena: Vec<T>,
    partial: Vec<T>,
    /// For each thread in turn: block memory, then chunk memory.
    blocks: Vec<T>,
    inputs: Vec<*const T>,
    indices: Vec<*const u32>,
    outputs: Vec<*mut T>,
}

// Safety: the pointers are used only during a run, which borrows the data they point to.
unsafe impl<T: Send> Send for Memory<T> {}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self {
            arena: Vec::new(),
            partial: Vec::new(),
            blocks: Vec::new(),
            inputs: Vec::new(),
            indices: Vec::new(),
            outputs: Vec::new(),
        }
    }
}

/// The same for partial sums. It is lower because the other threads have just worked and are still awake.
const MERGE_WORTH_A_THREAD: usize = 50_000;

impl<T: Vectorised> Memory<T> {
    /// Runs the plan. The lengths of arguments and results, and the range of indices, must fit the plan.
    pub(crate) fn run(
        &mut self,
        plan: &Plan,
        constants: &[T],
        packed: &[Arc<Packed<T>>],
        arguments: &[Argument<'_, T>],
        outputs: &mut [&mut [T]],
    ) {
        let memory = plan.memory(rayon::current_num_threads());
        let block_len = plan.numbers_a_block();
        grow(&mut self.arena, memory.arena);
        grow(&mut self.partial, memory.partial);
        grow(&mut self.blocks, memory.blocks);
        self.inputs.clear();
        self.indices.clear();
        for argument in arguments {
            match argument {
                Argument::Real(values) => self.inputs.push(values.as_ptr()),
                Argument::Index(values) => self.indices.push(values.as_ptr()),
            }
        }
        self.outputs.clear();
        self.outputs
            .extend(outputs.iter_mut().map(|output| output.as_mut_ptr()));
        let blocks = aligned(&mut self.blocks);
        let frame = Frame {
            inputs: &self.inputs,
            indices: &self.indices,
            outputs: &self.outputs,
            constants: constants.as_ptr(),
            packed,
            arena: aligned(&mut self.arena),
            block: blocks,
            partial: aligned(&mut self.partial),
            chunk: blocks.wrapping_add(plan.block_len),
            block_number: 0,
            first_row: 0,
            rows: 1,
            first: true,
        };
        let run = || {
            for (phase, code) in plan.phases.iter().enumerate() {
                if phase % 2 == 0 {
                    for instruction in &code.instructions {
                        run_whole(&frame, instruction, block_len);
                    }
                } else if !code.instructions.is_empty() {
                    for instruction in &code.prelude {
                        kernel::run(&frame, instruction);
                    }
                    let parallel = plan.effort[phase] >= WORTH_A_THREAD;
                    run_rows(plan, code, &frame, block_len, parallel);
                }
            }
        };
        if plan.shared && rayon::current_thread_index().is_none() {
            // Enters the pool once, and not with each of many short instructions.
            rayon::scope(|_| run());
        } else {
            run();
        }
    }
}

/// Extra numbers, so that the others can start at a cache line.
const SPARE: usize = 16;

/// The first number at the start of a cache line: vectors that cross cache lines are slower.
fn aligned<T: Vectorised>(memory: &mut Vec<T>) -> *mut T {
    let start = memory.as_mut_ptr();
    start.wrapping_add(start.align_offset(64).min(SPARE))
}

fn grow<T: Vectorised>(memory: &mut Vec<T>, len: usize) {
    let len = len + SPARE;
    if memory.len() < len {
        // Free the old memory first: its values are not needed, and both need not exist at once.
        *memory = Vec::new();
        *memory = vec![T::zero(); len];
    }
}

/// Runs an instruction on whole tensors, on several threads if it is long.
fn run_whole<T: Vectorised>(frame: &Frame<'_, T>, instruction: &Instruction, block_len: usize) {
    let pieces = kernel::pieces(instruction);
    if pieces == 1 || rayon::current_num_threads() == 1 {
        return kernel::run(frame, instruction);
    }
    each(pieces, &|number| {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let frame = Frame {
            chunk: frame.chunk.wrapping_add(thread * block_len),
            ..*frame
        };
        let piece = Piece { number, of: pieces };
        kernel::run_piece(&frame, instruction, piece);
    });
}

fn run_rows<T: Vectorised>(
    plan: &Plan,
    code: &PhaseCode,
    frame: &Frame<'_, T>,
    block_len: usize,
    parallel: bool,
) {
    let partition = plan.partition;
    let group = |number: usize, thread: usize| {
        let partial = frame.partial.wrapping_add(number * plan.partial_len);
        let begin = number * partition.group_rows;
        let end = (begin + partition.group_rows).min(partition.rows);
        let mut first = begin;
        let mut block_number = number * partition.blocks_a_group();
        while first < end {
            let frame = Frame {
                block: frame.block.wrapping_add(thread * block_len),
                chunk: frame.chunk.wrapping_add(thread * block_len),
                partial,
                block_number,
                first_row: first,
                rows: partition.block_rows.min(end - first),
                first: first == begin,
                ..*frame
            };
            for instruction in &code.instructions {
                kernel::run(&frame, instruction);
            }
            first += frame.rows;
            block_number += 1;
        }
    };
    let groups = partition.groups();
    if parallel && groups > 1 {
        each(groups, &|number| {
            // A thread runs one group at a time, in its own memory.
            group(number, rayon::current_thread_index().unwrap_or(0));
        });
    } else {
        (0..groups).for_each(|number| group(number, 0));
    }
    for merge in &code.merges {
        let (rows, columns) = (merge.len / merge.columns.max(1), merge.columns);
        let tiles = rows.div_ceil(TILE_ROWS) * columns.div_ceil(TILE_COLUMNS);
        let task = |tile: usize| add_up(plan, merge, (rows, tile), frame);
        if parallel && merge.len * groups >= MERGE_WORTH_A_THREAD {
            each(tiles, &task);
        } else {
            (0..tiles).for_each(task);
        }
    }
}

/// The tile of sums that are added up at once: it stays in the first-level cache, and its columns, written side by
/// side, fill a cache line.
const TILE_ROWS: usize = 64;
const TILE_COLUMNS: usize = 16;

/// Adds up a tile of the partial sums of all groups, in group order. Partial sums are column-major, results row-major.
fn add_up<T: Vectorised>(
    plan: &Plan,
    merge: &Merge,
    (rows, tile): (usize, usize),
    frame: &Frame<'_, T>,
) {
    let row_tiles = rows.div_ceil(TILE_ROWS);
    let (row, column) = (
        tile % row_tiles * TILE_ROWS,
        tile / row_tiles * TILE_COLUMNS,
    );
    let height = TILE_ROWS.min(rows - row);
    let width = TILE_COLUMNS.min(merge.columns - column);
    let mut sums = [[T::zero(); TILE_ROWS]; TILE_COLUMNS];
    for number in 0..plan.partition.groups() {
        let start = number * plan.partial_len + merge.partial + column * rows + row;
        for (j, sums) in sums[..width].iter_mut().enumerate() {
            let at = At::start(Space::Partial, start + j * rows);
            // Safety: the plan's guarantee, see `kernel`.
            let part = unsafe { std::slice::from_raw_parts(frame.read(at), height) };
            for (sum, &part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    let to = frame.write(merge.to);
    for i in 0..height {
        for (j, sums) in sums[..width].iter().enumerate() {
            // Safety: as above.
            unsafe {
                let to = to.add((row + i) * merge.columns + column + j);
                *to = if merge.add { *to + sums[i] } else { sums[i] };
            }
        }
    }
}
