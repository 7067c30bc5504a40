//! Compiled programs.

use std::sync::Arc;

use crate::error::{Error, Fault, Result};
use crate::graph::{DType, Graph, NodeId};
use crate::pass;
use crate::rule::{self, Below};
use crate::runtime::cpu::kernel::{Real, strip_columns};
use crate::runtime::cpu::machine::Workspace;
use crate::runtime::cpu::packed::{Fill, Lines, Packed};
use crate::runtime::cpu::partition::Partition;
use crate::runtime::cpu::plan::{Numbers, Plan};
use crate::runtime::{Argument, Cost, Delivery, Footprint, Options, Passes};

/// A compiled graph: a function of tensors, with every place in memory known before it runs.
///
/// Results do not depend on the number of threads: work is cut by shape alone, and partial sums are
/// added in a fixed order. They are the same bits on all machines with the same vector instructions.
///
/// ```
/// use bilevel_autodiff::{Argument, DType, Program, Workspace, trace};
/// let graph = trace(&[(vec![2, 2], DType::Real)], |v| vec![v[0].matmul(v[0]).sum_all()])?;
/// let program = Program::<f64>::compile(&graph)?;
/// let mut sum = [0.0];
/// program.run(&mut Workspace::default(), &[Argument::Real(&[1.0, 2.0, 3.0, 4.0])], &mut [&mut sum])?;
/// assert_eq!(sum, [7.0 + 10.0 + 15.0 + 22.0]);
/// # Ok::<(), bilevel_autodiff::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Program<T> {
    plan: Plan,
    constants: Vec<T>,
    inputs: Vec<Input>,
    outputs: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Input {
    len: usize,
    dtype: DType,
    /// Indices have to be below it.
    bound: usize,
}

impl<T: Real> Program<T> {
    /// Compiles a graph whose outputs are real.
    ///
    /// # Errors
    /// If an output holds no real numbers.
    pub fn compile(graph: &Graph) -> Result<Self> {
        Self::with(graph, &Options::default(), &[])
    }

    /// The same with some passes left out, to compare.
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_with(graph: &Graph, passes: Passes) -> Result<Self> {
        let options = Options {
            passes,
            ..Options::default()
        };
        Self::with(graph, &options, &[])
    }

    /// `fills` says of the arguments that come packed whenever the program runs how much of them is kept.
    pub(crate) fn with(graph: &Graph, options: &Options, fills: &[Option<Fill>]) -> Result<Self> {
        for &output in &graph.outputs {
            let found = graph.node(output).dtype;
            if found != DType::Real {
                return Err(Error::Operation {
                    operation: "output",
                    operands: vec![graph.shape(output).to_vec()],
                    fault: Fault::DType {
                        expected: DType::Real,
                        found,
                    },
                    location: None,
                });
            }
        }
        let graph = optimise(graph, options.passes)?;
        let mut deliveries = options.deliveries.clone();
        deliveries.resize(graph.outputs.len(), Delivery::default());
        let numbers = Numbers {
            size: size_of::<T>(),
            strip: strip_columns::<T>(),
        };
        let plan = Plan::new(&graph, options, &deliveries, fills, numbers)?;
        let inputs = graph
            .inputs()
            .iter()
            .map(|&id| Input {
                len: graph.node(id).len(),
                dtype: graph.node(id).dtype,
                bound: bound(&graph, id),
            })
            .collect();
        Ok(Self {
            constants: plan.constants.iter().map(|&c| T::from_f64(c)).collect(),
            inputs,
            outputs: graph
                .outputs
                .iter()
                .map(|&id| graph.node(id).len())
                .collect(),
            plan,
        })
    }

    /// Computes all outputs for these arguments.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Index`] for arguments that do not fit.
    pub fn run(
        &self,
        workspace: &mut Workspace<T>,
        arguments: &[Argument<'_, T>],
        outputs: &mut [&mut [T]],
    ) -> Result<()> {
        self.run_packed(workspace, &[], arguments, outputs)
    }

    /// The same with the matrices of [`Program::packed`], in its order.
    pub(crate) fn run_packed(
        &self,
        workspace: &mut Workspace<T>,
        packed: &[Arc<Packed<T>>],
        arguments: &[Argument<'_, T>],
        outputs: &mut [&mut [T]],
    ) -> Result<()> {
        expect_length(
            || "the list of packed matrices".to_owned(),
            self.plan.packed.len(),
            packed.len(),
        )?;
        self.check(arguments, outputs)?;
        workspace.run(&self.plan, &self.constants, packed, arguments, outputs);
        Ok(())
    }

    fn check(&self, arguments: &[Argument<'_, T>], outputs: &[&mut [T]]) -> Result<()> {
        expect_length(
            || "the list of arguments".to_owned(),
            self.inputs.len(),
            arguments.len(),
        )?;
        expect_length(
            || "the list of results".to_owned(),
            self.outputs.len(),
            outputs.len(),
        )?;
        for (number, (input, argument)) in self.inputs.iter().zip(arguments).enumerate() {
            let what = || format!("argument {number}");
            match (input.dtype, argument) {
                (DType::Index, Argument::Index(values)) => {
                    expect_length(what, input.len, values.len())?;
                    let largest = values.iter().copied().max().unwrap_or(0) as usize;
                    if largest >= input.bound && !values.is_empty() {
                        let place = values.iter().position(|&i| i as usize >= input.bound);
                        return Err(Error::Index {
                            what: what(),
                            place: place.unwrap_or(0),
                            index: place.map_or(0, |place| values[place]),
                            size: input.bound,
                        });
                    }
                }
                (DType::Real, Argument::Real(values)) => {
                    expect_length(what, input.len, values.len())?;
                }
                (expected, _) => {
                    return Err(Error::Kind {
                        argument: number,
                        expected,
                    });
                }
            }
        }
        for (number, (&expected, output)) in self.outputs.iter().zip(outputs).enumerate() {
            expect_length(|| format!("result {number}"), expected, output.len())?;
        }
        Ok(())
    }

    /// What a run costs with so many threads.
    #[must_use]
    pub fn cost(&self, threads: usize) -> Cost {
        self.plan.cost(size_of::<T>(), threads)
    }

    /// How many numbers a run with so many threads needs beside its arguments and results.
    pub(crate) fn memory(&self, threads: usize) -> Footprint {
        self.plan.memory(threads)
    }

    /// The packed matrices that it multiplies by: which argument each is, and of which lines.
    pub(crate) fn packed(&self) -> &[(usize, Lines)] {
        &self.plan.packed
    }

    pub(crate) fn partition(&self) -> Partition {
        self.plan.partition
    }
}

fn expect_length(what: impl Fn() -> String, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Length {
            what: what(),
            expected,
            found,
        })
    }
}

/// The graph that is planned: the same function in fewer and cheaper nodes.
pub(crate) fn optimise(graph: &Graph, passes: Passes) -> Result<Graph> {
    let mut graph = pass::dead(graph)?;
    // What one pass leaves, the other may take further.
    for _ in 0..4 {
        let before = graph.nodes().len();
        if passes.simplify {
            graph = pass::simplify(&graph)?;
        }
        if passes.common {
            graph = pass::common(&graph)?;
        }
        graph = pass::dead(&graph)?;
        if graph.nodes().len() == before {
            break;
        }
    }
    Ok(graph)
}

/// What the indices of an input have to be below.
pub(crate) fn bound(graph: &Graph, input: NodeId) -> usize {
    let mut same = vec![input];
    let mut bound = usize::MAX;
    for id in graph.ids() {
        let node = graph.node(id);
        if rule::below(graph, node) == Below::AsOperand && same.contains(&node.operands[0]) {
            same.push(id);
        }
        let operands: Vec<_> = node.operands.iter().map(|&id| graph.node(id)).collect();
        if let (Some(size), Some(index)) =
            (rule::selects(&node.op, &operands), node.operands.last())
            && same.contains(index)
        {
            bound = bound.min(size);
        }
    }
    bound
}
