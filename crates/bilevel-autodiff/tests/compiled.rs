//! Compares compiled programs with the plain interpreter of the untransformed graph.

use bilevel_autodiff::graph::Graph;
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use bilevel_autodiff::{Argument, Passes, Program, Workspace};
use proptest::prelude::*;

use crate::common::calculus::real_inputs;
use crate::common::case::{Style, random_case};
use crate::common::noise::{assert_close, bounds};

/// No pass, each pass alone, and all passes.
fn variants() -> Vec<(&'static str, Passes)> {
    vec![
        ("no pass", Passes::NONE),
        (
            "simplify",
            Passes {
                simplify: true,
                ..Passes::NONE
            },
        ),
        (
            "common",
            Passes {
                common: true,
                ..Passes::NONE
            },
        ),
        (
            "fuse",
            Passes {
                fuse: true,
                ..Passes::NONE
            },
        ),
        (
            "row_block",
            Passes {
                row_block: true,
                ..Passes::NONE
            },
        ),
        ("all passes", Passes::default()),
    ]
}

fn run(graph: &Graph, arguments: &[Value<f64>], passes: Passes) -> Vec<Vec<f64>> {
    let program = Program::<f64>::compile_with(graph, passes).unwrap();
    let arguments: Vec<Argument<'_, f64>> = arguments
        .iter()
        .map(|value| match value {
            Value::Real(values) => Argument::Real(values),
            Value::Index(values) => Argument::Index(values),
            Value::Mask(_) => panic!("no argument is a mask"),
        })
        .collect();
    // Previous contents must not show in the results.
    let mut outputs: Vec<Vec<f64>> = graph
        .outputs
        .iter()
        .map(|&id| vec![f64::NAN; graph.node(id).len()])
        .collect();
    let mut places: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    let mut workspace = Workspace::default();
    program
        .run(&mut workspace, &arguments, &mut places)
        .unwrap();
    // A second run in the same memory gives the same bits.
    let first = outputs.clone();
    let mut places: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    program
        .run(&mut workspace, &arguments, &mut places)
        .unwrap();
    let bits =
        |all: &[Vec<f64>]| -> Vec<u64> { all.iter().flatten().map(|a| a.to_bits()).collect() };
    assert_eq!(bits(&first), bits(&outputs));
    outputs
}

fn with_gradient(mut graph: Graph) -> Graph {
    let inputs = real_inputs(&graph);
    let objective = graph.outputs[0];
    let gradient = grad(&mut graph, objective, &inputs).unwrap();
    graph.outputs.extend(gradient);
    graph
}

fn compare(graph: &Graph, arguments: &[Value<f64>], seed: u64) {
    let exact = evaluate(graph, arguments).unwrap();
    let bounds = bounds(graph, arguments, f64::EPSILON / 2.0);
    for (name, passes) in variants() {
        let found: Vec<Value<f64>> = run(graph, arguments, passes)
            .into_iter()
            .map(Value::Real)
            .collect();
        assert_close(&format!("seed {seed}, {name}"), &found, &exact, &bounds);
    }
}

#[test]
fn a_few_seeds() {
    for seed in 0..40 {
        let (graph, arguments) = random_case(seed, Style::default());
        compare(&graph, &arguments, seed);
        compare(&with_gradient(graph), &arguments, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn compiled_is_interpreted(seed: u64) {
        let (graph, arguments) = random_case(seed, Style::default());
        compare(&graph, &arguments, seed);
        compare(&with_gradient(graph), &arguments, seed);
    }

    #[test]
    fn threads_do_not_change_bits(seed: u64) {
        let (graph, arguments) = random_case(seed, Style::default());
        let graph = with_gradient(graph);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| run(&graph, &arguments, Passes::default()));
            found.into_iter().flatten().map(f64::to_bits).collect::<Vec<_>>()
        };
        let one = with(1);
        prop_assert_eq!(&one, &with(2));
        prop_assert_eq!(&one, &with(3));
    }
}
