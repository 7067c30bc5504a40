//! Matrix products, by the `gemm` crate.

use super::{Frame, Real};
use crate::plan::instruction::MatMul;

pub(super) fn run<T: Real>(frame: &Frame<'_, T>, kernel: &MatMul) {
    let rows = frame.rows;
    let (m, k, n) = (kernel.m.at(rows), kernel.k.at(rows), kernel.n.at(rows));
    let (a, b, c) = (
        frame.read(kernel.a.at),
        frame.read(kernel.b.at),
        frame.write(kernel.c.at),
    );
    let product = |[da, db, dc]: [isize; 3]| {
        let (a, b, c) = (
            a.wrapping_offset(da),
            b.wrapping_offset(db),
            c.wrapping_offset(dc),
        );
        // Safety: the plan's guarantee, see the head of the module.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                c,
                kernel.c.column.at(rows),
                kernel.c.row.at(rows),
                kernel.add,
                a,
                kernel.a.column.at(rows),
                kernel.a.row.at(rows),
                b,
                kernel.b.column.at(rows),
                kernel.b.row.at(rows),
                if kernel.add { T::one() } else { T::zero() },
                T::one(),
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    };
    if kernel.batches.is_empty() {
        product([0; 3]);
    } else {
        let batches: Vec<(usize, [isize; 3])> = kernel
            .batches
            .iter()
            .map(|(count, strides)| (*count, strides.map(|stride| stride.at(rows))))
            .collect();
        super::walk(&batches, product);
    }
}
