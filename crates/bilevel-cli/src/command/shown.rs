//! How a run is shown to the user.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::anyhow;
use bilevel_tasks::checkpoint::Results;

use crate::advice::Writing;
use crate::failure::Failure;
use crate::output::print;
use crate::progress::line;

/// How results are printed, whether anything else is printed, and how settings are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) writing: Writing,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Prints the results as a JSON document, as text, or not at all. Fails after that if they are not to be trusted.
pub(crate) fn hand_over(results: &Results, shown: Shown) -> Result<(), Failure> {
    if shown.json {
        if !shown.quiet {
            line(&results.text);
        }
        print(&results.document)?;
    } else if !shown.quiet {
        print(&results.text)?;
    }
    match &results.not_to_be_trusted {
        None => Ok(()),
        Some(why) => Err(Failure::run(anyhow!(
            "the results are written, but not to be trusted: {why}"
        ))),
    }
}

/// `bilevel VERB PATH`, as this program was called.
pub(super) fn command(verb: &str, path: &Path) -> String {
    command_of(&[verb], path)
}

/// The same with several words before the path.
pub(super) fn command_of(verbs: &[&str], path: &Path) -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    let verbs = verbs.iter().map(OsStr::new);
    let words = std::iter::once(program.as_os_str()).chain(verbs);
    let words = words.chain([path.as_os_str()]).map(quoted);
    words.collect::<Vec<_>>().join(" ")
}

/// A word, quoted for a shell if necessary.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
