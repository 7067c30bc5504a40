//! Differentiating through training.
#![forbid(unsafe_code)]

mod key;
mod scalar;

pub use key::{Key, Stream};
pub use scalar::Scalar;
