//! Compiled programs.

use std::sync::Arc;

use crate::error::{Error, Fault, Result};
use crate::graph::{DType, Graph, NodeId};
use crate::pass;
use crate::real::Real;
use crate::rule::{self, Below};
use crate::runtime::{
    Argument, Cost, Device, Executable, Footprint, Options, Partition, Passes, Prepared, Selected,
    Workspace,
};

/// A compiled graph: a function of tensors whose memory layout is fixed before it runs.
///
/// Results do not depend on the number of threads: work is divided only by shape, and partial sums are added in a fixed
/// order. Results are bitwise equal on all machines with the same vector instructions.
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
    executable: Arc<dyn Executable<T>>,
    inputs: Vec<Input>,
    outputs: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Input {
    len: usize,
    dtype: DType,
    /// The exclusive upper bound of its indices.
    bound: usize,
}

impl<T: Real> Program<T> {
    /// Compiles a graph whose outputs are real.
    ///
    /// # Errors
    /// If an output holds no real numbers.
    pub fn compile(graph: &Graph) -> Result<Self> {
        Self::with(graph, Device::default(), &Options::default())
    }

    /// Compiles with some passes left out, for comparisons.
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_with(graph: &Graph, passes: Passes) -> Result<Self> {
        let options = Options {
            passes,
            ..Options::default()
        };
        Self::with(graph, Device::default(), &options)
    }

    /// Compiles for another device.
    ///
    /// # Errors
    /// As [`Program::compile`].
    pub fn compile_for(graph: &Graph, device: Device) -> Result<Self> {
        Self::with(graph, device, &Options::default())
    }

    /// Compiles for a device, with options such as the forms of arguments and results.
    pub(crate) fn with(graph: &Graph, device: Device, options: &Options) -> Result<Self> {
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
        for (number, &id) in graph.inputs().iter().enumerate() {
            let shape = graph.shape(id);
            if let Some(stride) = options.form(number).stride
                && (shape.len() != 2 || stride < shape[1])
            {
                return Err(Error::Setting {
                    field: "the stride of an argument",
                    range: "that of a matrix, and at least its columns",
                    value: format!("{stride} for argument {number} of shape {shape:?}"),
                });
            }
        }
        let graph = optimise(graph, options.passes)?;
        let inputs = graph
            .inputs()
            .iter()
            .enumerate()
            .map(|(number, &id)| Input {
                len: match options.form(number).stride {
                    Some(stride) => graph.shape(id)[0] * stride,
                    None => graph.node(id).len(),
                },
                dtype: graph.node(id).dtype,
                bound: bound(&graph, id),
            })
            .collect();
        Ok(Self {
            executable: device.runtime().compile(&graph, options)?,
            inputs,
            outputs: graph
                .outputs
                .iter()
                .map(|&id| graph.node(id).len())
                .collect(),
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
        self.run_with(workspace, None, arguments, outputs)
    }

    /// Like [`Program::run`], with the prepared data that [`Program::select`] returns.
    pub(crate) fn run_with(
        &self,
        workspace: &mut Workspace<T>,
        selected: Option<&dyn Selected>,
        arguments: &[Argument<'_, T>],
        outputs: &mut [&mut [T]],
    ) -> Result<()> {
        self.check(arguments, outputs)?;
        self.executable.run(workspace, selected, arguments, outputs)
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
                (DType::Real, Argument::Real([])) if !self.executable.reads(number) => {}
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

    /// The cost of a run with this number of threads.
    #[must_use]
    pub fn cost(&self, threads: usize) -> Cost {
        self.executable.cost(threads)
    }

    /// The memory that a run with this number of threads needs in addition to its arguments and results.
    pub(crate) fn memory(&self, threads: usize) -> Footprint {
        self.executable.footprint(threads)
    }

    /// The prepared data that this program uses. `prepared` takes the number of an argument.
    pub(crate) fn select<'a>(
        &self,
        prepared: &dyn Fn(usize) -> Option<&'a dyn Prepared>,
    ) -> Result<Option<Box<dyn Selected>>> {
        self.executable.select(prepared)
    }

    /// Whether this program reads the argument of this number, except in a prepared form; otherwise it may be empty.
    pub(crate) fn reads(&self, argument: usize) -> bool {
        self.executable.reads(argument)
    }

    /// How this program cuts rows; a program that writes blocks for it needs the same partition.
    pub(crate) fn partition(&self) -> Option<Partition> {
        self.executable.partition()
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

/// Rewrites the graph as the same function in fewer and cheaper nodes, before it is planned.
pub(crate) fn optimise(graph: &Graph, passes: Passes) -> Result<Graph> {
    let mut graph = pass::dead(graph)?;
    // The result of one pass may let the other do more.
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

/// The exclusive upper bound of the indices of an input.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Form;
    use crate::trace::trace;

    /// Results when the first argument has this stride.
    fn results(
        graph: &Graph,
        device: Device,
        (rows, columns, stride): (usize, usize, usize),
    ) -> Vec<Vec<u64>> {
        // The padding between the rows must not be read.
        let mut a = vec![f64::NAN; rows * stride];
        for (i, row) in a.chunks_exact_mut(stride).enumerate() {
            for (j, value) in row[..columns].iter_mut().enumerate() {
                *value = (((i * columns + j) * 37 % 101) as f64 - 50.0) / 29.0;
            }
        }
        let w: Vec<f64> = (0..columns * 4)
            .map(|i| (i % 7) as f64 / 3.0 - 1.0)
            .collect();
        let index: Vec<u32> = (0..6).map(|i| (i * 5 % rows) as u32).collect();
        let options = Options {
            inputs: vec![Form {
                stride: Some(stride).filter(|&stride| stride != columns),
                ..Form::default()
            }],
            ..Options::default()
        };
        let program = Program::<f64>::with(graph, device, &options).unwrap();
        let mut outputs: Vec<Vec<f64>> = graph
            .outputs
            .iter()
            .map(|&id| vec![0.0; graph.node(id).len()])
            .collect();
        let mut places: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let arguments = [
            Argument::Real(&a),
            Argument::Real(&w),
            Argument::Index(&index),
        ];
        let mut workspace = Workspace::default();
        program
            .run(&mut workspace, &arguments, &mut places)
            .unwrap();
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect();
        outputs.into_iter().map(bits).collect()
    }

    #[test]
    fn what_is_between_the_rows_of_an_argument_changes_nothing() {
        for (rows, columns) in [(1, 1), (5, 3), (7, 16), (40, 17), (700, 10), (130, 90)] {
            let inputs = [
                (vec![rows, columns], DType::Real),
                (vec![columns, 4], DType::Real),
                (vec![6], DType::Index),
            ];
            let graph = trace(&inputs, |v| {
                let (a, w, index) = (v[0], v[1], v[2]);
                let product = a.matmul(w);
                vec![
                    product.tanh(),
                    a.t().matmul(product),
                    a.matmul(a.t()).sum(&[0]),
                    a.take_rows(index).matmul(w),
                    (a * a).sum(&[1]),
                    a.sum(&[0]),
                    a.max(&[1]),
                    a.reshape(&[rows * columns]).exp(),
                    a.t() + 1.0,
                    a,
                ]
            })
            .unwrap();
            for device in [Device::Cpu, Device::Interpreter] {
                let expected = results(&graph, device, (rows, columns, columns));
                assert!(
                    expected
                        .iter()
                        .flatten()
                        .all(|&bits| !f64::from_bits(bits).is_nan())
                );
                for stride in [columns.next_multiple_of(8), columns + 3] {
                    let found = results(&graph, device, (rows, columns, stride));
                    assert_eq!(found, expected, "{device:?} {rows} x {columns} at {stride}");
                }
            }
        }
    }

    #[test]
    fn a_stride_is_at_least_the_columns() {
        let graph = trace(&[(vec![3, 4], DType::Real), (vec![3], DType::Real)], |v| {
            vec![v[0].sum_all(), v[1].sum_all()]
        })
        .unwrap();
        for strides in [[Some(3), None], [None, Some(8)]] {
            let options = Options {
                inputs: strides
                    .map(|stride| Form {
                        stride,
                        ..Form::default()
                    })
                    .to_vec(),
                ..Options::default()
            };
            let failed = Program::<f64>::with(&graph, Device::Cpu, &options);
            assert!(matches!(failed, Err(Error::Setting { .. })));
        }
    }
}
