//! Elementwise operations, and the comparisons that are repeated where they are used.

use super::Lowering;
use crate::error::Result;
use crate::graph::{NodeId, Op};
use crate::runtime::Delivery;
use crate::runtime::cpu::instruction::{Elementwise, Function, Instruction, Operand};
use crate::runtime::cpu::plan::phase::Kind;
use crate::runtime::cpu::view::{Stride, collapse};

impl Lowering<'_> {
    /// The operand for an elementwise kernel over the elements of `id`.
    pub(super) fn operand(&mut self, id: NodeId, operand: NodeId) -> Result<Operand> {
        let (axes, lane) = self.walk(id);
        let shape = &self.node(id).shape;
        let mut view = self.view(operand)?;
        for ordered in [false, true] {
            if ordered {
                view = self.in_order(operand)?;
            }
            let inner: Vec<(usize, Stride)> = axes
                .iter()
                .map(|&axis| (shape[axis], view.strides[axis]))
                .collect();
            // The stride of an axis of size 1 does not matter.
            let lane = lane.filter(|&axis| shape[axis] != 1);
            let stride = lane.map_or(Stride::ZERO, |axis| view.strides[axis]);
            if let Some((_, inner)) = collapse(&inner)
                && (stride == Stride::ONE || stride == Stride::ZERO)
            {
                return Ok(Operand {
                    at: view.at,
                    inner,
                    walks: stride == Stride::ONE,
                });
            }
        }
        // An operand in order can be walked.
        Ok(Operand {
            at: view.at,
            inner: Stride::ZERO,
            walks: true,
        })
    }

    pub(super) fn elementwise(
        &mut self,
        id: NodeId,
        function: Function,
        outputs: &[Delivery],
    ) -> Result<()> {
        let node = self.node(id);
        for &operand in &node.operands {
            if let Op::Compare(f) = self.node(operand).op
                && self.is_repeated(operand)
            {
                self.elementwise(operand, Function::Compare(f), outputs)?;
            }
        }
        let (axes, lane) = self.walk(id);
        let operands = node
            .operands
            .iter()
            .map(|&operand| self.operand(id, operand))
            .collect::<Result<_>>()?;
        let to = self
            .in_result(id, outputs)
            .unwrap_or_else(|| self.allocate(&node.shape, self.rows.of(id)));
        let instruction = Elementwise {
            function,
            inner: axes.iter().map(|&axis| node.shape[axis]).product(),
            lanes: self.lanes(id, lane),
            operands,
            out: to.at,
        };
        self.emit(Instruction::Elementwise(instruction));
        self.set(id, to);
        Ok(())
    }

    /// Whether a comparison is repeated at each use: this costs an instruction, but a kept mask costs memory.
    pub(super) fn is_repeated(&self, id: NodeId) -> bool {
        let here =
            |id: NodeId| self.phases.kind(id) == Kind::Row && self.phases.phase(id) == self.phase;
        let mut readers = self
            .graph
            .ids()
            .filter(|reader| self.needed[reader.index()])
            .filter(|&reader| self.node(reader).operands.contains(&id));
        self.in_rows()
            && matches!(self.node(id).op, Op::Compare(_))
            && here(id)
            && !self.graph.outputs.contains(&id)
            && readers.all(|reader| {
                here(reader)
                    && matches!(
                        self.node(reader).op,
                        Op::Unary(_) | Op::Binary(_) | Op::Select
                    )
            })
    }
}
