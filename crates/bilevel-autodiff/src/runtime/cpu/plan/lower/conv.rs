//! Convolutions and the places of maxima, of whole tensors in order.

use super::{Lowering, copying};
use crate::error::{Error, Result};
use crate::graph::{Convolved, NodeId, Window};
use crate::rule::Sizes;
use crate::runtime::Delivery;
use crate::runtime::cpu::instruction::{Conv, Instruction, PoolIndices};
use crate::runtime::cpu::view::View;

impl Lowering<'_> {
    pub(super) fn conv(
        &mut self,
        id: NodeId,
        window: Window,
        of: Convolved,
        outputs: &[Delivery],
    ) -> Result<()> {
        let node = self.node(id);
        let (first, second) = (node.operands[0], node.operands[1]);
        let sizes = Sizes::of(
            &window,
            of,
            self.graph.shape(first),
            self.graph.shape(second),
        );
        // They were checked when the node was made.
        let sizes = sizes.map_err(|_| Error::Plan {
            what: "a convolution of tensors that do not fit",
        })?;
        let a = self.in_order(first)?;
        let b = match of {
            Convolved::Picture(_) => self.exchanged(second)?,
            Convolved::Result | Convolved::Kernel(_) => self.in_order(second)?,
        };
        let to = self
            .in_result(id, outputs)
            .unwrap_or_else(|| self.allocate(&node.shape, None));
        self.emit(Instruction::Conv(Conv {
            add: false,
            of,
            window,
            sizes,
            a: a.at,
            b: b.at,
            to: to.at,
        }));
        self.set(id, to);
        Ok(())
    }

    /// The kernel with its last two axes exchanged.
    fn exchanged(&mut self, id: NodeId) -> Result<View> {
        if let Some(copy) = &self.columns[id.index()] {
            return Ok(copy.clone());
        }
        let mut view = self.view(id)?;
        let mut shape = self.node(id).shape.clone();
        shape.swap(2, 3);
        view.dims.swap(2, 3);
        view.strides.swap(2, 3);
        let copy = self.allocate(&shape, None);
        self.emit(copying(&view, &copy, false));
        self.columns[id.index()] = Some(copy.clone());
        Ok(copy)
    }

    pub(super) fn pool_indices(
        &mut self,
        id: NodeId,
        size: [usize; 2],
        window: Window,
    ) -> Result<()> {
        let node = self.node(id);
        let shape = self.graph.shape(node.operands[0]);
        let (picture, channels) = ([shape[1], shape[2]], shape[3]);
        let places = window.places(picture, size).map_err(|_| Error::Plan {
            what: "a window that does not fit its pictures",
        })?;
        let from = self.in_order(node.operands[0])?;
        let to = self.allocate(&node.shape, None);
        self.emit(Instruction::PoolIndices(PoolIndices {
            size,
            window,
            pictures: shape[0],
            picture,
            places,
            channels,
            from: from.at,
            to: to.at,
        }));
        self.set(id, to);
        Ok(())
    }
}
