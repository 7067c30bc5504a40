//! The arguments of the command line.

mod fewshot;
mod method;
mod names;
mod output;

use std::path::PathBuf;

use bilevel::catalogue::{OptimizerChoice, Size};
use bilevel_tasks::cleaning::{EarlyStopping, ImageSize, JudgeChoice, Separator, TimeLimit};
use bilevel_tasks::data::ImageShape;
use bilevel_tasks::fewshot::Trained;
use bilevel_tasks::model::ModelChoice;
use clap::{Args, Parser, Subcommand};

use crate::parse::{self, Numbers};
use crate::solver::SolverChoice;
pub(crate) use fewshot::{AdaptArguments, FewshotArguments, FewshotVerb};
pub(crate) use method::{JudgeArguments, MethodArguments, MethodOptions, TrainingArguments};
pub(crate) use names::{
    CorruptionName, DecimalName, HeaderName, MissingName, PrecisionName, ScaleName,
};
pub(crate) use output::OutputArguments;

/// Finds wrong labels by differentiating through training; checks and times hypergradients.
#[derive(Parser, Debug)]
#[command(name = "bilevel", version, about, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Find wrong labels. Without arguments: in handwritten digits, half of whose labels are made wrong
    Clean(Box<CleanArguments>),
    /// Learn to recognise new classes from a few pictures of each. Without arguments: of handwritten digits
    Fewshot(Box<FewshotArguments>),
    /// Compare the hypergradient with central differences, and its modes with each other; exit code 1 if
    /// any differ
    Check(Box<CheckArguments>),
    /// Time one hypergradient on given inputs
    Bench {
        #[command(subcommand)]
        case: BenchCase,
    },
    /// Run the job in a TOML file. The config.toml of a run repeats that run bit for bit
    Run(RunArguments),
    /// Continue a stopped or killed run of clean or fewshot, with the same bits; print the result of a finished run
    Resume(ResumeArguments),
    /// Apply a model that clean --save-model wrote to another file
    Predict(PredictArguments),
    /// Solve a small test problem with a known answer, with any method
    Solve(Box<SolveArguments>),
    /// List the methods
    Methods(MethodsArguments),
    /// Explain a method: what it does, what it costs, when to use it and when not
    Explain(Box<ExplainArguments>),
}

#[derive(Args, Debug)]
pub(crate) struct CommonArguments {
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true, value_parser = parse::seed)]
    pub(crate) seed: u64,
    /// Number of threads; the results do not depend on it [default: one for each processor]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// New folder for the results
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CleanArguments {
    /// Rows to check, counted from 0: a file of any known format (CSV and its kin, NPY, NPZ, IDX, LIBSVM text and
    /// others, packed by gzip or zstd or not), a folder with a folder of pictures for each class, or - for
    /// standard input
    #[arg(value_name = "DATA", group = "data_source", help_heading = "Data")]
    pub(crate) data: Option<PathBuf>,
    /// Column of labels; in a file of several arrays, the array of labels
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) label: Option<String>,
    /// File of the labels, if they are not in DATA: one a row, in any format
    #[arg(
        long,
        value_name = "FILE",
        requires = "data_source",
        help_heading = "Data"
    )]
    pub(crate) labels: Option<PathBuf>,
    /// Column of row names, copied to scores.csv [default: the column id, if there is one]
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) id: Option<String>,
    /// Column to leave out of the features; may be given several times
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) ignore: Vec<String>,
    /// Column to keep as a feature, even if it seems to number the rows; may be given several times
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) keep: Vec<String>,
    /// Column of categories, one feature for each, even if its cells are numbers; may be given several times. Texts
    /// of at most 100 kinds are read so anyway
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) category: Vec<String>,
    /// What to do with missing values of features: empty cells, NA, NaN, null, None, ?, - and the like [default:
    /// error]
    #[arg(long, value_name = "CHOICE", value_enum, help_heading = "Data")]
    pub(crate) missing: Option<MissingName>,
    /// How features are scaled [default: standard; none for pictures, whose pixels are from 0 to 1]
    #[arg(long, value_name = "CHOICE", value_enum, help_heading = "Data")]
    pub(crate) scale: Option<ScaleName>,
    /// Another text or number that stands for a missing value or label; may be given several times
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "Data"
    )]
    pub(crate) missing_text: Vec<String>,
    /// Label that is one, although it usually stands for a missing one, such as None or -; may be given several times
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "Data"
    )]
    pub(crate) label_text: Vec<String>,
    /// Make one class of labels that look the same, such as Cat and cat
    #[arg(long, help_heading = "Data")]
    pub(crate) merge_labels: bool,
    /// What separates the cells of text: comma, semicolon, tab, bar, blank, or a sign [default: found from the text]
    #[arg(long, value_name = "SIGN", value_parser = parse::value::<Separator>, help_heading = "Data")]
    pub(crate) separator: Option<Separator>,
    /// The mark before the fraction of a number in text [default: found from the text]
    #[arg(long, value_name = "MARK", value_enum, help_heading = "Data")]
    pub(crate) decimal: Option<DecimalName>,
    /// Whether the first line of text has the names of the columns [default: found from the text]
    #[arg(long, value_name = "CHOICE", value_enum, help_heading = "Data")]
    pub(crate) header: Option<HeaderName>,
    /// Resize the pictures of a folder to this height and width in pixels: 28, or 28x32
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<ImageSize>, help_heading = "Data")]
    pub(crate) image_size: Option<ImageSize>,
    /// Rows with trusted labels, with the same columns, in any format
    #[arg(
        long,
        visible_alias = "trusted-features",
        value_name = "FILE",
        group = "trust",
        help_heading = "Data"
    )]
    pub(crate) trusted: Option<PathBuf>,
    /// Labels of the trusted rows, if they are apart
    #[arg(long, value_name = "FILE", requires = "trusted", help_heading = "Data")]
    pub(crate) trusted_labels: Option<PathBuf>,
    /// Column of who gave each label: each annotator or source has mistakes of its own kind, and the report ranks them
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) annotator: Option<String>,
    /// Column of groups of rows that belong together, such as pictures of one film or rows of one patient: no row is
    /// judged by a model that was trained on rows of its group
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub(crate) group: Option<String>,
    /// Column that says which rows have trusted labels: true or false, yes or no, 1 or 0
    #[arg(long, value_name = "COLUMN", group = "trust", help_heading = "Data")]
    pub(crate) trusted_column: Option<String>,
    /// Number of rows whose labels are trusted, drawn at random from the same file [default for the digits:
    /// 297]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, group = "trust", help_heading = "Data")]
    pub(crate) trusted_rows: Option<usize>,
    /// Test rows with right labels, with the same columns, in any format
    #[arg(long, visible_aliases = ["test-features", "test-images"], value_name = "FILE", help_heading = "Data")]
    pub(crate) test: Option<PathBuf>,
    /// Labels of the test rows, if they are apart
    #[arg(long, value_name = "FILE", requires = "test", help_heading = "Data")]
    pub(crate) test_labels: Option<PathBuf>,
    /// Another way to write DATA
    #[arg(
        long,
        visible_alias = "images",
        value_name = "FILE",
        group = "data_source",
        help_heading = "Data"
    )]
    pub(crate) features: Option<PathBuf>,
    /// Number of rows to check, drawn at random [default: all untrusted rows; 1000 for the digits]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Data")]
    pub(crate) train_rows: Option<usize>,
    /// For experiments: share of the labels to make wrong [default for the digits: 0.5]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = parse::rate, help_heading = "Data")]
    pub(crate) corrupt: Option<f64>,
    /// What a corrupted label becomes [default: other]
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Data")]
    pub(crate) corruption: Option<CorruptionName>,

    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: JudgeArguments,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) training: TrainingArguments,
    /// Model to train: softmax (softmax regression), mlp:H (one hidden layer of H units), or a network on pictures: conv4,
    /// conv4:F, conv4-pool, conv4-pool:F (F filters), lenet or resnet18
    #[arg(long, value_name = "MODEL", default_value = "softmax", value_parser = parse::value::<ModelChoice>, help_heading = "Method")]
    pub(crate) model: ModelChoice,

    /// Maximum number of updates of the weights
    #[arg(long, value_name = "T", default_value = "60", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) outer_steps: usize,
    /// How the weights move: sgd:RATE, sgd:RATE,DECAY, adam:RATE or adaptive:FIRST (HOAG) [default:
    /// adam:0.05, or the method's own]
    #[arg(long, value_name = "RULE", value_parser = parse::value::<OptimizerChoice>, help_heading = "Run")]
    pub(crate) outer_optimizer: Option<OptimizerChoice>,
    /// Share of the trusted rows that is held out to choose the best outer step, or off
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
    /// Memory for a hypergradient, for example 200MB or 1GiB; chooses the adjoint unless --adjoint is given
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<Size>, help_heading = "Run")]
    pub(crate) memory_budget: Option<Size>,
    /// End after this time with the best result so far, and say what was left out: 10s, 5m, 1h; bilevel resume
    /// completes it
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse::value::<TimeLimit>, help_heading = "Run")]
    pub(crate) time_limit: Option<TimeLimit>,

    /// Start even if the prediction is that it takes very long
    #[arg(long, help_heading = "Run")]
    pub(crate) force: bool,

    #[command(flatten, next_help_heading = "Output")]
    pub(crate) output: OutputArguments,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// TOML file such as the config.toml of a run; missing keys get their defaults, relative paths start at
    /// the folder of the file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Number of threads; the results do not depend on it [default: as in the file]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// New folder for the results
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Start even if the prediction is that it takes very long
    #[arg(long)]
    pub(crate) force: bool,
    /// Print errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PredictArguments {
    /// File that clean --save-model wrote
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Rows with the same columns, in any format; labels are compared with what is predicted, if there are any
    #[arg(value_name = "DATA")]
    pub(crate) data: PathBuf,
    /// Column of labels, if it has another name than in the file that the model was trained on
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Column of row names [default: as in the file that the model was trained on]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// New CSV file for the predictions [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Print predictions and errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ResumeArguments {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// End after this time from now, with the best result so far: 10s, 5m, 1h [default: as in the run]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse::value::<TimeLimit>)]
    pub(crate) time_limit: Option<TimeLimit>,
    /// Continue with a different program or processor; the result may then differ
    #[arg(long)]
    pub(crate) allow_different_bits: bool,
    /// Number of threads; the results do not depend on it [default: as in the run]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Print errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) training: TrainingArguments,
    /// Largest relative error allowed in checks that do not compare bits [default: each check has its own]
    #[arg(long, value_name = "E", allow_negative_numbers = true, value_parser = parse::positive)]
    pub(crate) tolerance: Option<f64>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct SolveArguments {
    /// Test problem: non-unique, ufo-counterexample, truncation-counterexample, quadratic, ridge, sine,
    /// pbgd-toy, bvfsm-toy, penalty-trap or simple-bilevel
    #[arg(value_name = "PROBLEM")]
    pub(crate) problem: String,
    /// Method, see bilevel methods [default: basic]; for simple-bilevel: big-sam, solodov, tikhonov or
    /// ferris-mangasarian [default: big-sam]
    #[arg(long, value_name = "NAME", help_heading = "Method")]
    pub(crate) method: Option<SolverChoice>,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) options: MethodOptions,
    /// Maximum number of updates of x [default: the problem's own]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) outer_steps: Option<usize>,
    /// How x moves: sgd:RATE, sgd:RATE,DECAY, adam:RATE or adaptive:FIRST (HOAG) [default: the method's or
    /// the problem's own]
    #[arg(long, value_name = "RULE", value_parser = parse::value::<OptimizerChoice>, help_heading = "Run")]
    pub(crate) outer_optimizer: Option<OptimizerChoice>,
    /// Start of x [default: the problem's own]
    #[arg(
        long,
        value_name = "X,..",
        allow_hyphen_values = true,
        help_heading = "Problem"
    )]
    pub(crate) start: Option<Numbers>,
    /// Start of training [default: the problem's own]
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
    /// Memory for a hypergradient, for example 200MB or 1GiB; chooses the adjoint unless --adjoint is given
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<Size>, help_heading = "Run")]
    pub(crate) memory_budget: Option<Size>,
    /// CSV file for step, f, gradient norms, x and y of each outer step [default: trajectory.csv in the
    /// folder --out]
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
    /// Name of a method or a detector, see bilevel methods
    #[arg(value_name = "METHOD", value_parser = parse::judge)]
    pub(crate) method: JudgeChoice,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) options: MethodOptions,
    /// Predict the cost for this problem of bilevel solve [default: cleaning]
    #[arg(long, value_name = "NAME", help_heading = "Problem")]
    pub(crate) problem: Option<String>,
    /// Size of that problem [default: the problem's own]
    #[arg(long, value_name = "N", requires = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) dimension: Option<usize>,
    /// Number of rows to check [default: 1000]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) rows: Option<usize>,
    /// Number of trusted rows [default: 297]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) trusted_rows: Option<usize>,
    /// Number of features [default: 64]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) columns: Option<usize>,
    /// Number of classes [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "problem", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Problem")]
    pub(crate) classes: Option<usize>,
    /// Height, width and channels of rows that are pictures, in place of a number of features: 28x28, 32x32x3
    #[arg(long, value_name = "SHAPE", conflicts_with_all = ["problem", "columns"], value_parser = parse::value::<ImageShape>, help_heading = "Problem")]
    pub(crate) pictures: Option<ImageShape>,
    /// Model to train: softmax (softmax regression), mlp:H (one hidden layer of H units), or a network on pictures: conv4,
    /// conv4:F, conv4-pool, conv4-pool:F (F filters), lenet or resnet18 [default: softmax]
    #[arg(long, value_name = "MODEL", conflicts_with = "problem", value_parser = parse::value::<ModelChoice>, help_heading = "Problem")]
    pub(crate) model: Option<ModelChoice>,
    /// Also time a gradient, on made-up rows, and predict how long a hypergradient takes on this machine
    #[arg(long, conflicts_with = "problem", help_heading = "Problem")]
    pub(crate) time: bool,
    #[command(flatten, next_help_heading = "Problem")]
    pub(crate) training: TrainingArguments,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCase {
    /// One hypergradient of data cleaning, at x.npy from y_softmax.npy
    Cleaning(Box<BenchCleaningArguments>),
    /// The meta-gradient of one few-shot task, on a network of four convolutions
    Fewshot(Box<BenchFewshotArguments>),
    /// Convolutions of several shapes, with both gradients
    Conv(BenchConvArguments),
    /// Read a file of any known format
    Read(BenchReadArguments),
}

#[derive(Args, Debug)]
pub(crate) struct BenchFewshotArguments {
    /// Folder with support_inputs_WAY.npy, support_labels_WAY.npy, query_inputs_WAY.npy, query_labels_WAY.npy and
    /// params_WAY.safetensors
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Number of classes of the task
    #[arg(long, value_name = "N", default_value = "5", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) way: usize,
    /// What the inner problem trains: all (MAML) or head (hyper-representation)
    #[arg(long, value_name = "PART", default_value = "all", value_parser = parse::value::<Trained>)]
    pub(crate) inner: Trained,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    /// Precision of all numbers
    #[arg(
        long,
        help_heading = "Run",
        value_name = "TYPE",
        value_enum,
        default_value = "f32"
    )]
    pub(crate) dtype: PrecisionName,
    /// Number of timed calls after the first
    #[arg(long, value_name = "N", default_value = "5", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) repeat: usize,
    /// NPY file for the gradient, in PyTorch's order
    #[arg(long, value_name = "FILE")]
    pub(crate) gradient: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct BenchConvArguments {
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct BenchCleaningArguments {
    /// Folder with train_inputs.npy, train_labels.npy, val_inputs.npy, val_labels.npy, x.npy and
    /// y_softmax.npy
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Model to train: softmax (softmax regression) or mlp:H (one hidden layer of H units)
    #[arg(long, value_name = "MODEL", default_value = "softmax", value_parser = parse::value::<ModelChoice>)]
    pub(crate) model: ModelChoice,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,
    /// Precision of all numbers
    #[arg(
        long,
        help_heading = "Run",
        value_name = "TYPE",
        value_enum,
        default_value = "f32"
    )]
    pub(crate) dtype: PrecisionName,
    /// Number of timed calls after the first
    #[arg(long, value_name = "N", default_value = "5", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) repeat: usize,
    /// NPY file for the gradient, in the order of x.npy
    #[arg(long, value_name = "FILE")]
    pub(crate) gradient: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Args, Debug)]
pub(crate) struct BenchReadArguments {
    /// File to read, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}
