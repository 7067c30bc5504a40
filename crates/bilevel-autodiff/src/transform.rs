//! Derivatives as graph → graph transforms. They append to the graph, so they nest to any
//! order and share earlier computations.

mod jvp;
mod shapes;
mod vjp;

pub use jvp::jvp;
pub use vjp::{grad, vjp};
