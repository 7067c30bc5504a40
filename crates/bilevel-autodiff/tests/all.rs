//! All tests across types in one binary, because linking takes a large part of their time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod binding;
mod columns;
mod common;
mod compiled;
mod compiled_views;
mod composed;
mod convolutions;
mod edges;
mod elementwise;
mod lines;
mod mixed_mode;
mod primitives;
mod products;
mod random_graphs;
mod readme;
mod sparse;
mod sparse_rows;
mod special_points;
mod trace_errors;
mod trace_fuzz;
mod traced;
mod traced_edges;
