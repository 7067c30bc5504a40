//! Shared by the tests of this crate: every primitive, random graphs, differences.

pub(crate) mod calculus;
pub(crate) mod case;
pub(crate) mod instance;
pub(crate) mod noise;
pub(crate) mod objective;
pub(crate) mod source;
