//! Places buffers so that those in use at the same time do not overlap.

use std::collections::HashMap;

use super::code::{Buffer, PhaseCode};
use crate::runtime::cpu::limits::ALIGNMENT;
use crate::runtime::cpu::view::Space;

/// Offsets of all buffers in their memories, and the sizes of these memories.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Places {
    /// For each buffer, in numbers from the start of the arena or of block memory.
    pub(crate) offsets: Vec<usize>,
    /// Numbers in the arena.
    pub(crate) arena: usize,
    /// Numbers in block memory: the most of any phase.
    pub(crate) block: usize,
}

/// Finds a place for each buffer: the first that is free while the buffer is in use. `block_rows` are the rows of the
/// largest block.
pub(crate) fn find(buffers: &[Buffer], phases: &mut [PhaseCode], block_rows: usize) -> Places {
    let used = lifetimes(buffers, phases);
    let mut places = Places {
        offsets: vec![0; buffers.len()],
        ..Places::default()
    };
    let mut order: Vec<usize> = used.keys().copied().collect();
    order.sort_unstable_by_key(|number| (used[number].0, *number));
    // Placed buffers: number, first and last time, start and end.
    let mut placed: Vec<(usize, usize, usize, usize, usize)> = Vec::new();
    for number in order {
        let buffer = buffers[number];
        let len = match buffer.phase {
            Some(_) => buffer.len * block_rows,
            None => buffer.len,
        }
        .next_multiple_of(ALIGNMENT);
        let (first, last) = used[&number];
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&(other, begin, end, ..)| {
                buffers[other].phase == buffer.phase && begin <= last && first <= end
            })
            .map(|&(.., start, stop)| (start, stop))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, stop) in taken {
            if start >= offset + len {
                break;
            }
            offset = offset.max(stop);
        }
        places.offsets[number] = offset;
        placed.push((number, first, last, offset, offset + len));
        let size = match buffer.phase {
            Some(_) => &mut places.block,
            None => &mut places.arena,
        };
        *size = (*size).max(offset + len);
    }
    places
}

/// The first and the last time at which each buffer is touched.
fn lifetimes(buffers: &[Buffer], phases: &mut [PhaseCode]) -> HashMap<usize, (usize, usize)> {
    let mut used: HashMap<usize, (usize, usize)> = HashMap::new();
    let mut note = |number: usize, time: usize| {
        let entry = used.entry(number).or_insert((time, time));
        entry.0 = entry.0.min(time);
        entry.1 = entry.1.max(time);
    };
    let mut time = 0;
    for (phase, code) in phases.iter_mut().enumerate() {
        let begin = time;
        let end = begin + code.instructions.len();
        let merged = code.merges.iter().map(|merge| merge.to);
        for at in merged {
            if let Space::Buffer(number) = at.space {
                note(number, end);
            }
        }
        for instruction in &mut code.prelude {
            for at in instruction.places_mut() {
                if let Space::Buffer(number) = at.space {
                    note(number, begin);
                }
            }
        }
        for instruction in &mut code.instructions {
            for at in instruction.places_mut() {
                let Space::Buffer(number) = at.space else {
                    continue;
                };
                if phase % 2 == 1 && buffers[number].phase.is_none() {
                    // Every block touches it.
                    note(number, begin);
                    note(number, end);
                } else {
                    note(number, time);
                }
            }
            time += 1;
        }
        time = end + 1;
    }
    used
}
