//! Random streams of the tasks, in addition to the streams of `bilevel`.
//!
//! Stored runs depend on these numbers: never change one.

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

/// Folds and initial values of the baselines.
pub const BASELINE: Stream = Stream::Named {
    name: "baseline",
    number: 8,
};

/// The vectors from which curvatures are measured.
pub const CURVATURE: Stream = Stream::Named {
    name: "curvature",
    number: 14,
};

/// The start of a test problem, and its data.
pub const INSTANCE: Stream = Stream::Named {
    name: "instance",
    number: 13,
};

/// The classes and pictures of few-shot tasks for training.
pub const EPISODE: Stream = Stream::Named {
    name: "episode",
    number: 15,
};

/// The same for validation.
pub const VALIDATION: Stream = Stream::Named {
    name: "validation",
    number: 16,
};

/// The same for the test.
pub const TEST: Stream = Stream::Named {
    name: "test",
    number: 17,
};
