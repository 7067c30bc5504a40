//! Threads for tasks whose objectives are compiled programs.

use std::io;

use bilevel::Executor;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Runs each task on its own thread, for [`OverTasks`](bilevel::OverTasks) and [`Driver`](bilevel::Driver).
///
/// A program uses the rayon pool that it runs in. Each thread here is its own pool, so the programs of a task run on
/// the task's thread, and tasks do not wait for each other. Use it if there are at least as many tasks as threads; for
/// few large tasks, let the programs use the threads.
///
/// ```
/// use bilevel::{FixedStart, FirstOrder, Key, Memory, OverTasks, Problem, Result, TaskFamily, Unrolled};
/// use bilevel_autodiff::TaskThreads;
/// # use bilevel::Closures;
/// struct Shifts;
/// impl TaskFamily<f64> for Shifts {
///     fn x_len(&self) -> usize { 1 }
///     fn draw(&self, _: Key, _: usize) -> Vec<usize> { (0..16).collect() }
///     fn task(&self, number: usize) -> Result<Problem<f64>> {
///         let shift = number as f64;
///         let f = Closures::<f64>::new(1, 1, move |x, _, _| (x[0] - shift).powi(2), |_, _, _, _| ())
///             .with_grad_x(move |x, _, _, out| out[0] += 2.0 * (x[0] - shift));
///         let g = Closures::<f64>::new(1, 1, |_, y, _| y[0] * y[0], |_, y, _, out| out[0] += 2.0 * y[0]);
///         Problem::new(g, f, FixedStart(vec![0.0]))
///     }
/// }
/// let method = Unrolled { steps: 1, adjoint: Box::new(FirstOrder), ..Unrolled::default() };
/// let (threads, mut out) = (TaskThreads::new(2)?, [0.0]);
/// let tasks = OverTasks::new(&Shifts, &method).on(&threads);
/// tasks.estimate(&[0.0], &mut Memory::default(), Key::from_seed(0), 0, &mut out)?;
/// assert_eq!(out[0], -15.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TaskThreads {
    pools: Vec<ThreadPool>,
}

impl TaskThreads {
    /// Starts this number of threads; 0 counts as 1.
    ///
    /// # Errors
    /// If the system cannot start the threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        let one = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let pools = (0..threads.max(1)).map(one).collect::<Result<_, _>>();
        Ok(Self {
            pools: pools.map_err(io::Error::other)?,
        })
    }
}

impl TaskThreads {
    /// The number of threads.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pools.len()
    }

    /// Whether there are none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pools.is_empty()
    }
}

impl Executor for TaskThreads {
    fn on_each_thread(&self, most: usize, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            for pool in self.pools.iter().take(most.max(1)) {
                scope.spawn(|| pool.install(work));
            }
        });
    }
}
