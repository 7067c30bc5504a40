//! Lowers nodes to instructions.
//!
//! Reshapes, transpositions, broadcasts and slices are views and move nothing. They become copies only where a kernel
//! needs the elements in another order.

mod conv;
mod elementwise;
mod lines;
mod matmul;
mod packed;
mod reduce;
mod results;
mod select;

use super::code::{Buffer, Numbers, PhaseCode};
use super::phase::{Kind, Phases};
use super::row_axes::RowAxes;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Op};
use crate::rule::matching_axes;
use crate::runtime::cpu::instruction::{CopyAxis, Function, Instruction, Reduction};
use crate::runtime::cpu::limits::ALIGNMENT;
use crate::runtime::cpu::packed::Lines;
use crate::runtime::cpu::view::{self, At, Extent, Space, Stride, View};
use crate::runtime::{Delivery, Options};

pub(crate) struct Lowering<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) rows: &'g RowAxes,
    pub(crate) phases: &'g Phases,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) constants: Vec<f64>,
    /// For each node, the whole tensor, if it is in one place.
    full: Vec<Option<View>>,
    /// For each node, its part in the running block.
    block: Vec<Option<View>>,
    /// Copies in lane order that this phase has already made.
    copies: Vec<Option<View>>,
    /// Column-major copies of matrices.
    columns: Vec<Option<View>>,
    pub(crate) code: PhaseCode,
    phase: usize,
    needed: Vec<bool>,
    options: &'g Options,
    numbers: Numbers,
    pub(crate) packed: Vec<(usize, Lines)>,
}

impl<'g> Lowering<'g> {
    pub(crate) fn new(
        graph: &'g Graph,
        rows: &'g RowAxes,
        phases: &'g Phases,
        options: &'g Options,
        numbers: Numbers,
    ) -> Self {
        let count = graph.nodes().len();
        let mut lowering = Self {
            graph,
            rows,
            phases,
            buffers: Vec::new(),
            constants: Vec::new(),
            full: vec![None; count],
            block: vec![None; count],
            copies: vec![None; count],
            columns: vec![None; count],
            code: PhaseCode::default(),
            phase: 0,
            needed: graph.needed_for(&graph.outputs),
            options,
            numbers,
            packed: Vec::new(),
        };
        for (id, node) in graph.ids().zip(graph.nodes()) {
            let (index, axis) = (id.index(), rows.of(id));
            match node.op {
                Op::Input(number) => {
                    let space = Space::Input(number);
                    let form = options.form(number);
                    if let (true, Some(axis)) = (form.blocked, axis) {
                        lowering.block[index] = Some(View::lanes(space, &node.shape, axis, true));
                    } else {
                        let mut full = View::natural(space, 0, &node.shape, None);
                        if let Some(stride) = form.stride {
                            full.strides[0] = Stride::fixed(stride);
                        }
                        lowering.block[index] = axis.map(|axis| cut(full.clone(), axis));
                        lowering.full[index] = Some(full);
                    }
                }
                Op::Constant(bits) => {
                    let place = lowering.constants.len();
                    lowering.constants.push(f64::from_bits(bits));
                    lowering.full[index] = Some(View::natural(Space::Constant, place, &[], None));
                }
                _ => {}
            }
        }
        lowering
    }

    /// The instructions of a phase; `exported` says which row nodes are needed after it.
    pub(crate) fn phase(
        &mut self,
        phase: usize,
        exported: &[bool],
        outputs: &[Delivery],
    ) -> Result<PhaseCode> {
        self.code = PhaseCode::default();
        self.phase = phase;
        self.copies.fill(None);
        self.columns.fill(None);
        for id in self.graph.ids() {
            if !self.needed[id.index()]
                || self.phases.phase(id) != phase
                || self.phases.kind(id) == Kind::Given
            {
                continue;
            }
            self.lower(id, outputs)?;
            if self.phases.kind(id) == Kind::Row && exported[id.index()] {
                self.export(id)?;
            }
            self.deliver(id, outputs)?;
        }
        // Block memory does not outlive its phase.
        for (block, kind) in self.block.iter_mut().zip(&self.phases.kind) {
            if *kind != Kind::Given {
                *block = None;
            }
        }
        Ok(std::mem::take(&mut self.code))
    }

    /// Whether this phase runs blocks of rows.
    pub(crate) fn in_rows(&self) -> bool {
        self.phase % 2 == 1
    }

    fn node(&self, id: NodeId) -> &'g Node {
        self.graph.node(id)
    }

    /// The view of the operand in this phase.
    pub(crate) fn view(&self, id: NodeId) -> Result<View> {
        let index = id.index();
        let block = self.in_rows() && self.rows.of(id).is_some();
        let found = if block {
            self.block[index].clone().or_else(|| {
                // A whole tensor, in any order, is cut into rows now.
                let (full, axis) = (self.full[index].clone()?, self.rows.of(id)?);
                Some(cut(full, axis))
            })
        } else {
            self.full[index].clone()
        };
        // Operands are lowered before their users, in this phase or an earlier one.
        found.ok_or_else(|| Error::Unplaced {
            operation: self.node(id).op.name(),
            node: index,
        })
    }

    fn set(&mut self, id: NodeId, view: View) {
        if self.in_rows() && self.rows.of(id).is_some() {
            self.block[id.index()] = Some(view);
        } else {
            self.full[id.index()] = Some(view);
        }
    }

    /// A new buffer for a tensor of this shape, in the order that kernels write.
    fn allocate(&mut self, shape: &[usize], rows: Option<usize>) -> View {
        let number = self.buffers.len();
        let space = Space::Buffer(number);
        match rows.filter(|_| self.in_rows()) {
            Some(axis) => {
                let inner = shape
                    .iter()
                    .enumerate()
                    .filter(|&(i, _)| i != axis)
                    .map(|(_, &size)| size)
                    .product();
                self.buffers.push(Buffer {
                    phase: Some(self.phase),
                    len: inner,
                });
                View::lanes(space, shape, axis, false)
            }
            None => {
                self.buffers.push(Buffer {
                    phase: None,
                    len: shape.iter().product(),
                });
                View::natural(space, 0, shape, None)
            }
        }
    }

    /// A buffer of one block with contiguous rows.
    fn allocate_natural(&mut self, shape: &[usize]) -> View {
        let number = self.buffers.len();
        self.buffers.push(Buffer {
            phase: Some(self.phase),
            len: shape[1..].iter().product(),
        });
        let mut view = View::natural(Space::Buffer(number), 0, shape, Some(0));
        view.at.per_row = 0;
        view
    }

    pub(crate) fn emit(&mut self, instruction: Instruction) {
        self.code.instructions.push(instruction);
    }

    fn copy(&mut self, from: &View, to: &View, add: bool) {
        self.emit(copying(from, to, add));
    }

    /// The operand in the order that kernels write.
    pub(crate) fn in_order(&mut self, id: NodeId) -> Result<View> {
        let view = self.view(id)?;
        let shape = self.node(id).shape.clone();
        let axis = self.rows.of(id).filter(|_| self.in_rows());
        let ordered = match axis {
            Some(axis) => same_strides(&view, &View::lanes(Space::Constant, &shape, axis, false)),
            None => is_natural(&view, &shape),
        };
        if ordered {
            return Ok(view);
        }
        if let Some(copy) = &self.copies[id.index()] {
            return Ok(copy.clone());
        }
        let copy = self.allocate(&shape, axis);
        let instruction = copying(&view, &copy, false);
        if self.in_rows() && axis.is_none() {
            // It is the same for all blocks.
            self.code.prelude.push(instruction);
        } else {
            self.emit(instruction);
        }
        self.copies[id.index()] = Some(copy.clone());
        Ok(copy)
    }

    /// A column-major copy of a matrix that all blocks read, made once before the blocks.
    pub(crate) fn by_columns(&mut self, id: NodeId, view: &View) -> View {
        let shape = self.node(id).shape.clone();
        if let Some(copy) = &self.columns[id.index()] {
            return copy.clone();
        }
        // Each column starts at a cache line.
        let column = shape[0].next_multiple_of(ALIGNMENT);
        let number = self.buffers.len();
        self.buffers.push(Buffer {
            phase: None,
            len: column * shape[1],
        });
        let mut copy = View::natural(Space::Buffer(number), 0, &shape, None);
        copy.strides = vec![Stride::ONE, Stride::fixed(column)];
        self.code.prelude.push(copying(view, &copy, false));
        self.columns[id.index()] = Some(copy.clone());
        copy
    }

    /// All axes except the lane axis, in order; and the lane axis: the row axis, or the last axis of a whole tensor.
    fn walk(&self, id: NodeId) -> (Vec<usize>, Option<usize>) {
        let rank = self.node(id).shape.len();
        let lane = self
            .rows
            .of(id)
            .filter(|_| self.in_rows())
            .or_else(|| rank.checked_sub(1));
        ((0..rank).filter(|&axis| Some(axis) != lane).collect(), lane)
    }

    fn lanes(&self, id: NodeId, lane: Option<usize>) -> Extent {
        match lane {
            None => Extent::Fixed(1),
            Some(axis) if self.in_rows() && self.rows.of(id) == Some(axis) => Extent::Rows,
            Some(axis) => Extent::Fixed(self.node(id).shape[axis]),
        }
    }

    /// Every primitive has its own arm: one that is not computed would read as zeros.
    fn lower(&mut self, id: NodeId, outputs: &[Delivery]) -> Result<()> {
        let node = self.node(id);
        match &node.op {
            // They were placed in `new`.
            Op::Input(_) | Op::Constant(_) => Ok(()),
            Op::Unary(f) => self.elementwise(id, Function::Unary(*f), outputs),
            Op::Binary(f) => self.elementwise(id, Function::Binary(*f), outputs),
            Op::Compare(_) if self.is_repeated(id) => Ok(()),
            Op::Compare(f) => self.elementwise(id, Function::Compare(*f), outputs),
            Op::Select => self.elementwise(id, Function::Select, outputs),
            Op::StopGradient => {
                let view = self.view(node.operands[0])?;
                self.set(id, view);
                Ok(())
            }
            Op::Reshape(_) => self.reshape(id, node.operands[0]),
            Op::Transpose(permutation) => {
                let view = self.view(node.operands[0])?;
                let view = View {
                    at: view.at,
                    dims: permutation.iter().map(|&axis| view.dims[axis]).collect(),
                    strides: permutation.iter().map(|&axis| view.strides[axis]).collect(),
                };
                self.set(id, view);
                Ok(())
            }
            Op::Broadcast(shape) => self.broadcast(id, shape),
            Op::Slice { axis, start, len } => {
                let mut view = self.view(node.operands[0])?;
                view.at = view.at.advanced(view.strides[*axis], *start);
                view.dims[*axis] = Extent::Fixed(*len);
                self.set(id, view);
                Ok(())
            }
            Op::Pad { axis, before, .. } => {
                let to = self.allocate(&node.shape, self.rows.of(id));
                self.zero(id, to.at);
                self.copy_into(node.operands[0], &to, *axis, *before)?;
                self.set(id, to);
                Ok(())
            }
            Op::Concat(axis) => {
                let (a, b) = (node.operands[0], node.operands[1]);
                let to = self.allocate(&node.shape, self.rows.of(id));
                self.copy_into(a, &to, *axis, 0)?;
                self.copy_into(b, &to, *axis, self.node(a).shape[*axis])?;
                self.set(id, to);
                Ok(())
            }
            Op::Sum(axes) => self.reduce(id, axes, Reduction::Sum, outputs),
            Op::Max(axes) => self.reduce(id, axes, Reduction::Max, outputs),
            Op::MatMul { left, right } => self.matmul(id, (*left, *right), outputs),
            Op::Lines(function) => self.lines(id, *function),
            Op::Conv { window, of } => self.conv(id, *window, *of, outputs),
            Op::PoolIndices { size, window } => self.pool_indices(id, *size, *window),
            Op::TakeRows => self.take_rows(id),
            Op::AddRows(_) => self.add_rows(id),
            Op::Pick => {
                let classes = self.graph.shape(node.operands[0]);
                self.select_class(id, classes[classes.len() - 1], false)
            }
            Op::Place(size) => self.select_class(id, *size, true),
        }
    }

    fn broadcast(&mut self, id: NodeId, shape: &[usize]) -> Result<()> {
        let a = self.node(id).operands[0];
        let mut view = self.view(a)?;
        let rows = self.rows.of(id).filter(|_| self.in_rows());
        for (axis, &size) in shape.iter().enumerate() {
            if self.node(a).shape[axis] != size {
                view.strides[axis] = Stride::ZERO;
            }
        }
        view.dims = view::dims(shape, rows);
        self.set(id, view);
        Ok(())
    }

    fn zero(&mut self, id: NodeId, to: At) {
        let (axes, lane) = self.walk(id);
        let count = axes.iter().map(|&axis| self.node(id).shape[axis]).product();
        let lanes = self.lanes(id, lane);
        self.emit(Instruction::Zero { to, count, lanes });
    }

    /// `to[start..] = a` along an axis.
    fn copy_into(&mut self, a: NodeId, to: &View, axis: usize, start: usize) -> Result<()> {
        let from = self.view(a)?;
        let part = View {
            at: to.at.advanced(to.strides[axis], start),
            dims: from.dims.clone(),
            strides: to.strides.clone(),
        };
        self.copy(&from, &part, false);
        Ok(())
    }

    fn reshape(&mut self, id: NodeId, a: NodeId) -> Result<()> {
        let (from, to) = (self.node(a).shape.clone(), self.node(id).shape.clone());
        let view = self.view(a)?;
        let long = |shape: &[usize]| -> Vec<usize> {
            shape.iter().copied().filter(|&size| size != 1).collect()
        };
        if long(&from) == long(&to) {
            // Only axes of size 1 are added or removed.
            let mut strides = from
                .iter()
                .enumerate()
                .filter(|&(_, &size)| size != 1)
                .map(|(axis, _)| (view.dims[axis], view.strides[axis]));
            let mut next = |&size: &usize| match size {
                1 => (Extent::Fixed(1), Stride::ZERO),
                _ => strides
                    .next()
                    .unwrap_or((Extent::Fixed(size), Stride::ZERO)),
            };
            let (dims, strides) = to.iter().map(&mut next).unzip();
            self.set(
                id,
                View {
                    at: view.at,
                    dims,
                    strides,
                },
            );
            return Ok(());
        }
        let ordered = self.in_order(a)?;
        let axis = self.rows.of(id).filter(|_| self.in_rows());
        let mut view = match axis {
            Some(axis) => View::lanes(ordered.at.space, &to, axis, false),
            None => View::natural(ordered.at.space, 0, &to, None),
        };
        view.at = ordered.at;
        debug_assert!(axis.is_none() || !matching_axes(&from, &to).is_empty());
        self.set(id, view);
        Ok(())
    }
}

/// `to = from`, both of the same shape.
fn copying(from: &View, to: &View, add: bool) -> Instruction {
    let axis = |i: usize| CopyAxis {
        extent: from.dims[i],
        from: from.strides[i],
        to: to.strides[i],
    };
    let mut axes: Vec<CopyAxis> = (0..from.dims.len())
        .map(axis)
        .filter(|axis| axis.extent != Extent::Fixed(1))
        .collect();
    // Elements are written in order.
    axes.sort_by_key(|axis| std::cmp::Reverse((axis.to.rows, axis.to.fixed)));
    Instruction::Copy {
        from: from.at,
        to: to.at,
        axes,
        add,
    }
}

/// The view of one block of rows of a whole tensor.
fn cut(mut full: View, axis: usize) -> View {
    full.at.per_row = full.strides[axis].fixed as usize;
    full.dims[axis] = Extent::Rows;
    full
}

/// Whether the strides are equal on every axis that is walked.
fn same_strides(a: &View, b: &View) -> bool {
    a.dims
        .iter()
        .zip(a.strides.iter().zip(&b.strides))
        .all(|(&dim, (a, b))| dim == Extent::Fixed(1) || a == b)
}

fn is_natural(view: &View, shape: &[usize]) -> bool {
    same_strides(view, &View::natural(Space::Constant, 0, shape, None))
}
