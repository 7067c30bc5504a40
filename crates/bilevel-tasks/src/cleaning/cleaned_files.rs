//! Which files of cleaned rows a specification asks for.

use std::path::{Path, PathBuf};

use super::output::CleanedAs;
use super::problem::CleaningProblem;
use super::specification::CleaningSpecification;
use crate::Error;
use crate::data::rewrite::{Changes, expect_rewritable};

/// A file to write: from which it is made, and whether this one has the labels.
pub(super) struct Part<'a> {
    pub(super) from: &'a Path,
    pub(super) to: PathBuf,
    pub(super) labels: bool,
}

/// Fails if the cleaned rows that a specification asks for cannot be written.
pub(super) fn expect_cleaned(given: &CleaningSpecification) -> Result<(), Error> {
    let output = &given.output;
    let unused = |key, because: &str| {
        let because = because.to_owned();
        Err(CleaningProblem::Unused { key, because }.into())
    };
    if given.data.file.is_none() && output.save_model.is_some() {
        return Err(CleaningProblem::Digits { key: "save_model" }.into());
    }
    let Some(to) = &output.write_cleaned else {
        return match output.cleaned_as {
            None => Ok(()),
            Some(_) => Err(CleaningProblem::Needs {
                key: "cleaned_as",
                needs: "write_cleaned",
            }
            .into()),
        };
    };
    if given.data.file.is_none() {
        return Err(CleaningProblem::Digits {
            key: "write_cleaned",
        }
        .into());
    }
    if given.data.corrupt.is_some() {
        return unused("write_cleaned", "labels are made wrong for an experiment");
    }
    let kind = output.cleaned_as.unwrap_or_default();
    let changes = match kind {
        CleanedAs::Drop | CleanedAs::Relabel => Changes::Rows,
        CleanedAs::Weight | CleanedAs::Flag => Changes::Columns,
    };
    parts(given, to, kind)
        .iter()
        .try_for_each(|part| expect_rewritable(part.from, changes))
}

/// The files to write: with labels apart, both where rows are left out, else the one of the labels.
pub(super) fn parts<'a>(
    given: &'a CleaningSpecification,
    to: &Path,
    kind: CleanedAs,
) -> Vec<Part<'a>> {
    let Some(file) = given.data.file.as_deref() else {
        return Vec::new();
    };
    let one = |from, to: &Path, labels| Part {
        from,
        to: to.to_owned(),
        labels,
    };
    match (&given.data.labels, kind) {
        (None, _) => vec![one(file, to, true)],
        (Some(labels), CleanedAs::Drop) => {
            let mut ending = String::from("labels");
            if let Some(own) = labels.extension() {
                ending.push('.');
                ending.push_str(&own.to_string_lossy());
            }
            let beside = to.with_extension(ending);
            vec![one(file, to, false), one(labels, &beside, true)]
        }
        (Some(labels), _) => vec![one(labels, to, true)],
    }
}
