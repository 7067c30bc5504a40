//! The list of methods. To add one, write its entry next to its siblings and add a line here.

use super::entry::Entry;
use super::{debiased, implicit, one_step, unrolled, value};

/// Every method, in the order in which `bilevel methods` prints them.
pub static METHODS: &[&Entry] = &[
    &unrolled::BASIC,
    &unrolled::IMPROVED,
    &unrolled::BIGSAM,
    &unrolled::BDA,
    &unrolled::TRUNCATED,
    &unrolled::FORWARD,
    &unrolled::REVERSIBLE,
    &unrolled::FIRST_ORDER,
    &debiased::UFO,
    &implicit::CONJUGATE_GRADIENT,
    &implicit::NEUMANN,
    &implicit::FIXED_POINT,
    &implicit::HOAG,
    &one_step::ONE_STAGE,
    &one_step::T1T2,
    &value::BOME,
    &value::F2SA,
    &value::PBGD,
    &value::BVFSM,
    &value::MEHA,
    &one_step::IAPTT,
    &one_step::BAMM,
    &implicit::SOBA,
    &implicit::STOCBIO,
];
