//! Rows and classes selected by indices.

use super::{Lowering, is_natural};
use crate::error::Result;
use crate::graph::NodeId;
use crate::runtime::cpu::instruction::{Instruction, SelectClass};
use crate::runtime::cpu::view::{Extent, Stride, View};

impl Lowering<'_> {
    pub(super) fn take_rows(&mut self, id: NodeId) -> Result<()> {
        let node = self.graph.node(id);
        let index = self.view(node.operands[1])?;
        let data = self.rows_in_one_piece(node.operands[0])?;
        let width: usize = node.shape[1..].iter().product();
        let in_rows = self.in_rows();
        let to = if in_rows {
            self.allocate_natural(&node.shape)
        } else {
            self.allocate(&node.shape, None)
        };
        self.emit(Instruction::TakeRows {
            data: data.at,
            data_row: data.strides[0].fixed as usize,
            index: index.at,
            rows: if in_rows {
                Extent::Rows
            } else {
                Extent::Fixed(node.shape[0])
            },
            width,
            to: to.at,
        });
        self.set(id, to);
        Ok(())
    }

    /// A whole tensor whose rows are contiguous and in order; any padding may lie between the rows.
    fn rows_in_one_piece(&mut self, id: NodeId) -> Result<View> {
        let view = self.view(id)?;
        let shape = self.graph.shape(id);
        let row = View {
            at: view.at,
            dims: view.dims[1..].to_vec(),
            strides: view.strides[1..].to_vec(),
        };
        if is_natural(&row, &shape[1..]) {
            return Ok(view);
        }
        self.in_order(id)
    }

    pub(super) fn add_rows(&mut self, id: NodeId) -> Result<()> {
        let node = self.graph.node(id);
        let index = self.view(node.operands[1])?;
        let from = self.in_order(node.operands[0])?;
        let to = self.allocate(&node.shape, None);
        let width = node.shape[1..].iter().product();
        self.emit(Instruction::AddRows {
            from: from.at,
            index: index.at,
            rows: self.graph.shape(node.operands[0])[0],
            width,
            to: to.at,
            to_rows: node.shape[0],
        });
        self.set(id, to);
        Ok(())
    }

    /// Pick, or place if `scatter`.
    pub(super) fn select_class(&mut self, id: NodeId, classes: usize, scatter: bool) -> Result<()> {
        let node = self.graph.node(id);
        let (source, index) = (self.view(node.operands[0])?, self.view(node.operands[1])?);
        let rows = self.rows.of(id);
        let to = self.allocate(&node.shape, rows);
        let places = self.graph.shape(node.operands[1]).len();
        let lane = rows
            .filter(|_| self.in_rows())
            .or_else(|| places.checked_sub(1));
        let (data, value) = if scatter {
            (&to, &source)
        } else {
            (&source, &to)
        };
        let strides = |axis: usize| -> [Stride; 3] {
            [data.strides[axis], index.strides[axis], value.strides[axis]]
        };
        let instruction = SelectClass {
            scatter,
            inner: (0..places)
                .filter(|&axis| Some(axis) != lane)
                .map(|axis| (self.graph.shape(node.operands[1])[axis], strides(axis)))
                .collect(),
            lanes: lane.map_or(Extent::Fixed(1), |axis| index.dims[axis]),
            lane: lane.map_or([Stride::ZERO; 3], strides),
            classes,
            class: data.strides[places],
            data: data.at,
            index: index.at,
            value: value.at,
        };
        self.emit(Instruction::Select(instruction));
        self.set(id, to);
        Ok(())
    }
}
