//! The memory of this process.

use bilevel_tasks::machine;

/// The peak memory of this process so far, in megabytes (10⁶ bytes); None if the system does not
/// report it.
pub(crate) fn peak_mb() -> Option<f64> {
    machine::peak_memory().map(|bytes| bytes as f64 / 1e6)
}

/// The current memory of this process, likewise.
pub(crate) fn resident_mb() -> Option<f64> {
    machine::resident_memory().map(|bytes| bytes as f64 / 1e6)
}
