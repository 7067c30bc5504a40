//! What draws of tasks are for: streams of random numbers beside those of `bilevel`.
//!
//! The numbers are those of stored runs: never change one.

use bilevel::Stream;

/// Which rows are training, trusted, held-out or test rows.
pub const SPLIT: Stream = Stream::Named {
    name: "split",
    number: 5,
};

/// Which labels are corrupted, and into what.
pub const CORRUPTION: Stream = Stream::Named {
    name: "corruption",
    number: 6,
};

/// Folds and starts of the baselines.
pub const BASELINE: Stream = Stream::Named {
    name: "baseline",
    number: 8,
};

/// Where a test problem begins, and its data.
pub const INSTANCE: Stream = Stream::Named {
    name: "instance",
    number: 13,
};
