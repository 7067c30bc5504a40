//! Checks the random graphs that compiled programs are tested on: that they contain the cases they should, and that the
//! bound of their rounding errors is a bound.

use bilevel_autodiff::graph::{DType, Graph, NodeId, Op};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use proptest::prelude::*;

use crate::common::calculus::real_inputs;
use crate::common::case::{LIMIT, Style, random_case};
use crate::common::noise::{assert_close, bounds};
use bilevel_autodiff::Kind;

const CASES: u64 = 400;

fn rows(graph: &Graph) -> usize {
    graph.shape(graph.inputs()[0])[0]
}

#[test]
fn every_primitive_and_every_role_of_the_rows_occurs_often() {
    let mut kinds = vec![0; Kind::all().len()];
    let mut counts = [0; 8];
    let [
        left,
        right,
        over,
        chains,
        gathers,
        objectives,
        indices,
        masks,
    ] = &mut counts;
    for seed in 0..CASES {
        let (graph, _) = random_case(seed, Style::default());
        let needed = graph.needed_for(&graph.outputs);
        let rows = rows(&graph);
        if rows < 8 {
            continue;
        }
        let is_row = |id: NodeId| graph.shape(id).first() == Some(&rows);
        for (node, needed) in graph.nodes().iter().zip(needed) {
            if !needed {
                continue;
            }
            let kind = Kind::of(&node.op);
            kinds[Kind::all().iter().position(|&of| of == kind).unwrap()] += 1;
            match node.op {
                Op::MatMul { left: false, .. } if is_row(node.operands[0]) => *left += 1,
                Op::MatMul { right: true, .. } if is_row(node.operands[1]) => *right += 1,
                Op::MatMul { left: true, .. } if is_row(node.operands[0]) => *over += 1,
                _ => {}
            }
            let moved = Kind::of(&node.op) != Kind::Input && !node.op.is_elementwise();
            *indices += usize::from(moved && node.dtype == DType::Index);
            *masks += usize::from(moved && node.dtype == DType::Mask);
            let row_wise = |id: NodeId| graph.node(id).op.is_elementwise() && is_row(id);
            let chained = node.operands.iter().any(|&id| row_wise(id));
            *chains +=
                usize::from(chained && matches!(&node.op, Op::Sum(axes) if axes.contains(&0)));
            let gathered = matches!(
                node.op,
                Op::TakeRows | Op::AddRows(_) | Op::Pick | Op::Place(_)
            );
            *gathers += usize::from(gathered && is_row(node.operands[0]));
        }
        *objectives += usize::from(
            graph
                .shape(graph.outputs[graph.outputs.len().min(2) - 1])
                .is_empty(),
        );
    }
    for (kind, count) in Kind::all().iter().zip(kinds) {
        assert!(count >= 20, "{kind:?} occurs {count} times");
    }
    assert!(counts.iter().all(|&count| count >= 20), "{counts:?}");
}

/// The graph with the gradient of its first objective as further outputs.
fn with_gradient(mut graph: Graph) -> Graph {
    let inputs = real_inputs(&graph);
    let objective = graph.outputs[0];
    let gradient = grad(&mut graph, objective, &inputs).unwrap();
    graph.outputs.extend(gradient);
    graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn numbers_stay_small(seed: u64) {
        let (mut graph, arguments) = random_case(seed, Style::default());
        for value in evaluate(&graph, &arguments).unwrap() {
            // An objective is a sum of at most five means of squares.
            prop_assert!(value.real().iter().all(|a| a.abs() <= 5.0 * LIMIT * LIMIT));
        }
        graph.outputs = graph.ids().collect();
        for value in evaluate(&graph, &arguments).unwrap() {
            prop_assert!(value.real().iter().all(|a| a.is_finite()));
        }
    }

    #[test]
    fn single_precision_is_within_its_bound_of_double_precision(seed: u64) {
        let (graph, arguments) = random_case(seed, Style::default());
        let graph = with_gradient(graph);
        prop_assume!(smallest(&graph, &arguments) >= f64::from(f32::MIN_POSITIVE));
        let exact = evaluate(&graph, &arguments).unwrap();
        let single: Vec<Value<f32>> = arguments.iter().map(to_single).collect();
        let single: Vec<Value<f64>> = evaluate(&graph, &single).unwrap().iter().map(to_double).collect();
        // Single precision meets kinks that the few sampled errors of its own size do not cross; larger errors do.
        let bounds = bounds(&graph, &arguments, 8.0 * f64::from(f32::EPSILON) / 2.0);
        assert_close("f32", &single, &exact, &bounds);
    }
}

/// The smallest nonzero size in the results of all nodes. A number below a type's normal numbers becomes 0 or imprecise
/// in that type, with another sign or quotient.
fn smallest(graph: &Graph, arguments: &[Value<f64>]) -> f64 {
    let mut all = graph.clone();
    all.outputs = graph.ids().collect();
    let sizes = evaluate(&all, arguments).unwrap();
    let sizes = sizes.iter().filter_map(|value| match value {
        Value::Real(numbers) => Some(numbers),
        Value::Mask(_) | Value::Index(_) => None,
    });
    sizes
        .flatten()
        .map(|a| a.abs())
        .filter(|&a| a > 0.0)
        .fold(f64::INFINITY, f64::min)
}

fn to_single(value: &Value<f64>) -> Value<f32> {
    match value {
        Value::Real(numbers) => Value::Real(numbers.iter().map(|&a| a as f32).collect()),
        Value::Mask(mask) => Value::Mask(mask.clone()),
        Value::Index(index) => Value::Index(index.clone()),
    }
}

fn to_double(value: &Value<f32>) -> Value<f64> {
    match value {
        Value::Real(numbers) => Value::Real(numbers.iter().map(|&a| f64::from(a)).collect()),
        Value::Mask(mask) => Value::Mask(mask.clone()),
        Value::Index(index) => Value::Index(index.clone()),
    }
}

/// Bounds are useful: they are far below the numbers.
#[test]
fn bounds_are_tight() {
    let mut loose = Vec::new();
    let mut outputs = 0;
    for seed in 0..30 {
        let (graph, arguments) = random_case(seed, Style::default());
        let graph = with_gradient(graph);
        let values = evaluate(&graph, &arguments).unwrap();
        let bounds = bounds(&graph, &arguments, f64::EPSILON / 2.0);
        for (output, (value, bound)) in values.iter().zip(bounds).enumerate() {
            let size = value
                .real()
                .iter()
                .fold(0.0, |top: f64, a| top.max(a.abs()));
            outputs += 1;
            if bound.is_nan() || bound > 1e-10 * size {
                loose.push((seed, output, size, bound));
            }
        }
    }
    assert!(
        loose.len() * 20 <= outputs,
        "{} of {outputs}: {loose:?}",
        loose.len()
    );
}
