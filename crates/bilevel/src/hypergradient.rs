//! The gradient of the outer objective through training.

mod bamm;
mod bome;
mod bvfsm;
mod debiased;
mod f2sa;
mod hoag;
mod iaptt;
mod implicit;
mod inner_loop;
mod meha;
mod one_stage;
mod pbgd;
mod probability;
mod reptile;
mod reversible;
mod soba;
mod stocbio;
mod t1t2;
mod unrolled;

pub use bamm::Bamm;
pub use bome::{Barrier, Bome};
pub use bvfsm::Bvfsm;
pub use debiased::Debiased;
pub use f2sa::F2sa;
pub use hoag::Hoag;
pub(crate) use hoag::{TOLERANCE, TOLERANCE_FACTOR};
pub use iaptt::Iaptt;
pub use implicit::{Implicit, WarmStart};
pub use meha::Meha;
pub use one_stage::OneStage;
pub use pbgd::Pbgd;
pub use probability::{Adaptive, Moments, Probability};
pub use reptile::Reptile;
pub use reversible::{Ratio, Reversible};
pub use soba::Soba;
pub use stocbio::StocBio;
pub use t1t2::T1T2;
pub use unrolled::Unrolled;

use std::borrow::Cow;

use crate::dynamics::Weights;
use crate::objective::Calls;
use crate::{At, Cost, Key, Memory, Problem, Result, Scalar, Status};

/// An estimate of d/dx f(x, y_K(x)).
pub trait HyperGradient<T: Scalar>: Send + Sync {
    /// Checks the settings, and that this method makes sense for this problem. Called
    /// before a run.
    ///
    /// # Errors
    /// A setting out of range, missing second derivatives or tapes, or
    /// [`Error::StructurallyZero`](crate::Error::StructurallyZero).
    fn validate(&self, problem: &Problem<T>) -> Result<()>;

    /// `out` = the hypergradient (n numbers).
    ///
    /// The same point `at` (draws come from its key and outer step) and the same `memory` give the same
    /// bits. A method without warm starts or running estimates leaves the memory empty.
    ///
    /// # Errors
    /// If an objective fails or a number becomes non-finite.
    fn estimate(&self, at: &At<'_, T>, memory: &mut Memory<T>, out: &mut [T]) -> Result<Report<T>>;

    /// Trains without differentiating: the function whose gradient
    /// [`HyperGradient::estimate`] gives, with the same draws and the same memory.
    /// By default the report of an estimate from a copy of the memory, for methods whose next y takes the
    /// same work as their direction.
    ///
    /// # Errors
    /// As [`HyperGradient::estimate`].
    fn evaluate(&self, at: &At<'_, T>, memory: &Memory<T>) -> Result<Report<T>> {
        let mut out = vec![T::zero(); at.problem.x_len()];
        let mut memory = memory.clone();
        self.estimate(at, &mut memory, &mut out)
    }

    /// The hypergradient at `x` (n numbers) and its report: one estimate with an empty memory, at
    /// outer step 0.
    ///
    /// # Errors
    /// As [`HyperGradient::validate`] and [`HyperGradient::estimate`].
    fn gradient(&self, problem: &Problem<T>, x: &[T], key: Key) -> Result<(Vec<T>, Report<T>)> {
        self.validate(problem)?;
        let mut out = vec![T::zero(); problem.x_len()];
        let report = self.estimate(&At::new(problem, x, key), &mut Memory::default(), &mut out)?;
        Ok((out, report))
    }

    /// What one estimate is expected to cost.
    fn cost(&self, problem: &Problem<T>) -> Cost;

    /// The weights of both objectives in what the last step of training at this outer step follows: their sum must not
    /// end above its start. None where training follows no such sum. Default: none.
    fn follows(&self, outer_step: usize) -> Option<Weights> {
        let _ = outer_step;
        None
    }

    /// Which part of the memory lasts longer than an outer step. This decides how
    /// [`OverTasks`](crate::OverTasks) runs the method over several tasks. Default: nothing.
    fn remembers(&self) -> Remembers {
        Remembers::Nothing
    }
}

/// What a method keeps from one outer step to the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remembers {
    /// Nothing: estimates do not depend on each other.
    Nothing,
    /// Averages over estimates, which tasks may share, but no variables of a problem.
    Statistics,
    /// Variables of the problem, which belong to one task: warm starts, multipliers.
    Variables,
}

impl Remembers {
    /// Variables, where there are any.
    pub(crate) fn variables_if(there: bool) -> Self {
        if there {
            Self::Variables
        } else {
            Self::Nothing
        }
    }
}

/// What an estimate reports in addition to the hypergradient.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Report<T> {
    /// f(x, y_K).
    pub value: T,
    /// y_K, m numbers.
    pub y: Vec<T>,
    /// The calls of the inner objective.
    pub inner_calls: Calls,
    /// The calls of the outer objective.
    pub outer_calls: Calls,
    /// Whether the estimate is what the method promises, and if not, what to do.
    pub status: Status,
    /// Other figures of the method, by name: a residual, a probability, a penalty.
    pub figures: Vec<(Cow<'static, str>, f64)>,
}

impl<T> Report<T> {
    /// A report with a good status and no figures.
    #[must_use]
    pub fn new(value: T, y: Vec<T>, inner_calls: Calls, outer_calls: Calls) -> Self {
        Self {
            value,
            y,
            inner_calls,
            outer_calls,
            status: Status::Good,
            figures: vec![],
        }
    }

    /// Continues with the report of another part of the same estimate: takes its value and y, adds the
    /// calls, keeps the first status that is not good, and joins the figures.
    pub(crate) fn followed_by(&mut self, other: Self) {
        self.value = other.value;
        self.y = other.y;
        self.inner_calls += other.inner_calls;
        self.outer_calls += other.outer_calls;
        if self.status.is_good() {
            self.status = other.status;
        }
        self.figures.extend(other.figures);
    }

    /// Adds a figure.
    pub fn add_figure(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.figures.push((name.into(), value));
    }

    /// Adds figures.
    pub(crate) fn add_figures(&mut self, figures: impl IntoIterator<Item = (&'static str, f64)>) {
        for (name, value) in figures {
            self.add_figure(name, value);
        }
    }

    /// The figure of that name, if there is one.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let found = self.figures.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}
