//! The number types that programs compute with.

use bilevel::Scalar;

use crate::runtime::Runtimes;

/// `f32` or `f64`: the number type of a program.
///
/// It is [`Scalar`] plus the runtimes for the type. It is sealed: no other type can implement it.
pub trait Real: Scalar + Runtimes {}

impl Real for f32 {}

impl Real for f64 {}
