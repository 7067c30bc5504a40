//! Matrices of bound data in a form of the runtime's own.

use std::any::Any;
use std::fmt::Debug;

/// How much of a matrix the products with it multiply by, as a share of all numbers: by rows in A·B, by columns in
/// Aᵀ·B. Programs are compiled for it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fill {
    pub(crate) rows: f64,
    pub(crate) columns: f64,
}

/// A matrix of bound data that a runtime has prepared for products, beside the matrix itself.
pub(crate) trait Prepared: Any + Debug + Send + Sync {
    /// How much of it is kept.
    fn fill(&self) -> Fill;
}

/// What one program uses of prepared matrices, for all its runs on the same data.
pub(crate) trait Selected: Any + Debug + Send + Sync {
    /// Of each form of a matrix: a number that no other form has, and its bytes.
    fn sizes(&self) -> Vec<(usize, usize)>;
}
