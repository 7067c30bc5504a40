//! Groups of blocks as tasks.

/// Fewer operations than this are not worth waking another thread.
pub(crate) const WORTH_A_THREAD: f64 = 200_000.0;

/// Calls `task` for 0..count, in parallel, without allocation. The effect of a task must not depend on the thread that
/// runs it.
pub(crate) fn each(count: usize, task: &(impl Fn(usize) + Sync)) {
    fn range(begin: usize, end: usize, task: &(impl Fn(usize) + Sync)) {
        if end - begin == 1 {
            task(begin);
        } else if begin < end {
            let middle = begin + (end - begin) / 2;
            rayon::join(|| range(begin, middle, task), || range(middle, end, task));
        }
    }
    if rayon::current_num_threads() == 1 {
        (0..count).for_each(task);
    } else {
        range(0, count, task);
    }
}
