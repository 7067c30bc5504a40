//! Results of primitives for NaN and at the edges of their domains, compiled and interpreted.

use bilevel_autodiff::graph::Graph;
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use bilevel_autodiff::{Argument, DType, Passes, Program, Var, Workspace, trace};

/// All outputs of the interpreter and of the compiled program, which agree, NaN included.
fn both(graph: &Graph, arguments: &[&[f64]]) -> Vec<Vec<f64>> {
    let values: Vec<Value<f64>> = arguments
        .iter()
        .map(|values| Value::Real(values.to_vec()))
        .collect();
    let expected = evaluate(graph, &values).unwrap();
    let arguments: Vec<Argument<'_, f64>> = arguments.iter().map(|a| Argument::Real(a)).collect();
    for passes in [Passes::NONE, Passes::default()] {
        let program = Program::<f64>::compile_with(graph, passes).unwrap();
        let mut found: Vec<Vec<f64>> = expected
            .iter()
            .map(|values| vec![0.5; values.real().len()])
            .collect();
        let mut places: Vec<&mut [f64]> = found.iter_mut().map(Vec::as_mut_slice).collect();
        program
            .run(&mut Workspace::default(), &arguments, &mut places)
            .unwrap();
        for (found, expected) in found
            .iter()
            .flatten()
            .zip(expected.iter().flat_map(Value::real))
        {
            let same = found == expected || (found.is_nan() && expected.is_nan());
            assert!(same, "{found} {expected} {passes:?}");
        }
    }
    expected.iter().map(|value| value.real().to_vec()).collect()
}

#[test]
fn a_nan_stays_one() {
    let vector = |len| (vec![len], DType::Real);
    let graph = trace(&[vector(4), vector(4)], |v| {
        let (a, b) = (v[0], v[1]);
        vec![
            a.maximum(b),
            a.minimum(b),
            a.relu(),
            a.abs(),
            a.sign(),
            a.softplus(),
            a.sigmoid(),
            a.exp(),
            a.tanh(),
            a.max(&[0]),
            a.sum(&[0]),
        ]
    })
    .unwrap();
    let (a, b) = (
        [f64::NAN, 1.0, f64::NAN, -2.0],
        [1.0, f64::NAN, f64::NAN, 3.0],
    );
    for (number, values) in both(&graph, &[&a, &b]).into_iter().enumerate() {
        let nan: Vec<bool> = values.iter().map(|value| value.is_nan()).collect();
        let expected: &[bool] = match number {
            0 | 1 => &[true, true, true, false],
            9.. => &[true],
            _ => &[true, false, true, false],
        };
        assert_eq!(nan, expected, "output {number}");
    }
}

/// The derivatives of orders 0, 1, … of a function of one number at a point.
fn derivatives(function: impl for<'t> Fn(Var<'t>) -> Var<'t>, at: f64, most: usize) -> Vec<f64> {
    let mut graph = trace(&[(vec![], DType::Real)], |v| vec![function(v[0])]).unwrap();
    for _ in 0..most {
        let (input, last) = (graph.inputs()[0], graph.outputs[graph.outputs.len() - 1]);
        let derivative = grad(&mut graph, last, &[input]).unwrap();
        graph.outputs.extend(derivative);
    }
    both(&graph, &[&[at]]).concat()
}

#[test]
fn whole_powers_have_all_derivatives_at_zero() {
    assert_eq!(derivatives(|x| x.powf(0.0), 0.0, 2), [1.0, 0.0, 0.0]);
    assert_eq!(derivatives(|x| x.powf(1.0), 0.0, 3), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(
        derivatives(|x| x.powf(2.0), 0.0, 4),
        [0.0, 0.0, 2.0, 0.0, 0.0]
    );
    assert_eq!(
        derivatives(|x| x.powf(3.0), 0.0, 5),
        [0.0, 0.0, 0.0, 6.0, 0.0, 0.0]
    );
    assert_eq!(
        derivatives(|x| x.powf(3.0), -2.0, 4),
        [-8.0, 12.0, -12.0, 6.0, 0.0]
    );
    // An exponent broadcast to a tensor's shape is the same number.
    fn cubes(x: Var<'_>) -> Var<'_> {
        x.broadcast(&[2, 3]).powf(3.0).sum_all()
    }
    assert_eq!(derivatives(cubes, 0.0, 4), [0.0, 0.0, 0.0, 36.0, 0.0]);
}

#[test]
fn other_constant_powers() {
    let close = |found: Vec<f64>, expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() <= 1e-14 * expected.abs(),
                "{found} {expected}"
            );
        }
    };
    let root = 2.0_f64.sqrt();
    close(
        derivatives(|x| x.powf(-2.0), 2.0, 3),
        &[0.25, -0.25, 0.375, -0.75],
    );
    close(
        derivatives(|x| x.powf(1.5), 2.0, 3),
        &[2.0 * root, 1.5 * root, 0.75 / root, -0.1875 / root],
    );
    let infinite = derivatives(|x| x.powf(0.5), 0.0, 1);
    assert_eq!(infinite, [0.0, f64::INFINITY]);
}
