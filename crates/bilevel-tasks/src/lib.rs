//! Ready-made problems for `bilevel`.
#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod cleaning;
pub mod corruption;
pub mod cost;
pub mod count;
pub mod data;
mod deadline;
mod error;
pub mod fewshot;
mod hint;
pub mod machine;
pub mod metrics;
pub mod model;
pub mod network;
pub mod problem;
mod shuffle;
pub mod specification;
pub mod stream;
pub mod train;

pub use deadline::Deadline;
pub use error::Error;
pub use hint::{ColumnRemedies, Hint};

/// The chapters of the book, whose code runs as doc tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../book/src/introduction.md")]
    mod introduction {}
    #[doc = include_str!("../../../book/src/state-a-problem.md")]
    mod state_a_problem {}
    #[doc = include_str!("../../../book/src/your-own.md")]
    mod your_own {}
    #[doc = include_str!("../../../book/src/read-a-report.md")]
    mod read_a_report {}
    #[doc = include_str!("../../../book/src/choose-a-method.md")]
    mod choose_a_method {}
}
