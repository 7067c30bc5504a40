//! Turns a sum of two products, or of two convolutions, into one that is added to the other.

use std::collections::HashMap;

use super::code::PhaseCode;
use crate::graph::Binary;
use crate::runtime::cpu::instruction::{Elementwise, Function, Instruction};
use crate::runtime::cpu::view::{At, Extent, Space, Stride};

/// Rewrites `a·b + c·d` in all phases, if nothing else reads either product.
pub(crate) fn join(phases: &mut [PhaseCode]) {
    let mut touched: HashMap<usize, usize> = HashMap::new();
    for phase in phases.iter_mut() {
        let all = phase.prelude.iter_mut().chain(&mut phase.instructions);
        let merged = phase.merges.iter_mut().map(|merge| &mut merge.to);
        for at in all.flat_map(Instruction::places_mut).chain(merged) {
            if let Space::Buffer(number) = at.space {
                *touched.entry(number).or_insert(0) += 1;
            }
        }
    }
    // Written by a product, and read by a sum.
    let once =
        |at: At| matches!(at.space, Space::Buffer(number) if touched.get(&number) == Some(&2));
    // For each removed sum, the place of its first product, which holds the result.
    let mut moved: HashMap<usize, Space> = HashMap::new();
    for phase in phases {
        let mut place = 0;
        while place < phase.instructions.len() {
            let joined = products(&phase.instructions, place, &once);
            if let Some((first, second, from)) = joined
                && let Some(to) = product(&phase.instructions[first]).map(|(at, _)| at)
            {
                match &mut phase.instructions[second] {
                    Instruction::MatMul(added) => (added.c.at, added.add) = (to, true),
                    Instruction::Conv(added) => (added.to, added.add) = (to, true),
                    _ => {}
                }
                moved.insert(from, to.space);
                phase.instructions.remove(place);
                continue;
            }
            place += 1;
        }
        // Places are renamed in everything that follows, later phases included.
        for at in phase
            .instructions
            .iter_mut()
            .chain(&mut phase.prelude)
            .flat_map(Instruction::places_mut)
        {
            if let Space::Buffer(number) = at.space
                && let Some(&space) = moved.get(&number)
            {
                at.space = space;
            }
        }
    }
}

/// If the instruction at `place` is the sum of two products, their positions in order, and the buffer that it writes.
fn products(
    instructions: &[Instruction],
    place: usize,
    once: &impl Fn(At) -> bool,
) -> Option<(usize, usize, usize)> {
    let Instruction::Elementwise(sum) = &instructions[place] else {
        return None;
    };
    let Space::Buffer(to) = sum.out.space else {
        return None;
    };
    if sum.function != Function::Binary(Binary::Add) {
        return None;
    }
    let mut found = [0; 2];
    for (found, operand) in found.iter_mut().zip(&sum.operands) {
        let whole = operand.walks && (sum.inner == 1 || operand.inner == stride_of(sum));
        let mut before = instructions[..place].iter();
        let writer = before.position(|i| product(i).is_some_and(|(at, _)| at == operand.at));
        *found = writer.filter(|_| whole && once(operand.at))?;
    }
    let (first, second) = (found[0].min(found[1]), found[0].max(found[1]));
    let order = |place: usize| product(&instructions[place]).map(|(_, order)| order);
    let same = order(first) == order(second);
    (first < second && same && sum.out.offset == 0).then_some((first, second, to))
}

/// How a product writes its elements: a matrix with its strides, or all in order.
#[derive(PartialEq)]
enum Written {
    Matrix([Extent; 2], [Stride; 2]),
    InOrder,
}

/// Where the instruction writes a product, and how, if it can be added to another.
fn product(instruction: &Instruction) -> Option<(At, Written)> {
    match instruction {
        Instruction::MatMul(p) if !p.add && p.batches.is_empty() => {
            let strides = [p.c.row, p.c.column];
            Some((p.c.at, Written::Matrix([p.m, p.n], strides)))
        }
        Instruction::Conv(p) if !p.add => Some((p.to, Written::InOrder)),
        _ => None,
    }
}

/// The stride along `inner` of contiguous elements.
fn stride_of(sum: &Elementwise) -> Stride {
    match sum.lanes {
        Extent::Rows => Stride::rows(1),
        Extent::Fixed(size) => Stride::fixed(size),
    }
}
