//! The verbs.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod clean;
pub(crate) mod explain;
pub(crate) mod fewshot;
pub(crate) mod methods;
pub(crate) mod predict;
mod record;
pub(crate) mod resume;
pub(crate) mod run;
mod shown;
pub(crate) mod solve;

use serde::Serialize;

use crate::arguments::CommonArguments;
use crate::failure::Failure;
use crate::folder::Folder;

/// Delivers the result of a verb that writes a folder only with `--out`: as a JSON document, as
/// text, or not at all.
fn deliver(
    common: &CommonArguments,
    verb: &str,
    result: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let document = crate::output::json(result)?;
    if common.out.is_some() {
        Folder::create(common.out.as_deref(), verb, |folder| {
            folder.write("result.json", &document)
        })?;
    }
    if common.json {
        crate::output::print(&document)
    } else if common.quiet {
        Ok(())
    } else {
        crate::output::print(&text())
    }
}
