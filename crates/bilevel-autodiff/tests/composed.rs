//! Functions composed of primitives, compared with their definitions.

use bilevel::Key;
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::grad;
use bilevel_autodiff::{DType, Shape, Var, trace};

fn shapes(arguments: &[(&[usize], &[f64])]) -> Vec<(Shape, DType)> {
    let one = |(shape, _): &(&[usize], &[f64])| (shape.to_vec(), DType::Real);
    arguments.iter().map(one).collect()
}

fn value(
    arguments: &[(&[usize], &[f64])],
    function: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) -> (Shape, Vec<f64>) {
    let graph = trace(&shapes(arguments), |v| vec![function(v)]).unwrap();
    let numbers: Vec<Value<f64>> = arguments
        .iter()
        .map(|(_, a)| Value::Real(a.to_vec()))
        .collect();
    let values = evaluate(&graph, &numbers).unwrap();
    (
        graph.shape(graph.outputs[0]).to_vec(),
        values[0].real().to_vec(),
    )
}

fn gradient(x: &[f64], function: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> Vec<f64> {
    let mut graph = trace(&[(vec![x.len()], DType::Real)], |v| {
        vec![function(v[0]).sum_all()]
    })
    .unwrap();
    let (input, output) = (graph.inputs()[0], graph.outputs[0]);
    graph.outputs = grad(&mut graph, output, &[input]).unwrap();
    evaluate(&graph, &[Value::Real(x.to_vec())]).unwrap()[0]
        .real()
        .to_vec()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-14, "{found:?} {expected:?}");
    }
}

const TABLE: (&[usize], &[f64]) = (&[2, 3], &[1.0, 2.0, 3.0, -4.0, 0.0, 4.0]);

#[test]
fn statistics_over_axes() {
    let (shape, mean) = value(&[TABLE], |v| v[0].mean_over(&[1]));
    assert_eq!(shape, [2, 1]);
    close(&mean, &[2.0, 0.0]);
    close(
        &value(&[TABLE], |v| v[0].variance(&[1])).1,
        &[2.0 / 3.0, 32.0 / 3.0],
    );
    close(
        &value(&[TABLE], |v| v[0].norm(&[1])).1,
        &[14_f64.sqrt(), 32_f64.sqrt()],
    );
    assert_eq!(gradient(&[0.0, 0.0], |x| x.norm(&[0])), [0.0, 0.0]);
    close(&gradient(&[3.0, 4.0], |x| x.norm(&[0])), &[0.6, 0.8]);
    let normal = value(&[TABLE], |v| v[0].layer_norm(&[1], 0.0)).1;
    close(
        &normal,
        &[
            -1.5_f64.sqrt(),
            0.0,
            1.5_f64.sqrt(),
            -1.5_f64.sqrt(),
            0.0,
            1.5_f64.sqrt(),
        ],
    );
}

#[test]
fn clamped_and_gated() {
    let x = [-2.0, -1.0, 0.5, 1.0, 3.0];
    assert_eq!(
        value(&[(&[5], &x)], |v| v[0].clamp(-1.0, 1.0)).1,
        [-1.0, -1.0, 0.5, 1.0, 1.0]
    );
    assert_eq!(
        gradient(&x, |x| x.clamp(-1.0, 1.0)),
        [0.0, 1.0, 1.0, 1.0, 0.0]
    );
    // x·Φ(x) for Φ(1) = 0.841344746068543.
    close(
        &value(&[(&[3], &[0.0, 1.0, -1.0])], |v| v[0].gelu()).1,
        &[0.0, 0.841_344_746_068_542_9, -0.158_655_253_931_457_05],
    );
}

#[test]
fn axes_come_and_go() {
    let (shape, stacked) = value(&[TABLE, TABLE], |v| v[0].stack(1, &[v[1] * 2.0]));
    assert_eq!(shape, [2, 2, 3]);
    assert_eq!(stacked[..6], [1.0, 2.0, 3.0, 2.0, 4.0, 6.0]);
    assert_eq!(
        value(&[TABLE], |v| v[0].sum(&[1]).squeeze(1)),
        (vec![2], vec![6.0, 0.0])
    );
    assert_eq!(value(&[TABLE], |v| v[0].unsqueeze(2)).0, [2, 3, 1]);
    for wrong in [
        trace(&shapes(&[TABLE]), |v| vec![v[0].squeeze(1)]),
        trace(&shapes(&[TABLE]), |v| vec![v[0].squeeze(2)]),
        trace(&shapes(&[TABLE]), |v| vec![v[0].unsqueeze(3)]),
        trace(&shapes(&[TABLE]), |v| vec![v[0].dropout(v[0], 1.0)]),
    ] {
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains("composed.rs"), "{error}");
    }
}

#[test]
fn dropped_elements_leave_the_mean() {
    let uniform: Vec<f64> = Key::from_seed(3).uniforms().take(20_000).collect();
    let ones = vec![1.0; uniform.len()];
    let shape = [uniform.len()];
    let (_, dropped) = value(&[(&shape, &ones), (&shape, &uniform)], |v| {
        v[0].dropout(v[1], 0.3)
    });
    assert!(dropped.iter().all(|&x| x == 0.0 || x == 1.0 / 0.7));
    let mean = dropped.iter().sum::<f64>() / dropped.len() as f64;
    // Four standard deviations.
    assert!(
        (mean - 1.0).abs() < 4.0 * (0.3_f64 / 0.7 / 20_000.0).sqrt(),
        "{mean}"
    );
}

/// The sum over all letters, computed directly.
fn written(letters: &str, arguments: &[(&[usize], &[f64])]) -> Vec<f64> {
    let (inputs, output) = letters.split_once("->").unwrap();
    let inputs: Vec<&str> = inputs.split(',').collect();
    let mut sizes = std::collections::BTreeMap::new();
    for (letters, (shape, _)) in inputs.iter().zip(arguments) {
        sizes.extend(letters.chars().zip(shape.iter().copied()));
    }
    let total: usize = output.chars().map(|letter| sizes[&letter]).product();
    let mut result = vec![0.0; total];
    let all: usize = sizes.values().product();
    for place in 0..all {
        let (mut rest, mut at) = (place, std::collections::BTreeMap::new());
        for (&letter, &size) in &sizes {
            at.insert(letter, rest % size);
            rest /= size;
        }
        let flat = |letters: &str| {
            letters
                .chars()
                .fold(0, |place, l| place * sizes[&l] + at[&l])
        };
        let term = inputs
            .iter()
            .zip(arguments)
            .map(|(letters, (_, a))| a[flat(letters)]);
        result[flat(output)] += term.product::<f64>();
    }
    result
}

#[test]
fn sums_of_products_are_what_the_letters_say() {
    let numbers: Vec<f64> = (0..24).map(|i| f64::from(i * 7 % 11) - 5.0).collect();
    let of = |count: usize| &numbers[..count];
    type Case<'a> = (&'a str, Vec<(&'a [usize], &'a [f64])>);
    let cases: Vec<Case<'_>> = vec![
        ("ij,jk->ik", vec![(&[2, 3], of(6)), (&[3, 4], of(12))]),
        ("ij,jk->ki", vec![(&[2, 3], of(6)), (&[3, 4], of(12))]),
        (
            "bij,bjk->bik",
            vec![(&[2, 2, 3], of(12)), (&[2, 3, 4], of(24))],
        ),
        ("bij,bj->ib", vec![(&[2, 3, 4], of(24)), (&[2, 4], of(8))]),
        ("ij->ji", vec![(&[2, 3], of(6))]),
        ("ij->", vec![(&[2, 3], of(6))]),
        ("i,j->ij", vec![(&[3], of(3)), (&[4], of(4))]),
        ("ij,ij->", vec![(&[2, 3], of(6)), (&[2, 3], of(6))]),
        ("ijk,lj->il", vec![(&[2, 3, 4], of(24)), (&[2, 3], of(6))]),
        (
            "ij,jk,kl->il",
            vec![(&[2, 3], of(6)), (&[3, 2], of(6)), (&[2, 4], of(8))],
        ),
        (
            "ij,jk,ij->k",
            vec![(&[2, 3], of(6)), (&[3, 4], of(12)), (&[2, 3], of(6))],
        ),
    ];
    for (letters, arguments) in cases {
        let (_, found) = value(&arguments, |v| v[0].einsum(letters, &v[1..]));
        close(&found, &written(letters, &arguments));
    }
    for wrong in [
        "ij,jk",
        "ij,jk->iq",
        "ii,jk->i",
        "ij,kl,m->i",
        "ijk,jk->i",
        "ij,ik->jk",
        "ij,jk->ii",
    ] {
        let arguments: [(&[usize], &[f64]); 2] = [(&[2, 3], of(6)), (&[3, 4], of(12))];
        let error = trace(&shapes(&arguments), |v| vec![v[0].einsum(wrong, &v[1..])]).unwrap_err();
        assert!(error.to_string().contains("einsum"), "{wrong}: {error}");
    }
}
