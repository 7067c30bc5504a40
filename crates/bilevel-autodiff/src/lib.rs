//! Tensors as traced graphs, with exact derivatives of any order.
#![warn(missing_docs)]

mod error;
pub mod graph;
pub mod reference;
mod rule;
mod trace;
pub mod transform;

pub use error::{Error, Fault, Result};
pub use graph::{DType, Graph, NodeId, Shape};
pub use trace::{Tracer, Var, trace};
