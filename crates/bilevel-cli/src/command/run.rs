//! `bilevel run`: runs the job in a file.

use std::path::Path;

use bilevel_tasks::Error;
use bilevel_tasks::cleaning::CleaningSpecification;

use super::clean::Shown;
use super::clean::begin::{Begin, begin, current_folder};
use crate::advice::Writing;
use crate::arguments::RunArguments;
use crate::failure::Failure;
use crate::threads::use_threads;

pub(crate) fn run(options: &RunArguments) -> Result<(), Failure> {
    let path = &options.file;
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })
        .map_err(Failure::usage)?;
    let specification = CleaningSpecification::from_toml(&text)
        .map_err(|problem| Error::Specification {
            path: path.clone(),
            problem,
        })
        .map_err(Failure::usage)?;
    let here = current_folder()?;
    let folder = here.join(path.parent().unwrap_or(Path::new("")));
    let mut specification = specification.from_folder(&folder).seen_from(&here);
    specification.run.threads = options.threads.or(specification.run.threads);
    use_threads(specification.run.threads)?;
    begin(&Begin {
        specification: &specification,
        out: options.out.as_deref(),
        shown: Shown {
            writing: Writing::File,
            json: options.json,
            quiet: options.quiet,
        },
        force: options.force,
    })
    .map_err(|failure| failure.written(Writing::File))
}
