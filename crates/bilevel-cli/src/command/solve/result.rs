//! The result of solving a problem.

use bilevel_tasks::cleaning::OracleCalls;
use bilevel_tasks::problem::TestProblem;
use serde::Serialize;

/// The contents of `result.json`.
#[derive(Serialize)]
pub(super) struct SolveResult {
    pub(super) problem: &'static str,
    pub(super) method: String,
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    /// The outer objective at (x, y).
    pub(super) f: f64,
    /// For the true objective: f at the inner solution that f prefers.
    pub(super) outer_gradient_norm: f64,
    pub(super) known_optimum: Option<KnownOptimum>,
    pub(super) distance: Option<f64>,
    pub(super) oracle_calls: OracleCalls,
    pub(super) seconds: f64,
    pub(super) outer_steps: usize,
    /// K, if the method counts steps of training.
    pub(super) steps: Option<usize>,
    pub(super) seed: u64,
    /// The status of the last estimate.
    pub(super) status: String,
    /// Number of estimates that fell short of what the method promises.
    pub(super) complaints: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) adjoint_reason: Option<String>,
}

#[derive(Serialize)]
pub(super) struct KnownOptimum {
    pub(super) x: Vec<f64>,
    pub(super) y: Vec<f64>,
    pub(super) f: f64,
}

/// The known optimum of a problem, as written to the result.
pub(super) fn known_optimum(problem: &TestProblem) -> Option<KnownOptimum> {
    problem.optimum.as_ref().map(|optimum| KnownOptimum {
        x: optimum.x.clone(),
        y: optimum.y.clone(),
        f: optimum.f,
    })
}
