//! Primitives along some axes, applied at each place of the other axes.

use super::Lowering;
use crate::error::Result;
use crate::graph::{Lines, NodeId};
use crate::runtime::cpu::instruction::{Instruction, LinesKernel};
use crate::runtime::cpu::view::{Extent, Stride, View};

impl Lowering<'_> {
    pub(super) fn lines(&mut self, id: NodeId, function: Lines) -> Result<()> {
        let node = self.node(id);
        let (rank, first) = (node.shape.len(), self.node(node.operands[0]));
        let along = function.along(rank);
        let a = self.view(node.operands[0])?;
        let b = node.operands.get(1).map(|&b| self.view(b)).transpose()?;
        let rows = self.rows.of(id);
        let to = self.allocate(&node.shape, rows);
        let lane = rows.filter(|_| self.in_rows());
        let scratch = match function.scratch(first) {
            0 => None,
            // For one place, in each running block.
            count => Some(match lane {
                Some(_) => self.allocate(&[1, count], Some(0)).at,
                None => self.allocate(&[count], None).at,
            }),
        };
        let strides = |axis: usize| -> [Stride; 3] {
            let second = b.as_ref().map_or(Stride::ZERO, |b| b.strides[axis]);
            [a.strides[axis], second, to.strides[axis]]
        };
        let part = |view: &View, shape: &[usize]| -> [(usize, Stride); 2] {
            let mut axes = [(1, Stride::ZERO); 2];
            for (slot, &axis) in axes.iter_mut().zip(&along) {
                *slot = (shape[axis], view.strides[axis]);
            }
            axes
        };
        let second = match (&b, node.operands.get(1)) {
            (Some(b), Some(&operand)) => part(b, &self.node(operand).shape),
            (None, _) | (_, None) => [(1, Stride::ZERO); 2],
        };
        let outer = (0..rank).filter(|&axis| Some(axis) != lane && !along.contains(&axis));
        let instruction = LinesKernel {
            function,
            first: a.at,
            second: b.as_ref().map(|b| b.at),
            out: to.at,
            axes: [part(&a, &first.shape), second, part(&to, &node.shape)],
            outer: outer
                .map(|axis| (node.shape[axis], strides(axis)))
                .collect(),
            lanes: lane.map_or(Extent::Fixed(1), |_| Extent::Rows),
            lane: lane.map_or([Stride::ZERO; 3], strides),
            scratch,
            work: function.work(first),
        };
        self.emit(Instruction::Lines(instruction));
        self.set(id, to);
        Ok(())
    }
}
