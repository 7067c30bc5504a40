//! The number of threads.

use crate::failure::Failure;

/// Sets the number of threads for everything that follows; by default one for each processor.
pub(crate) fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    // This thread is one of them, so it need not be woken for each of many short tasks.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .use_current_thread()
        .build_global()
        .map_err(Failure::usage)
}
