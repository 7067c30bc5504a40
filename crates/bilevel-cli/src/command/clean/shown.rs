//! How a person is told of a run.

use std::ffi::OsStr;
use std::path::Path;

use bilevel_tasks::cleaning::Results;

use crate::advice::Writing;
use crate::failure::Failure;
use crate::output::print;
use crate::progress::line;

/// In which form results are printed, whether anything else is, and how settings are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) writing: Writing,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// What was found, as a document, as text for a person, or not at all.
pub(crate) fn hand_over(results: &Results, shown: Shown) -> Result<(), Failure> {
    if shown.json {
        if !shown.quiet {
            line(&results.text);
        }
        print(&results.document)
    } else if shown.quiet {
        Ok(())
    } else {
        print(&results.text)
    }
}

/// `bilevel VERB PATH`, as this program was called.
pub(super) fn command(verb: &str, path: &Path) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    [program.as_os_str(), verb.as_ref(), path.as_os_str()]
        .map(quoted)
        .join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
