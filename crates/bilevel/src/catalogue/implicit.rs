//! The methods that differentiate the solution of the inner problem.

use crate::linear::{ConjugateGradient, FixedPoint, LinearSolver, Neumann};
use crate::{Hoag, HyperGradient, Implicit, Problem, Sequence, Soba, StocBio};

use super::choice::OptimizerChoice;
use super::entry::{Build, Entry, Form, Gives, Page, Precision};
use super::resolved::Resolved;
use super::setting::Setting;

const OPTIONS: &[Setting] = &[
    Setting::Steps,
    Setting::StepSize,
    Setting::Dynamics,
    Setting::Damping,
    Setting::LinearTolerance,
    Setting::LinearProducts,
];

fn with<T: Precision>(
    method: &Resolved,
    damping: f64,
    solver: impl LinearSolver<T> + 'static,
) -> Box<dyn HyperGradient<T>> {
    Box::new(Implicit {
        dynamics: method.dynamics(),
        steps: method.steps,
        solver: Box::new(solver),
        damping,
        ..Implicit::default()
    })
}

fn conjugate_gradient<T: Precision>(
    method: &Resolved,
    _: &Problem<T>,
) -> Box<dyn HyperGradient<T>> {
    let own = ConjugateGradient::default();
    let solver = ConjugateGradient {
        tolerance: method.linear_tolerance.unwrap_or(own.tolerance),
        max_products: method.linear_products.unwrap_or(own.max_products),
    };
    with(method, method.damping, solver)
}

const TRAIN: &str = "y_K by K steps of training on g from the last y";
const WHEN: &str = "long training that comes close to a minimum: neither the memory nor the cost of the derivative depends on K; warm starts make later steps cheap";
const WHEN_NOT: &str = "training is stopped early, or x is its start (refused: the minimum has forgotten it); a minimum that is not isolated, as with a softmax or a network, needs --damping or --weight-decay; an aggregate field (refused: it does not end where ∇_y g = 0)";
const MEMORY: &str = "about 7 vectors of m numbers, whatever K is";

pub(crate) static CONJUGATE_GRADIENT: Entry = Entry {
    name: "implicit:cg",
    aliases: &["implicit", "aid"],
    parameter: None,
    form: Form::Other(Build {
        single: conjugate_gradient::<f32>,
        double: conjugate_gradient::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: OPTIONS,
    keeps_set: true,
    gives: Gives::Implicit,
    page: Page {
        summary: "implicit function theorem, conjugate gradient: AID-CG",
        update: &[
            TRAIN,
            "(∇²_yy g + damping I) q = ∇_y f by conjugate gradient;  hypergradient = ∇_x f − ∇²_xy g q  at (x, y_K)",
        ],
        oracles: "of g: K gradients, one product per iteration and one product with ∇²_xy g; of f: a value and a gradient",
        time: "c K + 2 to 3 c J for J iterations",
        memory: MEMORY,
        when: WHEN,
        when_not: WHEN_NOT,
        reference: "HOAG, Pedregosa 2016, arXiv 1602.02355; rates: Grazzi et al. 2020, arXiv 2006.16218",
    },
};

fn neumann<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Neumann::default();
    let solver = Neumann {
        step_size: method.step_size,
        terms: method.linear_products.unwrap_or(own.terms),
        tolerance: method.linear_tolerance.or(own.tolerance),
    };
    with(method, method.damping, solver)
}

pub(crate) static NEUMANN: Entry = Entry {
    name: "implicit:neumann",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: neumann::<f32>,
        double: neumann::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: OPTIONS,
    keeps_set: true,
    gives: Gives::Implicit,
    page: Page {
        summary: "implicit function theorem, Neumann series",
        update: &[
            TRAIN,
            "q = s Σ_{j<J} (I − s (∇²_yy g + damping I))^j ∇_y f;  hypergradient = ∇_x f − ∇²_xy g q  at (x, y_K)",
        ],
        oracles: "K gradients and J + 1 products of g; a value and a gradient of f",
        time: "c K + 2 to 3 c J",
        memory: MEMORY,
        when: "as implicit:cg, with mini-batches: each product may use its own batch",
        when_not: WHEN_NOT,
        reference: "Lorraine et al. 2020, arXiv 1911.02590",
    },
};

fn fixed_point<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = FixedPoint::default();
    let solver = FixedPoint {
        terms: method.linear_products.unwrap_or(own.terms),
        tolerance: method.linear_tolerance.or(own.tolerance),
    };
    with(method, 0.0, solver)
}

pub(crate) static FIXED_POINT: Entry = Entry {
    name: "implicit:fixed-point",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: fixed_point::<f32>,
        double: fixed_point::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Dynamics,
        Setting::LinearTolerance,
        Setting::LinearProducts,
    ],
    keeps_set: true,
    gives: Gives::Implicit,
    page: Page {
        summary: "implicit function theorem on the inner step, fixed-point iteration: AID-FP",
        update: &[
            TRAIN,
            "q ← (∂Φ/∂s)ᵀ q + ∂f/∂s, J times;  hypergradient = ∇_x f + (∂Φ/∂x)ᵀ q  at the end of training",
        ],
        oracles: "K gradients and J + 1 products of g; a value and a gradient of f",
        time: "c K + 2 to 3 c J",
        memory: MEMORY,
        when: "as implicit:cg, for any inner step that contracts, also with y in a box",
        when_not: WHEN_NOT,
        reference: "Grazzi et al. 2020, arXiv 2006.16218",
    },
};

fn hoag<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Hoag::<T>::default();
    Box::new(Hoag {
        dynamics: method.dynamics(),
        max_steps: method.steps,
        max_products: method.linear_products.unwrap_or(own.max_products),
        damping: method.damping,
        ..own
    })
}

pub(crate) static HOAG: Entry = Entry {
    name: "hoag",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: hoag::<f32>,
        double: hoag::<f64>,
    }),
    steps: Some(1000),
    adjoint: None,
    // A first move of 1, as in the paper's code, can swing about a minimum for ever.
    optimizer: Some(|_| OptimizerChoice::Adaptive(0.1)),
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Dynamics,
        Setting::Damping,
        Setting::LinearProducts,
    ],
    keeps_set: false,
    gives: Gives::Implicit,
    page: Page {
        summary: "implicit:cg with decreasing tolerances and an adaptive outer step: HOAG",
        update: &[
            "train from the last y until ‖∇_y g‖ ≤ ε_t, at most K steps;  ε_t = 0.001 (t + 1)^−2",
            "(∇²_yy g + damping I) q = ∇_y f by conjugate gradient to ε_t;  hypergradient = ∇_x f − ∇²_xy g q",
            "x ← x − hypergradient / L, where L follows the changes of f: --outer-optimizer adaptive:0.1 unless another is given",
        ],
        oracles: "as many gradients and products of g as ε_t requires; a value and a gradient of f",
        time: "c (steps + 2 to 3 products), both few once y and q are warm",
        memory: MEMORY,
        when: "a few hyperparameters of a strongly convex inner problem, all rows at each step; needs no outer step size",
        when_not: "mini-batches: the step rule mistakes their noise for steps that are too long; otherwise as implicit:cg",
        reference: "HOAG, Pedregosa 2016, arXiv 1602.02355",
    },
};

fn soba<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let step_size = Sequence::Constant {
        value: method.step_size,
    };
    Box::new(Soba {
        step_size,
        solver_step_size: step_size,
        damping: method.damping,
    })
}

pub(crate) static SOBA: Entry = Entry {
    name: "soba",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: soba::<f32>,
        double: soba::<f64>,
    }),
    steps: None,
    adjoint: None,
    optimizer: None,
    takes: &[Setting::StepSize, Setting::Damping],
    keeps_set: false,
    gives: Gives::Direction,
    page: Page {
        summary: "stochastic single loop",
        update: &[
            "direction in x: ∇_x f − ∇²_xy g v;  y ← y − s ∇_y g;  v ← v − s ((∇²_yy g + damping I) v − ∇_y f)",
        ],
        oracles: "one gradient and one product of g; a value and a gradient of f",
        time: "about 4 c",
        memory: "y and v, kept from one outer step to the next",
        when: "one step of everything at a time, with mini-batches: very many small outer steps, a strongly convex inner problem",
        when_not: "few outer steps: the first directions are far off; x is the start of training (refused)",
        reference: "SOBA, Dagréou et al. 2022, arXiv 2201.13409",
    },
};

fn stocbio<T: Precision>(method: &Resolved, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    Box::new(StocBio {
        step_size: method.step_size,
        steps: method.steps,
        solver_step_size: method.step_size,
        terms: method.linear_products.unwrap_or(StocBio::default().terms),
        damping: method.damping,
    })
}

pub(crate) static STOCBIO: Entry = Entry {
    name: "stocbio",
    aliases: &[],
    parameter: None,
    form: Form::Other(Build {
        single: stocbio::<f32>,
        double: stocbio::<f64>,
    }),
    steps: Some(10),
    adjoint: None,
    optimizer: None,
    takes: &[
        Setting::Steps,
        Setting::StepSize,
        Setting::Damping,
        Setting::LinearProducts,
    ],
    keeps_set: false,
    gives: Gives::Direction,
    page: Page {
        summary: "Neumann series with batches: stocBiO",
        update: &[
            "y_{t+1} = y_t − s ∇_y g(x, y_t), K times from the last y",
            "q = s Σ_{j<J} Π (I − s ∇²_yy g_j) ∇_y f, each product on a batch of its own;  direction in x: ∇_x f − ∇²_xy g q",
        ],
        oracles: "K gradients and J + 1 products of g; a value and a gradient of f",
        time: "c K + 2 to 3 c J",
        memory: "y, kept from one outer step to the next",
        when: "mini-batches, a strongly convex inner problem",
        when_not: "few terms or large condition numbers: the series is cut; x is the start of training (refused)",
        reference: "stocBiO, Ji et al. 2021, arXiv 2010.07962",
    },
};
