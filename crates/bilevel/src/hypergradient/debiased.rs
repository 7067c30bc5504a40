//! Unbiased first order: a cheap estimate, corrected now and then.

use rand::RngExt;

use super::probability::{Moments, Probability};
use super::{HyperGradient, Report, Unrolled};
use crate::adjoint::{Adjoint, FirstOrder, Paths, Truncated};
use crate::dynamics::{Dynamics, Weights};

use crate::{At, Cost, Error, Memory, Problem, Remembers, Result, Scalar, Stream};

/// A cheap estimate, made unbiased by random corrections (UFO-BLO, arXiv 2006.03631; UFOM, arXiv
/// 2106.02487):
///
/// G = G_cheap + (ξ/q) (G_exact − G_cheap),  ξ = 1 with probability q, else 0.
///
/// E G = G_exact, and E‖G‖² = ‖G_exact‖² + (1/q − 1) ‖G_exact − G_cheap‖². Stochastic gradient
/// descent with only the cheap estimate may stay away from every stationary point, however
/// small its steps; with G and shrinking steps it does not. With G_exact by
/// [`Checkpointed`](crate::Checkpointed) of one slot and q of the order 1/K, the memory is
/// constant in K and the expected time linear.
///
/// Use it for many cheap outer steps with an [`Optimizer`](crate::Optimizer) whose steps shrink; if
/// G_exact is affordable at each step, use that instead. If the cheap part is unrelated to G_exact, G is no
/// better than (ξ/q) G_exact. A cheap part that is identically zero is refused; [`Debiased::ufo`] picks one that is not.
///
/// | setting | purpose |
/// |---|---|
/// | `cheap` | computed always, with the draws of `exact` |
/// | `exact` | computed with probability q; the mean of G |
/// | `probability` | q: fixed, or the best for the differences seen so far |
///
/// Cost: `cheap`, and q times `exact`, which repeats the inner loop of `cheap` when it is drawn; on
/// average q K gradients that could be saved. Memory: the larger of the two, and n numbers. Value and y of
/// the report come from `exact` if it was drawn, else from `cheap`. Figures: `probability`, `coin` (ξ), and
/// for an adaptive q `squared difference` (D²) and `squared exact gradient` (V²).
///
/// The coin depends only on the key and the outer step; [`OverTasks`](crate::OverTasks) tosses one for each
/// task. An adaptive q depends only on earlier coins, so it adds no bias. Its averages are kept in the memory,
/// for all tasks together unless a part warm-starts.
///
/// ```
/// use bilevel::{At, Checkpointed, Closures, Debiased, GradientDescent, HyperGradient, Key, Memory, Probability, Problem, StartFromX};
/// // MAML in one dimension: training starts at x, f = g = ln cosh y
/// let loss = || Closures::<f64>::new(1, 1, |_, y, _| y[0].cosh().ln(), |_, y, _, out| out[0] += y[0].tanh())
///     .with_second_order(|_, y, _, v, y_bar, _| y_bar[0] += v[0] / y[0].cosh().powi(2), |_, y, _, _, dy, out| out[0] += dy[0] / y[0].cosh().powi(2));
/// let problem = Problem::new(loss(), loss(), StartFromX::new(0..1))?;
/// let exact = Box::new(Checkpointed { slots: 1 });
/// let method = Debiased::ufo(&problem, || Box::new(GradientDescent::default()), 10, exact, Probability::Fixed(0.1));
/// method.validate(&problem)?;
/// let report = method.estimate(&At::new(&problem, &[1.0], Key::from_seed(0)), &mut Memory::default(), &mut [0.0])?;
/// assert_eq!(report.figure("probability"), Some(0.1));
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Debiased<T> {
    /// What is worked out always.
    pub cheap: Box<dyn HyperGradient<T>>,
    /// What is worked out with probability q.
    pub exact: Box<dyn HyperGradient<T>>,
    /// q.
    pub probability: Probability,
}

impl<T: Scalar> Debiased<T> {
    /// UFO for K = `steps` steps of `dynamics`, which is asked for twice. The exact part has the adjoint
    /// `exact`; the cheap part is [`FirstOrder`] where that sees x in this problem, and the last
    /// step, [`Truncated`], where it does not, as in data hyper-cleaning.
    #[must_use]
    pub fn ufo(
        problem: &Problem<T>,
        dynamics: impl Fn() -> Box<dyn Dynamics<T>>,
        steps: usize,
        exact: Box<dyn Adjoint<T>>,
        probability: Probability,
    ) -> Self {
        let unrolled = |adjoint| Unrolled {
            dynamics: dynamics(),
            steps,
            adjoint,
        };
        let seen = Adjoint::<T>::sees(&FirstOrder, steps);
        let cheap: Box<dyn Adjoint<T>> = if seen.and(Paths::of(problem, &*dynamics())).any() {
            Box::new(FirstOrder)
        } else {
            Box::new(Truncated { last: 1 })
        };
        Self {
            cheap: Box::new(unrolled(cheap)),
            exact: Box::new(unrolled(exact)),
            probability,
        }
    }

    /// Whether the cheap part is worked out at all.
    fn uses_cheap(&self) -> bool {
        self.probability != Probability::Fixed(1.0)
    }
}

const CHEAP: &str = "cheap";
const EXACT: &str = "exact";

impl<T: Scalar> HyperGradient<T> for Debiased<T> {
    fn validate(&self, problem: &Problem<T>) -> Result<()> {
        self.probability.validate()?;
        self.exact.validate(problem)?;
        self.cheap.validate(problem).map_err(|error| match error {
            Error::StructurallyZero { .. } => Error::ZeroCheap {
                source: Box::new(error),
            },
            other => other,
        })
    }

    fn follows(&self, outer_step: usize) -> Option<Weights> {
        self.exact.follows(outer_step)
    }

    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>> {
        let &At {
            problem,
            key,
            outer_step,
            ..
        } = at;
        let probability = self.probability.now(memory, || {
            let cost = |part: &dyn HyperGradient<T>| part.cost(problem).gradients();
            (cost(&*self.cheap), cost(&*self.exact))
        });
        let toss = key.fold_in(outer_step as u64).stream(Stream::Coin);
        let coin = toss.rng().random::<f64>() < probability;
        let mut estimate = |part: &dyn HyperGradient<T>, name, out: &mut [T]| {
            part.estimate(at, memory.part(name), out)
        };
        let mut report = if self.uses_cheap() {
            let mut report = estimate(&*self.cheap, CHEAP, out)?;
            if coin {
                let mut exact = vec![T::zero(); out.len()];
                let other = estimate(&*self.exact, EXACT, &mut exact)?;
                report.followed_by(other);
                if let Probability::Adaptive(adaptive) = self.probability {
                    adaptive.observe(Moments::of(out, &exact), probability, memory);
                }
                let share = T::from_f64(1.0 / probability);
                for (out, exact) in out.iter_mut().zip(exact) {
                    *out = share * exact + (T::one() - share) * *out;
                }
            }
            report
        } else {
            estimate(&*self.exact, EXACT, out)?
        };
        report.add_figure("probability", probability);
        report.add_figure("coin", f64::from(coin));
        if let Some(moments) = Moments::remembered(memory) {
            let Moments { difference, exact } = moments;
            report.add_figure("squared difference", difference);
            report.add_figure("squared exact gradient", exact);
        }
        Ok(report)
    }

    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let empty = Memory::default();
        let memory = memory.existing_part(EXACT).unwrap_or(&empty);
        self.exact.evaluate(at, memory)
    }

    /// In expectation; with an adaptive q for its first value.
    fn cost(&self, problem: &Problem<T>) -> Cost {
        let exact = self.exact.cost(problem);
        if !self.uses_cheap() {
            return exact;
        }
        let (cheap, probability) = (self.cheap.cost(problem), self.probability.first());
        Cost {
            inner: cheap.inner + exact.inner * probability,
            outer: cheap.outer + exact.outer * probability,
            kept_numbers: cheap.kept_numbers.max(exact.kept_numbers),
            kept_tapes: cheap.kept_tapes.max(exact.kept_tapes),
            work_numbers: cheap.work_numbers.max(exact.work_numbers) + problem.x_len(),
        }
    }

    fn remembers(&self) -> Remembers {
        let parts = self.cheap.remembers().max(self.exact.remembers());
        match self.probability {
            Probability::Fixed(_) => parts,
            Probability::Adaptive(_) => parts.max(Remembers::Statistics),
        }
    }
}
