//! Checks every primitive's derivatives against central differences and against each other, and
//! again for the derivatives of these derivatives.

use bilevel_autodiff::graph::{DType, NodeId, Shape};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::{grad, jvp, vjp};
use bilevel_autodiff::{Var, trace};
use proptest::prelude::*;

use crate::common::calculus::{
    difference, distance, dot, inputs_like, norm, numbers, or_zeros, pairs,
};
use crate::common::instance::{Instance, instance};
use crate::common::source::Source;
use bilevel_autodiff::Kind;

/// The tolerance is relative to the differences, and to their rounding errors.
fn agrees(what: &str, found: &[f64], difference: &[f64], rounding: f64) {
    let bound = 1e-6 * norm(difference) + 1e-10 * rounding;
    let apart = distance(found, difference);
    assert!(
        apart <= bound,
        "{what}: {found:?} against differences {difference:?}, {apart:e} apart"
    );
}

/// The tolerance is relative to the numbers, and to the rounding errors of what cancels in them.
fn same(what: &str, a: &[f64], b: &[f64], cancelled: f64) {
    let apart = distance(a, b);
    assert!(
        apart <= 1e-12 * norm(a).max(norm(b)).max(0.01 * cancelled),
        "{what}: {a:?} and {b:?}, {apart:e} apart"
    );
}

/// The numbers of a vector split into directions for these inputs.
fn direction(instance: &Instance, along: &[f64]) -> Vec<(usize, Vec<f64>)> {
    let mut from = 0;
    instance
        .inputs
        .iter()
        .map(|id| {
            let graph = &instance.graph;
            let number = graph.inputs().iter().position(|input| input == id).unwrap();
            let to = from + graph.node(*id).len();
            let part = along[from..to].to_vec();
            from = to;
            (number, part)
        })
        .collect()
}

fn check(kind: Kind, source: &mut Source) {
    let instance = instance(kind, source);
    let (inputs, output) = (&instance.inputs, instance.output);
    let mut graph = instance.graph.clone();
    let tangents = inputs_like(&mut graph, inputs);
    let bar = graph.input(graph.shape(output).to_vec(), DType::Real);
    let mut arguments = instance.arguments.clone();
    let mut vector = |id: NodeId| -> Vec<f64> {
        let numbers: Vec<f64> = (0..graph.node(id).len())
            .map(|_| source.number(-1.0, 1.0))
            .collect();
        arguments.push(Value::Real(numbers.clone()));
        numbers
    };
    let v: Vec<f64> = tangents.iter().flat_map(|&id| vector(id)).collect();
    let w = vector(bar);

    let along = pairs(inputs, &tangents);
    let jv = jvp(&mut graph, &along, &[output]).unwrap();
    let jv = or_zeros(&mut graph, jv, &[output]);
    let jtw = vjp(&mut graph, &[(output, bar)], inputs).unwrap();
    let jtw = or_zeros(&mut graph, jtw, inputs);
    let forward_over_reverse = jvp(&mut graph, &along, &jtw).unwrap();
    let forward_over_reverse = or_zeros(&mut graph, forward_over_reverse, inputs);
    let reverse_over_reverse = vjp(&mut graph, &pairs(&jtw, &tangents), inputs).unwrap();
    let reverse_over_reverse = or_zeros(&mut graph, reverse_over_reverse, inputs);
    let reverse_over_forward = vjp(&mut graph, &[(jv[0], bar)], inputs).unwrap();
    let reverse_over_forward = or_zeros(&mut graph, reverse_over_forward, inputs);
    let forward_over_forward = jvp(&mut graph, &along, &jv).unwrap();
    let forward_over_forward = or_zeros(&mut graph, forward_over_forward, &jv);

    let evaluated = |nodes: &[NodeId]| numbers(&graph, nodes, &arguments);
    let f = evaluated(&[output]);
    let (forward, reverse) = (evaluated(&jv), evaluated(&jtw));
    let name = |what: &str| format!("{what} of {kind:?} on {:?}", instance.graph.nodes());

    let mut jacobian = Vec::new();
    if kind == Kind::StopGradient {
        assert!(forward.iter().chain(&reverse).all(|&d| d == 0.0));
    } else {
        let moved = |along: &[f64]| {
            let direction = direction(&instance, along);
            difference(&instance.graph, &[output], &instance.arguments, &direction)
        };
        agrees(&name("JVP"), &forward, &moved(&v), norm(&f));
        let mut unit = vec![0.0; v.len()];
        let each: Vec<f64> = (0..v.len())
            .map(|i| {
                unit[i] = 1.0;
                let column = moved(&unit);
                unit[i] = 0.0;
                let along = dot(&w, &column);
                jacobian.extend(column);
                along
            })
            .collect();
        agrees(&name("VJP"), &reverse, &each, norm(&f) * norm(&w));
    }

    // When sums cancel, ‖Jv‖ is smaller than their rounding errors.
    let size = norm(&forward) * norm(&w);
    let size = size.max(0.01 * norm(&v) * norm(&reverse));
    let apart = (dot(&forward, &w) - dot(&v, &reverse)).abs();
    assert!(apart <= 1e-12 * size, "{}: {apart:e}", name("dot test"));

    let second = evaluated(&forward_over_reverse);
    let moved = |nodes: &[NodeId]| {
        let direction = direction(&instance, &v);
        difference(&graph, nodes, &arguments, &direction)
    };
    agrees(&name("JVP of VJP"), &second, &moved(&jtw), norm(&reverse));
    let twice = evaluated(&forward_over_forward);
    agrees(&name("JVP of JVP"), &twice, &moved(&jv), norm(&forward));
    let other = evaluated(&reverse_over_reverse);
    // Where v or w is a direction in which hardly anything changes, terms of this size cancel.
    let cancelled = norm(&v) * norm(&w) * norm(&jacobian);
    let what = "VJP of VJP and JVP of VJP";
    same(&name(what), &other, &second, cancelled);
    let other = evaluated(&reverse_over_forward);
    let what = "VJP of JVP and JVP of VJP";
    same(&name(what), &other, &second, cancelled);
    let apart = (dot(&twice, &w) - dot(&v, &second)).abs();
    let size = norm(&twice) * norm(&w) + norm(&v) * norm(&second);
    let size = size.max(0.01 * norm(&v) * cancelled);
    assert!(apart <= 1e-12 * size, "{}: {apart:e}", name("second dot"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn derivatives_of_every_primitive_are_right(seed: u64) {
        for (number, &kind) in Kind::all().iter().enumerate() {
            check(kind, &mut Source::new(seed ^ (number as u64) << 48));
        }
    }
}

/// The value of a function of vectors of the same length, and its gradient in each vector.
fn gradient(
    arguments: &[&[f64]],
    function: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) -> (f64, Vec<Vec<f64>>) {
    let shapes: Vec<(Shape, DType)> = arguments
        .iter()
        .map(|argument| (vec![argument.len()], DType::Real))
        .collect();
    let mut graph = trace(&shapes, |v| vec![function(v).sum_all()]).unwrap();
    let inputs = graph.inputs().to_vec();
    let output = graph.outputs[0];
    let gradients = grad(&mut graph, output, &inputs).unwrap();
    graph.outputs.extend(gradients);
    let arguments: Vec<Value<f64>> = arguments
        .iter()
        .map(|argument| Value::Real(argument.to_vec()))
        .collect();
    let values = evaluate(&graph, &arguments).unwrap();
    let gradients = values[1..].iter().map(|value| value.real().to_vec());
    (values[0].real()[0], gradients.collect())
}

#[test]
fn relu_abs_and_sign_have_derivative_zero_at_zero() {
    let at: &[f64] = &[-1.0, 0.0, -0.0, 2.0];
    assert_eq!(
        gradient(&[at], |v| v[0].relu()),
        (2.0, vec![vec![0.0, 0.0, 0.0, 1.0]])
    );
    assert_eq!(
        gradient(&[at], |v| v[0].abs()),
        (3.0, vec![vec![-1.0, 0.0, 0.0, 1.0]])
    );
    assert_eq!(gradient(&[at], |v| v[0].sign()), (0.0, vec![vec![0.0; 4]]));
}

#[test]
fn elements_that_reach_the_maximum_together_share_its_derivative() {
    let at: &[f64] = &[2.0, 1.0, 2.0, 0.0];
    let expected = (2.0, vec![vec![0.5, 0.0, 0.5, 0.0]]);
    assert_eq!(gradient(&[at], |v| v[0].max(&[0])), expected);
    // Over no axis, every element is its own maximum; the maximum of nothing is −∞.
    assert_eq!(
        gradient(&[at], |v| v[0].max(&[])),
        (5.0, vec![vec![1.0; 4]])
    );
    let (value, gradients) = gradient(&[&[]], |v| v[0].max(&[0]));
    assert_eq!((value, gradients), (f64::NEG_INFINITY, vec![vec![]]));
}

#[test]
fn a_stopped_gradient_is_that_of_a_constant() {
    let at: &[f64] = &[3.0, -2.0];
    assert_eq!(
        gradient(&[at], |v| v[0] * v[0].stop_gradient()),
        (13.0, vec![vec![3.0, -2.0]])
    );
    assert_eq!(
        gradient(&[at], |v| v[0].stop_gradient().exp()).1,
        vec![vec![0.0; 2]]
    );
}
