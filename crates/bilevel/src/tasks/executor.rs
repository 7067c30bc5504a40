//! Which threads the tasks of an outer step run on.

/// Runs work on threads: the seam between [`OverTasks`](crate::OverTasks) and a pool of threads.
///
/// Results do not depend on it. An objective that uses threads of its own should be given an
/// executor that knows of them: with programs of `bilevel-autodiff`, take its `TaskThreads`.
pub trait Executor: Sync {
    /// Calls `work` once on each of at least one and at most `most` threads, and returns when all
    /// calls have. A call takes pieces of work until none is left.
    fn on_each_thread(&self, most: usize, work: &(dyn Fn() + Sync));
}

/// Everything on the calling thread, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CallingThread;

impl Executor for CallingThread {
    fn on_each_thread(&self, _: usize, work: &(dyn Fn() + Sync)) {
        work();
    }
}

/// The calling thread and more of the standard library, this many in all; 0 counts as 1.
///
/// The threads are started for each outer step: for tasks that take well over 0.1 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Threads(pub usize);

impl Executor for Threads {
    fn on_each_thread(&self, most: usize, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for _ in 1..self.0.min(most) {
                scope.spawn(work);
            }
            work();
        });
    }
}
