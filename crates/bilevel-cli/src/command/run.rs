//! `bilevel run`: runs the job in a file.

use std::path::Path;

use bilevel_tasks::Error;
use bilevel_tasks::cleaning::CleaningSpecification;
use bilevel_tasks::fewshot::FewshotSpecification;
use bilevel_tasks::specification::{SpecificationProblem, job_of};

use super::clean::begin::{Begin, begin, current_folder};
use super::fewshot::{self, FEWSHOT};
use super::shown::Shown;
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
    let wrong = |problem: SpecificationProblem| {
        Failure::usage(Error::Specification {
            path: path.clone(),
            problem,
        })
    };
    let here = current_folder()?;
    let folder = here.join(path.parent().unwrap_or(Path::new("")));
    let shown = Shown {
        writing: Writing::File,
        json: options.json,
        quiet: options.quiet,
    };
    if job_of(&text).as_deref() == Some(FEWSHOT) {
        let specification = FewshotSpecification::from_toml(&text).map_err(wrong)?;
        let mut specification = specification.from_folder(&folder).seen_from(&here);
        specification.run.threads = options.threads.or(specification.run.threads);
        use_threads(specification.run.threads)?;
        return fewshot::begin(&specification, options.out.as_deref(), shown)
            .map_err(|failure| failure.written(Writing::File));
    }
    let specification = CleaningSpecification::from_toml(&text).map_err(wrong)?;
    let mut specification = specification.from_folder(&folder).seen_from(&here);
    specification.run.threads = options.threads.or(specification.run.threads);
    use_threads(specification.run.threads)?;
    begin(&Begin {
        specification: &specification,
        out: options.out.as_deref(),
        shown,
        force: options.force,
    })
    .map_err(|failure| failure.written(Writing::File))
}
