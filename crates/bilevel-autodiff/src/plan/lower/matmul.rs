//! Matrix products: whole, with rows on one side, or summed over the rows.

use super::Lowering;
use crate::cpu::MOST_COLUMNS;
use crate::graph::{NodeId, Op};
use crate::plan::instruction::{Instruction, MatMul, Matrix};
use crate::plan::lower::Delivery;
use crate::plan::stage::Kind;
use crate::plan::view::{Space, Stride, View};

impl Lowering<'_> {
    pub(super) fn matmul(&mut self, id: NodeId, outputs: &[Delivery]) {
        let node = self.graph.node(id);
        let Op::MatMul { left, right } = node.op else {
            return;
        };
        let (mut a, mut b) = (self.view(node.operands[0]), self.view(node.operands[1]));
        let rank = node.shape.len();
        let accumulates = self.stages.kind(id) == Kind::Reduction;
        let (m, n) = (node.shape[rank - 2], node.shape[rank - 1]);
        if self.in_rows() && !accumulates && rank == 2 {
            // The narrow kernels want what all blocks read column by column.
            if self.rows.of(node.operands[1]).is_none() && n <= MOST_COLUMNS {
                b = self.by_columns_of(node.operands[1], &b, right);
            } else if self.rows.of(node.operands[0]).is_none() && m <= MOST_COLUMNS {
                a = self.by_columns_of(node.operands[0], &a, !left);
            }
        }
        let c = if accumulates {
            // The long side in one piece suits all kernels.
            let narrow = rank == 2 && n < m;
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
    }

    /// The operand so that what is summed over follows each other; `transposed` says that it is the last
    /// axis.
    fn by_columns_of(&mut self, id: NodeId, view: &View, transposed: bool) -> View {
        let summed = view.strides[usize::from(transposed)];
        if summed == Stride::ONE || transposed {
            return view.clone();
        }
        self.by_columns(id, view)
    }
}
