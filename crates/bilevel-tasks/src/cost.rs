//! Predicted cost of a hypergradient of traced objectives, and the time of a gradient here.

use std::time::{Duration, Instant};

use bilevel::{Cost, Draw, Objective, Oracle};
use bilevel_autodiff::{Bound, Compiled, Result};

use crate::model::Real;

/// The time of a gradient in y at (x, y) on this machine: the least of three, as the first one also prepares the data;
/// none after one of more than a second.
///
/// # Errors
/// If the objective has no data, or the lengths do not fit.
pub fn gradient_time<T: Real>(
    objective: &dyn Objective<T>,
    x: &[T],
    y: &[T],
) -> bilevel::Result<Duration> {
    /// A gradient that took as long is not repeated.
    const LONG: Duration = Duration::from_secs(1);
    let mut at = objective.at(x)?;
    let mut out = vec![T::zero(); y.len()];
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let begin = Instant::now();
        at.grad_y(y, Draw::All, &mut out)?;
        fastest = fastest.min(begin.elapsed());
        if fastest > LONG {
            break;
        }
    }
    Ok(fastest)
}

/// The two traced objectives of a problem, and the number of threads: converts the oracle calls of a method
/// ([`Cost`]) to operations and bytes.
///
/// ```
/// use bilevel::{HyperGradient, Key, Unrolled};
/// use bilevel_tasks::{cleaning::{Cleaning, CleaningData, CleaningSettings, Split}, cost::Programs, data::digits::digits};
/// let split = Split { train: 100, trusted: 50, test: 0 };
/// let data = CleaningData::draw(&digits(), split, None, Key::from_seed(0))?;
/// let cleaning = Cleaning::<f32>::new(&data, &CleaningSettings::default(), Key::from_seed(0))?;
/// let programs = cleaning.programs(1);
/// let cost = |steps| programs.predict(&Unrolled { steps, ..Unrolled::default() }.cost(cleaning.problem())).unwrap();
/// assert!(cost(100).peak_bytes() > cost(10).peak_bytes());
/// # Ok::<(), bilevel_tasks::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Programs<'o, T> {
    /// g and f.
    functions: [&'o Compiled<T>; 2],
    /// The same with their data, if known.
    bound: Option<[&'o Bound<T>; 2]>,
    threads: usize,
}

/// The cost of one hypergradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Prediction {
    /// Floating-point operations in matrix products; a multiply-add counts as two.
    pub product_flops: f64,
    /// Bytes of the data of both objectives, and of their packed forms if many entries are zero. Shared data
    /// are counted twice.
    pub data_bytes: usize,
    /// Bytes of states, tapes and buffers: the part that grows with K.
    pub kept_bytes: usize,
    /// Bytes of everything else: x and its gradient, the state and its cotangent, the method's own state, and
    /// the programs' workspaces. Excludes what the `gemm` crate allocates during a wide product.
    pub work_bytes: usize,
}

impl Prediction {
    /// Peak bytes.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.data_bytes + self.kept_bytes + self.work_bytes
    }
}

impl<'o, T: Real> Programs<'o, T> {
    /// For g and f with their data.
    #[must_use]
    pub fn new(inner: &'o Bound<T>, outer: &'o Bound<T>, threads: usize) -> Self {
        Self {
            functions: [inner.compiled(), outer.compiled()],
            bound: Some([inner, outer]),
            threads,
        }
    }

    /// For g and f with known shapes only: zeros in the data are not exploited.
    #[must_use]
    pub fn of_shapes(inner: &'o Compiled<T>, outer: &'o Compiled<T>, threads: usize) -> Self {
        Self {
            functions: [inner, outer],
            bound: None,
            threads,
        }
    }

    /// The cost of one hypergradient with these oracle calls.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn predict(&self, cost: &Cost) -> Result<Prediction> {
        let mut prediction = Prediction {
            product_flops: 0.0,
            data_bytes: 0,
            kept_bytes: cost.kept_numbers * size_of::<T>(),
            work_bytes: cost.work_numbers * size_of::<T>(),
        };
        for (number, oracles) in [cost.inner, cost.outer].into_iter().enumerate() {
            let objective = self.functions[number];
            let asked = || oracles.iter().filter(|&(_, count)| count > 0.0);
            for (oracle, count) in asked() {
                prediction.product_flops +=
                    objective.cost(oracle, self.threads)?.product_flops * count;
            }
            if asked().next().is_some() {
                prediction.product_flops += objective.staged_flops(self.threads)?;
            }
            let asked: Vec<Oracle> = asked().map(|(oracle, _)| oracle).collect();
            prediction.data_bytes += match self.bound {
                Some(bound) => bound[number].data_bytes() + bound[number].packed_bytes(&asked)?,
                None => objective.data_bytes(),
            };
            prediction.work_bytes += objective.handle_bytes(&asked, self.threads)?;
            if cost.kept_tapes > 0 && oracles[Oracle::Linearize] > 0.0 {
                // A step has a tape of an objective only if it evaluates that objective.
                let tapes = (oracles[Oracle::Linearize] as usize).min(cost.kept_tapes);
                prediction.kept_bytes += tapes * objective.tape_numbers()? * size_of::<T>();
            }
        }
        Ok(prediction)
    }
}
