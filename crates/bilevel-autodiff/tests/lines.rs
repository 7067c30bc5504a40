//! Primitives along some axes where they are hardest: ties, NaN, empty tensors, zeros, and blocks of rows.

use bilevel_autodiff::graph::{Graph, NodeId};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use bilevel_autodiff::{
    Argument, DType, Error, Fault, Passes, Program, Real, Shape, Var, Workspace, trace,
};

fn run<T: Real>(graph: &Graph, arguments: &[Value<f64>], passes: Passes) -> Vec<Vec<f64>> {
    let program = Program::<T>::compile_with(graph, passes).unwrap();
    let numbers: Vec<Vec<T>> = arguments
        .iter()
        .map(|a| a.real().iter().map(|&x| T::from_f64(x)).collect())
        .collect();
    let given: Vec<Argument<'_, T>> = arguments
        .iter()
        .zip(&numbers)
        .map(|(argument, numbers)| match argument {
            Value::Index(index) => Argument::Index(index),
            _ => Argument::Real(numbers),
        })
        .collect();
    let len = |id: &NodeId| vec![T::nan(); graph.node(*id).len()];
    let mut outputs: Vec<Vec<T>> = graph.outputs.iter().map(len).collect();
    let mut places: Vec<&mut [T]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    program
        .run(&mut Workspace::default(), &given, &mut places)
        .unwrap();
    let double = |out: Vec<T>| out.into_iter().map(T::to_double).collect();
    outputs.into_iter().map(double).collect()
}

/// The value and the gradient of its sum. Asserts that compiled and interpreted results agree (NaN at the same places).
fn value_and_gradient(
    shape: &[usize],
    numbers: &[f64],
    function: impl for<'t> Fn(Var<'t>) -> Var<'t>,
) -> (Vec<f64>, Vec<f64>) {
    let inputs = [(shape.to_vec(), DType::Real)];
    let mut graph = trace(&inputs, |v| {
        let value = function(v[0]);
        vec![value, value.sum_all()]
    })
    .unwrap();
    let (x, sum) = (graph.inputs()[0], graph.outputs[1]);
    graph.outputs[1] = grad(&mut graph, sum, &[x]).unwrap()[0];
    let arguments = [Value::Real(numbers.to_vec())];
    let exact = evaluate(&graph, &arguments).unwrap();
    for passes in [Passes::NONE, Passes::default()] {
        for (found, exact) in run::<f64>(&graph, &arguments, passes).iter().zip(&exact) {
            for (a, b) in found.iter().zip(exact.real()) {
                assert!((a - b).abs() <= 1e-12 * b.abs() || a == b || (a.is_nan() && b.is_nan()));
            }
        }
    }
    (exact[0].real().to_vec(), exact[1].real().to_vec())
}

#[test]
fn sorted_with_ties_zeros_and_nan() {
    let nan = f64::NAN;
    let (sorted, _) = value_and_gradient(&[6], &[2.0, nan, -1.0, 0.0, -0.0, 2.0], |x| x.sort(0));
    assert_eq!(sorted[..5], [-1.0, 0.0, -0.0, 2.0, 2.0]);
    // Two zeros keep their order, whatever their signs.
    assert!(sorted[1].is_sign_positive() && sorted[2].is_sign_negative() && sorted[5].is_nan());
    // Among equal values, the first gets the gradient of the first result.
    let first = |v: &[f64]| value_and_gradient(&[3], v, |x| x.sort(0).slice(0, 0, 1)).1;
    let gradient = first(&[1.0, 0.5, 0.5]);
    assert_eq!(gradient, [0.0, 1.0, 0.0]);
    let (none, _) = value_and_gradient(&[0, 2], &[], |x| x.sort(0));
    assert!(none.is_empty());
}

#[test]
fn a_product_has_its_derivative_at_zeros() {
    let product =
        |numbers: &[f64]| value_and_gradient(&[numbers.len()], numbers, |x| x.product(&[0]));
    assert_eq!(product(&[2.0, 0.0, 3.0]), (vec![0.0], vec![0.0, 6.0, 0.0]));
    assert_eq!(product(&[0.0, 0.0]), (vec![0.0], vec![0.0, 0.0]));
    assert_eq!(product(&[5.0]), (vec![5.0], vec![1.0]));
    assert_eq!(product(&[]), (vec![1.0], vec![]));
    let (all, _) = value_and_gradient(&[2, 2], &[1.0, 2.0, 3.0, 4.0], |x| x.product(&[0, 1]));
    assert_eq!(all, [24.0]);
}

#[test]
fn what_is_not_positive_definite_is_not_a_number() {
    let (l, _) = value_and_gradient(&[2, 2, 2], &[4.0, 2.0, 2.0, 5.0, 1.0, 2.0, 2.0, 1.0], |x| {
        x.cholesky()
    });
    assert_eq!(l[..4], [2.0, 0.0, 1.0, 2.0]);
    assert!(l[4].is_nan() && l[5] == 0.0 && l[6].is_nan() && l[7].is_nan());
    let (none, _) = value_and_gradient(&[3, 0, 0], &[], |x| x.cholesky());
    assert!(none.is_empty());
    // d/dA of ln det A = 2 Σ ln Lᵢᵢ is A⁻¹.
    let (_, gradient) = value_and_gradient(&[2, 2], &[4.0, 2.0, 2.0, 5.0], |x| {
        (x.cholesky() * eye(x)).sum(&[1]).ln() * 2.0
    });
    let inverse = [5.0 / 16.0, -2.0 / 16.0, -2.0 / 16.0, 4.0 / 16.0];
    for (a, b) in gradient.iter().zip(inverse) {
        assert!((a - b).abs() < 1e-14, "{gradient:?}");
    }
}

/// The 2×2 identity matrix.
fn eye<'t>(x: Var<'t>) -> Var<'t> {
    let rows = (x * 0.0 + 1.0).cumsum(0);
    let ones = rows * 0.0 + 1.0;
    rows.equal(ones.cumsum(1)).select(ones, ones * 0.0)
}

#[test]
fn orders_of_rows_move_other_tensors_in_blocks() {
    // More rows than a block has.
    let rows = 700;
    let shapes: [(Shape, DType); 2] = [(vec![rows, 5], DType::Real), (vec![rows, 5], DType::Real)];
    let mut graph = trace(&shapes, |v| {
        let moved = v[1].tanh().gather(1, v[0].argsort(1));
        let weights = v[0].exp().cumsum(1);
        let back = moved.scatter(1, v[0].sin().argsort(1), 7).sum(&[1]);
        let first = v[0].slice(1, 0, 1).argsort(1).reshape(&[rows]);
        vec![(moved * weights).sum(&[1]).sin(), back, v[1].pick(first)]
    })
    .unwrap();
    let inputs = graph.inputs().to_vec();
    let output = graph.outputs[0];
    let one = graph.input(vec![rows, 1], DType::Real);
    let gradients =
        bilevel_autodiff::transform::vjp(&mut graph, &[(output, one)], &inputs).unwrap();
    graph.outputs.extend(gradients.into_iter().flatten());
    let numbers = |count: usize, seed: f64| {
        let of = |i: usize| (i as f64 * 0.618 * seed).sin() * 0.8;
        Value::Real((0..count).map(of).collect())
    };
    let arguments = [
        numbers(rows * 5, 1.0),
        numbers(rows * 5, 1.7),
        numbers(rows, 2.3),
    ];
    let exact = evaluate(&graph, &arguments).unwrap();
    for passes in [Passes::NONE, Passes::default()] {
        for (found, exact) in run::<f64>(&graph, &arguments, passes).iter().zip(&exact) {
            for (a, b) in found.iter().zip(exact.real()) {
                assert!((a - b).abs() <= 1e-12, "{a} {b}");
            }
        }
        for (found, exact) in run::<f32>(&graph, &arguments, passes).iter().zip(&exact) {
            for (a, b) in found.iter().zip(exact.real()) {
                assert!((a - b).abs() <= 1e-4, "{a} {b}");
            }
        }
    }
}

#[test]
fn computed_indices_that_may_be_too_large_are_refused() {
    let shapes = [(vec![5], DType::Real), (vec![3], DType::Real)];
    let error = trace(&shapes, |v| vec![v[1].gather(0, v[0].argsort(0))]).unwrap_err();
    let Error::Operation {
        fault: Fault::Shape { expected },
        ..
    } = &error
    else {
        unreachable!("{error}")
    };
    assert_eq!(expected, "indices below 3, found those of an axis of 5");
    let rows = [(vec![5], DType::Real), (vec![3, 2], DType::Real)];
    assert!(trace(&rows, |v| vec![v[1].take_rows(v[0].argsort(0))]).is_err());
    assert!(trace(&rows, |v| vec![v[0].take_rows(v[0].argsort(0))]).is_ok());
    // Indices cannot be a result of a program.
    let graph = trace(&shapes, |v| vec![v[0].argsort(0)]).unwrap();
    assert!(Program::<f64>::compile(&graph).is_err());
}

#[test]
fn rows_taken_in_a_computed_order() {
    let shapes = [(vec![4], DType::Real), (vec![4, 2], DType::Real)];
    let graph = trace(&shapes, |v| {
        let order = v[0].argsort(0);
        vec![v[1].take_rows(order), v[1].add_rows(order, 6)]
    })
    .unwrap();
    let arguments = [
        Value::Real(vec![3.0, 1.0, 2.0, 0.0]),
        Value::Real((0..8).map(f64::from).collect()),
    ];
    for passes in [Passes::NONE, Passes::default()] {
        let found = run::<f32>(&graph, &arguments, passes);
        assert_eq!(found[0], [6.0, 7.0, 2.0, 3.0, 4.0, 5.0, 0.0, 1.0]);
        assert_eq!(found[1][..8], [6.0, 7.0, 2.0, 3.0, 4.0, 5.0, 0.0, 1.0]);
        assert_eq!(found[1][8..], [0.0; 4]);
    }
}

#[test]
fn an_index_out_of_range_is_refused() {
    let shapes = [(vec![2, 3], DType::Real), (vec![2, 2], DType::Index)];
    let graph = trace(&shapes, |v| vec![v[0].gather(1, v[1])]).unwrap();
    let program = Program::<f64>::compile(&graph).unwrap();
    let with = |index: [u32; 4]| {
        let arguments = [Argument::Real(&[0.0; 6][..]), Argument::Index(&index)];
        let mut out = [0.0; 4];
        program.run(&mut Workspace::default(), &arguments, &mut [&mut out])
    };
    assert!(with([0, 2, 1, 2]).is_ok());
    assert!(matches!(
        with([0, 3, 1, 2]),
        Err(Error::Index {
            place: 1,
            size: 3,
            ..
        })
    ));
}
