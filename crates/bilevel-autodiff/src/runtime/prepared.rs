//! Matrices of bound data in a runtime's own format.

use std::any::Any;
use std::fmt::Debug;

/// The fraction of a matrix's numbers that products multiply: by rows in A·B, by columns in Aᵀ·B. Programs are compiled
/// for it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fill {
    pub(crate) rows: f64,
    pub(crate) columns: f64,
}

/// A matrix of bound data in a form for products, kept in addition to the matrix itself.
pub(crate) trait Prepared: Any + Debug + Send + Sync {
    /// The fraction of the matrix that is kept.
    fn fill(&self) -> Fill;
}

/// The prepared data that one program uses in all its runs on the same data.
pub(crate) trait Selected: Any + Debug + Send + Sync {
    /// For each form of a matrix, a unique number and its size in bytes.
    fn sizes(&self) -> Vec<(usize, usize)>;
}
