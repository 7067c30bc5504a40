//! What is written besides the folder of a run.

use std::path::PathBuf;

use bilevel_tasks::cleaning::{CleanedAs, OutputSpecification};
use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub(crate) struct OutputArguments {
    /// New file for the rows to check, cleaned: in the format and with the columns of DATA, and nothing else changed;
    /// packed if the name ends in .gz or .zst. With --labels, the labels go to a second file beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) write_cleaned: Option<PathBuf>,
    /// What becomes of suspects in that file [default: drop]
    #[arg(long, value_name = "CHOICE", value_enum, requires = "write_cleaned")]
    pub(crate) cleaned_as: Option<CleanedAsName>,
    /// New file for the model that is trained on the kept rows; bilevel predict applies it to other files
    #[arg(long, value_name = "FILE")]
    pub(crate) save_model: Option<PathBuf>,
    /// A review.csv of an earlier run with decisions: rows that have one are not listed again; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) reviewed: Vec<PathBuf>,
}

/// What becomes of suspects in a cleaned file.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CleanedAsName {
    /// Leave them out
    Drop,
    /// Give them the suggested label
    Relabel,
    /// Keep all rows, and add a column (or array) label_weight
    Weight,
    /// Keep all rows, and add the columns (or arrays) label_suspect and label_suggested
    Flag,
}

impl OutputArguments {
    pub(crate) fn specification(&self) -> OutputSpecification {
        OutputSpecification {
            write_cleaned: self.write_cleaned.clone(),
            cleaned_as: self.cleaned_as.map(|name| match name {
                CleanedAsName::Drop => CleanedAs::Drop,
                CleanedAsName::Relabel => CleanedAs::Relabel,
                CleanedAsName::Weight => CleanedAs::Weight,
                CleanedAsName::Flag => CleanedAs::Flag,
            }),
            reviewed: self.reviewed.clone(),
            save_model: self.save_model.clone(),
        }
    }
}
