//! Tensors as traced graphs, with exact derivatives of any order.
#![warn(missing_docs)]

mod cpu;
mod error;
pub mod graph;
mod pass;
mod plan;
mod program;
pub mod reference;
mod rule;
mod trace;
mod traced;
pub mod transform;

pub use cpu::{Argument, Real, Workspace};
pub use error::{Error, Fault, Result};
pub use graph::{DType, Graph, NodeId, Shape};
pub use plan::{Cost, Passes};
pub use program::Program;
pub use trace::{Tracer, Var, trace};
pub use traced::{Call, Data, Inputs, Settings, Traced};
