//! The machine's instructions: kernel calls with the places of their operands.

#[cfg(doc)]
use super::limits::TERMS;
use super::view::{At, Extent, Stride};
use crate::graph::{Binary, Compare, Convolved, Lines, Unary, Window};
use crate::rule::Sizes;

/// One kernel call. Sizes and strides may depend on the rows of the running block.
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
    /// `count · rows` contiguous zeros (rows of the block, or 1).
    Zero {
        to: At,
        count: usize,
        lanes: Extent,
    },
    Reduce(Reduce),
    MatMul(MatMul),
    Packed(PackedProduct),
    /// Copies `width` numbers to each row, from the row of `data` that its index gives.
    TakeRows {
        data: At,
        data_row: usize,
        index: At,
        rows: Extent,
        width: usize,
        to: At,
    },
    /// Adds each row to the row that its index gives. `from` is row-major.
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
    Conv(Conv),
    PoolIndices(PoolIndices),
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
    /// The stride along `inner`.
    pub(crate) inner: Stride,
    /// Whether the stride along `lanes` is 1; if not it is 0, one element for all lanes.
    pub(crate) walks: bool,
}

/// `out[i, l] = function(operands[i, l])`; out is contiguous.
#[derive(Clone, Debug)]
pub(crate) struct Elementwise {
    pub(crate) function: Function,
    pub(crate) inner: usize,
    pub(crate) lanes: Extent,
    pub(crate) operands: Vec<Operand>,
    pub(crate) out: At,
}

/// Elementwise kernels over the same elements, chunk by chunk, so that the output of one is still in the first-level
/// cache when the next reads it.
#[derive(Clone, Debug)]
pub(crate) struct Fused {
    pub(crate) inner: usize,
    pub(crate) lanes: Extent,
    pub(crate) steps: Vec<FusedStep>,
    /// The number of slots in chunk memory, for results that live only there.
    pub(crate) slots: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum FusedStep {
    Apply {
        function: Function,
        operands: Vec<FusedOperand>,
        out: FusedOut,
    },
    /// The sums over `inner` for each of the lanes: `to[r, l] = Σ from[i, l]` over the i of the r-th [`TERMS`] of them.
    Sum { from: FusedOperand, to: At },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FusedOperand {
    /// Outside the chunk memory.
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
    /// The number of operands and results outside the chunk memory.
    pub(crate) fn outside(&self) -> usize {
        let outside = |operand: &&FusedOperand| matches!(operand, FusedOperand::Outside(_));
        let read = |step: &FusedStep| match step {
            FusedStep::Apply { operands, out, .. } => {
                operands.iter().filter(outside).count()
                    + usize::from(matches!(out, FusedOut::Outside(_)))
            }
            FusedStep::Sum { from, .. } => usize::from(outside(&from)),
        };
        self.steps.iter().map(read).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reduction {
    Sum,
    Max,
    /// The sum of sums of [`TERMS`] each, in order.
    SumOfSums,
    /// The sum, also over the rows of the block, added to the present value.
    Accumulate,
}

/// `out[kept, l] = Σ or max over reduced of a[kept, reduced, l]`; out is contiguous.
#[derive(Clone, Debug)]
pub(crate) struct Reduce {
    pub(crate) reduction: Reduction,
    pub(crate) from: At,
    pub(crate) kept: Vec<(usize, Stride)>,
    pub(crate) reduced: Vec<(usize, Stride)>,
    pub(crate) lanes: Extent,
    /// The stride from one lane to the next.
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

/// `c = a·b`, or `c += a·b`, for a packed data matrix.
#[derive(Clone, Debug)]
pub(crate) struct PackedProduct {
    /// The index among the plan's packed matrices.
    pub(crate) matrix: usize,
    /// The fraction of its numbers that is multiplied.
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

/// The right operand of a packed product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PackedOperand {
    /// Consecutive strips of columns, each of `len` numbers.
    Strips { at: At, len: usize },
    /// A matrix whose strips are packed one at a time.
    Matrix(Matrix),
}

/// Shapes: inner · lanes places, each with `classes` elements in the data.
#[derive(Clone, Debug)]
pub(crate) struct SelectClass {
    /// Writes values to data (zero elsewhere) instead of data to values.
    pub(crate) scatter: bool,
    pub(crate) inner: Vec<(usize, [Stride; 3])>,
    pub(crate) lanes: Extent,
    /// The lane strides of data, index and value.
    pub(crate) lane: [Stride; 3],
    pub(crate) classes: usize,
    pub(crate) class: Stride,
    pub(crate) data: At,
    pub(crate) index: At,
    pub(crate) value: At,
}

/// A primitive along some axes, applied at each place of the other axes.
#[derive(Clone, Debug)]
pub(crate) struct LinesKernel {
    pub(crate) function: Lines,
    pub(crate) first: At,
    pub(crate) second: Option<At>,
    pub(crate) out: At,
    /// Sizes and strides of the axes, for both operands and the result.
    pub(crate) axes: [[(usize, Stride); 2]; 3],
    /// The other axes, with strides of both operands and the result.
    pub(crate) outer: Vec<(usize, [Stride; 3])>,
    pub(crate) lanes: Extent,
    pub(crate) lane: [Stride; 3],
    /// Scratch memory of the kernel.
    pub(crate) scratch: Option<At>,
    /// Operations per element of the result.
    pub(crate) work: usize,
}

/// One of the three tensors of a convolution from the two others, all in order; the kernel of a cotangent of pictures
/// with its last two axes exchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    /// Whether it is added to what is there.
    pub(crate) add: bool,
    pub(crate) of: Convolved,
    pub(crate) window: Window,
    pub(crate) sizes: Sizes,
    pub(crate) a: At,
    pub(crate) b: At,
    pub(crate) to: At,
}

/// The place of the largest element of each window of pictures, all in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolIndices {
    pub(crate) size: [usize; 2],
    pub(crate) window: Window,
    pub(crate) pictures: usize,
    pub(crate) picture: [usize; 2],
    pub(crate) places: [usize; 2],
    pub(crate) channels: usize,
    pub(crate) from: At,
    pub(crate) to: At,
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
    /// Every place that is read or written.
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
                    let (operands, out) = match step {
                        FusedStep::Apply { operands, out, .. } => (&mut operands[..], Some(out)),
                        FusedStep::Sum { from, to } => {
                            all.push((Write, to));
                            (std::slice::from_mut(from), None)
                        }
                    };
                    for operand in operands {
                        if let FusedOperand::Outside(operand) = operand {
                            all.push((Read, &mut operand.at));
                        }
                    }
                    if let Some(FusedOut::Outside(at)) = out {
                        all.push((Write, at));
                    }
                }
                all
            }
            Self::Copy { from, to, .. } => vec![(Read, from), (Write, to)],
            Self::Zero { to, .. } => vec![(Write, to)],
            Self::Conv(c) => vec![(Read, &mut c.a), (Read, &mut c.b), (Write, &mut c.to)],
            Self::PoolIndices(p) => vec![(Read, &mut p.from), (Write, &mut p.to)],
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
                    | Lines::Softmax { .. }
                    | Lines::LogSumExp { .. }
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
