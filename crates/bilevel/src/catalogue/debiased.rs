//! Unbiased first order.

use crate::{Debiased, HyperGradient, Problem};

use super::choice::AdjointChoice;
use super::entry::{Build, Entry, Form, Gives, Page, Precision};
use super::resolved::Resolved;
use super::setting::Setting;

const ONE_SLOT: AdjointChoice = AdjointChoice::Checkpointed { slots: 1 };

fn ufo<T: Precision>(method: &Resolved, problem: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(Debiased::ufo(
        problem,
        || method.dynamics(),
        method.steps,
        method.adjoint.unwrap_or(ONE_SLOT).build(),
        method.probability.0,
    ))
}

pub(crate) static UFO: Entry = Entry {
    name: "ufo",
    aliases: &["ufom"],
    parameter: None,
    form: Form::Other(Build {
        single: ufo::<f32>,
        double: ufo::<f64>,
    }),
    steps: None,
    adjoint: Some(ONE_SLOT),
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Dynamics,
        Setting::Field,
        Setting::Schedule,
        Setting::AggregateStepSize,
        Setting::Adjoint,
        Setting::Probability,
    ],
    keeps_set: true,
    gives: Gives::Unbiased,
    page: Page {
        summary: "a cheap estimate, corrected with probability q so that it is unbiased: UFO-BLO, UFOM",
        update: &[
            "ξ = 1 with probability q, else 0 (--probability, 0.1 unless given; adaptive: the cheapest q for the differences seen so far)",
            "hypergradient = G_cheap + (ξ/q) (G_exact − G_cheap)",
            "G_cheap is first-order, or truncated:1 where that is identically zero; G_exact has the derivative of --adjoint, checkpointed:1 unless given",
        ],
        oracles: "K gradients of g; with probability q also the calls of --adjoint: K(K+1)/2 gradients and K products with checkpointed:1",
        time: "c K + q c K²/2 with checkpointed:1, c K + 4 q c K with reverse",
        memory: "constant in K with checkpointed:1; otherwise as --adjoint",
        when: "many cheap outer steps of decreasing size, q of order 1/K: expected time linear in K at constant memory",
        when_not: "the exact hypergradient is affordable at each step: its variance is smaller; outer steps that do not shrink; a cheap part unrelated to the exact one: q = 1 is best then",
        reference: "UFO-BLO, Likhosherstov et al. 2020, arXiv 2006.03631; UFOM, arXiv 2106.02487",
    },
};
