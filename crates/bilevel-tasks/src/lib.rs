//! Ready problems for `bilevel`.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod cleaning;
pub mod corruption;
pub mod cost;
pub mod data;
mod error;
pub mod metrics;
pub mod model;
pub mod train;

pub use error::Error;
