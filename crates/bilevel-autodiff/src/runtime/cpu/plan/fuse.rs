//! Fuses consecutive elementwise kernels over the same elements, and sums of what they compute, into one that runs chunk
//! by chunk.
//!
//! Kernels that are not consecutive stay apart. Where they overtook the short instructions between them, meta-gradients of
//! networks took a tenth longer on one thread, and as long on two.

use std::collections::HashMap;

use super::code::{Buffer, PhaseCode};
use crate::runtime::cpu::instruction::{
    Elementwise, Fused, FusedOperand, FusedOut, FusedStep, Instruction, Operand, Reduce, Reduction,
};
use crate::runtime::cpu::limits::TERMS;
use crate::runtime::cpu::view::{At, Extent, Space, Stride, collapse};

/// Fuses in all phases. A buffer that no other kernel touches lives only in chunk memory.
pub(crate) fn fuse(phases: &mut [PhaseCode], buffers: &mut Vec<Buffer>) {
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
    for (number, phase) in phases.iter_mut().enumerate() {
        let whole = number % 2 == 0;
        let mut group = Group::default();
        for instruction in std::mem::take(&mut phase.instructions) {
            match Member::of(instruction, whole) {
                Ok(member) => {
                    if !group.continues(&member) {
                        std::mem::take(&mut group).close(
                            &touched,
                            buffers,
                            &mut phase.instructions,
                        );
                    }
                    group.members.push(member);
                }
                Err(other) => {
                    std::mem::take(&mut group).close(&touched, buffers, &mut phase.instructions);
                    phase.instructions.push(*other);
                }
            }
        }
        group.close(&touched, buffers, &mut phase.instructions);
    }
}

/// A kernel that can be fused with others.
enum Member {
    Apply(Elementwise),
    Sum(Sum),
}

/// A reduction of all `inner` elements for each lane, of a tensor in order.
struct Sum {
    inner: usize,
    lanes: usize,
    reduce: Reduce,
}

impl Member {
    /// This instruction as a member, or back.
    fn of(instruction: Instruction, whole: bool) -> Result<Self, Box<Instruction>> {
        match instruction {
            Instruction::Elementwise(kernel) => Ok(Self::Apply(kernel)),
            Instruction::Reduce(reduce) if whole => match Sum::elements(&reduce) {
                Some((inner, lanes)) => Ok(Self::Sum(Sum {
                    inner,
                    lanes,
                    reduce,
                })),
                None => Err(Box::new(Instruction::Reduce(reduce))),
            },
            other => Err(Box::new(other)),
        }
    }

    fn back(self) -> Instruction {
        match self {
            Self::Apply(kernel) => Instruction::Elementwise(kernel),
            Self::Sum(sum) => Instruction::Reduce(sum.reduce),
        }
    }

    fn elements(&self) -> (usize, Extent) {
        match self {
            Self::Apply(kernel) => (kernel.inner, kernel.lanes),
            Self::Sum(sum) => (sum.inner, Extent::Fixed(sum.lanes)),
        }
    }

    /// What it reads, and whether the elements are walked in one piece.
    fn reads(&self) -> Vec<(At, bool)> {
        match self {
            Self::Apply(kernel) => {
                let (inner, lanes) = (kernel.inner, kernel.lanes);
                let operands = kernel.operands.iter();
                operands
                    .map(|operand| (operand.at, in_one_piece(operand, inner, lanes)))
                    .collect()
            }
            Self::Sum(sum) => vec![(sum.reduce.from, true)],
        }
    }

    fn out(&self) -> At {
        match self {
            Self::Apply(kernel) => kernel.out,
            Self::Sum(sum) => sum.reduce.to,
        }
    }
}

impl Sum {
    fn elements(reduce: &Reduce) -> Option<(usize, usize)> {
        let Extent::Fixed(lanes) = reduce.lanes else {
            return None;
        };
        let kept: usize = reduce.kept.iter().map(|&(count, _)| count).product();
        let (inner, stride) = collapse(&reduce.reduced)?;
        let in_order = reduce.lane == Stride::ONE && stride == Stride::fixed(lanes);
        (reduce.reduction == Reduction::Sum && kept == 1 && inner > 1 && in_order)
            .then_some((inner, lanes))
    }

    /// The operand of the step that sums.
    fn operand(&self) -> Operand {
        Operand {
            at: self.reduce.from,
            inner: Stride::fixed(self.lanes),
            walks: true,
        }
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

/// Kernels over the same elements, in order.
#[derive(Default)]
struct Group {
    members: Vec<Member>,
}

impl Group {
    /// Whether the kernel runs over the same elements, and reads the outputs of the group element by element.
    fn continues(&self, kernel: &Member) -> bool {
        let first = self.members.first();
        first.is_none_or(|first| first.elements() == kernel.elements())
            && kernel.reads().into_iter().all(|(at, in_one_piece)| {
                let mut writers = self
                    .members
                    .iter()
                    .filter(|one| one.out().space == at.space);
                writers
                    .all(|one| matches!(one, Member::Apply(_)) && one.out() == at && in_one_piece)
            })
    }

    fn close(
        self,
        touched: &HashMap<usize, usize>,
        buffers: &mut Vec<Buffer>,
        to: &mut Vec<Instruction>,
    ) {
        let sums = |member: &Member| matches!(member, Member::Sum(sum) if sum.inner > TERMS);
        if self.members.len() < 2 && !self.members.iter().any(sums) {
            to.extend(self.members.into_iter().map(Member::back));
            return;
        }
        let mut reads: HashMap<Space, (usize, usize)> = HashMap::new();
        for (step, member) in self.members.iter().enumerate() {
            for (at, _) in member.reads() {
                let (count, last) = reads.entry(at.space).or_default();
                (*count, *last) = (*count + 1, step);
            }
        }
        let inside = |space: Space| match space {
            // Written once, and read only here.
            Space::Buffer(number) => {
                let count = reads.get(&space).map_or(0, |&(count, _)| count);
                touched.get(&number) == Some(&(count + 1))
            }
            _ => false,
        };
        let Some((inner, lanes)) = self.members.first().map(Member::elements) else {
            return;
        };
        let mut slot_of: HashMap<Space, usize> = HashMap::new();
        let (mut free, mut slots) = (Vec::new(), 0);
        let mut steps = Vec::with_capacity(self.members.len());
        let mut totals = Vec::new();
        for (step, member) in self.members.into_iter().enumerate() {
            let place = |operand: &Operand| match slot_of.get(&operand.at.space) {
                Some(&slot) => FusedOperand::Slot(slot),
                None => FusedOperand::Outside(*operand),
            };
            let own = member.out().space;
            match member {
                Member::Apply(kernel) => {
                    let operands = kernel.operands.iter().map(place).collect();
                    let out = if inside(own) {
                        let slot = free.pop().unwrap_or_else(|| {
                            slots += 1;
                            slots - 1
                        });
                        slot_of.insert(own, slot);
                        FusedOut::Slot(slot)
                    } else {
                        FusedOut::Outside(kernel.out)
                    };
                    steps.push(FusedStep::Apply {
                        function: kernel.function,
                        operands,
                        out,
                    });
                }
                Member::Sum(sum) => {
                    let from = place(&sum.operand());
                    let to = match total(&sum, buffers) {
                        Some((parts, total)) => {
                            totals.push(Instruction::Reduce(total));
                            parts
                        }
                        None => sum.reduce.to,
                    };
                    steps.push(FusedStep::Sum { from, to });
                }
            }
            // A slot is free after its last reader, but not for that reader's own output.
            let done: Vec<Space> = slot_of
                .keys()
                .copied()
                .filter(|space| reads.get(space).is_none_or(|&(_, last)| last <= step))
                .filter(|&other| other != own)
                .collect();
            for space in done {
                free.extend(slot_of.remove(&space));
            }
            free.sort_unstable();
        }
        to.push(Instruction::Fused(Fused {
            inner,
            lanes,
            steps,
            slots,
        }));
        to.extend(totals);
    }
}

/// If there are sums of [`TERMS`] elements, a place for them and what adds them up.
fn total(sum: &Sum, buffers: &mut Vec<Buffer>) -> Option<(At, Reduce)> {
    let parts = sum.inner.div_ceil(TERMS);
    if parts == 1 {
        return None;
    }
    let from = At::start(Space::Buffer(buffers.len()), 0);
    buffers.push(Buffer {
        phase: None,
        len: parts * sum.lanes,
    });
    let total = Reduce {
        reduction: Reduction::SumOfSums,
        from,
        kept: Vec::new(),
        reduced: vec![(parts, Stride::fixed(sum.lanes))],
        ..sum.reduce.clone()
    };
    Some((from, total))
}
