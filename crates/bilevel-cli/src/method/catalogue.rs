//! The list of methods. To add one: a file under `bilevel/src`, its entry beside its siblings, and a line here.

use super::entry::Entry;
use super::unrolled;

/// Every method, in the order in which `bilevel methods` prints them.
pub(crate) static METHODS: [&Entry; 5] = [
    &unrolled::BASIC,
    &unrolled::IMPROVED,
    &unrolled::BIGSAM,
    &unrolled::BDA,
    &unrolled::FIRST_ORDER,
];
