//! The list of methods. To add one: a file under `bilevel/src`, its entry beside its siblings, and a line here.

use super::entry::Entry;
use super::{unrolled, value};

/// Every method, in the order in which `bilevel methods` prints them.
pub(crate) static METHODS: [&Entry; 12] = [
    &unrolled::BASIC,
    &unrolled::IMPROVED,
    &unrolled::BIGSAM,
    &unrolled::BDA,
    &unrolled::TRUNCATED,
    &unrolled::FORWARD,
    &unrolled::FIRST_ORDER,
    &value::BOME,
    &value::F2SA,
    &value::PBGD,
    &value::BVFSM,
    &value::MEHA,
];
