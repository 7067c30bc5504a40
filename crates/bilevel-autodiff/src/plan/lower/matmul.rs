//! Matrix products: whole, with rows on one side, or summed over the rows.

use super::Lowering;
use crate::graph::{NodeId, Op};
use crate::plan::instruction::{Instruction, MatMul, Matrix};
use crate::plan::lower::Delivery;
use crate::plan::stage::Kind;
use crate::plan::view::{Stride, View};

impl Lowering<'_> {
    pub(super) fn matmul(&mut self, id: NodeId, outputs: &[Delivery]) {
        let node = self.graph.node(id);
        let Op::MatMul { left, right } = node.op else {
            return;
        };
        let (a, b) = (self.view(node.operands[0]), self.view(node.operands[1]));
        let rank = node.shape.len();
        let accumulates = self.stages.kind(id) == Kind::Reduction;
        let c = if accumulates {
            let mut view = View::natural(crate::plan::view::Space::Partial, 0, &node.shape, None);
            view.at = self.partial(id, outputs);
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
}
