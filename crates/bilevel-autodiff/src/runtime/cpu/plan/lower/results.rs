//! The places of computed values: sums over all rows, values for later phases, results.

use super::Lowering;
use crate::error::Result;
use crate::graph::NodeId;
use crate::runtime::Delivery;
use crate::runtime::cpu::limits::ALIGNMENT;
use crate::runtime::cpu::plan::code::{Buffer, Merge, PhaseCode};
use crate::runtime::cpu::plan::phase::Kind;
use crate::runtime::cpu::view::{At, Space, View};

impl Lowering<'_> {
    /// The place of a result that is delivered as it is computed, whole or block by block: it is computed there and read
    /// from there.
    pub(super) fn in_result(&self, id: NodeId, outputs: &[Delivery]) -> Option<View> {
        let rows = self.rows.of(id).filter(|_| self.in_rows());
        let mut numbers = self.graph.outputs.iter().zip(outputs);
        let number = numbers.position(|(&output, delivery)| {
            output == id && delivery.blocked == rows.is_some() && !delivery.add
        })?;
        let (space, shape) = (Space::Output(number), self.graph.shape(id));
        match rows {
            Some(axis) => Some(View::lanes(space, shape, axis, true)),
            None if self.in_rows() => None,
            None => Some(View::natural(space, 0, shape, None)),
        }
    }

    /// A place for the partial sums of a reduction over the rows. Also records where their total goes.
    pub(crate) fn partial(&mut self, id: NodeId, columns: usize, outputs: &[Delivery]) -> At {
        let shape = self.node(id).shape.clone();
        let len: usize = shape.iter().product();
        let partial = self.code.partial_len;
        self.code.partial_len += len.next_multiple_of(ALIGNMENT);
        // Directly to the result, if it has no other use.
        let mut delivered = self
            .graph
            .outputs
            .iter()
            .enumerate()
            .filter(|(_, o)| **o == id);
        let used = self
            .graph
            .nodes()
            .iter()
            .any(|node| node.operands.contains(&id));
        let (to, add) = match (delivered.next(), delivered.next()) {
            (Some((number, _)), None) if !used => {
                let view = View::natural(Space::Output(number), 0, &shape, None);
                self.full[id.index()] = Some(view.clone());
                (view.at, outputs[number].add)
            }
            _ => {
                let number = self.buffers.len();
                self.buffers.push(Buffer { phase: None, len });
                let view = View::natural(Space::Buffer(number), 0, &shape, None);
                self.full[id.index()] = Some(view.clone());
                (view.at, false)
            }
        };
        self.code.merges.push(Merge {
            partial,
            len,
            columns,
            to,
            add,
        });
        At::start(Space::Partial, partial)
    }

    /// Keeps a row node for later phases.
    pub(super) fn export(&mut self, id: NodeId) -> Result<()> {
        let shape = self.node(id).shape.clone();
        let number = self.buffers.len();
        self.buffers.push(Buffer {
            phase: None,
            len: shape.iter().product(),
        });
        let from = self.view(id)?;
        let axis = self.rows.of(id);
        let to = View::natural(Space::Buffer(number), 0, &shape, axis);
        self.copy(&from, &to, false);
        self.full[id.index()] = Some(View::natural(Space::Buffer(number), 0, &shape, None));
        Ok(())
    }

    /// Writes a result as soon as it is computed.
    pub(super) fn deliver(&mut self, id: NodeId, outputs: &[Delivery]) -> Result<()> {
        let numbers: Vec<usize> = (0..self.graph.outputs.len())
            .filter(|&number| self.graph.outputs[number] == id)
            .collect();
        for number in numbers {
            if self.phases.kind(id) == Kind::Reduction {
                // Known only when all blocks are done.
                continue;
            }
            let placed = match self.in_rows() {
                true => self.block[id.index()].as_ref(),
                false => self.full[id.index()].as_ref(),
            };
            if placed.is_some_and(|view| view.at.space == Space::Output(number)) {
                continue;
            }
            self.write(id, number, outputs[number])?;
        }
        Ok(())
    }

    /// Writes results that no phase delivers: inputs, constants, and sums over the rows that have other uses.
    pub(crate) fn deliver_rest(&mut self, outputs: &[Delivery]) -> Result<PhaseCode> {
        self.code = PhaseCode::default();
        self.phase = 0;
        for (number, &delivery) in outputs.iter().enumerate() {
            let id = self.graph.outputs[number];
            let rest = match self.phases.kind(id) {
                Kind::Given => true,
                Kind::Reduction => self.full[id.index()]
                    .as_ref()
                    .is_none_or(|view| view.at.space != Space::Output(number)),
                Kind::Whole | Kind::Row => false,
            };
            if rest {
                self.write(id, number, delivery)?;
            }
        }
        Ok(std::mem::take(&mut self.code))
    }

    pub(super) fn write(&mut self, id: NodeId, number: usize, delivery: Delivery) -> Result<()> {
        let shape = &self.graph.node(id).shape;
        let rows = self.rows.of(id).filter(|_| self.in_rows());
        let space = Space::Output(number);
        let to = match rows {
            Some(axis) if delivery.blocked => View::lanes(space, shape, axis, true),
            rows => View::natural(space, 0, shape, rows),
        };
        let from = self.view(id)?;
        self.copy(&from, &to, delivery.add);
        Ok(())
    }
}
