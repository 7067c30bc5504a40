//! The types of numbers that programs compute with.

use bilevel::Scalar;

use crate::runtime::Runtimes;

/// `f32` or `f64`: what a program computes with.
///
/// It is [`Scalar`] with the runtimes for a type of number. It is sealed: no other type can implement it.
pub trait Real: Scalar + Runtimes {}

impl Real for f32 {}

impl Real for f64 {}
