//! The types of numbers that programs compute with.

use bilevel::Scalar;

use crate::runtime::cpu::Vectorised;

/// `f32` or `f64`: what a program computes with.
///
/// It is [`Scalar`] with what runtimes need to know of a type of number. It is sealed: no other type can implement it.
pub trait Real: Scalar + Vectorised {}

impl Real for f32 {}

impl Real for f64 {}
