//! The methods that use gradients only: they replace the inner problem by its value or by a penalty.

use crate::{Bome, Bvfsm, F2sa, HyperGradient, Meha, Pbgd, Problem};

use super::entry::{Build, Entry, Form, Gives, Page, Precision};
use super::resolved::Resolved;
use super::setting::Setting;

const OPTIONS: &[Setting] = &[Setting::Steps, Setting::StepSize, Setting::YStepSize];
const WITH_PENALTY: &[Setting] = &[
    Setting::Steps,
    Setting::StepSize,
    Setting::YStepSize,
    Setting::Penalty,
];

const NOT_ALONE: &str = "x is the start of training (refused: these methods do not see that path); you want the gradient of f after few steps: y follows x from one outer step to the next, and lags behind it";

impl Resolved {
    fn of_y(&self) -> f64 {
        self.y_step_size.unwrap_or(self.step_size)
    }
}

fn bome<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(Bome {
        steps: method.steps,
        step_size: method.step_size,
        y_step_size: method.of_y(),
        set: method.set.cast(),
        ..Bome::default()
    })
}

pub(crate) static BOME: Entry = Entry {
    name: "bome",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: bome::<f32>,
        double: bome::<f64>,
    }),
    steps: Some(10),
    adjoint: None,
    optimizer: None,
    takes: OPTIONS,
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "gradients only: dynamic barrier on the value function",
        update: &[
            "z ← z − s ∇_y g(x, z), K times from z = y;  ∇q = (∇_x g(x, y) − ∇_x g(x, z), ∇_y g(x, y))",
            "λ = max(0, (η ‖∇q‖² − ⟨∇f, ∇q⟩) / ‖∇q‖²),  η = 1/2",
            "direction in x: ∇_x f + λ (∇_x g(x, y) − ∇_x g(x, z));  y ← y − s_y (∇_y f + λ ∇_y g)",
        ],
        oracles: "K + 1 gradients in y, two in x and two values of g; a gradient of f; no products",
        time: "c (K + 4)",
        memory: "y, kept from one outer step to the next; m + n more numbers",
        when: "no second derivatives, large models, many cheap outer steps; no penalty to tune",
        when_not: NOT_ALONE,
        reference: "BOME, Ye et al. 2022, arXiv 2209.08709",
    },
};

fn f2sa<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = F2sa::<T>::default();
    Box::new(F2sa {
        steps: method.steps,
        step_size: method.step_size,
        y_step_size: method.of_y(),
        penalty: method.penalty.unwrap_or(own.penalty),
        set: method.set.cast(),
    })
}

pub(crate) static F2SA: Entry = Entry {
    name: "f2sa",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: f2sa::<f32>,
        double: f2sa::<f64>,
    }),
    steps: Some(10),
    adjoint: None,
    optimizer: None,
    takes: WITH_PENALTY,
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "gradients only: a growing penalty, with y and z trained in parallel",
        update: &[
            "z ← z − s ∇_y g(x, z) and y ← y − s_y ∇_y (f + λ g)(x, y) / max(λ, 1), K times each",
            "direction in x: ∇_x f(x, y) + λ (∇_x g(x, y) − ∇_x g(x, z)),  λ by --penalty, power:10,1/7 unless given",
        ],
        oracles: "2 K gradients in y and two in x of g; K + 1 gradients of f; no products",
        time: "about 3 c K",
        memory: "y and z, kept from one outer step to the next",
        when: "no second derivatives, mini-batches, a strongly convex inner problem",
        when_not: NOT_ALONE,
        reference: "F2SA, Kwon et al. 2023, arXiv 2301.10945",
    },
};

fn pbgd<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Pbgd::<T>::default();
    Box::new(Pbgd {
        steps: method.steps,
        step_size: method.step_size,
        y_step_size: method.of_y(),
        penalty: method.penalty.unwrap_or(own.penalty),
        start_at_y: own.start_at_y,
        set: method.set.cast(),
    })
}

pub(crate) static PBGD: Entry = Entry {
    name: "pbgd",
    aliases: &["v-pbgd"],
    parameter: None,
    form: Form::Other(Build {
        single: pbgd::<f32>,
        double: pbgd::<f64>,
    }),
    steps: Some(1),
    adjoint: None,
    optimizer: None,
    takes: WITH_PENALTY,
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "gradients only: penalty on the value gap, V-PBGD",
        update: &[
            "z ← z − s ∇_y g(x, z), K times",
            "descend f + γ (g(x, y) − g(x, z)) in x and y, y with s_y;  γ by --penalty, constant:10 unless given",
        ],
        oracles: "K + 1 gradients in y and two in x of g; a gradient of f; no products",
        time: "c (K + 4)",
        memory: "y and z, kept from one outer step to the next",
        when: "large models and very many outer steps of one gradient each; a non-convex inner problem whose value gap bounds the distance to its solutions",
        when_not: NOT_ALONE,
        reference: "V-PBGD, Shen and Chen 2023, arXiv 2302.05185",
    },
};

fn bvfsm<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Bvfsm::default();
    // y descends on f + w g with w up to the cap of 10.
    let of_y = method.y_step_size.unwrap_or(method.step_size / 11.0);
    Box::new(Bvfsm {
        z_steps: method.steps,
        y_steps: method.steps.div_ceil(2),
        step_size: method.step_size,
        y_step_size: of_y,
        set: method.set.cast(),
        ..own
    })
}

pub(crate) static BVFSM: Entry = Entry {
    name: "bvfsm",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: bvfsm::<f32>,
        double: bvfsm::<f64>,
    }),
    steps: Some(50),
    adjoint: None,
    optimizer: None,
    takes: OPTIONS,
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "gradients only: a logarithmic barrier at the value function, for non-convex inner problems",
        update: &[
            "z: K steps on g(x, z) + μ ‖z‖²;  y: K/2 steps on f + θ ‖y‖² − σ ln(g(x, z) + μ ‖z‖² − g(x, y))",
            "direction in x: the gradient of the same in x;  μ, θ, σ fall like (t + 1)^−1.1",
        ],
        oracles: "about 3 K/2 gradients in y and two in x, K/2 values of g; K/2 gradients of f; no products",
        time: "about 3 c K",
        memory: "y and z, kept from one outer step to the next",
        when: "a non-convex inner problem with many solutions, without second derivatives",
        when_not: NOT_ALONE,
        reference: "BVFSM, Liu et al. 2021, arXiv 2110.04974",
    },
};

fn meha<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Meha::<T>::default();
    Box::new(Meha {
        step_size: method.step_size,
        y_step_size: method.of_y(),
        penalty: method.penalty.unwrap_or(own.penalty),
        proximal: own.proximal,
        set: method.set.cast(),
    })
}

pub(crate) static MEHA: Entry = Entry {
    name: "meha",
    aliases: &["meso"],
    parameter: None,
    form: Form::Other(Build {
        single: meha::<f32>,
        double: meha::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[Setting::StepSize, Setting::YStepSize, Setting::Penalty],
    keeps_set: true,
    gives: Gives::Direction,
    page: Page {
        summary: "gradients only, single loop: Moreau envelope of the inner problem",
        update: &[
            "z ← z − s (∇_y g(x, z) + (z − y)/γ);  y ← y − s_y (∇_y f/c + ∇_y g(x, y) − (y − z)/γ),  γ = 1",
            "direction in x: ∇_x f/c + ∇_x g(x, y) − ∇_x g(x, z);  c by --penalty, power:1,0.25 unless given",
        ],
        oracles: "two gradients in y and two in x of g; a gradient of f; no products",
        time: "about 5 c",
        memory: "y and z, kept from one outer step to the next",
        when: "one step of everything at a time: very many outer steps, a weakly convex inner problem",
        when_not: NOT_ALONE,
        reference: "MEHA, Liu et al. 2024, arXiv 2405.09927",
    },
};
