//! How many threads work.

use crate::failure::Failure;

/// So many threads for all that follows; one for each processor unless given.
pub(crate) fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    // This thread is one of them, so that it need not be woken for each of many short tasks.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .use_current_thread()
        .build_global()
        .map_err(Failure::usage)
}
