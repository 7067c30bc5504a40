//! Derivatives as graph → graph transforms. They append to a graph, so that they nest to any
//! order and share what was computed before.

mod jvp;
mod shapes;
mod vjp;

pub use jvp::jvp;
pub use vjp::{grad, vjp};
