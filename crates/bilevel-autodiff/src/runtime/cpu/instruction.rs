//! What the machine is told: kernels with the places of their operands.

use super::view::{At, Extent, Stride};
use crate::graph::{Binary, Compare, Lines, Unary};

/// One kernel call. Sizes and strides may depend on the rows of the block that runs.
#[derive(Clone, Debug)]
pub(crate) enum Instruction {
    Elementwise(Elementwise),
    Fused(Fused),
    /// `to = from`, or `to += from`, for elements with strides; axes outermost first.
    Copy {
        from: At,
        to: At,
        axes: Vec<CopyAxis>,
        add: bool,
    },
    /// `count · rows` zeros in one piece (rows of the block, or 1).
    Zero {
        to: At,
        count: usize,
        lanes: Extent,
    },
    Reduce(Reduce),
    MatMul(MatMul),
    Packed(PackedProduct),
    /// Of each row: as many numbers of data, from the row that its index says.
    TakeRows {
        data: At,
        data_row: usize,
        index: At,
        rows: Extent,
        width: usize,
        to: At,
    },
    /// Each row is added to the row that its index says. `from` is row-major.
    AddRows {
        from: At,
        index: At,
        rows: usize,
        width: usize,
        to: At,
        to_rows: usize,
    },
    /// `value[i] = data[i, index[i]]`, or the other way round.
    Select(SelectClass),
    Lines(LinesKernel),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CopyAxis {
    pub(crate) extent: Extent,
    pub(crate) from: Stride,
    pub(crate) to: Stride,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Function {
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select,
}

/// An operand of an elementwise kernel, walked as `inner` times `lanes` elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Operand {
    pub(crate) at: At,
    /// From one of `inner` to the next.
    pub(crate) inner: Stride,
    /// From one of `lanes` to the next is 1, or 0: the same for all.
    pub(crate) walks: bool,
}

/// `out[i, l] = function(operands[i, l])`; out in one piece.
#[derive(Clone, Debug)]
pub(crate) struct Elementwise {
    pub(crate) function: Function,
    pub(crate) inner: usize,
    pub(crate) lanes: Extent,
    pub(crate) operands: Vec<Operand>,
    pub(crate) out: At,
}

/// Elementwise kernels over the same elements, chunk by chunk, so that what one writes is still in the
/// first-level cache when the next reads it.
#[derive(Clone, Debug)]
pub(crate) struct Fused {
    pub(crate) inner: usize,
    pub(crate) lanes: Extent,
    pub(crate) steps: Vec<FusedStep>,
    /// How many results live in the chunk memory alone.
    pub(crate) slots: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct FusedStep {
    pub(crate) function: Function,
    pub(crate) operands: Vec<FusedOperand>,
    pub(crate) out: FusedOut,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FusedOperand {
    /// Somewhere outside.
    Outside(Operand),
    /// In the chunk memory.
    Slot(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FusedOut {
    Outside(At),
    Slot(usize),
}

impl Fused {
    /// How many tensors outside of the chunk memory are read and written.
    pub(crate) fn outside(&self) -> usize {
        let read = |step: &FusedStep| {
            let outside = |operand: &&FusedOperand| matches!(operand, FusedOperand::Outside(_));
            step.operands.iter().filter(outside).count()
                + usize::from(matches!(step.out, FusedOut::Outside(_)))
        };
        self.steps.iter().map(read).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reduction {
    Sum,
    Max,
    /// The sum over the rows of the block too, added to what is there.
    Accumulate,
}

/// `out[kept, l] = Σ or max over reduced of a[kept, reduced, l]`; out in one piece.
#[derive(Clone, Debug)]
pub(crate) struct Reduce {
    pub(crate) reduction: Reduction,
    pub(crate) from: At,
    pub(crate) kept: Vec<(usize, Stride)>,
    pub(crate) reduced: Vec<(usize, Stride)>,
    pub(crate) lanes: Extent,
    /// From one lane to the next.
    pub(crate) lane: Stride,
    pub(crate) to: At,
}

/// A matrix in memory: its place, and the strides of its rows and columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Matrix {
    pub(crate) at: At,
    pub(crate) row: Stride,
    pub(crate) column: Stride,
}

/// `c = a·b`, or `c += a·b`, for each batch.
#[derive(Clone, Debug)]
pub(crate) struct MatMul {
    pub(crate) m: Extent,
    pub(crate) k: Extent,
    pub(crate) n: Extent,
    pub(crate) a: Matrix,
    pub(crate) b: Matrix,
    pub(crate) c: Matrix,
    /// Size, and strides of a, b and c.
    pub(crate) batches: Vec<(usize, [Stride; 3])>,
    pub(crate) add: bool,
}

/// `c = a·b`, or `c += a·b`, for a packed matrix of data.
#[derive(Clone, Debug)]
pub(crate) struct PackedProduct {
    /// Which of the packed matrices of the plan.
    pub(crate) matrix: usize,
    /// The share of its numbers that are multiplied.
    pub(crate) fill: f64,
    pub(crate) m: Extent,
    pub(crate) k: Extent,
    pub(crate) n: usize,
    pub(crate) b: PackedOperand,
    pub(crate) c: Matrix,
    pub(crate) add: bool,
    /// Memory of one strip.
    pub(crate) strip: At,
}

/// What a packed matrix is multiplied by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PackedOperand {
    /// Strips of columns one after the other, each with so many numbers.
    Strips { at: At, len: usize },
    /// A matrix whose strips are packed one at a time.
    Matrix(Matrix),
}

/// Shapes: inner · lanes places, each with `classes` elements in the data.
#[derive(Clone, Debug)]
pub(crate) struct SelectClass {
    /// From values to data (all other data are zero), not from data to values.
    pub(crate) scatter: bool,
    pub(crate) inner: Vec<(usize, [Stride; 3])>,
    pub(crate) lanes: Extent,
    /// Strides of a lane of data, index and value.
    pub(crate) lane: [Stride; 3],
    pub(crate) classes: usize,
    pub(crate) class: Stride,
    pub(crate) data: At,
    pub(crate) index: At,
    pub(crate) value: At,
}

/// A primitive along some axes, at each place of the others.
#[derive(Clone, Debug)]
pub(crate) struct LinesKernel {
    pub(crate) function: Lines,
    pub(crate) first: At,
    pub(crate) second: Option<At>,
    pub(crate) out: At,
    /// Of both operands and the result: sizes and strides of the axes.
    pub(crate) axes: [[(usize, Stride); 2]; 3],
    /// The other axes, with strides of both operands and the result.
    pub(crate) outer: Vec<(usize, [Stride; 3])>,
    pub(crate) lanes: Extent,
    pub(crate) lane: [Stride; 3],
    /// Memory of the kernel.
    pub(crate) scratch: Option<At>,
    /// Operations for each element of the result.
    pub(crate) work: usize,
}

/// What an instruction does at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Reads numbers.
    Read,
    /// Reads indices.
    Index,
    /// Writes numbers.
    Write,
}

impl Instruction {
    /// Every place that is read or written; what is written comes last, but in fused kernels after each step.
    pub(crate) fn accesses_mut(&mut self) -> Vec<(Access, &mut At)> {
        use Access::{Index, Read, Write};
        match self {
            Self::Elementwise(e) => {
                let operands = e.operands.iter_mut();
                let mut all: Vec<_> = operands.map(|o| (Read, &mut o.at)).collect();
                all.push((Write, &mut e.out));
                all
            }
            Self::Fused(fused) => {
                let mut all = Vec::new();
                for step in &mut fused.steps {
                    for operand in &mut step.operands {
                        if let FusedOperand::Outside(operand) = operand {
                            all.push((Read, &mut operand.at));
                        }
                    }
                    if let FusedOut::Outside(at) = &mut step.out {
                        all.push((Write, at));
                    }
                }
                all
            }
            Self::Copy { from, to, .. } => vec![(Read, from), (Write, to)],
            Self::Zero { to, .. } => vec![(Write, to)],
            Self::Reduce(r) => vec![(Read, &mut r.from), (Write, &mut r.to)],
            Self::MatMul(p) => vec![
                (Read, &mut p.a.at),
                (Read, &mut p.b.at),
                (Write, &mut p.c.at),
            ],
            Self::Packed(p) => {
                let (PackedOperand::Strips { at, .. } | PackedOperand::Matrix(Matrix { at, .. })) =
                    &mut p.b;
                vec![(Read, at), (Write, &mut p.strip), (Write, &mut p.c.at)]
            }
            Self::TakeRows {
                data, index, to, ..
            } => vec![(Read, data), (Index, index), (Write, to)],
            Self::AddRows {
                from, index, to, ..
            } => vec![(Read, from), (Index, index), (Write, to)],
            Self::Lines(k) => {
                let second = match k.function {
                    Lines::Gather { .. } | Lines::Scatter { .. } => Index,
                    Lines::CumSum { .. }
                    | Lines::Product { .. }
                    | Lines::ArgSort { .. }
                    | Lines::Cholesky
                    | Lines::Solve { .. } => Read,
                };
                let mut all = vec![(Read, &mut k.first)];
                all.extend(k.second.iter_mut().map(|at| (second, at)));
                all.extend(k.scratch.iter_mut().map(|at| (Write, at)));
                all.push((Write, &mut k.out));
                all
            }
            Self::Select(s) => {
                let (from, to) = if s.scatter {
                    (&mut s.value, &mut s.data)
                } else {
                    (&mut s.data, &mut s.value)
                };
                vec![(Read, from), (Index, &mut s.index), (Write, to)]
            }
        }
    }

    /// The places of [`Instruction::accesses_mut`].
    pub(crate) fn places_mut(&mut self) -> impl Iterator<Item = &mut At> {
        self.accesses_mut().into_iter().map(|(_, at)| at)
    }
}
