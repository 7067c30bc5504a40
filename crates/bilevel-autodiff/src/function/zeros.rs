//! Which zeros of the data are left out: decided when a function is bound, only from shapes and density.

use std::sync::Arc;

use super::columns;
use super::data::Tensor;
use super::settings::Settings;
use super::shapes::Shapes;
use crate::real::Real;
use crate::runtime::Prepared;
use crate::runtime::matrix::Matrix;

/// Matrices of fewer rows are used unchanged: the saving is smaller than the cost of compiling for each one's zeros.
const FEWEST_ROWS: usize = 32;

/// For each tensor, its nonzero columns, if they are worth a copy.
pub(super) fn columns<T: Real>(
    shapes: &Shapes,
    tensors: &[Tensor<T>],
    settings: Settings,
) -> Vec<Option<Arc<[u32]>>> {
    let used = |shape: &[usize], tensor: &Tensor<T>| match *shape {
        [rows, _] if settings.columns && rows >= FEWEST_ROWS => match tensor {
            Tensor::Dense(values) => columns::used(values, shape),
            Tensor::Sparse(rows) => columns::worth(&rows.used()),
        },
        _ => None,
    };
    let all = shapes.tensors.iter().zip(tensors);
    all.map(|(tensor, values)| used(&tensor.shape, values))
        .collect()
}

/// For each matrix (without the columns left out), its form prepared by the runtime, if it has many zeros.
pub(super) fn prepared<T: Real>(
    shapes: &Shapes,
    matrices: &[Matrix<T>],
    settings: Settings,
) -> Vec<Option<Box<dyn Prepared>>> {
    let runtime = settings.device.runtime::<T>();
    let of = |shape: &[usize], matrix: &Matrix<T>| match *shape {
        [rows, _] if settings.sparse && rows >= FEWEST_ROWS => runtime.prepare(matrix),
        _ => None,
    };
    let all = shapes.tensors.iter().zip(matrices);
    all.map(|(tensor, matrix)| of(&tensor.shape, matrix))
        .collect()
}
