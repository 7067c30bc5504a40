//! The CPU. Each part imports the ones before it: limits; instructions and the partition of the rows; packed
//! data; plans; kernels; the machine that runs them.

pub(crate) mod instruction;
pub(crate) mod kernel;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod packed;
pub(crate) mod partition;
pub(crate) mod plan;
mod threads;
pub(crate) mod view;
