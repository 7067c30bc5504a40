//! `bilevel bench`: how long one thing takes on given inputs.

mod cleaning;
mod conv;
mod fewshot;
mod read;
mod timed;

use crate::arguments::BenchCase;
use crate::failure::Failure;

pub(crate) fn run(case: &BenchCase) -> Result<(), Failure> {
    match case {
        BenchCase::Cleaning(arguments) => cleaning::run(arguments),
        BenchCase::Fewshot(arguments) => fewshot::run(arguments),
        BenchCase::Conv(arguments) => conv::run(arguments),
        BenchCase::Read(arguments) => read::run(arguments),
    }
}
