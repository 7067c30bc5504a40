//! Graph → graph, same meaning: what runs is not what was written.

mod common;
mod dead;
mod rebuild;
mod residuals;
mod simplify;

pub(crate) use common::common;
pub(crate) use dead::dead;
pub(crate) use residuals::residuals;
pub(crate) use simplify::simplify;
