//! Ready problems for `bilevel`.
#![forbid(unsafe_code)]
