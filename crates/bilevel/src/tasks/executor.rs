//! Which threads the tasks of an outer step run on.

/// Runs work on threads: the interface between [`OverTasks`](crate::OverTasks) and a thread pool.
///
/// Results do not depend on it. For an objective that uses threads itself, choose an executor that
/// knows about them: with programs of `bilevel-autodiff`, its `TaskThreads`.
pub trait Executor: Sync {
    /// Calls `work` once on each of at least one and at most `most` threads, and returns when all
    /// calls have returned. A call takes pieces of work until none is left.
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

/// This many threads of the standard library, including the calling one; 0 counts as 1.
///
/// The threads are started anew for each outer step, so use it for tasks that take well over 0.1 ms.
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
