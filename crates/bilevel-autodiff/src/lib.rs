//! Tensors as traced graphs, with exact derivatives of any order, compiled for CPUs.
//!
//! Methods for bilevel problems need second derivatives of the training objective: vector products with ∇²_yy g and
//! ∇²_xy g, at each inner step. With this crate you write a function once, as plain arithmetic, and get all of its
//! derivatives.
//!
//! **Trace.** [`trace`] runs a closure on [`Var`] handles and records its operations, with static shapes, as a
//! [`Graph`]. The first invalid operation is returned as an error with the shapes of the operands and the source
//! line:
//!
//! ```
//! use bilevel_autodiff::{DType, trace};
//! let inputs = [(vec![3, 2], DType::Real), (vec![2], DType::Real)];
//! let graph = trace(&inputs, |v| vec![(v[0] * v[1]).sigmoid().mean()])?;
//! assert_eq!(graph.shape(graph.outputs[0]), []);
//! # Ok::<(), bilevel_autodiff::Error>(())
//! ```
//!
//! **Transform.** A derivative is again a graph: [`transform::grad`], [`transform::vjp`] and
//! [`transform::jvp`] append it to the graph, nest to any order, and are exact. One pass gives both second-order
//! products of an objective: the derivative of its gradient along a direction (mixed mode, arXiv 2505.00793):
//!
//! ```
//! use bilevel_autodiff::{DType, trace, transform};
//! let mut graph = trace(&[(vec![], DType::Real)], |v| vec![v[0].powf(3.0)])?;
//! let (x, mut last) = (graph.inputs()[0], graph.outputs[0]);
//! for _ in 0..3 {
//!     last = transform::grad(&mut graph, last, &[x])?[0];
//! }
//! // d³x³/dx³.
//! graph.outputs = vec![last];
//! let six = bilevel_autodiff::reference::evaluate(&graph, &[bilevel_autodiff::reference::Value::Real(vec![0.7])])?;
//! assert_eq!(six[0].real(), [6.0]);
//! # Ok::<(), bilevel_autodiff::Error>(())
//! ```
//!
//! **Compile.** [`Program::compile`] simplifies the graph, shares common subexpressions, fuses elementwise operations,
//! splits chains of row operations into blocks that stay in cache, and assigns memory to every buffer. The cost of a
//! run is known before the first run: [`Program::cost`].
//!
//! ```
//! use bilevel_autodiff::{DType, Program, trace};
//! let matrix = (vec![100, 100], DType::Real);
//! let graph = trace(&[matrix.clone(), matrix], |v| vec![v[0].matmul(v[1])])?;
//! assert_eq!(Program::<f32>::compile(&graph)?.cost(1).product_flops, 2e6);
//! # Ok::<(), bilevel_autodiff::Error>(())
//! ```
//!
//! **Special points.** Derivatives are accurate also where plain formulas lose all digits: in the tails of `tanh`,
//! `sigmoid`, `softplus`, `erf` and `gelu`, for logits with a large common offset, and for second derivatives of the
//! softmax family where one logit is far above the others. Where a function has no derivative, these are the
//! conventions:
//!
//! | function | at | derivative |
//! |---|---|---|
//! | [`relu`](Var::relu), [`abs`](Var::abs), [`sign`](Var::sign) | 0 | 0 |
//! | [`maximum`](Var::maximum), [`minimum`](Var::minimum), [`max`](Var::max) | ties | shared equally: ½ for each of two |
//! | [`max_pool`](Var::max_pool) | ties | the first element has all of it |
//! | [`clamp`](Var::clamp) | the ends | 1 |
//! | [`norm`](Var::norm), [`standard_deviation`](Var::standard_deviation) | 0 | 0 |
//! | [`pow`](Var::pow) in the exponent | a base of 0 | 0 |
//! | [`sqrt`](Var::sqrt), [`recip`](Var::recip), [`ln`](Var::ln) | 0 | infinite; through a further product NaN |
//! | [`select`](Var::select) | everywhere | that of the operand taken, even if the other one is not finite |
//! | [`log_sum_exp`](Var::log_sum_exp), [`softmax`](Var::softmax), [`cross_entropy`](Var::cross_entropy) | infinite logits | the limit: equal infinite logits share the probability |
//!
//! max(x, 0) + softplus(−|x|) is softplus(x), and has its slope ½ at 0; with `relu` in place of `maximum` it would be 0.
//!
//! **Run.** [`Program::run`] takes slices of `f32` or `f64` and a reusable [`Workspace`], and uses the threads of the
//! current rayon pool. The result has the same bits for any number of threads.
//!
//! ```
//! use bilevel_autodiff::{Argument, DType, Program, Workspace, trace};
//! let graph = trace(&[(vec![2], DType::Real)], |v| vec![v[0].exp().ln() + 1.0])?;
//! let (program, mut workspace) = (Program::<f64>::compile(&graph)?, Workspace::default());
//! let mut out = [0.0; 2];
//! program.run(&mut workspace, &[Argument::Real(&[2.0, 3.0])], &mut [&mut out])?;
//! assert!((out[0] - 3.0).abs() < 1e-15 && (out[1] - 4.0).abs() < 1e-15);
//! # Ok::<(), bilevel_autodiff::Error>(())
//! ```
//!
//! # Your own bilevel problem
//!
//! A [`Function`] bound to data is an [`Objective`](bilevel::Objective): state the inner and the outer function, and
//! any method of `bilevel` differentiates through the training. How strongly should each weight of a regression be
//! penalised, so that the trained weights do well on other rows?
//!
//! ```
#![doc = include_str!("../examples/own_problem.rs")]
//! ```
#![warn(missing_docs)]

mod error;
mod function;
pub mod graph;
mod pass;
mod program;
mod real;
pub mod reference;
mod rule;
mod runtime;
mod task_threads;
mod trace;
pub mod transform;

pub use error::{Error, Fault, Result};
pub use function::{Bound, Compiled, Data, Function, Inputs, Settings, Shapes, SparseRows};
pub use graph::{DType, Graph, NodeId, Shape};
pub use program::Program;
pub use real::Real;
#[doc(hidden)]
pub use rule::{Draw, Kind, Numbers, Sample};
pub use runtime::{Argument, Cost, Device, Passes, Workspace};
pub use task_threads::TaskThreads;
pub use trace::{Tracer, Var, trace};
