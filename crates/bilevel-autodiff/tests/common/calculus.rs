//! Derivatives of a graph as numbers, and differences to check them.

use bilevel_autodiff::graph::{DType, Graph, NodeId, Op};
use bilevel_autodiff::reference::{Value, evaluate};

/// Small enough for the differences' own error, and far below the distance to any kink.
const STEP: f64 = 1e-3;

/// A tensor filled with `value`, in the shape of `like`.
pub(crate) fn full(graph: &mut Graph, value: f64, like: NodeId) -> NodeId {
    let shape = graph.shape(like).to_vec();
    let scalar = graph.constant(value);
    let ones = Op::Reshape(vec![1; shape.len()]);
    let one = graph.push(ones, &[scalar]).unwrap();
    graph.push(Op::Broadcast(shape), &[one]).unwrap()
}

/// Each derivative, or zeros in the shape of its node.
pub(crate) fn or_zeros(
    graph: &mut Graph,
    derivatives: Vec<Option<NodeId>>,
    like: &[NodeId],
) -> Vec<NodeId> {
    assert_eq!(derivatives.len(), like.len());
    derivatives
        .into_iter()
        .zip(like)
        .map(|(derivative, &like)| {
            let derivative = derivative.unwrap_or_else(|| full(graph, 0.0, like));
            assert_eq!(graph.shape(derivative), graph.shape(like));
            assert_eq!(graph.node(derivative).dtype, DType::Real);
            derivative
        })
        .collect()
}

/// Adds an argument of the same shape for each node.
pub(crate) fn inputs_like(graph: &mut Graph, nodes: &[NodeId]) -> Vec<NodeId> {
    nodes
        .iter()
        .map(|&node| graph.input(graph.shape(node).to_vec(), DType::Real))
        .collect()
}

/// Pairs for `vjp` and `jvp`.
pub(crate) fn pairs(a: &[NodeId], b: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    a.iter().copied().zip(b.iter().copied()).collect()
}

/// Σ ⟨a, b⟩ over all pairs, a scalar.
pub(crate) fn inner(graph: &mut Graph, a: &[NodeId], b: &[NodeId]) -> NodeId {
    use bilevel_autodiff::graph::Binary;
    let mut sum = graph.constant(0.0);
    for (&a, &b) in a.iter().zip(b) {
        let product = graph.push(Op::Binary(Binary::Mul), &[a, b]).unwrap();
        let axes = (0..graph.shape(product).len()).collect();
        let part = graph.push(Op::Sum(axes), &[product]).unwrap();
        let part = graph.push(Op::Reshape(Vec::new()), &[part]).unwrap();
        sum = graph.push(Op::Binary(Binary::Add), &[sum, part]).unwrap();
    }
    sum
}

/// The values of these nodes, concatenated.
pub(crate) fn numbers(graph: &Graph, nodes: &[NodeId], arguments: &[Value<f64>]) -> Vec<f64> {
    let mut graph = graph.clone();
    graph.outputs = nodes.to_vec();
    let values = evaluate(&graph, arguments).unwrap();
    values
        .iter()
        .flat_map(|value| value.real().to_vec())
        .collect()
}

/// d/dt of `nodes` at arguments + t·direction for t = 0, by central differences of fourth order.
/// `direction` lists argument numbers and the directions in them.
pub(crate) fn difference(
    graph: &Graph,
    nodes: &[NodeId],
    arguments: &[Value<f64>],
    direction: &[(usize, Vec<f64>)],
) -> Vec<f64> {
    let at = |t: f64| {
        let mut moved = arguments.to_vec();
        for (argument, along) in direction {
            if let Value::Real(values) = &mut moved[*argument] {
                for (value, d) in values.iter_mut().zip(along) {
                    *value += t * d;
                }
            }
        }
        numbers(graph, nodes, &moved)
    };
    let [back2, back, ahead, ahead2] = [-2.0, -1.0, 1.0, 2.0].map(|t| at(t * STEP));
    (0..ahead.len())
        .map(|i| (8.0 * (ahead[i] - back[i]) - (ahead2[i] - back2[i])) / (12.0 * STEP))
        .collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&apart)
}

/// The inputs that are real numbers.
pub(crate) fn real_inputs(graph: &Graph) -> Vec<NodeId> {
    let inputs = graph.inputs().iter().copied();
    inputs
        .filter(|&id| graph.node(id).dtype == DType::Real)
        .collect()
}
