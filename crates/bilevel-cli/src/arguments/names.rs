//! Values of options that are one of a few names.

use bilevel_tasks::cleaning::DecimalMark;
use bilevel_tasks::corruption::CorruptionKind;
use bilevel_tasks::data::preparation::{Missing, Scale};
use clap::ValueEnum;

/// What a corrupted label becomes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CorruptionName {
    /// Any other class
    Other,
    /// Any class, including the right one
    Uniform,
    /// Class c becomes c + 1
    Pairwise,
}

/// How missing values are handled.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MissingName {
    /// Fail, and say where the first one is and how many there are
    Error,
    /// Replace a missing feature by the mean of its column
    Mean,
    /// Leave out rows with a missing feature
    Drop,
    /// Replace it by the mean, and add a feature that says that it was missing
    Indicator,
}

/// How features are scaled.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScaleName {
    /// Leave them as they are
    None,
    /// (value - mean) / standard deviation; in a sparse matrix value / largest absolute value
    Standard,
}

/// The mark before the fraction of a number.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DecimalName {
    /// 1.5, with or without commas between thousands
    Point,
    /// 1,5
    Comma,
}

/// Whether there is a line of names.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderName {
    /// The first line has names
    Yes,
    /// The columns are called 0, 1, …
    No,
}

/// The precision of all numbers.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PrecisionName {
    /// Single
    F32,
    /// Double
    F64,
}

impl From<CorruptionName> for CorruptionKind {
    fn from(name: CorruptionName) -> Self {
        match name {
            CorruptionName::Other => Self::Other,
            CorruptionName::Uniform => Self::Uniform,
            CorruptionName::Pairwise => Self::Pairwise,
        }
    }
}

impl From<MissingName> for Missing {
    fn from(name: MissingName) -> Self {
        match name {
            MissingName::Error => Self::Error,
            MissingName::Mean => Self::Mean,
            MissingName::Drop => Self::Drop,
            MissingName::Indicator => Self::Indicator,
        }
    }
}

impl From<ScaleName> for Scale {
    fn from(name: ScaleName) -> Self {
        match name {
            ScaleName::None => Self::None,
            ScaleName::Standard => Self::Standard,
        }
    }
}

impl From<DecimalName> for DecimalMark {
    fn from(name: DecimalName) -> Self {
        match name {
            DecimalName::Point => Self::Point,
            DecimalName::Comma => Self::Comma,
        }
    }
}
