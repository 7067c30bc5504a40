//! Graph → graph passes that keep the meaning.

mod common;
mod dead;
mod rebuild;
mod residuals;
mod simplify;

pub(crate) use common::common;
pub(crate) use dead::dead;
pub(crate) use residuals::residuals;
pub(crate) use simplify::simplify;
