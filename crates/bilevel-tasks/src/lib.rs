//! Ready problems for `bilevel`.
#![forbid(unsafe_code)]

pub mod corruption;
pub mod data;
mod error;
pub mod metrics;
pub mod model;

pub use error::Error;
