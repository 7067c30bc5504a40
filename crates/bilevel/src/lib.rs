//! Differentiating through training.
#![forbid(unsafe_code)]

pub mod adjoint;
mod bounds;
mod draw;
pub mod dynamics;
mod error;
mod hypergradient;
mod key;
mod layout;
pub mod objective;
mod problem;
mod scalar;
pub mod vector;

pub use adjoint::{Adjoint, Checkpointed, FirstOrder, Reverse};
pub use bounds::Bounds;
pub use draw::{Draw, Rows, check_batch};
pub use dynamics::{Dynamics, Field, GradientDescent, Hyper, Schedule};
pub use error::{Error, Result, Role};
pub use hypergradient::{HyperGradient, Report, Unrolled};
pub use key::{Key, Stream};
pub use layout::{Layout, Part};
pub use objective::{Calls, Closures, Objective};
pub use problem::{FixedStart, Problem, Start, StartFromX};
pub use scalar::Scalar;
