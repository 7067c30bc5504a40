//! One differentiated step, a learned start, and the single loop on both objectives.

use crate::{Bamm, HyperGradient, Iaptt, OneStage, Problem, Schedule, Sequence, T1T2 as OneStep};

use super::choice::{AdjointChoice, OptimizerChoice};
use super::entry::{Build, Entry, Form, Gives, Page, Precision};
use super::resolved::Resolved;
use super::setting::Setting;

fn one_stage<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(OneStage {
        steps: method.steps,
        step_size: method.step_size,
        look_ahead: method.step_size,
        field: method.field.clone(),
        set: method.set.cast(),
        ..OneStage::default()
    })
}

pub(crate) static ONE_STAGE: Entry = Entry {
    name: "one-stage",
    aliases: &["darts"],
    parameter: None,
    form: Form::Other(Build {
        single: one_stage::<f32>,
        double: one_stage::<f64>,
    }),
    steps: Some(1),
    adjoint: None,
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Field,
        Setting::Schedule,
        Setting::AggregateStepSize,
    ],
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "finite difference on one step: DARTS",
        update: &[
            "y ← y − s ∇_y g(x, y), K times from the last y;  y' = y − s ∇_y g(x, y);  y± = y ± ε ∇_y f(x, y')",
            "direction in x: ∇_x f(x, y') − s [∇_x g(x, y+) − ∇_x g(x, y−)] / (2 ε),  ‖y± − y‖ = 0.01",
        ],
        oracles: "K + 1 gradients in y and two in x of g; a gradient of f; no products",
        time: "c (K + 4)",
        memory: "y, kept from one outer step to the next",
        when: "large models without second derivatives, many cheap outer steps, x in the inner objective",
        when_not: "x is the start of training (refused); the bias of one step matters: solve truncation-counterexample",
        reference: "DARTS, Liu et al. 2019, arXiv 1806.09055",
    },
};

fn t1t2<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(OneStep {
        dynamics: method.dynamics(),
        steps: method.steps,
    })
}

pub(crate) static T1T2: Entry = Entry {
    name: "t1t2",
    aliases: &["t1-t2"],
    parameter: None,
    form: Form::Other(Build {
        single: t1t2::<f32>,
        double: t1t2::<f64>,
    }),
    steps: Some(1),
    adjoint: None,
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Dynamics,
        Setting::Field,
        Setting::Schedule,
        Setting::AggregateStepSize,
    ],
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "one exact step, alternated with training: T1–T2",
        update: &[
            "y_{t+1} = y_t − s ∇_y g(x, y_t), K times from the last y",
            "direction in x: ∇_x f(x, y_K) − s ∇²_xy g(x, y_{K−1}) ∇_y f(x, y_K)",
        ],
        oracles: "K gradients and one product of g; a value and a gradient of f",
        time: "c (K + 3)",
        memory: "y, kept from one outer step to the next",
        when: "many cheap outer steps, x in the inner objective, short steps",
        when_not: "x is the start of training (refused); the bias of one step matters: solve truncation-counterexample",
        reference: "T1–T2, Luketina et al. 2016, arXiv 1511.06727",
    },
};

fn iaptt<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(Iaptt {
        unrolled: method.unrolled(method.adjoint.unwrap_or(AdjointChoice::Reverse)),
        start_step_size: method.y_step_size.or(Iaptt::<T>::default().start_step_size),
        set: method.set.cast(),
    })
}

pub(crate) static IAPTT: Entry = Entry {
    name: "iaptt",
    aliases: &["iaptt-gm"],
    parameter: None,
    form: Form::Other(Build {
        single: iaptt::<f32>,
        double: iaptt::<f64>,
    }),
    steps: None,
    adjoint: Some(AdjointChoice::Reverse),
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Dynamics,
        Setting::Adjoint,
        Setting::YStepSize,
    ],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "learned start, maximal truncation: IAPTT-GM",
        update: &[
            "y_0 = z,  y_{k+1} = Φ_k(x, y_k),  k* = argmax f(x, y_k) over k = 1 … K",
            "hypergradient = d/dx f(x, y_k*) as basic over k* steps;  z ← z − s_z d/dz f(x, y_k*),  s_z by --y-step-size, 0.1 unless given",
        ],
        oracles: "K gradients of g and K values of f to find k*; then as basic over k* steps",
        time: "at most 4 to 5 c K",
        memory: "z, kept from one outer step to the next, and what --adjoint keeps",
        when: "inner problems that are not convex, where the end of training depends on its start",
        when_not: "a convex inner problem: basic is as good",
        reference: "IAPTT-GM, Liu et al. 2021, arXiv 2110.00455",
    },
};

fn bamm<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Bamm::<T>::default();
    // Other forms are refused when the options are read.
    let weight = match method.single_loop_schedule {
        Some(Schedule::Constant { weight }) => Sequence::Constant { value: weight },
        Some(Schedule::PerOuter { start, power }) => Sequence::Power {
            start,
            power: -1.0 / power,
        },
        _ => own.weight,
    };
    Box::new(Bamm {
        weight,
        step_size: method.step_size,
        v_step_size: method.step_size,
        set: method.set.cast(),
        ..own
    })
}

pub(crate) static BAMM: Entry = Entry {
    name: "bamm",
    aliases: &["sl-bamm"],
    parameter: None,
    form: Form::Other(Build {
        single: bamm::<f32>,
        double: bamm::<f64>,
    }),
    steps: None,
    adjoint: None,
    // The shrinking steps are part of the direction: a rule that rescales it would undo them.
    optimizer: Some(|method| OptimizerChoice::Sgd {
        rate: method.step_size,
        decay: 0.0,
    }),
    takes: &[Setting::StepSize, Setting::Schedule],
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "single-loop aggregate: sl-BAMM",
        update: &[
            "φ = (1 − μ_t) g + μ_t f,  μ_t by --schedule per-outer:MU0,P or constant:A, per-outer:0.9,10 unless given",
            "direction in x: r_t (∇_x f − ∇²_xy φ v);  y ← y − s_t ∇_y φ;  v ← v − s_t (∇²_yy φ v − ∇_y f)",
        ],
        oracles: "one gradient and one product of each objective, and ∇_y f and ∇_x f",
        time: "about 8 c",
        memory: "y and v, kept from one outer step to the next",
        when: "one step of everything at a time, an inner problem that is convex but not strongly convex",
        when_not: "x is the start of training (refused); few steps where f and g disagree: μ falls slowly; an outer optimizer other than sgd: r_t is part of the direction",
        reference: "sl-BAMM, Liu et al. 2023, arXiv 2302.03407",
    },
};
