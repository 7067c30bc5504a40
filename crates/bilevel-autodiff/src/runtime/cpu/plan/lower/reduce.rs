//! Sums and maxima over axes.

use super::Lowering;
use crate::error::Result;
use crate::graph::NodeId;
use crate::runtime::Delivery;
use crate::runtime::cpu::instruction::{Instruction, Reduce, Reduction};
use crate::runtime::cpu::plan::phase::Kind;
use crate::runtime::cpu::view::{Extent, Stride};

impl Lowering<'_> {
    /// `whole` is the reduction to use if the rows are not summed over.
    pub(super) fn reduce(
        &mut self,
        id: NodeId,
        axes: &[usize],
        whole: Reduction,
        outputs: &[Delivery],
    ) -> Result<()> {
        let node = self.node(id);
        let a = node.operands[0];
        let view = self.view(a)?;
        let shape = &self.node(a).shape;
        let rows = self.rows.of(a).filter(|_| self.in_rows());
        let accumulates = self.phases.kind(id) == Kind::Reduction;
        let lane = match rows {
            Some(axis) => Some(axis),
            None => shape
                .len()
                .checked_sub(1)
                .filter(|last| !axes.contains(last)),
        };
        let part = |reduced: bool| -> Vec<(usize, Stride)> {
            (0..shape.len())
                .filter(|&axis| Some(axis) != lane && axes.contains(&axis) == reduced)
                .map(|axis| (shape[axis], view.strides[axis]))
                .collect()
        };
        let (kept, reduced) = (part(false), part(true));
        let reduction = if accumulates {
            Reduction::Accumulate
        } else {
            whole
        };
        let to = if accumulates {
            self.partial(id, 1, outputs)
        } else {
            let to = self.allocate(&node.shape, self.rows.of(id));
            let at = to.at;
            self.set(id, to);
            at
        };
        let instruction = Reduce {
            reduction,
            from: view.at,
            kept,
            reduced,
            lanes: match (rows, lane) {
                (Some(_), _) => Extent::Rows,
                (None, Some(axis)) => Extent::Fixed(shape[axis]),
                (None, None) => Extent::Fixed(1),
            },
            lane: lane.map_or(Stride::ZERO, |axis| view.strides[axis]),
            to,
        };
        self.emit(Instruction::Reduce(instruction));
        Ok(())
    }
}
