//! `bilevel bench`: how long one thing takes on given inputs.

mod cleaning;
mod read;

use crate::arguments::BenchCase;
use crate::failure::Failure;

pub(crate) fn run(case: &BenchCase) -> Result<(), Failure> {
    match case {
        BenchCase::Cleaning(arguments) => cleaning::run(arguments),
        BenchCase::Read(arguments) => read::run(arguments),
    }
}
