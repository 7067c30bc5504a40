//! What a person reads after a run: text on the terminal, and a page.

mod annotators;
pub(crate) mod html;
mod text;
mod words;

use std::path::Path;

use bilevel::driver::Why;
use bilevel_tasks::cleaning::{CleaningData, CleaningResult, Score};
use bilevel_tasks::data::preparation::ColumnScale;
use serde::Deserialize;

pub(crate) use html::page;
pub(crate) use text::report;

/// The figures of an outer step that the page draws.
#[derive(Deserialize)]
pub(crate) struct HistoryPoint {
    pub(crate) step: usize,
    pub(crate) f: f64,
    pub(crate) held_out_loss: Option<f64>,
    pub(crate) f1: Option<f64>,
    pub(crate) auc: Option<f64>,
}

/// The contents of the report.
pub(crate) struct Facts<'a> {
    pub(crate) result: &'a CleaningResult,
    pub(crate) scores: &'a [Score],
    pub(crate) data: &'a CleaningData,
    /// How features were standardised, if they were.
    pub(crate) scaling: Option<&'a [ColumnScale]>,
    /// The outer steps so far.
    pub(crate) history: &'a [HistoryPoint],
    /// The text of `config.toml`.
    pub(crate) config: &'a str,
    /// What the rows are; follows their number.
    pub(crate) what: &'a str,
    /// The share of corrupted labels, if corruption was requested.
    pub(crate) corrupted: Option<f64>,
    pub(crate) kept_step: usize,
    pub(crate) why: Why,
    pub(crate) folder: &'a Path,
    /// The command that continues the run, if the run can be continued.
    pub(crate) resume: Option<&'a str>,
    pub(crate) repeat: &'a str,
}
