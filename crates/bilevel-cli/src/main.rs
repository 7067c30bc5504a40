//! The command `bilevel`.
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod count;
mod failure;
mod folder;
mod interrupt;
mod memory;
mod pairs;
mod parse;
mod progress;
mod report;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, BenchCase, Verb};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nowhere is left to complain to if standard error is gone.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
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
        Verb::Check(options) => {
            use_threads(options.common.threads)?;
            command::check::run(options)
        }
        Verb::Bench { case } => {
            let BenchCase::Cleaning(options) = case;
            use_threads(options.common.threads)?;
            command::bench::run(case)
        }
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

/// So many threads for all that follows; one for each processor unless given.
fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    // This thread is one of them, so that it need not be woken for each of many short tasks.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .use_current_thread()
        .build_global()
        .map_err(Failure::usage)
}

/// Writes to standard output; a reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::run(error)),
        _ => Ok(()),
    }
}

/// One JSON document, with a line end.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(Failure::run)
}
