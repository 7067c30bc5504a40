//! The plain interpreter as a runtime.

use std::sync::Arc;

use bilevel::Scalar;

use super::{Argument, Cost, Executable, Footprint, Options, Runtime, Selected, Workspace};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::reference::{self, Value};

/// Runs a graph as it is, one node after the other.
pub(super) struct Interpreter;

#[derive(Debug)]
struct Interpreted {
    graph: Graph,
    options: Options,
}

impl<T: Scalar> Runtime<T> for Interpreter {
    fn compile(&self, graph: &Graph, options: &Options) -> Result<Arc<dyn Executable<T>>> {
        let blocked = options.inputs.iter().any(|form| form.blocked)
            || options.deliveries.iter().any(|delivery| delivery.blocked);
        if blocked {
            return Err(Error::Setting {
                field: "a blocked argument or result",
                range: "for a runtime that has blocks",
                value: "one for the interpreter".to_owned(),
            });
        }
        Ok(Arc::new(Interpreted {
            graph: graph.clone(),
            options: options.clone(),
        }))
    }
}

impl Interpreted {
    /// The argument without the padding between its rows.
    fn value<T: Scalar>(&self, number: usize, argument: &Argument<'_, T>) -> Value<T> {
        match argument {
            Argument::Index(indices) => Value::Index(indices.to_vec()),
            Argument::Real(numbers) => Value::Real(match self.options.form(number).stride {
                Some(stride) if stride > 0 => {
                    let columns = self.graph.shape(self.graph.inputs()[number])[1];
                    let rows = numbers.chunks_exact(stride);
                    rows.flat_map(|row| &row[..columns]).copied().collect()
                }
                _ => numbers.to_vec(),
            }),
        }
    }
}

impl<T: Scalar> Executable<T> for Interpreted {
    fn run(
        &self,
        _workspace: &mut Workspace<T>,
        _selected: Option<&dyn Selected>,
        arguments: &[Argument<'_, T>],
        results: &mut [&mut [T]],
    ) -> Result<()> {
        let arguments = arguments.iter().enumerate();
        let values: Vec<Value<T>> = arguments
            .map(|(number, argument)| self.value(number, argument))
            .collect();
        let computed = reference::evaluate(&self.graph, &values)?;
        for (number, (to, from)) in results.iter_mut().zip(&computed).enumerate() {
            let delivery = self.options.deliveries.get(number);
            let add = delivery.is_some_and(|delivery| delivery.add);
            for (to, &from) in to.iter_mut().zip(from.real()) {
                *to = if add { *to + from } else { from };
            }
        }
        Ok(())
    }

    fn cost(&self, _threads: usize) -> Cost {
        Cost::default()
    }

    fn footprint(&self, _threads: usize) -> Footprint {
        Footprint::default()
    }
}
