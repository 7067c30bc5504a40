//! The arguments of `bilevel fewshot`.

use std::path::PathBuf;

use bilevel::catalogue::OptimizerChoice;
use bilevel::optimizer::Annealing;
use bilevel_tasks::cleaning::{ImageSize, TimeLimit};
use bilevel_tasks::fewshot::{Algorithm, Rotations, SplitBy};
use bilevel_tasks::network::Network;
use clap::{Args, Subcommand};

use super::{CommonArguments, MethodArguments};
use crate::parse;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FewshotArguments {
    #[command(subcommand)]
    pub(crate) verb: Option<FewshotVerb>,
    /// Pictures in classes: folders, ZIP or TAR archives with a folder of PNG or JPEG pictures for each class, with or
    /// without lists as of Mini-ImageNet, or one file of rows of pixels (IDX, CIFAR, …) [default: the digits that come
    /// with the program]
    #[arg(value_name = "DATA", help_heading = "Data")]
    pub(crate) data: Vec<PathBuf>,
    /// The same with classes for the test alone; may be given several times
    #[arg(long, value_name = "PATH", help_heading = "Data")]
    pub(crate) test: Vec<PathBuf>,
    /// Resize pictures to this height and width in pixels: 28, or 28x32 [default: small ones stay; large drawings
    /// become 28x28, large photographs 84x84]
    #[arg(long, value_name = "SIZE", value_parser = parse::value::<ImageSize>, help_heading = "Data")]
    pub(crate) image_size: Option<ImageSize>,
    /// Pictures turned by 90, 180 and 270 degrees as classes of their own: auto (for square pictures in shades of
    /// grey), on or off
    #[arg(long, value_name = "CHOICE", default_value = "auto", value_parser = parse::value::<Rotations>, help_heading = "Data")]
    pub(crate) rotations: Rotations,
    /// What is drawn together for training, validation or test: class, or group (all classes of a folder, such as an
    /// alphabet)
    #[arg(long, value_name = "WHAT", default_value = "class", value_parser = parse::value::<SplitBy>, help_heading = "Data")]
    pub(crate) split_by: SplitBy,
    /// Classes for training, before they are turned [default: as lists of the data say, or 64 %]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Data")]
    pub(crate) train_classes: Option<usize>,
    /// Classes to choose between the steps of training [default: as lists of the data say, or 16 %]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Data")]
    pub(crate) validation_classes: Option<usize>,
    /// Classes for the test [default: as lists of the data say, or 20 %]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Data")]
    pub(crate) test_classes: Option<usize>,

    /// Classes of a task
    #[arg(long, value_name = "N", default_value = "5", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Tasks")]
    pub(crate) way: usize,
    /// Pictures of each class that a task is trained on
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Tasks")]
    pub(crate) shot: usize,
    /// Pictures of each class that a task is judged on
    #[arg(long, value_name = "N", default_value = "15", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Tasks")]
    pub(crate) query: usize,

    /// What is learned: hyper-representation (features that all tasks share), maml (a start of all parameters),
    /// first-order or ufo (the same with cheaper derivatives) or reptile
    #[arg(long, value_name = "NAME", default_value = "hyper-representation", value_parser = parse::value::<Algorithm>, help_heading = "Method")]
    pub(crate) algorithm: Algorithm,
    /// Network: conv4, conv4:F, conv4-pool, conv4-pool:F (F filters), lenet or resnet18
    #[arg(long, value_name = "NAME", default_value = "conv4", value_parser = parse::value::<Network>, help_heading = "Method")]
    pub(crate) network: Network,
    /// Learn a factor of the inner step size for each parameter, as Meta-SGD does
    #[arg(long, help_heading = "Method")]
    pub(crate) learn_step_sizes: bool,
    /// With hyper-representation: train heads on features as they are, not scaled to a mean squared norm of 1; large
    /// features then need a small step size
    #[arg(long, help_heading = "Method")]
    pub(crate) raw_features: bool,
    /// Weights to start from, as safetensors with PyTorch's names; a head for other classes is left out
    #[arg(long, value_name = "FILE", help_heading = "Method")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Method")]
    pub(crate) method: MethodArguments,

    /// Number of updates of what is learned [default: 5000; 200 for the digits]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) outer_steps: Option<usize>,
    /// Tasks of each update
    #[arg(long, value_name = "N", default_value = "4", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) meta_batch: usize,
    /// How it moves: sgd:RATE, sgd:RATE,DECAY, adam:RATE or adaptive:FIRST [default: adam:0.001; hyper-representation: adam:0.002; reptile: sgd:1]
    #[arg(long, value_name = "RULE", value_parser = parse::value::<OptimizerChoice>, help_heading = "Run")]
    pub(crate) outer_optimizer: Option<OptimizerChoice>,
    /// How updates shrink until the last: constant, linear or cosine [default: cosine; reptile: linear]
    #[arg(long, value_name = "NAME", value_parser = parse::value::<Annealing>, help_heading = "Run")]
    pub(crate) outer_schedule: Option<Annealing>,
    /// Updates between two validations [default: a twentieth of all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) validate_every: Option<usize>,
    /// Tasks of a validation; the best weights on them are kept
    #[arg(long, value_name = "N", default_value = "100", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) validation_tasks: usize,
    /// Tasks of the test
    #[arg(long, value_name = "N", default_value = "600", allow_negative_numbers = true, value_parser = parse::positive_count, help_heading = "Run")]
    pub(crate) test_tasks: usize,
    /// End after this time with the best result so far: 10s, 5m, 1h; bilevel resume continues it
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = parse::value::<TimeLimit>, help_heading = "Run")]
    pub(crate) time_limit: Option<TimeLimit>,

    #[command(flatten, next_help_heading = "Output")]
    pub(crate) common: CommonArguments,
}

#[derive(Subcommand, Debug)]
pub(crate) enum FewshotVerb {
    /// Recognise your own pictures, from a few labelled ones of each class
    Adapt(AdaptArguments),
}

#[derive(Args, Debug)]
pub(crate) struct AdaptArguments {
    /// The weights.safetensors of a run of bilevel fewshot
    #[arg(value_name = "WEIGHTS")]
    pub(crate) weights: PathBuf,
    /// Folder or archive with a folder of labelled pictures for each class; pictures beside these folders, or in a folder
    /// unlabelled, are recognised
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// New CSV file for what is recognised [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Number of threads; the results do not depend on it [default: one for each processor]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON document on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Print results and errors only
    #[arg(long)]
    pub(crate) quiet: bool,
}
