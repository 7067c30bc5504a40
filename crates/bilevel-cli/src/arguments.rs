//! What can be typed.

mod method;

use std::path::PathBuf;

use bilevel::catalogue::{MethodChoice, OptimizerChoice, Size};
use bilevel_tasks::cleaning::{EarlyStopping, TimeLimit};
use bilevel_tasks::corruption::CorruptionKind;
use bilevel_tasks::data::table::Missing;
use bilevel_tasks::model::Model;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::solve::SolverChoice;
use crate::parse::{self, Numbers};
pub(crate) use method::{MethodArguments, MethodOptions, TrainingArguments};

/// Finds wrong labels by differentiating through training; checks and times that.
#[derive(Parser, Debug)]
#[command(name = "bilevel", version, about, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Find wrong labels: one weight for each row, learned so that training on the weighted
    /// rows does well on trusted rows. Without arguments: on handwritten digits that come with the
    /// program, half of whose labels are made wrong.
    Clean(Box<CleanArguments>),
    /// Check the hypergradient: against central differences, forward against reverse mode,
    /// checkpointed against full reverse mode. Exit code 1 if anything differs.
    Check(CheckArguments),
    /// Time one hypergradient on given inputs.
    Bench {
        #[command(subcommand)]
        case: BenchCase,
    },
    /// Do the job that a file says. A run's own config.toml does the same again, to the same bits
    Run(RunArguments),
    /// Go on with a run of clean that was stopped or killed, to the same bits as if it had not
    /// been; of a finished run, print the result again.
    Resume(ResumeArguments),
    /// Solve a closed-form test problem with a known answer, by any method: trajectory, error
    /// against the optimum, norm of the true outer gradient.
    Solve(Box<SolveArguments>),
    /// List the methods.
    Methods(MethodsArguments),
    /// What a method does, what it costs, when to use it and when not; with a prediction for a
    /// problem of given size.
    Explain(Box<ExplainArguments>),
}

#[derive(Args, Debug)]
pub(crate) struct CommonArguments {
    /// Root of every random draw
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true, value_parser = parse::seed)]
    pub(crate) seed: u64,
    /// Threads; one for each processor unless given. Results do not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print exactly one JSON document on standard output, everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Folder for the results; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// No progress and no report, errors alone
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What a corrupted label becomes.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CorruptionName {
    /// Any other class
    Other,
    /// Any class, the right one among them
    Uniform,
    /// Class c becomes c + 1
    Pairwise,
}

/// What is done about missing values.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MissingName {
    /// They are an error, which names the first and counts them
    Error,
    /// A missing feature becomes the mean of its column; a missing label is an error
    Mean,
    /// Rows with missing features or labels are left out
    Drop,
}

#[derive(Args, Debug)]
pub(crate) struct CleanArguments {
    /// Table of rows whose labels are doubted: CSV, or TSV if its name ends in .tsv (gzipped or not), with
    /// a first line of column names. Every column that has no other purpose must hold numbers,
    /// true or false; it is standardised with the mean and standard deviation of this table, which
    /// scaling.csv keeps. Rows are counted from 0, without the first line. A column called id is
    /// carried to scores.csv, not learned from; nor is a first column without a name
    #[arg(value_name = "DATA", group = "data_source", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// Column of labels, texts or integers
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) label: Option<String>,
    /// Column of names of the rows, carried to scores.csv instead of the column called id
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) id: Option<String>,
    /// Column that is not learned from, such as one of text; may be given several times
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) ignore: Vec<String>,
    /// What is done about empty cells, NA, NaN, null, None and ? [default: error]
    #[arg(long, value_name = "CHOICE", value_enum, help_heading = "Data")]
    pub(crate) missing: Option<MissingName>,
    /// Table of rows whose labels you know to be right, with the same columns
    #[arg(long, value_name = "FILE", group = "trust", help_heading = "Data")]
    pub(crate) trusted: Option<PathBuf>,
    /// Column of DATA, or of the table of labels, that tells which rows have labels that you know to be
    /// right: true or false, yes or no, 1 or 0
    #[arg(long, value_name = "COLUMN", group = "trust", help_heading = "Data")]
    pub(crate) trusted_column: Option<String>,
    /// Table of test rows with right labels, with the same columns
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) test: Option<PathBuf>,
    /// NPY file of features, rows × columns, standardised like a table
    #[arg(
        long,
        value_name = "FILE",
        requires = "labels",
        group = "data_source",
        help_heading = "Data"
    )]
    pub(crate) features: Option<PathBuf>,
    /// IDX file of images, gzipped or not (the MNIST family)
    #[arg(
        long,
        value_name = "FILE",
        requires = "labels",
        group = "data_source",
        help_heading = "Data"
    )]
    pub(crate) images: Option<PathBuf>,
    /// Their labels: an IDX file for images; for features an NPY file of integers, or a table with the
    /// column --label, which need not be named if it is the only one
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) labels: Option<PathBuf>,
    /// NPY file of features whose labels you know to be right
    #[arg(long, value_name = "FILE", requires_all = ["features", "trusted_labels"], group = "trust", help_heading = "Data")]
    pub(crate) trusted_features: Option<PathBuf>,
    /// Their labels, NPY or table
    #[arg(
        long,
        value_name = "FILE",
        requires = "trusted_features",
        help_heading = "Data"
    )]
    pub(crate) trusted_labels: Option<PathBuf>,
    /// Rows whose labels are doubted, drawn at random; 1000 of the digits, else all that are not
    /// trusted
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Data")]
    pub(crate) train_rows: Option<usize>,
    /// Rows whose labels you know to be right, drawn at random from the same file; 297 of the
    /// digits; for other data state this, or which rows these are
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, group = "trust", help_heading = "Data")]
    pub(crate) trusted_rows: Option<usize>,
    /// IDX file of test images, with right labels
    #[arg(long, value_name = "FILE", requires_all = ["images", "test_labels"], help_heading = "Data")]
    pub(crate) test_images: Option<PathBuf>,
    /// NPY file of test features, with right labels
    #[arg(long, value_name = "FILE", requires_all = ["features", "test_labels"], help_heading = "Data")]
    pub(crate) test_features: Option<PathBuf>,
    /// Labels of the test images or test features
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) test_labels: Option<PathBuf>,
    /// For experiments on data with right labels: make this share of the training labels wrong;
    /// 0.5 for the digits
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = parse::rate, help_heading = "Data")]
    pub(crate) corrupt: Option<f64>,
    /// What a corrupted label becomes [default: other]
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Data")]
    pub(crate) corruption: Option<CorruptionName>,

    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) training: TrainingArguments,
    /// What is trained: softmax (softmax regression) or mlp:H (one hidden layer of H units)
    #[arg(long, value_name = "MODEL", default_value = "softmax", value_parser = parse::value::<Model>, help_heading = "Method")]
    pub(crate) model: Model,

    /// Updates of the weights, at most
    #[arg(long, value_name = "T", default_value = "60", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) outer_steps: usize,
    /// How the weights move: sgd:RATE, sgd:RATE,DECAY (the steps RATE/(1 + DECAY·t)), adam:RATE or
    /// adaptive:FIRST (the step of HOAG, which moves each number by FIRST at first)
    /// [default: adam:0.05, or what belongs to the method]
    #[arg(long, value_name = "RULE", value_parser = parse::value::<OptimizerChoice>, help_heading = "Run")]
    pub(crate) outer_optimizer: Option<OptimizerChoice>,
    /// Share of the trusted rows that is held out to choose the best outer step, or off: the last
    /// step is kept
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.2",
        allow_negative_numbers = true,
        value_parser = parse::value::<EarlyStopping>,
        help_heading = "Run"
    )]
    pub(crate) early_stopping: EarlyStopping,
    /// Outer steps without improvement on the held-out rows before the run ends [default: 20]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) patience: Option<usize>,
    /// Memory that a hypergradient may take, the data of both losses among it: 200MB, 1GiB. Chooses
    /// how training is differentiated, unless --adjoint says it: reverse:tape, else reverse, else
    /// checkpointed:C with the largest C that fits, else refuses
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<Size>, help_heading = "Run")]
    pub(crate) memory_budget: Option<Size>,
    /// Begin no further outer step after this time: 10s, 5m, 1h; `bilevel resume` goes on from
    /// there
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse::value::<TimeLimit>, help_heading = "Run")]
    pub(crate) time_limit: Option<TimeLimit>,

    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
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
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// TOML file: the config.toml of a run, or one like it; what it leaves out has its default.
    /// Relative paths in it start at its folder
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Threads; those of the file unless given. Results do not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print exactly one JSON document on standard output, everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Folder for the results; it must not exist yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// No progress and no report, errors alone
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ResumeArguments {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Begin no further outer step after this time from now: 10s, 5m, 1h; that of the run unless
    /// given
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse::value::<TimeLimit>)]
    pub(crate) time_limit: Option<TimeLimit>,
    /// Go on although the program or the processor is another one than that of the run: the result
    /// may then differ from that of a run in one piece
    #[arg(long)]
    pub(crate) allow_different_bits: bool,
    /// Threads; those of the run unless given. Results do not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print exactly one JSON document on standard output, everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress and no report, errors alone
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) training: TrainingArguments,
    /// Allowed relative error, for every check that is not bit for bit; unless given, each has its
    /// own
    #[arg(long, value_name = "E", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) tolerance: Option<f64>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct SolveArguments {
    /// non-unique, ufo-counterexample, truncation-counterexample, quadratic, ridge, sine, pbgd-toy,
    /// bvfsm-toy, penalty-trap or simple-bilevel
    #[arg(value_name = "PROBLEM")]
    pub(crate) problem: String,
    /// Which method, see bilevel methods [default: basic]; of simple-bilevel big-sam, solodov, tikhonov
    /// or ferris-mangasarian [default: big-sam]
    #[arg(long, value_name = "NAME", help_heading = "Method")]
    pub(crate) method: Option<SolverChoice>,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) options: MethodOptions,
    /// Updates of x, at most [default: the problem's own]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) outer_steps: Option<usize>,
    /// How x moves: sgd:RATE, sgd:RATE,DECAY (the steps RATE/(1 + DECAY·t)), adam:RATE or
    /// adaptive:FIRST (the step of HOAG, which moves each number by FIRST at first) [default: what belongs to the method, or the problem's own]
    #[arg(long, value_name = "RULE", value_parser = parse::value::<OptimizerChoice>, help_heading = "Run")]
    pub(crate) outer_optimizer: Option<OptimizerChoice>,
    /// Where x starts [default: the problem's own]
    #[arg(
        long,
        value_name = "X,..",
        allow_hyphen_values = true,
        help_heading = "Problem"
    )]
    pub(crate) start: Option<Numbers>,
    /// Where training starts [default: the problem's own]
    #[arg(
        long,
        value_name = "Y,..",
        allow_hyphen_values = true,
        help_heading = "Problem"
    )]
    pub(crate) inner_start: Option<Numbers>,
    /// Size of the problem [default: the problem's own]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) dimension: Option<usize>,
    /// Memory that a hypergradient may take: 200MB, 1GiB. Chooses how training is differentiated,
    /// unless --adjoint says it
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<Size>, help_heading = "Run")]
    pub(crate) memory_budget: Option<Size>,
    /// File for what was met on the way, CSV: step, f, norms of the hypergradient and of the true
    /// gradient, x and y. A folder given by --out has it as trajectory.csv
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) trajectory: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct MethodsArguments {
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArguments {
    /// The name of a method, see bilevel methods
    #[arg(value_name = "METHOD", value_parser = parse::method)]
    pub(crate) method: MethodChoice,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) options: MethodOptions,
    /// Predict for a problem of bilevel solve, not for cleaning
    #[arg(long, value_name = "NAME", help_heading = "Problem")]
    pub(crate) problem: Option<String>,
    /// Size of that problem [default: the problem's own]
    #[arg(long, value_name = "N", requires = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) dimension: Option<usize>,
    /// Rows whose labels are doubted [default: 1000]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) rows: Option<usize>,
    /// Rows whose labels are trusted [default: 297]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) trusted_rows: Option<usize>,
    /// Features of a row [default: 64]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) columns: Option<usize>,
    /// Classes [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) classes: Option<usize>,
    /// What is trained: softmax (softmax regression) or mlp:H (one hidden layer of H units)
    /// [default: softmax]
    #[arg(long, value_name = "MODEL", conflicts_with = "problem", value_parser = parse::value::<Model>, help_heading = "Problem")]
    pub(crate) model: Option<Model>,
    #[command(flatten, next_help_heading = "Problem")]
    pub(crate) training: TrainingArguments,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCase {
    /// One hypergradient of data cleaning, at x.npy from y_softmax.npy
    Cleaning(BenchCleaningArguments),
}

/// The precision of all numbers.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PrecisionName {
    /// Single
    F32,
    /// Double
    F64,
}

#[derive(Args, Debug)]
pub(crate) struct BenchCleaningArguments {
    /// Folder with train_inputs.npy, train_labels.npy, val_inputs.npy, val_labels.npy, x.npy and
    /// y_softmax.npy
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// What is trained: softmax (softmax regression) or mlp:H (one hidden layer of H units)
    #[arg(long, value_name = "MODEL", default_value = "softmax", value_parser = parse::value::<Model>)]
    pub(crate) model: Model,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    /// Precision
    #[arg(
        long,
        help_heading = "Run",
        value_name = "TYPE",
        value_enum,
        default_value = "f32"
    )]
    pub(crate) dtype: PrecisionName,
    /// Timed calls after the first
    #[arg(long, value_name = "N", default_value = "5", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) repeat: usize,
    /// File for the gradient, in the order of x.npy
    #[arg(long, value_name = "FILE")]
    pub(crate) gradient: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}
