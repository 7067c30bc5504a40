//! Differentiating through training.
//!
//! `bilevel` solves problems in which one optimisation is nested inside another:
//!
//! ```text
//! minimise over x   f(x, y_K(x))      where   y_{t+1} = Φ_t(x, y_t)  trains on  g(x, ·)
//! ```
//!
//! x may be one weight per training row (find wrong labels), one penalty per feature
//! (tune), a starting point (few-shot learning). The gradient of the outer objective
//! through the inner training is the *hypergradient*. This crate computes it exactly,
//! or without bias, in known memory.
//!
//! # Notation, the same in every file
//!
//! | symbol | meaning |
//! |---|---|
//! | x, n numbers | outer variable |
//! | y, m numbers | inner variable |
//! | f(x, y), g(x, y) | outer and inner objective |
//! | Φ_t | inner dynamics: s_{t+1} = Φ_t(x, s_t); the state s is y with its buffers |
//! | K | number of inner steps (`steps`) |
//! | `*_bar`, `d*` | cotangent, tangent |
//!
//! No oracle hides a sign: a vector–Jacobian product is +Jᵀv.
//!
//! # Three choices make a method
//!
//! * what is solved: a [`Problem`] of two [`Objective`]s and a [`Start`];
//! * how the inner variable moves: [`Dynamics`] with a [`Field`], either the inner gradient
//!   or an aggregate of both gradients, weighted by a [`Schedule`];
//! * how the steps are differentiated: an [`Adjoint`] ([`Reverse`], [`ReverseTape`],
//!   [`Checkpointed`], [`Forward`], [`Truncated`], [`FirstOrder`]) inside [`Unrolled`].
//!
//! Dynamics are [`GradientDescent`], [`Momentum`], [`InnerAdam`], [`ProximalGradient`]; each keeps
//! y in a [`Set`], and its hyperparameters may be part of x ([`Hyper`]).
//!
//! # Other hypergradients
//!
//! | kind | types |
//! |---|---|
//! | unbiased, by a coin | [`Debiased`] (UFO) of any two others |
//! | at the minimum, not along the trajectory | [`Implicit`], [`Hoag`], [`StocBio`]; [`linear`] has the solvers |
//! | without a stored trajectory | [`Reversible`] (momentum run backwards) |
//! | one step | [`OneStage`] (DARTS), [`T1T2`] |
//! | gradients only | [`Bome`], [`F2sa`], [`Pbgd`], [`Bvfsm`], [`Meha`] |
//! | learned start, worst step | [`Iaptt`] |
//! | learned start, no derivatives of training | [`Reptile`] |
//! | single loop | [`Soba`], [`Bamm`] |
//!
//! Each is a [`HyperGradient`]: it refuses before a run problems for which it makes no sense, predicts its
//! [`Cost`], and keeps a [`Memory`] that is part of the state of a run. [`OverTasks`] averages any of them over
//! a [`TaskFamily`].
//!
//! A [`Driver`] follows the hypergradient with an [`Optimizer`]; [`check`] tests whether
//! a hypergradient is right. For problems without an outer variable, [`simple`] minimises one
//! objective over the minimisers of another.
//!
//! # Example
//!
//! How strong must a ridge penalty eˣ·y²/2 be so that training on one noisy number, 3,
//! gives the clean one, 2?
//!
//! ```
//! use bilevel::{check, driver::RunState, *};
//! // g = (y − 3)²/2 + eˣ y²/2,   f = (y − 2)²/2
//! let g = Closures::<f64>::new(
//!     1,
//!     1,
//!     |x, y, _| (y[0] - 3.0).powi(2) / 2.0 + x[0].exp() * y[0].powi(2) / 2.0,
//!     |x, y, _, out| out[0] += y[0] - 3.0 + x[0].exp() * y[0],
//! )
//! .with_grad_x(|x, y, _, out| out[0] += x[0].exp() * y[0].powi(2) / 2.0)
//! .with_second_order(
//!     |x, y, _, v, y_bar, x_bar| {
//!         y_bar[0] += (1.0 + x[0].exp()) * v[0];
//!         x_bar[0] += x[0].exp() * y[0] * v[0];
//!     },
//!     |x, y, _, dx, dy, out| out[0] += (1.0 + x[0].exp()) * dy[0] + x[0].exp() * y[0] * dx[0],
//! );
//! let f = Closures::<f64>::new(1, 1, |_, y, _| (y[0] - 2.0).powi(2) / 2.0, |_, y, _, out| out[0] += y[0] - 2.0);
//! let problem = Problem::new(g, f, FixedStart(vec![0.0]))?;
//! let method = Unrolled { steps: 60, ..Unrolled::default() };
//! let key = Key::from_seed(0);
//! assert!(check::gradient_check(&method, &At::new(&problem, &[0.0], key), 1, 1e-7)?.passed());
//!
//! let optimizer = Sgd::new(0.5);
//! let mut state = RunState::new(vec![0.0], &optimizer);
//! Driver::new(&problem, &method, &optimizer, key).outer_steps(200)
//!     .run(&mut state)?;
//! // 3 / (1 + eˣ) = 2 at x = −ln 2.
//! assert!((state.x[0] + 2.0_f64.ln()).abs() < 1e-3);
//! # Ok::<(), bilevel::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod adjoint;
mod at;
mod bounds;
pub mod catalogue;
pub mod check;
mod cost;
pub mod curvature;
mod draw;
pub mod driver;
pub mod dynamics;
mod error;
mod hint;
mod hypergradient;
mod key;
mod layout;
pub mod linear;
mod memory;
pub mod objective;
pub mod optimizer;
mod oracle;
mod problem;
mod scalar;
mod sequence;
mod set;
pub mod simple;
mod status;
mod tasks;
pub mod text;
pub mod toys;
pub mod vector;

pub use adjoint::{Adjoint, Checkpointed, FirstOrder, Forward, Reverse, ReverseTape, Truncated};
pub use at::At;
pub use bounds::Bounds;
pub use cost::{Cost, Oracles, Sweeps};
pub use draw::{Draw, Rows, check_batch};
pub use driver::{Driver, Iterate, Observer, RunState};
pub use dynamics::Adam as InnerAdam;
pub use dynamics::{
    Dynamics, ElasticNet, Field, GradientDescent, Hyper, Momentum, ProximalGradient, Schedule,
};
pub use error::{Error, Inapplicable, Quantity, Result, Role};
pub use hint::Hint;
pub use hypergradient::{
    Adaptive, Bamm, Barrier, Bome, Bvfsm, Debiased, F2sa, Hoag, HyperGradient, Iaptt, Implicit,
    Meha, Moments, OneStage, Pbgd, Probability, Ratio, Remembers, Report, Reptile, Reversible,
    Soba, StocBio, T1T2, Unrolled, WarmStart,
};
pub use key::{Key, Stream};
pub use layout::{Layout, Part};
pub use memory::Memory;
pub use objective::{Calls, Closures, Objective};
pub use optimizer::{Adam, AdaptiveStep, Optimizer, Sgd, Update};
pub use oracle::{Oracle, PerOracle};
pub use problem::{FixedStart, Problem, Start, StartFromX};
pub use scalar::Scalar;
pub use sequence::Sequence;
pub use set::Set;
pub use status::Status;
pub use tasks::{
    CallingThread, Executor, OrderedMean, OverTasks, TaskEstimate, TaskFamily, Threads,
};
