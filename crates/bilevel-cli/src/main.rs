//! The command `bilevel`.
#![forbid(unsafe_code)]

fn main() {}
