//! The description of a method.

use bilevel::{Cost, Oracles};
use serde::{Serialize, Serializer};

/// The whole description of a method.
#[derive(Serialize)]
pub(super) struct ExplainResult {
    pub(super) method: String,
    pub(super) aliases: &'static [&'static str],
    pub(super) estimate: &'static str,
    pub(super) summary: &'static str,
    pub(super) update: &'static [&'static str],
    pub(super) oracles: &'static str,
    pub(super) time: &'static str,
    pub(super) memory: &'static str,
    pub(super) use_when: &'static str,
    pub(super) avoid_when: &'static str,
    pub(super) reference: &'static str,
    /// The settings that not every method has.
    pub(super) options: Vec<String>,
    pub(super) problem: ProblemFigures,
    /// None if the method is refused for this problem.
    pub(super) prediction: Option<PredictionFigures>,
    pub(super) refused: Option<String>,
}

/// What the prediction is for.
#[derive(Serialize)]
pub(super) struct ProblemFigures {
    pub(super) name: String,
    /// None for a method that makes one step at a time.
    pub(super) steps: Option<usize>,
    pub(super) n: usize,
    pub(super) m: usize,
    pub(super) precision: &'static str,
    pub(super) threads: usize,
}

/// What one hypergradient is predicted to cost.
#[derive(Serialize)]
pub(super) struct PredictionFigures {
    #[serde(serialize_with = "by_name")]
    pub(super) inner_calls: Oracles,
    #[serde(serialize_with = "by_name")]
    pub(super) outer_calls: Oracles,
    /// In units of one gradient, by the usual rule.
    pub(super) gradients: f64,
    /// In matrix products; None for objectives that are not traced.
    pub(super) flops: Option<f64>,
    pub(super) data_bytes: Option<usize>,
    pub(super) kept_bytes: usize,
    pub(super) work_bytes: usize,
    pub(super) peak_bytes: usize,
    /// On this machine, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
}

/// Calls by the names of the oracles.
fn by_name<S: Serializer>(calls: &Oracles, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(calls.iter().map(|(oracle, count)| (oracle.name(), count)))
}

impl PredictionFigures {
    /// For objectives of which only the number of calls is known.
    pub(super) fn of<T>(cost: &Cost, kept: usize) -> Self {
        let work = cost.work_numbers;
        Self {
            inner_calls: cost.inner,
            outer_calls: cost.outer,
            gradients: cost.gradients(),
            flops: None,
            data_bytes: None,
            kept_bytes: kept * size_of::<T>(),
            work_bytes: work * size_of::<T>(),
            peak_bytes: (kept + work) * size_of::<T>(),
            seconds: None,
        }
    }
}
