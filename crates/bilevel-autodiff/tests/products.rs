//! Compares products of all widths, as in a network with one hidden layer, with the plain interpreter.

use bilevel_autodiff::graph::Graph;
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use bilevel_autodiff::{Argument, DType, Passes, Program, Workspace, trace};
use proptest::prelude::*;

/// Two heads on one hidden layer, and all gradients: rows times weights, sums over the rows (with and without a
/// product), and a sum of two products with the head weights.
fn network(rows: usize, inputs: usize, hidden: usize, classes: usize) -> Graph {
    let shapes = [
        (vec![rows, inputs], DType::Real),
        (vec![inputs, hidden], DType::Real),
        (vec![hidden, classes], DType::Real),
        (vec![hidden, classes], DType::Real),
        (vec![hidden], DType::Real),
    ];
    let mut graph = trace(&shapes, |v| {
        let layer = (v[0].matmul(v[1]) + v[4]).relu();
        let heads = layer.matmul(v[2]).square() + layer.matmul(v[3]).sin().square();
        vec![heads.sum_all()]
    })
    .unwrap();
    let wanted = graph.inputs().to_vec();
    let objective = graph.outputs[0];
    let gradient = grad(&mut graph, objective, &wanted).unwrap();
    graph.outputs.extend(gradient);
    graph
}

fn arguments(graph: &Graph) -> Vec<Vec<f64>> {
    let numbers = |(number, &id): (usize, _)| {
        let of = |i: usize| ((i * 7919 + number * 104_729) as f64 * 0.618).sin() * 0.4;
        (0..graph.node(id).len()).map(of).collect()
    };
    graph.inputs().iter().enumerate().map(numbers).collect()
}

fn run(graph: &Graph, arguments: &[Vec<f64>], passes: Passes) -> Vec<Vec<f64>> {
    let program = Program::<f64>::compile_with(graph, passes).unwrap();
    let arguments: Vec<_> = arguments.iter().map(|a| Argument::Real(a)).collect();
    let len = |&id: &_| vec![f64::NAN; graph.node(id).len()];
    let mut results: Vec<Vec<f64>> = graph.outputs.iter().map(len).collect();
    let mut places: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program
        .run(&mut Workspace::default(), &arguments, &mut places)
        .unwrap();
    results
}

fn run_single(graph: &Graph, arguments: &[Vec<f64>]) -> Vec<Vec<f32>> {
    let program = Program::<f32>::compile(graph).unwrap();
    let single = |a: &Vec<f64>| a.iter().map(|&a| a as f32).collect::<Vec<f32>>();
    let arguments: Vec<_> = arguments.iter().map(single).collect();
    let arguments: Vec<_> = arguments.iter().map(|a| Argument::Real(a)).collect();
    let len = |&id: &_| vec![f32::NAN; graph.node(id).len()];
    let mut results: Vec<Vec<f32>> = graph.outputs.iter().map(len).collect();
    let mut places: Vec<&mut [f32]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program
        .run(&mut Workspace::default(), &arguments, &mut places)
        .unwrap();
    results
}

fn compare(rows: usize, inputs: usize, hidden: usize, classes: usize) {
    let what = format!("{rows} × {inputs} × {hidden} × {classes}");
    let graph = network(rows, inputs, hidden, classes);
    let arguments = arguments(&graph);
    let values: Vec<Value<f64>> = arguments.iter().cloned().map(Value::Real).collect();
    let exact = evaluate(&graph, &values).unwrap();
    for passes in [Passes::NONE, Passes::default()] {
        assert_close(&what, &run(&graph, &arguments, passes), &exact, 1e-12);
    }
    // In single precision, a relu may fall on the other side of zero.
    let single: Vec<Vec<f64>> = run_single(&graph, &arguments)
        .iter()
        .map(|values| values.iter().map(|&a| f64::from(a)).collect())
        .collect();
    assert_close(&what, &single, &exact, 1e-3);
}

/// Compares whole tensors, relative to the norm of the expected one.
fn assert_close(what: &str, found: &[Vec<f64>], exact: &[Value<f64>], tolerance: f64) {
    for (found, exact) in found.iter().zip(exact) {
        let exact = exact.real();
        let squares = |a: &mut dyn Iterator<Item = f64>| a.map(|a| a * a).sum::<f64>();
        let apart = squares(&mut found.iter().zip(exact).map(|(a, b)| a - b)).sqrt();
        let all = squares(&mut exact.iter().copied()).sqrt();
        assert!(apart <= tolerance * all, "{what}: {apart} of {all}");
    }
}

#[test]
fn at_the_edges_of_kernels() {
    for (rows, inputs, hidden, classes) in [
        (1, 1, 1, 1),
        (16, 64, 64, 10),
        (17, 65, 65, 7),
        (130, 128, 63, 16),
        (131, 129, 67, 17),
        (300, 3, 100, 33),
        (40, 257, 20, 21),
        (9, 2, 130, 2),
        (33, 40, 19, 40),
        // Groups of several blocks.
        (300, 5, 301, 4),
    ] {
        compare(rows, inputs, hidden, classes);
    }
}

#[test]
fn threads_do_not_change_bits() {
    let graph = network(700, 33, 70, 10);
    let arguments = arguments(&graph);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let found = pool.install(|| run(&graph, &arguments, Passes::default()));
        found
            .into_iter()
            .flatten()
            .map(f64::to_bits)
            .collect::<Vec<_>>()
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn of_any_shape(rows in 1_usize..150, inputs in 1_usize..140, hidden in 1_usize..90, classes in 1_usize..24) {
        compare(rows, inputs, hidden, classes);
    }
}
