//! All tests across types in one binary, as linking is a large part of their time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cleaning;
mod common;
mod examples;
mod memory;
mod models;
mod networks;
mod problems;
mod theory;
