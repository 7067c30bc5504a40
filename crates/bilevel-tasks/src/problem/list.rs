//! All test problems.

use super::{ProblemOptions, TestProblem};
use super::{
    bvfsm_toy, non_unique, pbgd_toy, penalty_trap, quadratic, ridge, simple_bilevel, sine,
    truncation_counterexample, ufo_counterexample,
};
use crate::Error;

type Make = fn(&ProblemOptions) -> Result<TestProblem, Error>;

const NAMES: [&str; 10] = [
    non_unique::NAME,
    ufo_counterexample::NAME,
    truncation_counterexample::NAME,
    quadratic::NAME,
    ridge::NAME,
    sine::NAME,
    pbgd_toy::NAME,
    bvfsm_toy::NAME,
    penalty_trap::NAME,
    simple_bilevel::NAME,
];

const MAKE: [Make; NAMES.len()] = [
    non_unique::problem,
    ufo_counterexample::problem,
    truncation_counterexample::problem,
    quadratic::problem,
    ridge::problem,
    sine::problem,
    pbgd_toy::problem,
    bvfsm_toy::problem,
    penalty_trap::problem,
    simple_bilevel::problem,
];

/// The names of all test problems, in the order of the module's table.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &NAMES
}

/// The test problem with this name.
///
/// # Errors
/// [`Error::UnknownProblem`], with the nearest name; [`Error::Dimension`],
/// [`Error::ProblemLength`] or [`Error::ProblemNumber`] for an option that does not fit.
pub fn test_problem(name: &str, options: &ProblemOptions) -> Result<TestProblem, Error> {
    let (_, make) = NAMES
        .iter()
        .zip(MAKE)
        .find(|(known, _)| **known == name)
        .ok_or_else(|| Error::UnknownProblem {
            name: name.to_owned(),
            known: &NAMES,
        })?;
    make(options)
}
