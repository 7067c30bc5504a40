//! Products with data that has many zeros: A·B row by row, and Aᵀ·B summed over the rows.

use super::{Lowering, copying};
use crate::error::Result;
use crate::graph::{NodeId, Op};
use crate::runtime::Delivery;
use crate::runtime::cpu::instruction::{Instruction, Matrix, PackedOperand, PackedProduct};
use crate::runtime::cpu::packed::{self, Lines};
use crate::runtime::cpu::plan::code::Buffer;
use crate::runtime::cpu::plan::phase::Kind;
use crate::runtime::cpu::view::{Extent, Space, Stride, View};

/// A product that is worth packing.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// The number of the packed argument.
    input: usize,
    lines: Lines,
    fill: f64,
    /// Whether the packed operand is the second one, so that the result is transposed.
    second: bool,
}

impl Lowering<'_> {
    /// The product with a packed matrix that computes the node, if it is possible and worth it.
    pub(super) fn packable(&self, id: NodeId) -> Option<Product> {
        let node = self.graph.node(id);
        if !self.in_rows() || node.shape.len() != 2 || !matches!(node.op, Op::MatMul { .. }) {
            return None;
        }
        let fill = |place: usize| match self.graph.node(node.operands[place]).op {
            Op::Input(number) => Some((number, self.options.form(number).fill?)),
            _ => None,
        };
        let cut = |place: usize| self.rows.of(node.operands[place]);
        let (lines, place) = match self.phases.kind(id) {
            Kind::Row if (cut(0), cut(1)) == (Some(0), None) => (Lines::Rows, 0),
            Kind::Reduction if (cut(0), cut(1)) == (Some(0), Some(0)) => {
                (Lines::Columns, usize::from(fill(0).is_none()))
            }
            _ => return None,
        };
        let (input, fill) = fill(place)?;
        let fill = lines.fill(fill);
        let columns = node.shape[1 - place];
        let product = packed::Product {
            fill,
            columns,
            lanes: self.numbers.lanes,
            size: self.numbers.size,
        };
        product.is_worth_it().then_some(Product {
            input,
            lines,
            fill,
            second: place == 1,
        })
    }

    pub(super) fn packed_matmul(
        &mut self,
        id: NodeId,
        right: bool,
        product: Product,
        outputs: &[Delivery],
    ) -> Result<()> {
        let node = self.graph.node(id);
        let Product {
            input,
            lines,
            fill,
            second,
        } = product;
        let shape = self.graph.shape(node.operands[usize::from(second)]);
        let (rows, columns) = (Extent::Rows, Extent::Fixed(shape[1]));
        let mut other = self.view(node.operands[usize::from(!second)])?;
        if right {
            other.dims.swap(0, 1);
            other.strides.swap(0, 1);
        }
        let n = node.shape[usize::from(!second)];
        let (b, c, add) = match lines {
            Lines::Rows => {
                let to = self.allocate(&node.shape, Some(0));
                self.set(id, to.clone());
                (self.in_strips(&other, shape[1], n), to, false)
            }
            Lines::Columns => {
                let mut to = View::natural(Space::Partial, 0, &node.shape, None);
                if second {
                    // A column of the product is a line, and contiguous.
                    to.strides = vec![Stride::ONE, Stride::fixed(node.shape[0])];
                }
                let columns = if second { node.shape[1] } else { 1 };
                to.at = self.partial(id, columns, outputs);
                if second {
                    to.strides.swap(0, 1);
                }
                (PackedOperand::Matrix(matrix(&other)), to, true)
            }
        };
        let (m, k) = match lines {
            Lines::Rows => (rows, columns),
            Lines::Columns => (columns, rows),
        };
        let known = self.packed.iter().position(|&one| one == (input, lines));
        let matrix_number = known.unwrap_or_else(|| {
            self.packed.push((input, lines));
            self.packed.len() - 1
        });
        let strip = self
            .allocate(&[node.shape[0], self.numbers.strip()], Some(0))
            .at;
        self.emit(Instruction::Packed(PackedProduct {
            matrix: matrix_number,
            fill,
            m,
            k,
            n,
            b,
            c: matrix(&c),
            add,
            strip,
        }));
        Ok(())
    }

    /// A matrix that all blocks read, copied once into strips of columns.
    fn in_strips(&mut self, view: &View, rows: usize, columns: usize) -> PackedOperand {
        let width = self.numbers.strip();
        let (strips, rest) = (columns / width, columns % width);
        let len = rows * width;
        let number = self.buffers.len();
        self.buffers.push(Buffer {
            phase: None,
            len: columns.div_ceil(width) * len,
        });
        let at = View::natural(Space::Buffer(number), 0, &[], None).at;
        let mut part = |first: usize, count: usize, columns: usize| {
            let dims = [count, rows, columns].map(Extent::Fixed).to_vec();
            let from = View {
                at: view.at.advanced(view.strides[1], first * width),
                dims: dims.clone(),
                strides: vec![
                    view.strides[1].times(width),
                    view.strides[0],
                    view.strides[1],
                ],
            };
            let to = View {
                at: at.advanced(Stride::fixed(len), first),
                dims,
                strides: vec![Stride::fixed(len), Stride::fixed(width), Stride::ONE],
            };
            self.code.prelude.push(copying(&from, &to, false));
        };
        if strips > 0 {
            part(0, strips, width);
        }
        if rest > 0 {
            part(strips, 1, rest);
        }
        PackedOperand::Strips { at, len }
    }
}

fn matrix(view: &View) -> Matrix {
    Matrix {
        at: view.at,
        row: view.strides[0],
        column: view.strides[1],
    }
}
