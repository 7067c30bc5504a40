//! Zero columns of the data are left out of products, and nothing changes.

use bilevel::objective::Objective;
use bilevel::vector::relative_difference;
use bilevel::{Draw, Key, Layout, Oracle};
use bilevel_autodiff::{Bound, Data, Function, Inputs, Settings, Var};

const ROWS: usize = 50;
const COLUMNS: usize = 40;

/// Every third column is zero.
fn features(key: u64) -> Vec<f64> {
    let normals = Key::from_seed(key).normals().take(ROWS * COLUMNS);
    normals
        .enumerate()
        .map(|(i, a)| {
            if (i % COLUMNS).is_multiple_of(3) {
                0.0
            } else {
                a
            }
        })
        .collect()
}

fn traced(
    features: Vec<f64>,
    batch: Option<usize>,
    columns: bool,
    model: for<'t> fn(&Inputs<'t>) -> Var<'t>,
) -> Bound<f64> {
    let data = Data::new(ROWS).rows("a", features, &[COLUMNS]);
    let y = Layout::new([("w", vec![COLUMNS, 3]), ("t", vec![3, COLUMNS])]);
    let settings = Settings {
        columns,
        ..Settings::default()
    };
    let function = Function::with(settings, model);
    let x = Layout::vector("x", ROWS);
    function.bind(&x, &y, data.batch(batch)).unwrap()
}

/// Products only from the left, with plain and transposed weights.
fn products<'t>(v: &Inputs<'t>) -> Var<'t> {
    let outputs = v.data("a").matmul(v.y("w")).tanh() + v.data("a").matmul(v.y("t").t());
    (v.x_rows("x").sigmoid() * outputs.square().sum(&[1]).reshape(&[v.rows()])).mean()
}

/// Another use, which needs the whole matrix.
fn another_use<'t>(v: &Inputs<'t>) -> Var<'t> {
    let rows = v.x_rows("x").sigmoid();
    let sizes = v.data("a").square().sum(&[1]).reshape(&[v.rows()]);
    products(v) + (rows * sizes).mean() + v.y("w").square().mean()
}

fn everything(h: &Bound<f64>, draw: Draw) -> Vec<f64> {
    let key = Key::from_seed(9);
    let numbers =
        |stream: u64, len: usize| -> Vec<f64> { key.fold_in(stream).normals().take(len).collect() };
    let (x, m) = (numbers(1, ROWS), 6 * COLUMNS);
    let (y, v) = (numbers(2, m), numbers(3, m));
    let mut at = h.at(&x).unwrap();
    let mut all = vec![at.value(&y, draw).unwrap()];
    let mut out = vec![0.0; m];
    at.grad_y(&y, draw, &mut out).unwrap();
    all.extend(&out);
    at.second_order()
        .unwrap()
        .pull(&y, draw, &v, &mut out)
        .unwrap();
    all.extend(&out);
    let mut x_bar = vec![0.0; ROWS];
    at.finish(&mut x_bar).unwrap();
    all.extend(&x_bar);
    let tape = at.tape().unwrap();
    let mut kept = vec![0.0; tape.tape_len(draw)];
    tape.linearize(&y, draw, &mut out, &mut kept).unwrap();
    tape.pull_tape(&y, draw, &kept, &v, &mut out).unwrap();
    all.extend(&out);
    at.second_order()
        .unwrap()
        .push(&y, draw, &x, &v, &mut out)
        .unwrap();
    all.extend(out);
    all
}

#[test]
fn nothing_changes_but_the_work() {
    type Model = for<'t> fn(&Inputs<'t>) -> Var<'t>;
    // The products keep 26 of 40 columns.
    for (model, expected) in [(products as Model, 0.65), (another_use as Model, 1.0)] {
        for batch in [None, Some(7)] {
            let (with, without) = (
                traced(features(1), batch, true, model),
                traced(features(1), batch, false, model),
            );
            let step = Draw::Step {
                key: Key::from_seed(4),
                step: 2,
            };
            for draw in [Draw::All, step] {
                let difference =
                    relative_difference(&everything(&with, draw), &everything(&without, draw));
                assert!(difference < 1e-14, "{difference} {batch:?} {draw:?}");
            }
            let flops = |h: &Bound<f64>| h.compiled().cost(Oracle::GradY, 1).unwrap().product_flops;
            let share = flops(&with) / flops(&without);
            assert!((share - expected).abs() < 1e-9, "{share} {expected}");
        }
    }
}

#[test]
fn a_column_with_a_nan_is_no_column_of_zeros() {
    let mut values = features(2);
    values[3 * COLUMNS] = f64::NAN;
    let h = traced(values, None, true, products);
    let x = vec![0.0; ROWS];
    let value = h
        .at(&x)
        .unwrap()
        .value(&vec![1.0; 6 * COLUMNS], Draw::All)
        .unwrap();
    assert!(value.is_nan());
}
