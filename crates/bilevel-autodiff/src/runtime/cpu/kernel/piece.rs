//! Pieces of an instruction on whole tensors, which threads share.

use std::ops::Range;

use crate::runtime::cpu::instruction::Instruction;

/// One of some pieces. What they compute together does not depend on their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

impl Piece {
    /// All at once.
    pub(crate) const ALL: Self = Self { number: 0, of: 1 };

    /// This piece of 0..`count`, in multiples of `unit`.
    pub(super) fn of(self, count: usize, unit: usize) -> Range<usize> {
        let units = count.div_ceil(unit);
        let at = |number: usize| (units * number / self.of * unit).min(count);
        at(self.number)..at(self.number + 1)
    }
}

/// Elements that are worth a thread of their own.
const WORTH_A_PIECE: usize = 16_384;

/// More pieces than threads, so that none waits long for another.
const MOST_PIECES: usize = 16;

/// The number of pieces of an instruction on whole tensors.
pub(crate) fn pieces(instruction: &Instruction) -> usize {
    let elements = match instruction {
        Instruction::Elementwise(kernel) => kernel.inner * kernel.lanes.at(1),
        Instruction::Fused(kernel) => kernel.inner * kernel.lanes.at(1) * kernel.steps.len(),
        Instruction::Reduce(kernel) => {
            let axes = kernel.kept.iter().chain(&kernel.reduced);
            axes.map(|&(count, _)| count).product::<usize>() * kernel.lanes.at(1)
        }
        Instruction::Copy { axes, .. } => axes.iter().map(|axis| axis.extent.at(1)).product(),
        _ => 0,
    };
    (elements / WORTH_A_PIECE).clamp(1, MOST_PIECES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_without_overlap() {
        for (count, unit, of) in [(100, 1, 7), (64, 64, 4), (130, 64, 2), (0, 1, 3), (5, 1, 9)] {
            let mut next = 0;
            for number in 0..of {
                let range = Piece { number, of }.of(count, unit);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, count);
        }
    }
}
