//! Few-shot learning: classify pictures of classes that training has not seen, from a few pictures of each.
//!
//! A task has a support set, which trains y, and a query set, which judges it. In MAML y are all parameters and training
//! starts at x; in hyper-representation y is the linear head, and x are the features, which support and query share.

mod classes;
mod episode;
mod family;
mod objectives;
pub(crate) mod problem;
mod trained;

pub use classes::{Classes, Counts, Rotations, SplitBy, TaskClass};
pub use episode::{Episode, Episodes};
pub use family::{Adaptation, Family, Opened, accuracy_of, for_each};
pub use objectives::{LEARNED_STEP, Pictures, Task, Tasks};
pub use problem::FewshotProblem;
pub use trained::Trained;
