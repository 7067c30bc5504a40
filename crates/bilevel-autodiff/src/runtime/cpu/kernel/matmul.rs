//! Matrix products: by the `gemm-f32` and `gemm-f64` crates, or by our own kernels if one side is narrow or the inner
//! dimension is short.

mod narrow;
mod packed;
mod wide;

use gemm_common::Parallelism;

use super::frame::Frame;
use super::vectorised::{Vectorised, vectorised};
use super::walk::walk;
use crate::graph::MOST_AXES;
use crate::runtime::cpu::instruction::{self, MatMul, PackedOperand};
use crate::runtime::cpu::limits::{MOST_COLUMNS, MOST_SHARED};
use narrow::{Dots, Updates};
use packed::{Other, PackedProduct};
use wide::{LEAST_COLUMNS, Wide};

/// The fewest rows of a wide product that another kernel could compute: fewer leave much of two vectors empty.
const LEAST_ROWS: usize = 13;

/// The fewest columns of a wide product for which its rows are transposed.
const TRANSPOSED_COLUMNS: usize = 64;

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &MatMul) {
    let rows = frame.rows;
    let product = Product {
        m: kernel.m.at(rows),
        k: kernel.k.at(rows),
        n: kernel.n.at(rows),
        a: Side {
            start: frame.read(kernel.a.at),
            row: kernel.a.row.at(rows),
            column: kernel.a.column.at(rows),
        },
        b: Side {
            start: frame.read(kernel.b.at),
            row: kernel.b.row.at(rows),
            column: kernel.b.column.at(rows),
        },
        c: frame.write(kernel.c.at),
        c_row: kernel.c.row.at(rows),
        c_column: kernel.c.column.at(rows),
        add: kernel.add && !frame.starts(kernel.c.at),
    };
    if kernel.batches.is_empty() {
        product.run();
        return;
    }
    let mut batches = [(0_usize, [0_isize; 3]); MOST_AXES];
    for (slot, (count, strides)) in batches.iter_mut().zip(&kernel.batches) {
        *slot = (*count, strides.map(|stride| stride.at(rows)));
    }
    walk(
        &batches[..kernel.batches.len().min(MOST_AXES)],
        |[a, b, c]| {
            let mut one = product;
            one.a.start = one.a.start.wrapping_offset(a);
            one.b.start = one.b.start.wrapping_offset(b);
            one.c = one.c.wrapping_offset(c);
            one.run();
        },
    );
}

pub(super) fn run_packed<T: Vectorised>(frame: &Frame<'_, T>, kernel: &instruction::PackedProduct) {
    let rows = frame.rows;
    let b = match kernel.b {
        PackedOperand::Strips { at, len } => Other::Strips {
            start: frame.read(at),
            len,
        },
        PackedOperand::Matrix(from) => Other::Matrix {
            start: frame.read(from.at),
            rows: kernel.k.at(rows),
            row: from.row.at(rows),
            column: from.column.at(rows),
        },
    };
    vectorised(PackedProduct {
        panels: frame.packed[kernel.matrix].block(frame.block_number),
        lines: kernel.m.at(rows),
        columns: kernel.n,
        b,
        c: frame.write(kernel.c.at),
        c_row: kernel.c.row.at(rows),
        c_column: kernel.c.column.at(rows),
        add: kernel.add && !frame.starts(kernel.c.at),
        strip: frame.write(kernel.strip),
    });
}

#[derive(Clone, Copy)]
struct Side<T> {
    start: *const T,
    row: isize,
    column: isize,
}

impl<T> Side<T> {
    fn transposed(self) -> Self {
        Self {
            start: self.start,
            row: self.column,
            column: self.row,
        }
    }
}

/// `c (+)= a·b`.
#[derive(Clone, Copy)]
struct Product<T> {
    m: usize,
    k: usize,
    n: usize,
    a: Side<T>,
    b: Side<T>,
    c: *mut T,
    c_row: isize,
    c_column: isize,
    add: bool,
}

impl<T: Vectorised> Product<T> {
    fn run(self) {
        for product in [self, self.transposed()] {
            if product.is_wide() {
                return product.wide();
            }
        }
        if self.m < self.n {
            // The transposed product has the narrow side on the right.
            return self.transposed().directed();
        }
        self.directed();
    }

    fn transposed(self) -> Self {
        Self {
            m: self.n,
            n: self.m,
            a: self.b.transposed(),
            b: self.a.transposed(),
            c_row: self.c_column,
            c_column: self.c_row,
            ..self
        }
    }

    /// Whether the kernel with one operand in the second-level cache can compute it, and is worth it.
    fn is_wide(&self) -> bool {
        self.c_row == 1
            && self.n >= LEAST_COLUMNS
            && self.k > 0
            && (self.m >= LEAST_ROWS || !self.is_dots_across())
            && (self.b.row == 1 || self.b.column == 1)
            // Transposing rows must be worth it.
            && (self.a.row == 1 || self.n >= TRANSPOSED_COLUMNS)
            // With few rows, the right operand is read only once.
            && (self.k * self.n <= MOST_SHARED || self.m <= MOST_COLUMNS)
    }

    /// Whether the elements of the transposed product are dot products of contiguous numbers.
    fn is_dots_across(&self) -> bool {
        self.a.column == 1 && self.b.row == 1
    }

    fn wide(self) {
        vectorised(Wide {
            rows: self.m,
            inner: self.k,
            columns: self.n,
            a: self.a.start,
            a_row: self.a.row,
            a_column: self.a.column,
            b: self.b.start,
            b_row: self.b.row,
            b_column: self.b.column,
            c: self.c,
            c_column: self.c_column,
            add: self.add,
        });
    }

    fn directed(self) {
        let narrow = self.n <= MOST_COLUMNS;
        if narrow && self.a.column == 1 && self.b.row == 1 {
            // Contiguous rows of a and columns of b: each element is a dot product.
            return vectorised(Dots {
                rows: self.m,
                inner: self.k,
                columns: self.n,
                a: self.a.start,
                a_row: self.a.row,
                b: self.b.start,
                b_column: self.b.column,
                c: self.c,
                c_row: self.c_row,
                c_column: self.c_column,
                add: self.add,
            });
        }
        if narrow && self.a.row == 1 && self.b.row == 1 && self.c_row == 1 {
            // Contiguous columns of a and c: a sum of outer products.
            return vectorised(Updates {
                rows: self.m,
                inner: self.k,
                columns: self.n,
                a: self.a.start,
                a_column: self.a.column,
                b: self.b.start,
                b_column: self.b.column,
                c: self.c,
                c_column: self.c_column,
                add: self.add,
            });
        }
        self.general();
    }

    fn general(self) {
        if self.c_column < self.c_row {
            // The kernels write columns.
            return self.transposed().by_columns();
        }
        self.by_columns();
    }

    fn by_columns(self) {
        // Safety: the plan's guarantee, see `kernel`; no stride is negative.
        unsafe {
            T::general_product()(
                self.m,
                self.n,
                self.k,
                self.c,
                self.c_column,
                self.c_row,
                self.add,
                self.a.start,
                self.a.column,
                self.a.row,
                self.b.start,
                self.b.column,
                self.b.row,
                if self.add { T::one() } else { T::zero() },
                T::one(),
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}
