//! Random operations, some of them wrong: nothing panics, the first error is returned, and what is
//! traced without an error can be evaluated and differentiated.

use bilevel_autodiff::Draw;
use bilevel_autodiff::graph::{Graph, NodeId, Op};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::{grad, jvp, vjp};
use bilevel_autodiff::{DType, Error, Shape, Tracer, Var, trace};
use proptest::prelude::*;

use crate::common::instance::instance;
use crate::common::source::Source;
use bilevel_autodiff::Kind;

fn inputs() -> Vec<(Shape, DType)> {
    vec![
        (vec![3, 2], DType::Real),
        (vec![2], DType::Real),
        (vec![], DType::Real),
        (vec![3, 2], DType::Mask),
        (vec![3], DType::Index),
        (vec![2, 3, 2], DType::Real),
        (vec![0, 2], DType::Real),
    ]
}

fn values() -> Vec<Value<f64>> {
    let inputs = inputs();
    let of = |(shape, dtype): &(Shape, DType)| {
        let count = shape.iter().product();
        match dtype {
            DType::Real => Value::Real((0..count).map(|i| 0.3 + 0.1 * i as f64).collect()),
            DType::Mask => Value::Mask((0..count).map(|i| i % 2 == 0).collect()),
            DType::Index => Value::Index((0..count as u32).map(|i| i % 2).collect()),
        }
    };
    inputs.iter().map(of).collect()
}

/// Mostly small, sometimes as large as possible.
fn number(source: &mut Source) -> usize {
    source.one_of(&[
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        4,
        6,
        7,
        1 << 40,
        usize::MAX / 2,
        usize::MAX,
    ])
}

fn some_numbers(source: &mut Source) -> Vec<usize> {
    (0..source.below(4)).map(|_| number(source)).collect()
}

/// Applies one of the functions of `Var` to these variables, correctly or not.
fn act<'t>(source: &mut Source, vars: &[Var<'t>]) -> Var<'t> {
    let [a, b, c] = [(); 3].map(|()| source.one_of(vars));
    let n = |source: &mut Source| number(source);
    match source.below(46) {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / b,
        4 => a + 1.5,
        5 => 2.0 - a,
        6 => -a,
        7 => a.exp(),
        8 => a.ln(),
        9 => a.sqrt(),
        10 => a.recip(),
        11 => a.tanh(),
        12 => a.sigmoid(),
        13 => a.softplus(),
        14 => a.relu(),
        15 => a.abs(),
        16 => a.sign(),
        17 => a.sin(),
        18 => a.cos(),
        19 => a.square(),
        20 => a.pow(b),
        21 => a.powf(f64::NAN),
        22 => a.maximum(b),
        23 => a.minimum(b),
        24 => a.less(b),
        25 => a.less_equal(b),
        26 => a.equal(b),
        27 => a.select(b, c),
        28 => a.reshape(&some_numbers(source)),
        29 => a.transpose(&some_numbers(source)),
        30 => a.t(),
        31 => a.broadcast(&some_numbers(source)),
        32 => a.slice(n(source), n(source), n(source)),
        33 => a.pad(n(source), n(source), n(source)),
        34 => a.concat(n(source), b),
        35 => a.sum(&some_numbers(source)),
        36 => a.sum_all(),
        37 => a.mean(),
        38 => a.max(&some_numbers(source)),
        39 => a.matmul(b),
        40 => a.take_rows(b),
        41 => a.add_rows(b, n(source)),
        42 => a.pick(b),
        43 => a.place(b, n(source)),
        44 => a.stop_gradient(),
        _ => match source.below(3) {
            0 => a.log_sum_exp(n(source)),
            1 => a.softmax(n(source)),
            _ => a.cross_entropy(b),
        },
    }
}

/// Traces the operations of these seeds, with all results as outputs. Occasionally, operands are
/// variables of another trace.
fn traced(seeds: &[u64]) -> Result<Graph, Error> {
    let other = Tracer::default();
    let strange = [other.input(vec![3, 2], DType::Real), other.constant(1.0)];
    trace(&inputs(), |v| {
        let mut vars = v.to_vec();
        for &seed in seeds {
            let mut source = Source::new(seed);
            // Later variables are more frequent.
            let operands = [&vars[..], &vars[vars.len() / 2..]].concat();
            if source.likely(0.05) {
                // The result can belong to either trace, so it is not used further.
                let _ = strange_act(&mut source, &operands, strange);
            } else {
                vars.push(act(&mut source, &operands));
            }
        }
        vars.split_off(v.len())
    })
}

/// The seeds of `count` operations. With probability `care`, up to 40 seeds are tried until one
/// gives a correct operation.
fn operations(seed: u64, count: usize, care: f64) -> Vec<u64> {
    let mut source = Source::new(seed);
    let mut seeds = Vec::new();
    for _ in 0..count {
        let tries = if source.likely(care) { 40 } else { 1 };
        for _ in 0..tries {
            seeds.push(source.below(usize::MAX) as u64);
            if traced(&seeds).is_ok() {
                break;
            }
            if tries > 1 {
                seeds.pop();
            }
        }
    }
    seeds
}

fn strange_act<'s>(source: &mut Source, vars: &[Var<'s>], strange: [Var<'s>; 2]) -> Var<'s> {
    let mut all = vars.to_vec();
    all.extend([strange[0], strange[1]].repeat(4));
    act(source, &all)
}

fn small(graph: &Graph) -> bool {
    graph.nodes().iter().all(|node| node.len() < 2000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_first_error_of_any_operations_is_the_one(seed: u64, count in 1_usize..20) {
        let seeds = operations(seed, count, 0.9);
        let all = traced(&seeds);
        let first = (1..=seeds.len()).find_map(|count| traced(&seeds[..count]).err());
        prop_assert_eq!(all.as_ref().err(), first.as_ref());
        match all {
            Ok(graph) => check_sound(graph),
            Err(Error::Operation { location, .. }) => {
                prop_assert_eq!(location.map(std::panic::Location::file), Some(file!()));
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn graphs_built_by_hand_fail_without_panic(seed: u64) {
        let mut source = Source::new(seed);
        let kind = source.one_of(&Kind::all());
        let mut graph = instance(kind, &mut source).graph;
        for _ in 0..20 {
            let kind = source.one_of(&Kind::all());
            let other = instance(kind, &mut source).graph;
            let op = source.one_of(other.nodes()).op;
            let ids: Vec<NodeId> = graph.ids().chain(other.ids()).collect();
            let operands: Vec<NodeId> =
                (0..source.below(4)).map(|_| source.one_of(&ids)).collect();
            // It may fit or not.
            let _ = graph.push(op, &operands);
        }
        let ids: Vec<NodeId> = graph.ids().collect();
        for _ in 0..5 {
            let [a, b, c, d] = [(); 4].map(|()| source.one_of(&ids));
            let _ = grad(&mut graph, a, &[b, c]);
            let _ = vjp(&mut graph, &[(a, b)], &[c, d]);
            let _ = jvp(&mut graph, &[(a, b)], &[c, d]);
        }
    }
}

/// Values and derivatives have the shapes and kinds that the trace gives.
fn check_sound(mut graph: Graph) {
    if !small(&graph) {
        return;
    }
    let inputs = graph.inputs().to_vec();
    for output in graph.outputs.clone() {
        let node = graph.node(output);
        if node.dtype == DType::Real {
            let scalar = node.len() == 1;
            assert_eq!(grad(&mut graph, output, &inputs).is_ok(), scalar);
            jvp(&mut graph, &[(inputs[0], inputs[0])], &[output]).unwrap();
            vjp(&mut graph, &[(output, output)], &inputs).unwrap();
        }
    }
    graph.outputs = graph.ids().collect();
    match evaluate(&graph, &values()) {
        Ok(found) => {
            for (value, node) in found.iter().zip(graph.nodes()) {
                let (len, dtype) = match value {
                    Value::Real(a) => (a.len(), DType::Real),
                    Value::Mask(a) => (a.len(), DType::Mask),
                    Value::Index(a) => (a.len(), DType::Index),
                };
                assert_eq!((len, dtype), (node.len(), node.dtype), "{node:?}");
            }
        }
        Err(Error::Index { .. }) => {
            let indexed =
                |op: &Op| matches!(op, Op::TakeRows | Op::AddRows(_) | Op::Pick | Op::Place(_));
            assert!(graph.nodes().iter().any(|node| indexed(&node.op)));
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn wrong_and_right_operations_are_both_frequent() {
    let right = |count, care| {
        let right = |&seed: &u64| traced(&operations(seed, count, care)).is_ok();
        (0..300).filter(right).count()
    };
    assert!((50..250).contains(&right(8, 0.9)), "{}", right(8, 0.9));
    assert!((50..250).contains(&right(1, 0.0)), "{}", right(1, 0.0));
}
