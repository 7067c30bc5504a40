//! Few-shot learning: classify pictures of classes that training has not seen, from a few pictures of each.
//!
//! A task has a support set, which trains y, and a query set, which judges it. In MAML y are all parameters and training
//! starts at x; in hyper-representation y is the linear head, and x are the features, which support and query share.

mod adapt;
mod algorithm;
mod baseline;
mod classes;
mod episode;
mod family;
mod job;
mod objectives;
mod outcome;
pub(crate) mod problem;
mod run;
mod saved;
mod specification;
mod trained;

pub use adapt::{Adapted, OwnCheck, Recognised, adapt};
pub use algorithm::Algorithm;
pub use baseline::{linear_head, nearest_mean};
pub use classes::{Classes, Counts, Rotations, SplitBy, TaskClass};
pub use episode::{Episode, Episodes};
pub use family::{Adaptation, Family, Opened, accuracy_of, for_each};
pub use job::{Families, FewshotJob};
pub use objectives::{LEARNED_STEP, Pictures, Task, TaskForm, Tasks};
pub use outcome::{
    Accuracy, FewshotBaseline, FewshotCheck, FewshotOutcome, FewshotResult, FewshotStage,
};
pub use problem::FewshotProblem;
pub use run::{BestX, FewshotCheckpoint, FewshotProgress, FewshotState, FewshotStep, FewshotWatch};
pub use saved::AboutWeights;
pub use specification::{
    FewshotName, FewshotRun, FewshotSpecification, LearningSpecification, PictureSpecification,
    TaskSpecification,
};
pub use trained::Trained;
