//! What the tests of this crate share.
#![allow(clippy::unwrap_used)]

pub(crate) mod softmax;
