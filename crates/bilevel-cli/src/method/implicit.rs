//! The methods that differentiate the solution of the inner problem.

use bilevel::linear::{ConjugateGradient, FixedPoint, LinearSolver, Neumann};
use bilevel::{HyperGradient, Implicit, Problem};

use super::Method;
use super::entry::{Build, Entry, Form, Gives, Opt, Page, Precision};

const OPTIONS: &[Opt] = &[
    Opt::Steps,
    Opt::StepSize,
    Opt::Dynamics,
    Opt::Damping,
    Opt::LinearTolerance,
    Opt::LinearProducts,
];

fn with<T: Precision>(
    method: &Method,
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

fn conjugate_gradient<T: Precision>(method: &Method, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = ConjugateGradient::default();
    let solver = ConjugateGradient {
        tolerance: method.linear_tolerance.unwrap_or(own.tolerance),
        max_products: method.linear_products.unwrap_or(own.max_products),
    };
    with(method, method.damping, solver)
}

const TRAIN: &str = "y_K by K steps of training on g from the last y";
const WHEN: &str = "long training that comes close to a minimum: neither memory nor the cost of the derivative depends on K; warm starts make later steps cheap";
const WHEN_NOT: &str = "training is stopped early, or x is its start (refused: the minimum has forgotten it); a minimum that is not isolated, such as that of a softmax or a network, needs --damping or --weight-decay; an aggregate field (refused: it does not end where ∇_y g = 0)";
const MEMORY: &str = "about 7 vectors of m numbers, whatever K is";

pub(super) static CONJUGATE_GRADIENT: Entry = Entry {
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
    gives: Gives::Implicit,
    page: Page {
        summary: "implicit function theorem, conjugate gradient: AID-CG",
        update: &[
            TRAIN,
            "(∇²_yy g + damping I) q = ∇_y f by conjugate gradient;  hypergradient = ∇_x f − ∇²_xy g q  at (x, y_K)",
        ],
        oracles: "K gradients, a product for each iteration and one product with ∇²_xy g of g; a value and a gradient of f",
        time: "c K + 2 to 3 c J for J iterations",
        memory: MEMORY,
        when: WHEN,
        when_not: WHEN_NOT,
        reference: "HOAG, Pedregosa 2016, arXiv 1602.02355; rates: Grazzi et al. 2020, arXiv 2006.16218",
    },
};

fn neumann<T: Precision>(method: &Method, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = Neumann::default();
    let solver = Neumann {
        step_size: method.step_size,
        terms: method.linear_products.unwrap_or(own.terms),
        tolerance: method.linear_tolerance.or(own.tolerance),
    };
    with(method, method.damping, solver)
}

pub(super) static NEUMANN: Entry = Entry {
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
        when: "as implicit:cg, with mini-batches: each product may see a batch of its own",
        when_not: WHEN_NOT,
        reference: "Lorraine et al. 2020, arXiv 1911.02590",
    },
};

fn fixed_point<T: Precision>(method: &Method, _: &Problem<T>) -> Box<dyn HyperGradient<T>> {
    let own = FixedPoint::default();
    let solver = FixedPoint {
        terms: method.linear_products.unwrap_or(own.terms),
        tolerance: method.linear_tolerance.or(own.tolerance),
    };
    with(method, 0.0, solver)
}

pub(super) static FIXED_POINT: Entry = Entry {
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
        Opt::Steps,
        Opt::StepSize,
        Opt::Dynamics,
        Opt::LinearTolerance,
        Opt::LinearProducts,
    ],
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
        when: "as implicit:cg, for any inner step that contracts, with y in a box too",
        when_not: WHEN_NOT,
        reference: "Grazzi et al. 2020, arXiv 2006.16218",
    },
};
