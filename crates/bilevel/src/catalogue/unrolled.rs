//! The methods that differentiate the inner steps one by one: a field and a derivative.

use crate::{Hyper, HyperGradient, Problem, Reversible, Schedule};

use super::choice::FieldChoice;
use super::entry::{Build, Derivative, Entry, Form, Gives, Page, Parameter, Precision, Steps};
use super::resolved::Resolved;
use super::setting::Setting;

/// Not looked at in the inner field.
const NO_SCHEDULE: Schedule = Schedule::Constant { weight: 0.0 };

const REVERSE: &str = "reverse: x̄ = ∂f/∂x, s̄ = ∂f/∂y; for t = K−1 … 0: x̄ += (∂Φ_t/∂x)ᵀ s̄, s̄ ← (∂Φ_t/∂y)ᵀ s̄; hypergradient = x̄ + (∂y_0/∂x)ᵀ s̄";
const REVERSE_MEMORY: &str = "K states of m numbers; reverse:tape also keeps the intermediate results of each step, checkpointed:C keeps C states and recomputes the others";

const fn steps(field: FieldChoice, schedule: Schedule, own_schedule: bool) -> Form {
    Form::Unrolled(Steps {
        field,
        schedule,
        own_schedule,
        derivative: Derivative::Exact,
    })
}

pub(crate) static BASIC: Entry = Entry {
    name: "basic",
    aliases: &["rhg"],
    parameter: None,
    form: steps(FieldChoice::Inner, NO_SCHEDULE, false),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "inner gradient, reverse mode: the basic bilevel model",
        update: &["y_{t+1} = y_t − s ∇_y g(x, y_t),  t = 0 … K−1", REVERSE],
        oracles: "K gradients and K products (∇²_yy g v with ∇²_xy g v) of g; a value and a gradient of f",
        time: "about 3 to 4 c K",
        memory: REVERSE_MEMORY,
        when: "the exact gradient of f after training, wherever x enters; the reference for all other methods",
        when_not: "K so large that neither states nor repeated steps are affordable (use implicit or truncated); several inner solutions: it stays with the one closest to the start of training (use bda or improved)",
        reference: "reverse-HG, Franceschi et al. 2017, arXiv 1703.01785; one forward-over-reverse product a step: MixFlow-MG, arXiv 2505.00793",
    },
};

const AGGREGATE: &str = "y_{k} = y_{k−1} − [(1 − α_k) s ∇_y g(x, y_{k−1}) + α_k s' ∇_y f(x, y_{k−1})],  k = 1 … K,  α_k by --schedule, s' by --aggregate-step-size";
const AGGREGATE_ORACLES: &str = "K gradients and K products each of g and of f, where their weight is not zero; a value and a gradient of f";

pub(crate) static IMPROVED: Entry = Entry {
    name: "improved",
    aliases: &[],
    parameter: None,
    form: steps(
        FieldChoice::Aggregate,
        Schedule::Constant { weight: 0.5 },
        false,
    ),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "aggregate of the inner and the outer gradient, constant:0.5 unless --schedule is given (ours)",
        update: &[AGGREGATE, "α_k = 1/2 unless --schedule is given", REVERSE],
        oracles: AGGREGATE_ORACLES,
        time: "about twice basic",
        memory: REVERSE_MEMORY,
        when: "cleaning with few outer steps: its threshold is calibrated early",
        when_not: "f and g disagree and the inner solution matters: a constant weight is biased, and the theory of both papers needs a weight that vanishes (use bda or bigsam)",
        reference: "the inner map of the Improved Bilevel Model, arXiv 2009.00690, and of BDA, arXiv 2006.04045; the constant weight is ours",
    },
};

pub(crate) static BIGSAM: Entry = Entry {
    name: "bigsam",
    aliases: &[],
    parameter: None,
    form: steps(
        FieldChoice::Aggregate,
        Schedule::BigSam {
            gamma: 1.0,
            beta: 0.5,
            cap: 1.0,
        },
        true,
    ),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "the same with bigsam:1,0.5,1: the Improved Bilevel Model of the paper",
        update: &[
            AGGREGATE,
            "α_k = min(2γ / (k (1 − β)), cap) with γ, β, cap = 1, 0.5, 1 unless --schedule bigsam:GAMMA,BETA,CAP",
            REVERSE,
        ],
        oracles: AGGREGATE_ORACLES,
        time: "about twice basic",
        memory: REVERSE_MEMORY,
        when: "several inner solutions, and the outer objective should choose one (optimistic bilevel)",
        when_not: "a single inner solution: basic finds the same at half the cost; few inner steps: the first weights are capped, so training starts on f only",
        reference: "Improved Bilevel Model, arXiv 2009.00690; BiG-SAM, Sabach and Shtern 2017, doi 10.1137/16M105592X",
    },
};

pub(crate) static BDA: Entry = Entry {
    name: "bda",
    aliases: &[],
    parameter: None,
    form: steps(
        FieldChoice::Aggregate,
        Schedule::Harmonic { scale: 0.5 },
        true,
    ),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "the same with harmonic:0.5: BDA",
        update: &[
            AGGREGATE,
            "α_k = min(C/k, 1) with C = 0.5 unless --schedule harmonic:C",
            REVERSE,
        ],
        oracles: AGGREGATE_ORACLES,
        time: "about twice basic",
        memory: REVERSE_MEMORY,
        when: "several inner solutions, and the outer objective should choose one; converges as K grows if f is strongly convex in y",
        when_not: "a single inner solution: basic finds the same at half the cost; the weight falls like 1/k, so the choice among the solutions is slow: use many inner steps or a larger C",
        reference: "BDA, Liu et al. 2020, arXiv 2006.04045; arXiv 2102.07976",
    },
};

pub(crate) static FIRST_ORDER: Entry = Entry {
    name: "first-order",
    aliases: &[],
    parameter: None,
    form: Form::Unrolled(Steps {
        field: FieldChoice::Inner,
        schedule: NO_SCHEDULE,
        own_schedule: false,
        derivative: Derivative::FirstOrder,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Biased,
    page: Page {
        summary: "inner gradient, second derivatives dropped: FO-BLO, FOMAML",
        update: &[
            "y_{t+1} = y_t − s ∇_y g(x, y_t),  t = 0 … K−1",
            "hypergradient = ∂f/∂x + (∂y_0/∂x)ᵀ ∂f/∂y at (x, y_K)",
        ],
        oracles: "K gradients of g; a value and a gradient of f",
        time: "c K",
        memory: "one state",
        when: "x is the start of training or enters f directly, the steps are small, and a bias is acceptable",
        when_not: "x enters only the inner objective, as in cleaning (refused: it is identically zero there); the bias matters: it may end far from a stationary point (solve ufo-counterexample)",
        reference: "FO-BLO, arXiv 2006.03631; FOMAML, arXiv 1803.02999",
    },
};

pub(crate) static TRUNCATED: Entry = Entry {
    name: "truncated",
    aliases: &["t-rhg"],
    parameter: Some(Parameter {
        letter: "J",
        meaning: "how many of the last steps are differentiated",
    }),
    form: Form::Unrolled(Steps {
        field: FieldChoice::Inner,
        schedule: NO_SCHEDULE,
        own_schedule: false,
        derivative: Derivative::Truncated,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Biased,
    page: Page {
        summary: "inner gradient, the last J steps in reverse mode: T-RHG",
        update: &[
            "y_{t+1} = y_t − s ∇_y g(x, y_t),  t = 0 … K−1",
            "as basic, with the sum cut: hypergradient = ∂f/∂x + Σ (∂Φ_t/∂x)ᵀ s̄_{t+1} over the last J steps t = K−J … K−1",
        ],
        oracles: "K gradients and J products of g; a value and a gradient of f",
        time: "c K + 2 to 3 c J",
        memory: "J states",
        when: "long training whose steps contract towards a minimum: the error falls like ρ^J; less memory than basic",
        when_not: "x is the start of training (refused: it is cut off); steps that contract little: a small J may lead to a wrong x (solve truncation-counterexample)",
        reference: "T-RHG, Shaban et al. 2019, arXiv 1810.10667",
    },
};

pub(crate) static FORWARD: Entry = Entry {
    name: "forward",
    aliases: &["fhg"],
    parameter: None,
    form: Form::Unrolled(Steps {
        field: FieldChoice::Inner,
        schedule: NO_SCHEDULE,
        own_schedule: false,
        derivative: Derivative::Forward,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[],
    keeps_set: true,
    gives: Gives::Exact,
    page: Page {
        summary: "inner gradient, forward mode: forward-HG",
        update: &[
            "y_{t+1} = y_t − s ∇_y g(x, y_t),  t = 0 … K−1",
            "z_0 = ∂y_0/∂x_j,  z_{t+1} = ∂Φ_t/∂y z_t + ∂Φ_t/∂x_j;  hypergradient_j = ∂f/∂x_j + ⟨∂f/∂y, z_K⟩,  j = 1 … n",
        ],
        oracles: "n K gradients and n K products (∇²_yy g dy + ∇²_yx g dx) of g; a value and n gradients of f",
        time: "about 3 c K n",
        memory: "two states and a tangent, whatever K and n are",
        when: "few hyperparameters and many steps; an independent check of reverse mode",
        when_not: "x has more than 64 numbers (refused: the cost of basic and checkpointed:C does not depend on n)",
        reference: "forward-HG, Franceschi et al. 2017, arXiv 1703.01785",
    },
};

fn reversible<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(Reversible {
        step_size: Hyper::Fixed(method.step_size),
        field: method.field.clone(),
        steps: method.steps,
        ..Reversible::default()
    })
}

pub(crate) static REVERSIBLE: Entry = Entry {
    name: "reversible",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: reversible::<f32>,
        double: reversible::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Field,
        Setting::Schedule,
        Setting::AggregateStepSize,
    ],
    keeps_set: false,
    gives: Gives::Exact,
    page: Page {
        summary: "training with momentum 9/10, reversed exactly instead of stored",
        update: &[
            "v ← β v + ∇_y g(x, y),  y ← y − s v,  K times, in integers times 2^−40, β = 9/10",
            "back: y ← y + s v,  v ← (v − ∇_y g)/β, whose lost digits are kept; the cotangents as in basic",
        ],
        oracles: "2 K gradients and K products of g; a value and a gradient of f",
        time: "about 4 to 5 c K",
        memory: "y, v and their cotangents, and K log₂(1/β) = 0.15 K bits for each number of y",
        when: "long training with much momentum, where the states do not fit and recomputing them takes too long",
        when_not: "short training (basic --dynamics momentum:0.9 is faster); y kept in a set: a projection cannot be reversed",
        reference: "Maclaurin, Duvenaud and Adams 2015, arXiv 1502.03492",
    },
};
