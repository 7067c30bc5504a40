//! A plain interpreter of graphs that evaluates each node by its definition, in order. The tests compare
//! compiled programs with it.

use bilevel::Scalar;

use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Op};
use crate::rule;
use crate::rule::value::Operand;
pub use crate::rule::value::Value;

/// The values of all outputs of `graph` for these arguments.
///
/// # Errors
/// [`Error::Length`] for an argument of the wrong type or length, [`Error::Index`] for an index
/// out of range.
pub fn evaluate<T: Scalar>(graph: &Graph, arguments: &[Value<T>]) -> Result<Vec<Value<T>>> {
    let mut values: Vec<Value<T>> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let value = if let Op::Input(number) = node.op {
            argument(node, number, arguments)?
        } else {
            let operands: Vec<Operand<'_, T>> = node
                .operands
                .iter()
                .map(|id| Operand {
                    node: graph.node(*id),
                    value: &values[id.index()],
                })
                .collect();
            rule::define(node, &operands)?
        };
        values.push(value);
    }
    Ok(graph
        .outputs
        .iter()
        .map(|id| values[id.index()].clone())
        .collect())
}

fn argument<T: Scalar>(node: &Node, number: usize, arguments: &[Value<T>]) -> Result<Value<T>> {
    let found = arguments
        .get(number)
        .filter(|argument| argument.dtype() == node.dtype && argument.len() == node.len());
    found.cloned().ok_or_else(|| Error::Length {
        what: format!("argument {number}, {},", node.dtype),
        expected: node.len(),
        found: arguments.get(number).map_or(0, Value::len),
    })
}
