//! Detectors of wrong labels that need no hypergradient: each trains models on the rows and judges their labels. A detector
//! is one file, and a line in `list.rs`.

mod agreement;
mod annotators;
mod choice;
mod compared;
mod confident_learning;
mod confusion;
mod detected;
mod fitting;
mod glc;
mod held;
mod hypergradient;
mod judging;
mod list;
mod loss;
mod neighbours;
mod noise;
mod noise_matrix;
mod probes;
mod self_training;
mod start;
mod tally;
mod trials;
mod unsure;

pub use choice::{Choice, Expected, Interval};
pub(super) use compared::{Compared, predicted_time};
pub(super) use detected::Detected;
pub use judging::DetectorPage;
pub use list::detector_pages;
pub(super) use list::{most_classes, names, needs_trusted};
pub(super) use trials::Trials;
