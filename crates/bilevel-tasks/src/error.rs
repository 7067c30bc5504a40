//! What can be wrong with data and settings.

use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointProblem;
use crate::cleaning::CleaningProblem;
use crate::corruption::CorruptionKind;
use crate::data::malformed::Malformed;
use crate::data::problem::TableProblem;
use crate::data::room::NoRoom;
use crate::data::source::Damaged;
use crate::fewshot::problem::FewshotProblem;
use crate::hint::Hint;
use crate::network::WeightsProblem;
use crate::specification::SpecificationProblem;

/// What is wrong with data or settings: what was expected, what was found, and where.
///
/// Rows and columns count from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A packed file is cut short or damaged.
    #[error(
        "{}: expected a whole file of gzip or zstd, found it cut short or damaged after {read} unpacked bytes: {source}",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Bytes unpacked before the damage.
        read: usize,
        /// The decoder's error.
        source: io::Error,
    },
    /// A file has contents that do not fit its format, or no known format.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected, what was found, and where.
        problem: Box<Malformed>,
    },
    /// A file of weights does not fit.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What was expected, and what was found.
        problem: Box<WeightsProblem>,
    },
    /// Pictures that a network cannot take.
    #[error("{network}: expected pictures that its windows fit into, found {found}")]
    Picture {
        /// The network.
        network: String,
        /// Rows, columns and channels.
        found: String,
    },
    /// A network for rows that are no pictures.
    #[error(
        "model {network}: expected rows that are pictures (a folder of pictures, IDX, CIFAR, or NPY of rows × height × width), found rows of features; softmax and mlp:H take any rows"
    )]
    NoPictures {
        /// The network.
        network: String,
    },
    /// Pictures of different sizes.
    #[error("{error}")]
    Sizes {
        /// What was expected and found.
        error: Box<Self>,
        /// A size that all could have.
        size: usize,
    },
    /// A file could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A checkpoint has invalid contents.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: CheckpointProblem,
    },
    /// A table has invalid contents.
    #[error("{}: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: Box<TableProblem>,
    },
    /// A table whose number of features differs from the first.
    #[error(
        "{}: expected {expected} columns of features, as many as in the first file, found {found}",
        path.display()
    )]
    Columns {
        /// The file.
        path: PathBuf,
        /// Features of the first table.
        expected: usize,
        /// Features of this one.
        found: usize,
    },
    /// The numbers of features and labels differ.
    #[error(
        "{} holds {rows} rows of features and {} holds {label_rows} labels: expected one label for each row",
        features.display(), labels.display()
    )]
    FeatureRows {
        /// The file of features.
        features: PathBuf,
        /// Rows that it holds.
        rows: usize,
        /// The file of labels.
        labels: PathBuf,
        /// Labels that it holds.
        label_rows: usize,
    },
    /// All rows have the same label.
    #[error(
        "expected rows of at least two classes, found {rows} rows that are all of class {class:?}"
    )]
    OneClass {
        /// The class.
        class: String,
        /// Rows.
        rows: usize,
    },
    /// A loss over no rows.
    #[error("expected at least one row, found none")]
    NoRows,
    /// More memory than there is.
    #[error(
        "expected a job that fits into the free memory of this machine, {:.1} GB; found one that takes {:.1} GB, most of it {what}",
        *available as f64 / 1e9,
        *needed as f64 / 1e9
    )]
    Memory {
        /// What takes so much.
        what: String,
        /// Bytes that it takes.
        needed: usize,
        /// Free bytes.
        available: usize,
    },
    /// A job that would take very long.
    #[error(
        "expected a job that ends within {most} h; found one that will take about {hours:.0} h: {updates} updates of {seconds:.0} s each"
    )]
    TooLong {
        /// Hours that a job may take unasked.
        most: u64,
        /// About how long it takes.
        hours: f64,
        /// Updates of the weights.
        updates: usize,
        /// About how long one takes.
        seconds: f64,
    },
    /// The time that the job may take is over.
    #[error("the time limit is reached")]
    OutOfTime,
    /// A run without any result yet.
    #[error("expected a run with at least one observed outer step, found none")]
    NoOuterStep,
    /// The keys of a specification conflict.
    #[error("{0}")]
    Cleaning(CleaningProblem),
    /// The system starts no threads.
    #[error("the system cannot start the threads: {source}; try fewer")]
    Threads {
        /// The error of the operating system.
        source: io::Error,
    },
    /// Tasks of few-shot learning that cannot be drawn, or a job that makes no sense.
    #[error("{0}")]
    Fewshot(FewshotProblem),
    /// A method was rejected before it was built.
    #[error(transparent)]
    Refused(#[from] Box<bilevel::catalogue::Refusal>),
    /// No derivative fits into memory.
    #[error(transparent)]
    TooLarge(#[from] bilevel::catalogue::TooLarge),
    /// A specification is invalid.
    #[error("{}: {problem}", path.display())]
    Specification {
        /// The file.
        path: PathBuf,
        /// What was expected, and where.
        problem: SpecificationProblem,
    },
    /// A setting out of its range.
    #[error("{field} must be {range}, found {value}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What is allowed.
        range: &'static str,
        /// What was given.
        value: String,
    },
    /// More rows were requested than exist.
    #[error("{wanted} rows are needed, found {found}")]
    TooFewRows {
        /// Total rows needed.
        wanted: usize,
        /// Rows available.
        found: usize,
    },
    /// Holding out some trusted rows would leave none.
    #[error(
        "early stopping would hold out {held} of {rows} trusted rows and leave none to learn from: expected more trusted rows, or early stopping off"
    )]
    TooFewTrusted {
        /// Trusted rows.
        rows: usize,
        /// Rows that would be held out.
        held: usize,
    },
    /// Incompatible data sets.
    #[error(
        "expected rows of {columns} columns and {classes} classes, found rows of {found_columns} columns and {found_classes} classes"
    )]
    Parts {
        /// Columns of the first.
        columns: usize,
        /// Classes of the first.
        classes: usize,
        /// Columns of the other.
        found_columns: usize,
        /// Classes of the other.
        found_classes: usize,
    },
    /// The method refused a setting or failed.
    #[error(transparent)]
    Method(#[from] bilevel::Error),
    /// A table without columns.
    #[error("expected at least one column of features, found none")]
    NoColumns,
    /// The number of features is not rows × columns.
    #[error(
        "expected {rows} rows × {columns} columns of features, as many rows as labels; found {found} numbers"
    )]
    FeatureCount {
        /// Rows (the number of labels).
        rows: usize,
        /// Columns of a row.
        columns: usize,
        /// Numbers given.
        found: usize,
    },
    /// A feature that is infinite or not a number.
    #[error("row {row}, column {column}: expected a finite number, found {value}")]
    NonFinite {
        /// Row of the feature.
        row: usize,
        /// Column of the feature.
        column: usize,
        /// The value found.
        value: f32,
    },
    /// The training of a baseline diverged.
    #[error("the training of a baseline diverged by inner step {step}")]
    BaselineDiverged {
        /// The step, from 1.
        step: usize,
    },
    /// A label that names no class.
    #[error("row {row}: expected a class index below {classes}, found {label}")]
    Label {
        /// Row of the label.
        row: usize,
        /// The label found.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// An image shape that does not fill a row.
    #[error("expected images of {columns} pixels in all, found {height}×{width}")]
    ImageShape {
        /// Height given.
        height: usize,
        /// Width given.
        width: usize,
        /// Columns of a row.
        columns: usize,
    },
    /// A requested row does not exist.
    #[error("expected a row below {rows}, found {row}")]
    Row {
        /// The requested row.
        row: usize,
        /// Rows of the data.
        rows: usize,
    },
    /// Two lists that describe the same rows differ in length.
    #[error("expected {expected} {what}, one for each row, found {found}")]
    Length {
        /// What the list holds.
        what: &'static str,
        /// Rows.
        expected: usize,
        /// Length of the list.
        found: usize,
    },
    /// A score that is not a number.
    #[error("row {row}: expected a score, found a value that is not a number")]
    Score {
        /// Row of the score.
        row: usize,
    },
    /// A corruption rate outside its range.
    #[error("corruption rate: expected a number from 0 to 1, found {rate}")]
    Rate {
        /// The rate found.
        rate: f64,
    },
    /// An unknown name of a corruption.
    #[error("corruption: expected {}, found {name:?}", CorruptionKind::names())]
    CorruptionKind {
        /// The name found.
        name: String,
    },
    /// A corruption that needs at least two classes.
    #[error("corruption {kind}: expected at least 2 classes, found {classes}")]
    TooFewClasses {
        /// The corruption.
        kind: CorruptionKind,
        /// Number of classes.
        classes: usize,
    },
    /// An unknown name of a test problem.
    #[error(
        "unknown test problem {name:?}: expected one of {}{}",
        known.join(", "),
        nearest(name, known)
    )]
    UnknownProblem {
        /// The name found.
        name: String,
        /// All names.
        known: &'static [&'static str],
    },
    /// A dimension that a test problem cannot have.
    #[error("{problem}: expected {}, found {found}", dimension(*least, *most))]
    Dimension {
        /// The test problem.
        problem: &'static str,
        /// The smallest dimension.
        least: usize,
        /// The largest dimension.
        most: usize,
        /// The dimension found.
        found: usize,
    },
    /// A point of a test problem whose length differs from the length of the variable.
    #[error("{problem}: {what}: expected {expected} numbers, found {found}")]
    ProblemLength {
        /// The test problem.
        problem: &'static str,
        /// What was given.
        what: &'static str,
        /// Length of the variable.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A point of a test problem with an infinite number or a NaN.
    #[error("{problem}: {what}: expected finite numbers, found {found} at place {index}")]
    ProblemNumber {
        /// The test problem.
        problem: &'static str,
        /// What was given.
        what: &'static str,
        /// Its index, from 0.
        index: usize,
        /// The number found.
        found: f64,
    },
    /// A start of training was given, but training starts at x.
    #[error("{problem}: training starts at x: expected a start of x, found a start of training")]
    StartIsX {
        /// The test problem.
        problem: &'static str,
    },
}

impl Error {
    /// The same, with a size to which pictures could be resized.
    pub(crate) fn resizing(self, size: usize) -> Self {
        Self::Sizes {
            error: Box::new(self),
            size,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Table { problem, .. } => problem.hint(),
            Self::Memory { .. } => Some(Hint::LessMemory),
            Self::TooLong { .. } => Some(Hint::LessTime),
            Self::Sizes { size, .. } => Some(Hint::ImageSize(*size)),
            Self::Cleaning(problem) => problem.hint().map(Hint::Settings),
            Self::Refused(refusal) => refusal.hint().map(Hint::Settings),
            Self::Method(error) => error.hint().map(Hint::Settings),
            _ => None,
        }
    }
}

impl Error {
    /// An error that reading the bytes of a file met.
    pub(crate) fn reading(path: &Path, error: io::Error) -> Self {
        let error = match error.downcast::<NoRoom>() {
            Ok(found) => return Malformed::from(found).at(path),
            Err(error) => error,
        };
        let path = path.to_owned();
        match error.downcast::<Damaged>() {
            Ok(Damaged { read, source }) => Self::Damaged { path, read, source },
            Err(source) => Self::Read { path, source },
        }
    }
}

impl Malformed {
    /// The same in this file.
    pub(crate) fn at(self, path: &Path) -> Error {
        Error::Malformed {
            path: path.to_owned(),
            problem: Box::new(self),
        }
    }
}

impl TableProblem {
    /// The same in this file.
    pub(crate) fn at(self, path: &Path) -> Error {
        Error::Table {
            path: path.to_owned(),
            problem: Box::new(self),
        }
    }
}

impl From<CleaningProblem> for Error {
    fn from(problem: CleaningProblem) -> Self {
        Self::Cleaning(problem)
    }
}

impl From<FewshotProblem> for Error {
    fn from(problem: FewshotProblem) -> Self {
        Self::Fewshot(problem)
    }
}

impl From<bilevel::catalogue::Refusal> for Error {
    fn from(refusal: bilevel::catalogue::Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Names further than this from the input are not suggested.
const SIMILAR: f64 = 0.7;

/// "; did you mean …?", or nothing.
fn nearest(name: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(similar, _)| similar >= SIMILAR)
        .map_or_else(String::new, |(_, known)| {
            format!("; did you mean {known:?}?")
        })
}

fn dimension(least: usize, most: usize) -> String {
    if least == most {
        format!("dimension {least}, the only possible one")
    } else if most > usize::MAX / 4 {
        format!("a dimension of at least {least}")
    } else {
        format!("a dimension from {least} to {most}")
    }
}
