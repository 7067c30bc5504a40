//! How much two correct evaluations of a graph may differ.

use bilevel_autodiff::graph::{Binary, Convolved, DType, Graph, Lines, NodeId, Op, Unary};
use bilevel_autodiff::reference::{Value, evaluate};

use super::source::Source;

/// The number of evaluations with random rounding errors; the largest effect counts.
const SAMPLES: u64 = 5;

/// A factor, because the largest effect of a few samples is below the largest possible one.
const MARGIN: f64 = 16.0;

/// For each output, how far a correct evaluation with this unit roundoff may be from the exact values at `arguments`.
/// The graph is evaluated with random relative errors: a few units in the result of every operation that rounds, and in
/// every term of a sum as many units as the sum has terms, as another order of summation or another exponential would
/// cause. A discontinuity that such errors cross widens the bound.
pub(crate) fn bounds(graph: &Graph, arguments: &[Value<f64>], unit: f64) -> Vec<f64> {
    let exact = evaluate(graph, arguments).unwrap();
    let (noisy, errors) = with_errors(graph);
    let mut bounds: Vec<f64> = exact
        .iter()
        .map(|value| unit * largest(value.real().iter().copied()))
        .collect();
    for sample in 0..SAMPLES {
        let mut source = Source::new(sample);
        let mut all = arguments.to_vec();
        all.extend(errors.iter().map(|&(len, size)| {
            let factors = (0..len).map(|_| 1.0 + size * unit * source.wide(-1.0, 1.0));
            Value::Real(factors.collect())
        }));
        for ((bound, value), exact) in bounds
            .iter_mut()
            .zip(evaluate(&noisy, &all).unwrap())
            .zip(&exact)
        {
            let apart = largest(
                value
                    .real()
                    .iter()
                    .zip(exact.real())
                    .filter(|(a, b)| a != b)
                    .map(|(a, b)| a - b),
            );
            *bound = bound.max(MARGIN * apart);
        }
    }
    bounds
}

/// Asserts that `found` equals `expected` within these bounds, and both are finite.
pub(crate) fn assert_close(
    what: &str,
    found: &[Value<f64>],
    expected: &[Value<f64>],
    bounds: &[f64],
) {
    assert_eq!(found.len(), expected.len(), "{what}: number of outputs");
    for (output, ((found, expected), bound)) in found.iter().zip(expected).zip(bounds).enumerate() {
        let (Value::Real(found), Value::Real(expected)) = (found, expected) else {
            assert_eq!(found, expected, "{what}: output {output}");
            continue;
        };
        assert_eq!(found.len(), expected.len(), "{what}: output {output}");
        for (place, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!(
                (a - b).abs() <= *bound,
                "{what}: output {output} at {place} is {a:e}, expected {b:e} within {bound:e}"
            );
        }
    }
}

fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    // Unlike `f64::max`, this keeps a NaN.
    numbers.fold(
        0.0,
        |top: f64, a| if a.abs() <= top { top } else { a.abs() },
    )
}

/// The graph with an argument of factors for each place where rounding happens; for each, the number of factors and
/// their largest distance from 1, in units of roundoff.
fn with_errors(graph: &Graph) -> (Graph, Vec<(usize, f64)>) {
    let mut noisy = Graph::new();
    let mut errors = Vec::new();
    let mut inputs = Vec::new();
    for &input in graph.inputs() {
        let node = graph.node(input);
        inputs.push(noisy.input(node.shape.clone(), node.dtype));
    }
    let mut moved: Vec<NodeId> = Vec::new();
    let ids: Vec<NodeId> = graph.ids().collect();
    let place = |id: NodeId| ids.binary_search(&id).unwrap();
    for &id in &ids {
        let node = graph.node(id);
        let mut operands: Vec<NodeId> = node.operands.iter().map(|&o| moved[place(o)]).collect();
        let mut rounded = |noisy: &mut Graph, id: NodeId, size: f64| {
            let node = noisy.node(id);
            let (len, shape) = (node.len(), node.shape.clone());
            let factors = noisy.input(shape, DType::Real);
            errors.push((len, size));
            noisy.push(Op::Binary(Binary::Mul), &[id, factors]).unwrap()
        };
        let new = match &node.op {
            Op::Input(number) => inputs[*number],
            Op::Constant(bits) => {
                let value = f64::from_bits(*bits);
                let new = noisy.constant(value);
                if f64::from(value as f32) == value {
                    new
                } else {
                    rounded(&mut noisy, new, 1.0)
                }
            }
            op => {
                let terms = terms(graph, id);
                if terms > 1 {
                    let size = terms as f64;
                    let both =
                        operands.len() == 2 && graph.node(node.operands[1]).dtype == DType::Real;
                    let real = if both { 2 } else { 1 };
                    for operand in &mut operands[..real] {
                        *operand = rounded(&mut noisy, *operand, size);
                    }
                }
                let new = noisy.push(op.clone(), &operands).unwrap();
                match rounding(op) {
                    0.0 => new,
                    size => rounded(&mut noisy, new, size),
                }
            }
        };
        moved.push(new);
    }
    noisy.outputs = graph.outputs.iter().map(|&id| moved[place(id)]).collect();
    (noisy, errors)
}

/// The number of terms added for each element of a node.
fn terms(graph: &Graph, id: NodeId) -> usize {
    let node = graph.node(id);
    let operand = || graph.shape(node.operands[0]);
    match &node.op {
        Op::Sum(axes) => axes.iter().map(|&axis| operand()[axis]).product(),
        Op::AddRows(_) => operand()[0],
        Op::MatMul { left, .. } => operand()[operand().len() - if *left { 2 } else { 1 }],
        Op::Conv { of, .. } => {
            let second = graph.shape(node.operands[1]);
            match of {
                Convolved::Result | Convolved::Kernel(_) => second[..3].iter().product(),
                Convolved::Picture(_) => second[0] * second[1] * second[3],
            }
        }
        Op::Lines(Lines::ArgSort { .. }) => 1,
        Op::Lines(_) => operand().iter().copied().max().unwrap_or(1),
        _ => 1,
    }
}

/// The rounding error of the result in units, larger for functions than for arithmetic.
fn rounding(op: &Op) -> f64 {
    match op {
        Op::Unary(Unary::Neg | Unary::Relu | Unary::Abs | Unary::Sign)
        | Op::Binary(Binary::Max | Binary::Min) => 0.0,
        Op::Binary(Binary::Pow) => 16.0,
        Op::Unary(_) => 8.0,
        Op::Lines(Lines::ArgSort { .. } | Lines::Gather { .. }) => 0.0,
        Op::Lines(_) => 8.0,
        Op::Binary(_) | Op::MatMul { .. } | Op::Conv { .. } => 2.0,
        _ => 0.0,
    }
}
