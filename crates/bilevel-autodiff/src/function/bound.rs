//! A compiled function and the data that it is bound to.

use std::sync::Arc;

use super::compiled::Compiled;
use crate::runtime::Prepared;
use crate::runtime::matrix::Matrix;

/// A [`Function`](super::Function) bound to data: an objective h(x, y; draw) of `bilevel`.
///
/// Values that depend only on x are computed once for each x instead of once for each step. The
/// gradient is one program; both second-order products are one more program, in mixed mode. The programs
/// belong to the function for these shapes; everything bound to data of the same shapes shares
/// them.
///
/// ```
/// use bilevel::{Draw, Layout, Objective, objective::AtX};
/// use bilevel_autodiff::{Data, Function};
/// // h = mean_i σ(x_i) (a_i·y − b_i)² / 2
/// let h = Function::<f64>::new(|v| {
///     let residual = v.data("a").matmul(v.y("y").reshape(&[2, 1])).reshape(&[v.rows()]) - v.data("b");
///     (v.x_rows("x").sigmoid() * residual.square() * 0.5).mean()
/// });
/// let data = Data::new(2).rows("a", vec![1.0, 0.0, 0.0, 1.0], &[2]).rows("b", vec![1.0, 2.0], &[]);
/// let h = h.bind(&Layout::vector("x", 2), &Layout::vector("y", 2), data)?;
/// let mut gradient = [0.0; 2];
/// h.at(&[0.0; 2])?.grad_y(&[0.0; 2], Draw::All, &mut gradient)?;
/// assert_eq!(gradient, [-0.25, -0.5]);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Bound<T> {
    pub(super) compiled: Arc<Compiled<T>>,
    /// Each tensor of the data, without the columns that are left out.
    pub(super) tensors: Vec<Matrix<T>>,
    pub(super) labels: Vec<Arc<[u32]>>,
    /// For tensors without their zero columns: the columns that are left.
    pub(super) columns: Vec<Arc<[u32]>>,
    /// Of each tensor: what the runtime has prepared of it.
    pub(super) prepared: Vec<Option<Box<dyn Prepared>>>,
}

impl<T> Bound<T> {
    /// The function for these shapes.
    #[must_use]
    pub fn compiled(&self) -> &Compiled<T> {
        &self.compiled
    }
}
