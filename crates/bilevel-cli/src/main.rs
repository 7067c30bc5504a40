//! The command `bilevel`.
#![forbid(unsafe_code)]

mod advice;
mod arguments;
mod command;
mod failure;
mod folder;
mod interrupt;
mod memory;
mod output;
mod pairs;
mod parse;
mod progress;
mod report;
mod solver;
mod table;
mod threads;
mod visible;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, BenchCase, Verb};
use failure::Failure;
use threads::use_threads;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            crate::progress::line(&format!("error: {failure}"));
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Clean(options) => {
            use_threads(options.common.threads)?;
            command::clean::run(options)
        }
        Verb::Fewshot(options) => {
            if options.verb.is_none() {
                use_threads(options.common.threads)?;
            }
            command::fewshot::run(options)
        }
        Verb::Check(options) => {
            use_threads(options.common.threads)?;
            command::check::run(options)
        }
        Verb::Bench { case } => {
            let common = match case {
                BenchCase::Cleaning(options) => &options.common,
                BenchCase::Fewshot(options) => &options.common,
                BenchCase::Conv(options) => &options.common,
                BenchCase::Read(options) => &options.common,
            };
            use_threads(common.threads)?;
            command::bench::run(case)
        }
        Verb::Predict(options) => {
            use_threads(None)?;
            command::predict::run(options)
        }
        Verb::Run(options) => command::run::run(options),
        Verb::Resume(options) => command::resume::run(options),
        Verb::Solve(options) => {
            use_threads(options.common.threads)?;
            command::solve::run(options)
        }
        Verb::Methods(options) => command::methods::run(options),
        Verb::Explain(options) => {
            use_threads(options.common.threads)?;
            command::explain::run(options)
        }
    }
}
