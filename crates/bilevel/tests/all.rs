//! All tests across types in one binary, as linking is a large part of their time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod agreement;
mod closed;
mod common;
mod counterexample;
mod debiased;
mod draws;
mod dynamics;
mod hoag;
mod hyperparameters;
mod implicit;
mod implicit_refusals;
mod non_unique;
mod one_stage;
mod refusals;
mod remembering;
mod remembering_refusals;
mod reversible;
mod simple;
mod single_loop;
mod tape;
mod tasks;
mod truncated;
mod ufo_counterexample;
mod update_rules;
mod value_function;
