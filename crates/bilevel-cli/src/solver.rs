//! The names of everything that solves a test problem.

use std::fmt;
use std::str::FromStr;

use bilevel::catalogue::MethodChoice;

use crate::parse;

/// What solves a problem: a method, or a solver of problems without an outer variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SolverChoice {
    Method(MethodChoice),
    Simple(SimpleChoice),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SimpleChoice {
    BigSam,
    Solodov,
    Tikhonov,
    FerrisMangasarian,
}

/// The solvers of problems without an outer variable, by name.
pub(crate) const SOLVERS: [(&str, SimpleChoice); 4] = [
    ("big-sam", SimpleChoice::BigSam),
    ("solodov", SimpleChoice::Solodov),
    ("tikhonov", SimpleChoice::Tikhonov),
    ("ferris-mangasarian", SimpleChoice::FerrisMangasarian),
];

impl FromStr for SolverChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, solver)) = SOLVERS.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Simple(*solver));
        }
        parse::method_or(text, &SOLVERS.map(|(name, _)| name)).map(Self::Method)
    }
}

impl fmt::Display for SimpleChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SOLVERS.iter().find(|(_, solver)| solver == self);
        formatter.write_str(name.map_or("", |(name, _)| name))
    }
}
