//! All tests across types in one binary, as linking is a large part of their time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod act;
mod bad_input;
mod bench;
mod check;
mod clean;
mod clean_methods;
#[cfg(feature = "columnar")]
mod cleaned;
mod common;
mod detectors;
mod fewshot;
mod golden;
mod grouped;
mod input;
mod methods;
mod options;
mod report;
mod resume;
mod run;
mod solve;
mod step_size;
mod structure;
