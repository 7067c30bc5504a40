//! Fuses consecutive elementwise kernels over the same elements into one that runs chunk by chunk.

use std::collections::HashMap;

use super::code::PhaseCode;
use crate::runtime::cpu::instruction::{
    Elementwise, Fused, FusedOperand, FusedOut, FusedStep, Instruction, Operand,
};
use crate::runtime::cpu::view::{Extent, Space, Stride};

/// Fuses in all phases. A buffer that no other kernel touches lives only in chunk memory.
pub(crate) fn fuse(phases: &mut [PhaseCode]) {
    let mut touched: HashMap<usize, usize> = HashMap::new();
    for phase in phases.iter_mut() {
        let all = phase.prelude.iter_mut().chain(&mut phase.instructions);
        for at in all.flat_map(Instruction::places_mut) {
            if let Space::Buffer(number) = at.space {
                *touched.entry(number).or_insert(0) += 1;
            }
        }
        for merge in &phase.merges {
            if let Space::Buffer(number) = merge.to.space {
                *touched.entry(number).or_insert(0) += 1;
            }
        }
    }
    for phase in phases {
        let mut fused = Vec::with_capacity(phase.instructions.len());
        let mut group: Vec<Elementwise> = Vec::new();
        for instruction in std::mem::take(&mut phase.instructions) {
            match instruction {
                Instruction::Elementwise(kernel) => {
                    if !group.is_empty() && !continues(&group, &kernel) {
                        close(&mut group, &touched, &mut fused);
                    }
                    group.push(kernel);
                }
                other => {
                    close(&mut group, &touched, &mut fused);
                    fused.push(other);
                }
            }
        }
        close(&mut group, &touched, &mut fused);
        phase.instructions = fused;
    }
}

/// Whether an operand is walked as `inner · lanes` contiguous elements.
fn in_one_piece(operand: &Operand, inner: usize, lanes: Extent) -> bool {
    let stride = match lanes {
        Extent::Rows => Stride::rows(1),
        Extent::Fixed(size) => Stride::fixed(size),
    };
    operand.walks && (inner == 1 || operand.inner == stride)
}

/// Whether the kernel runs over the same elements, and reads the outputs of the group element by element.
fn continues(group: &[Elementwise], kernel: &Elementwise) -> bool {
    let same = group[0].inner == kernel.inner && group[0].lanes == kernel.lanes;
    same && kernel.operands.iter().all(|operand| {
        let writers = group.iter().filter(|one| one.out.space == operand.at.space);
        writers
            .into_iter()
            .all(|one| one.out == operand.at && in_one_piece(operand, kernel.inner, kernel.lanes))
    })
}

fn close(
    group: &mut Vec<Elementwise>,
    touched: &HashMap<usize, usize>,
    fused: &mut Vec<Instruction>,
) {
    if group.len() < 2 {
        fused.extend(group.drain(..).map(Instruction::Elementwise));
        return;
    }
    let reads = |space: Space| {
        group
            .iter()
            .flat_map(|kernel| &kernel.operands)
            .filter(|operand| operand.at.space == space)
            .count()
    };
    let inside = |space: Space| match space {
        // Written once, and read only here.
        Space::Buffer(number) => touched.get(&number) == Some(&(reads(space) + 1)),
        _ => false,
    };
    let mut last_read: HashMap<Space, usize> = HashMap::new();
    for (step, kernel) in group.iter().enumerate() {
        for operand in &kernel.operands {
            last_read.insert(operand.at.space, step);
        }
    }
    let mut slot_of: HashMap<Space, usize> = HashMap::new();
    let (mut free, mut slots) = (Vec::new(), 0);
    let mut steps = Vec::with_capacity(group.len());
    for (step, kernel) in group.iter().enumerate() {
        let operands = kernel
            .operands
            .iter()
            .map(|operand| match slot_of.get(&operand.at.space) {
                Some(&slot) => FusedOperand::Slot(slot),
                None => FusedOperand::Outside(*operand),
            })
            .collect();
        let space = kernel.out.space;
        let out = if inside(space) {
            let slot = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            slot_of.insert(space, slot);
            FusedOut::Slot(slot)
        } else {
            FusedOut::Outside(kernel.out)
        };
        // A slot is free after its last reader, but not for that reader's own output.
        let done: Vec<Space> = slot_of
            .keys()
            .copied()
            .filter(|space| last_read.get(space).is_none_or(|&last| last <= step))
            .filter(|&other| other != space)
            .collect();
        for space in done {
            free.extend(slot_of.remove(&space));
        }
        free.sort_unstable();
        steps.push(FusedStep {
            function: kernel.function,
            operands,
            out,
        });
    }
    fused.push(Instruction::Fused(Fused {
        inner: group[0].inner,
        lanes: group[0].lanes,
        steps,
        slots,
    }));
    group.clear();
}
