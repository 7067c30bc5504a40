//! Matrix products: whole, with rows on one side, or summed over the rows.

use super::{Lowering, copying};
use crate::error::Result;
use crate::graph::{NodeId, Op};
use crate::runtime::Delivery;
use crate::runtime::cpu::instruction::{Instruction, MatMul, Matrix};
use crate::runtime::cpu::limits::{ALIGNMENT, MOST_COLUMNS};
use crate::runtime::cpu::plan::code::Buffer;
use crate::runtime::cpu::plan::phase::Kind;
use crate::runtime::cpu::view::{Extent, Space, Stride, View};

impl Lowering<'_> {
    pub(super) fn matmul(
        &mut self,
        id: NodeId,
        (left, right): (bool, bool),
        outputs: &[Delivery],
    ) -> Result<()> {
        let node = self.graph.node(id);
        if self.is_placed(id) {
            // Already computed with another product of the same rows.
            return Ok(());
        }
        if let Some(product) = self.packable(id) {
            return self.packed_matmul(id, right, product, outputs);
        }
        let together = self.sharing_rows(id, left);
        if together.len() > 1 {
            return self.side_by_side(&together, left);
        }
        let (mut a, mut b) = (self.view(node.operands[0])?, self.view(node.operands[1])?);
        let rank = node.shape.len();
        let accumulates = self.phases.kind(id) == Kind::Reduction;
        let (m, n) = (node.shape[rank - 2], node.shape[rank - 1]);
        if self.in_rows() && !accumulates && rank == 2 {
            // The narrow kernels need the operand that all blocks read to be column-major.
            if self.rows.of(node.operands[1]).is_none() && n <= MOST_COLUMNS {
                b = self.by_columns_of(node.operands[1], &b, right);
            } else if self.rows.of(node.operands[0]).is_none() && m <= MOST_COLUMNS {
                a = self.by_columns_of(node.operands[0], &a, !left);
            }
        }
        let c = if accumulates {
            // In the order of a side with contiguous rows.
            let in_order = (
                a.strides[if left { rank - 1 } else { rank - 2 }] == Stride::ONE,
                b.strides[if right { rank - 2 } else { rank - 1 }] == Stride::ONE,
            );
            let narrow = rank == 2
                && match in_order {
                    (true, false) => true,
                    (false, true) => false,
                    // In both, the row axis is contiguous: the short side is packed.
                    (false, false) => n > m,
                    (true, true) => n < m,
                };
            let mut view = View::natural(Space::Partial, 0, &node.shape, None);
            if narrow {
                view.strides = vec![Stride::ONE, Stride::fixed(m)];
            }
            view.at = self.partial(id, if narrow { n } else { 1 }, outputs);
            view
        } else {
            let rows = self.rows.of(id);
            let to = self.allocate(&node.shape, rows);
            self.set(id, to.clone());
            to
        };
        let matrix = |view: &View, transposed: bool| {
            let (row, column) = (view.strides[rank - 2], view.strides[rank - 1]);
            Matrix {
                at: view.at,
                row: if transposed { column } else { row },
                column: if transposed { row } else { column },
            }
        };
        let batches = (0..rank - 2)
            .map(|axis| {
                let strides: [Stride; 3] = [a.strides[axis], b.strides[axis], c.strides[axis]];
                (node.shape[axis], strides)
            })
            .collect();
        self.emit(Instruction::MatMul(MatMul {
            m: a.dims[if left { rank - 1 } else { rank - 2 }],
            k: a.dims[if left { rank - 2 } else { rank - 1 }],
            n: b.dims[if right { rank - 2 } else { rank - 1 }],
            a: matrix(&a, left),
            b: matrix(&b, right),
            c: matrix(&c, false),
            batches,
            add: accumulates,
        }));
        Ok(())
    }

    /// The operand with a contiguous summed axis; `transposed` says that this is the last axis.
    fn by_columns_of(&mut self, id: NodeId, view: &View, transposed: bool) -> View {
        let summed = view.strides[usize::from(transposed)];
        if summed == Stride::ONE || transposed {
            return view.clone();
        }
        self.by_columns(id, view)
    }

    /// Whether this phase has already placed the row node.
    fn is_placed(&self, id: NodeId) -> bool {
        self.phases.kind(id) == Kind::Row && self.block[id.index()].is_some()
    }

    /// The products of this phase that multiply the same rows as `id` by matrices that all blocks read; `id` comes
    /// first.
    fn sharing_rows(&self, id: NodeId, left: bool) -> Vec<(NodeId, bool)> {
        let first = self.graph.node(id);
        let fits = |other: NodeId| {
            let node = self.graph.node(other);
            let Op::MatMul { left: own, right } = node.op else {
                return None;
            };
            let fits = self.needed[other.index()]
                && self.packable(other).is_none()
                && left == own
                && node.shape.len() == 2
                && node.operands[0] == first.operands[0]
                && self.phases.kind(other) == Kind::Row
                && self.phases.phase(other) == self.phases.phase(id)
                && self.rows.of(node.operands[0]).is_some()
                && self.rows.of(node.operands[1]).is_none();
            fits.then_some((other, right))
        };
        if !self.in_rows() || fits(id).is_none() {
            return Vec::new();
        }
        self.graph
            .ids()
            .filter(|&other| other >= id)
            .filter_map(fits)
            .collect()
    }

    /// A·[V W …] as one product, so that A is read and packed once.
    fn side_by_side(&mut self, products: &[(NodeId, bool)], left: bool) -> Result<()> {
        let first = self.graph.node(products[0].0);
        let a = self.view(first.operands[0])?;
        let widths: Vec<usize> = products
            .iter()
            .map(|&(id, _)| self.graph.shape(id)[1])
            .collect();
        let (rows, width) = (first.shape[0], widths.iter().sum::<usize>());
        let inner = self.graph.shape(first.operands[0])[usize::from(!left)];
        let number = self.buffers.len();
        let mut b = View::natural(Space::Buffer(number), 0, &[inner, width], None);
        let mut len = inner * width;
        if width <= MOST_COLUMNS {
            // The narrow kernels need it column-major, each column starting at a cache line.
            let column = inner.next_multiple_of(ALIGNMENT);
            b.strides = vec![Stride::ONE, Stride::fixed(column)];
            len = column * width;
        }
        self.buffers.push(Buffer { phase: None, len });
        let c = self.allocate(&[rows, width], Some(0));
        let mut column = 0;
        for (&(id, right), &own) in products.iter().zip(&widths) {
            let node = self.graph.node(id);
            let mut from = self.view(node.operands[1])?;
            if right {
                from.dims.swap(0, 1);
                from.strides.swap(0, 1);
            }
            let part = View {
                at: b.at.advanced(b.strides[1], column),
                dims: from.dims.clone(),
                strides: b.strides.clone(),
            };
            self.code.prelude.push(copying(&from, &part, false));
            let view = View {
                at: c.at.advanced(c.strides[1], column),
                dims: vec![Extent::Rows, Extent::Fixed(own)],
                strides: c.strides.clone(),
            };
            self.set(id, view);
            column += own;
        }
        let transposed = |view: &View, swap: bool| Matrix {
            at: view.at,
            row: view.strides[usize::from(swap)],
            column: view.strides[usize::from(!swap)],
        };
        self.emit(Instruction::MatMul(MatMul {
            m: Extent::Rows,
            k: Extent::Fixed(inner),
            n: Extent::Fixed(width),
            a: transposed(&a, left),
            b: transposed(&b, false),
            c: transposed(&c, false),
            batches: Vec::new(),
            add: false,
        }));
        Ok(())
    }
}
