//! Compares two ways to compute the second-order products ∇²_yy h·v and ∇²_xy h·v of an objective h(x, y): mixed mode
//! (the directional derivative of ∇_(x,y) h along (0, v)) and reverse over reverse (the gradient of ⟨∇_y h, v⟩).

use bilevel_autodiff::Draw;
use bilevel_autodiff::graph::{DType, Graph, NodeId};
use bilevel_autodiff::reference::Value;
use bilevel_autodiff::transform::{grad, jvp};
use bilevel_autodiff::{Var, trace};
use proptest::prelude::*;

use crate::common::calculus::{
    difference, distance, inner, inputs_like, norm, numbers, or_zeros, pairs, real_inputs,
};
use crate::common::case::{Style, random_case};
use crate::common::source::Source;

/// The products of one objective, in x and in y, computed both ways.
struct Products {
    graph: Graph,
    arguments: Vec<Value<f64>>,
    /// ∇h in x and in y.
    gradient: Vec<NodeId>,
    mixed: Vec<NodeId>,
    reverse: Vec<NodeId>,
    /// The argument numbers of y, and v.
    direction: Vec<(usize, Vec<f64>)>,
}

fn products(
    mut graph: Graph,
    mut arguments: Vec<Value<f64>>,
    h: NodeId,
    (x, y): (&[NodeId], &[NodeId]),
    source: &mut Source,
) -> Products {
    let v = inputs_like(&mut graph, y);
    let mut direction = Vec::new();
    for &y in y {
        let numbers: Vec<f64> = (0..graph.node(y).len())
            .map(|_| source.number(-1.0, 1.0))
            .collect();
        let place = graph.inputs().iter().position(|&id| id == y).unwrap();
        direction.push((place, numbers.clone()));
        arguments.push(Value::Real(numbers));
    }
    let both = [x, y].concat();
    let gradient = grad(&mut graph, h, &both).unwrap();
    let mixed = jvp(&mut graph, &pairs(y, &v), &gradient).unwrap();
    let mixed = or_zeros(&mut graph, mixed, &both);
    let in_y = grad(&mut graph, h, y).unwrap();
    let along = inner(&mut graph, &in_y, &v);
    let reverse = grad(&mut graph, along, &both).unwrap();
    Products {
        graph,
        arguments,
        gradient,
        mixed,
        reverse,
        direction,
    }
}

impl Products {
    fn numbers(&self, nodes: &[NodeId]) -> Vec<f64> {
        numbers(&self.graph, nodes, &self.arguments)
    }

    /// Tolerances: 1e-12 relative for the products in x and in y, none of which is zero; 1e-6 against differences.
    fn check(&self, of_x: usize) {
        for (part, nodes) in [(0..of_x), (of_x..self.mixed.len())]
            .into_iter()
            .enumerate()
        {
            let mixed = self.numbers(&self.mixed[nodes.clone()]);
            let reverse = self.numbers(&self.reverse[nodes.clone()]);
            let gradient = &self.gradient[nodes];
            let size = norm(&reverse);
            assert!(size > 1e-6, "part {part} is nearly zero: {size:e}");
            let apart = distance(&mixed, &reverse);
            assert!(apart <= 1e-12 * size, "part {part}: {apart:e} of {size:e}");
            let differences = difference(&self.graph, gradient, &self.arguments, &self.direction);
            let apart = distance(&mixed, &differences);
            assert!(apart <= 1e-6 * size, "part {part}: {apart:e} of {size:e}");
        }
    }
}

/// Random arguments for inputs of these shapes; index inputs hold classes.
fn arguments(
    shapes: &[(Vec<usize>, DType)],
    classes: usize,
    source: &mut Source,
) -> Vec<Value<f64>> {
    let mut argument = |(shape, dtype): &(Vec<usize>, DType)| {
        let count: usize = shape.iter().product();
        if *dtype == DType::Index {
            Value::Index((0..count).map(|_| source.below(classes) as u32).collect())
        } else {
            Value::Real((0..count).map(|_| source.number(-1.0, 1.0)).collect())
        }
    };
    shapes.iter().map(&mut argument).collect()
}

/// Checks an objective whose inputs are `data` data inputs, then x, then y.
fn check_model(
    shapes: &[(Vec<usize>, DType)],
    data: usize,
    classes: usize,
    seed: u64,
    objective: impl for<'t> FnOnce(&[Var<'t>]) -> Var<'t>,
) {
    let graph = trace(shapes, |v| vec![objective(v)]).unwrap();
    let mut source = Source::new(seed);
    let arguments = arguments(shapes, classes, &mut source);
    let inputs = graph.inputs().to_vec();
    let (x, y) = (&inputs[data..=data], &inputs[data + 1..]);
    let h = graph.outputs[0];
    products(graph, arguments, h, (x, y), &mut source).check(1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn softmax_regression_with_a_weight_per_row(
        seed: u64, rows in 1_usize..40, columns in 1_usize..6, classes in 2_usize..5
    ) {
        let shapes = [
            (vec![rows, columns], DType::Real),
            (vec![rows], DType::Index),
            (vec![rows], DType::Real),
            (vec![columns, classes], DType::Real),
            (vec![classes], DType::Real),
        ];
        check_model(&shapes, 2, classes, seed, |v| {
            let losses = (v[0].matmul(v[3]) + v[4]).cross_entropy(v[1]);
            (v[2].sigmoid() * losses).mean() + 0.01 * v[3].square().sum_all()
        });
    }

    #[test]
    fn a_perceptron_with_a_penalty_per_weight(
        seed: u64, rows in 1_usize..20, columns in 1_usize..5, hidden in 1_usize..5, classes in 2_usize..5
    ) {
        let shapes = [
            (vec![rows, columns], DType::Real),
            (vec![rows], DType::Index),
            (vec![columns, hidden], DType::Real),
            (vec![columns, hidden], DType::Real),
            (vec![hidden], DType::Real),
            (vec![hidden, classes], DType::Real),
            (vec![classes], DType::Real),
        ];
        check_model(&shapes, 2, classes, seed, |v| {
            let hidden = (v[0].matmul(v[3]) + v[4]).tanh();
            let losses = (hidden.matmul(v[5]) + v[6]).cross_entropy(v[1]);
            losses.mean() + (v[2].exp() * v[3].square()).sum_all()
        });
    }
}

/// For x and for y, 1 if the products to compare are not all zero.
fn check_random(seed: u64) -> [usize; 2] {
    let style = Style {
        rows: 40,
        steps: 32,
        stops: false,
    };
    let (graph, arguments) = random_case(seed, style);
    let mut source = Source::new(!seed);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let h = graph.outputs[0];
    let needed = graph.needed_for(&[h]);
    for input in real_inputs(&graph) {
        let place = graph.ids().position(|id| id == input).unwrap();
        if !needed[place] {
            continue;
        }
        if source.chance() {
            x.push(input);
        } else {
            y.push(input);
        }
    }
    let of_x = x.len();
    let all = products(graph, arguments, h, (&x, &y), &mut source);
    let mut counts = [0, 0];
    for (part, nodes) in [(0..of_x), (of_x..all.mixed.len())].into_iter().enumerate() {
        let mixed = all.numbers(&all.mixed[nodes.clone()]);
        let reverse = all.numbers(&all.reverse[nodes.clone()]);
        let (apart, size) = (distance(&mixed, &reverse), norm(&reverse));
        counts[part] = usize::from(size > 1e-10);
        // Numbers of a graph are about 1: what is far smaller may be what remains of terms that cancel.
        assert!(
            apart <= 1e-12 * size.max(1e-4),
            "seed {seed}, part {part}: {apart:e} of {size:e}"
        );
    }
    counts
}

#[test]
fn random_graphs() {
    let mut counts = [0, 0];
    for seed in 0..120 {
        for (count, new) in counts.iter_mut().zip(check_random(seed)) {
            *count += new;
        }
    }
    // Not all of them are zero.
    let [in_x, in_y] = counts;
    assert!(in_x > 30 && in_y > 60, "{counts:?}");
}
