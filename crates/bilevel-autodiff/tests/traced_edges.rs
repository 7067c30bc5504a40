//! Bound functions at the edges: no x, few rows, many parts; what is impossible is an error.
use bilevel::{Draw, Key, Layout, Objective};
use bilevel_autodiff::{Bound, Data, Device, Error, Function, Inputs, Passes, Settings, Var};

use crate::common::objective::{assert_same, everything};

fn batch() -> Draw {
    Draw::Step {
        key: Key::from_seed(8),
        step: 3,
    }
}

fn data(rows: usize) -> Data<f64> {
    let numbers: Vec<f64> = (0..2 * rows).map(|i| (1.7 * i as f64).sin()).collect();
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 3).collect();
    Data::new(rows)
        .rows("a", numbers, &[2])
        .labels("labels", labels)
}

fn y_layout() -> Layout {
    Layout::new([("weight", vec![2, 3])])
}

fn cross_entropy<'t>(v: &Inputs<'t>) -> Var<'t> {
    v.data("a")
        .matmul(v.y("weight"))
        .cross_entropy(v.labels("labels"))
}

fn traced(
    x: &Layout,
    data: Data<f64>,
    batch: Option<usize>,
    function: impl for<'t> Fn(&Inputs<'t>) -> Var<'t> + Send + Sync + 'static,
) -> Result<Bound<f64>, Error> {
    Function::new(function).bind(x, &y_layout(), data.batch(batch))
}

const Y: [f64; 6] = [0.3, -0.2, 0.5, 0.9, -0.4, 0.1];

#[test]
fn whether_x_enters() {
    let layout = || Layout::vector("x", 2);
    let with = traced(&layout(), data(4), None, |v| {
        cross_entropy(v).mean() + v.x("x").sum_all()
    });
    assert!(with.unwrap().depends_on_x());
    let unused = traced(&layout(), data(4), Some(2), |v| {
        let _ = v.x("x").exp();
        cross_entropy(v).mean()
    })
    .unwrap();
    assert!(!unused.depends_on_x());
    for (name, values) in everything(&unused, &[0.5, 0.6], &Y, &[Draw::All, batch()]) {
        let zero = values.iter().all(|&value| value == 0.0);
        assert_eq!(
            zero,
            name.contains("∇_x") || name.contains("∇²_xy"),
            "{name}"
        );
    }
}

#[test]
fn an_x_without_numbers_or_parts() {
    let mut found = Vec::new();
    for layout in [Layout::vector("x", 0), Layout::default()] {
        let parts = layout.parts().len();
        let objective = traced(&layout, data(5), Some(2), move |v| {
            let loss = cross_entropy(v).mean();
            if parts == 0 {
                loss
            } else {
                loss + v.x("x").exp().sum_all()
            }
        });
        let objective = objective.unwrap();
        assert_eq!(objective.depends_on_x(), parts == 1);
        found.push(everything(&objective, &[], &Y, &[batch(), Draw::All]));
    }
    assert_same("empty", &found[0], &found[1], 1e-15, 1e-15);
}

#[test]
fn one_row_and_batches_of_one_row() {
    let all = traced(&Layout::vector("x", 7), data(7), Some(1), |v| {
        (v.x_rows("x").exp() * cross_entropy(v)).mean()
    })
    .unwrap();
    let x = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    let row = batch().rows(7, 1).unwrap().next().unwrap();
    let drawn = everything(&all, &x, &Y, &[batch()]);
    // Only that row.
    let numbers: Vec<f64> = (0..14).map(|i| (1.7 * i as f64).sin()).collect();
    let one = Data::new(1)
        .rows("a", numbers[2 * row..2 * row + 2].to_vec(), &[2])
        .labels("labels", vec![row as u32 % 3]);
    let alone = traced(&Layout::vector("x", 7), one, Some(1), move |v| {
        (v.x("x").slice(0, row, 1).exp() * cross_entropy(v)).mean()
    });
    let alone = everything(&alone.unwrap(), &x, &Y, &[batch()]);
    assert_same("one row", &drawn, &alone, 1e-13, 1e-9);
    let (_, x_bar) = &drawn[2];
    assert!(
        x_bar
            .iter()
            .enumerate()
            .all(|(i, &bar)| (bar != 0.0) == (i == row))
    );
}

#[test]
fn no_data_at_all() {
    let layout = || Layout::vector("x", 2);
    let objective = traced(&layout(), Data::none(), None, |v| {
        let x = v.x("x").exp().reshape(&[2, 1]);
        (v.y("weight") * x).square().sum_all() + v.number(1.0)
    })
    .unwrap();
    let found = everything(&objective, &[0.0, 0.5], &Y, &[batch()]);
    let squares = |row: &[f64]| row.iter().map(|y| y * y).sum::<f64>();
    let expected = 1.0 + squares(&Y[..3]) + 1.0_f64.exp() * squares(&Y[3..]);
    assert!((found[0].1[0] - expected).abs() < 1e-14);
}

/// Tensors of 300 and of 200 rows in one objective: one kind of rows is cut into blocks, the other
/// runs whole.
#[test]
fn two_kinds_of_rows() {
    let other: Vec<f64> = (0..400).map(|i| (0.9 * i as f64).cos()).collect();
    let with = |settings| {
        let data = data(300).whole("other", other.clone(), &[200, 2]);
        let layout = Layout::new([("first", vec![300]), ("second", vec![200])]);
        let function = Function::with(settings, |v| {
            let second = v.data("other").matmul(v.y("weight")).tanh().sum(&[1]);
            let second = second.reshape(&[200]) * v.x("second").sigmoid();
            (v.x_rows("first").sigmoid() * cross_entropy(v)).mean() + second.square().mean()
        });
        let data = data.batch(150);
        function.bind(&layout, &y_layout(), data).unwrap()
    };
    let x: Vec<f64> = (0..500).map(|i| (0.3 * i as f64).sin()).collect();
    let figures = |passes, staged| {
        let settings = Settings {
            device: Device::Cpu,
            passes,
            staged,
            columns: staged,
            sparse: staged,
        };
        everything(&with(settings), &x, &Y, &[Draw::All, batch()])
    };
    let expected = figures(Passes::NONE, false);
    let found = figures(Passes::default(), true);
    assert_same("two kinds", &found, &expected, 1e-12, 1e-9);
}

/// More parts than a fixed-size list would hold.
#[test]
fn many_parts() {
    let names: Vec<String> = (0..150).map(|i| format!("part {i}")).collect();
    let layout = || Layout::new(names.iter().map(|name| (name.clone(), vec![2])));
    let layout = layout();
    let function = Function::<f64>::new(move |v| {
        let mut sum = v.number(0.0);
        for name in &names {
            sum = sum + (v.x(name).exp() * v.y(name).sin()).sum_all();
        }
        sum
    });
    let objective = function.bind(&layout, &layout, Data::none()).unwrap();
    let (x, y) = (vec![0.3; 300], vec![0.4; 300]);
    let found = everything(&objective, &x, &y, &[Draw::All]);
    let gradient = &found[1].1;
    let expected = 0.3_f64.exp() * 0.4_f64.cos();
    assert!(gradient.iter().all(|g| (g - expected).abs() < 1e-14));
}

/// Errors in the closure name the closure's line.
#[test]
fn unknown_names_tell_the_known_ones_and_the_line() {
    let layout = || Layout::new([("row", vec![4]), ("rate", vec![])]);
    type Function = for<'t> fn(&Inputs<'t>) -> Var<'t>;
    let first = line!() + 1;
    let rows: Function = |v| v.x("rows");
    let x: Function = |v| v.x_rows("x");
    let w: Function = |v| v.y("w");
    let b: Function = |v| v.data("b");
    let a: Function = |v| v.labels("a");
    let functions = [
        (rows, r#"part of x called "rows", only ["row", "rate"]"#),
        (x, r#"part of x called "x", only ["row", "rate"]"#),
        (w, r#"part of y called "w", only ["weight"]"#),
        (b, r#"data called "b", only ["a"]"#),
        (a, r#"labels called "a", only ["labels"]"#),
    ];
    for batch in [None, Some(2)] {
        for (line, (function, expected)) in (first..).zip(functions) {
            let error = traced(&layout(), data(4), batch, move |v| {
                function(v).exp().sum_all()
            });
            let message = error.err().unwrap().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(
                message.contains(&format!("traced_edges.rs:{line}:")),
                "{message}"
            );
        }
    }
}

#[test]
fn what_cannot_be_traced_is_an_error() {
    let layout = || Layout::vector("x", 4);
    let error = |batch, data, function: for<'t> fn(&Inputs<'t>) -> Var<'t>| {
        traced(&layout(), data, batch, function).err().unwrap()
    };
    assert_eq!(
        error(None, data(4), cross_entropy),
        Error::NotScalar { shape: vec![4] }
    );
    for batch in [0, 5] {
        let message = error(Some(batch), data(4), |v| cross_entropy(v).mean()).to_string();
        let expected = format!("at most the number of rows, found {batch} with 4 rows");
        assert!(message.ends_with(&expected), "{message}");
    }
    let length = |data: Data<f64>, what: &str, expected: usize, found: usize| {
        let what = what.to_owned();
        assert_eq!(
            error(None, data, |v| cross_entropy(v).mean()),
            Error::Length {
                what,
                expected,
                found
            }
        );
    };
    length(
        data(4).rows("c", vec![0.0; 7], &[2]),
        r#"the data "c""#,
        8,
        7,
    );
    length(
        data(4).whole("d", vec![0.0; 7], &[2, 2]),
        r#"the data "d""#,
        4,
        7,
    );
    length(data(4).labels("e", vec![0; 5]), r#"the data "e""#, 4, 5);

    // Three classes: label 3 is too large, both for all rows and for a batch.
    let wrong = data(4).labels("wrong", vec![0, 2, 3, 1]);
    for batch in [None, Some(2)] {
        let found = error(batch, wrong.clone(), |v| {
            v.data("a")
                .matmul(v.y("weight"))
                .cross_entropy(v.labels("wrong"))
                .mean()
        });
        let what = r#"the labels "wrong""#.to_owned();
        let (place, index, size) = (2, 3, 3);
        assert_eq!(
            found,
            Error::Index {
                what,
                place,
                index,
                size
            }
        );
    }
    // x has one row too few for the batch's indices.
    let message = traced(&Layout::vector("x", 3), data(4), Some(2), |v| {
        (v.x_rows("x") * cross_entropy(v)).mean()
    })
    .err()
    .map_or_else(String::new, |error| error.to_string());
    assert!(
        message.contains("x_rows") && message.contains("[3]"),
        "{message:?}"
    );
}

#[test]
fn wrong_lengths_are_errors() {
    let objective = traced(&Layout::vector("x", 4), data(4), Some(2), |v| {
        (v.x_rows("x") * cross_entropy(v)).mean()
    })
    .unwrap();
    let length = |result: bilevel::Result<()>, expected: usize, found: usize| match result {
        Err(bilevel::Error::Length {
            expected: e,
            found: f,
            ..
        }) => assert_eq!((e, f), (expected, found)),
        other => panic!("{other:?}"),
    };
    length(objective.at(&[0.0; 3]).map(|_| ()), 4, 3);
    let x = [0.5; 4];
    let mut at = objective.at(&x).unwrap();
    let (short, mut five, mut six) = ([0.0; 5], [0.0; 5], [0.0; 6]);
    length(at.value(&short, batch()).map(|_| ()), 6, 5);
    length(at.grad_y(&short, batch(), &mut six), 6, 5);
    length(at.grad_y(&Y, batch(), &mut five), 6, 5);
    length(at.grad_x(&short, batch(), 1.0), 6, 5);
    length(at.finish(&mut [0.0; 3]), 4, 3);
    let products = at.second_order().unwrap();
    length(products.pull(&short, batch(), &Y, &mut six), 6, 5);
    length(products.pull(&Y, batch(), &short, &mut six), 6, 5);
    length(products.pull(&Y, batch(), &Y, &mut five), 6, 5);
    length(products.push(&short, batch(), &x, &Y, &mut six), 6, 5);
    length(products.push(&Y, batch(), &x[..3], &Y, &mut six), 4, 3);
    length(products.push(&Y, batch(), &x, &short, &mut six), 6, 5);
    length(products.push(&Y, batch(), &x, &Y, &mut five), 6, 5);
    let taped = at.tape().unwrap();
    let len = taped.tape_len(batch());
    let mut tape = vec![0.0; len + 1];
    length(
        taped.linearize(&Y, batch(), &mut six, &mut tape),
        len,
        len + 1,
    );
    length(
        taped.linearize(&short, batch(), &mut six, &mut tape[..len]),
        6,
        5,
    );
    length(
        taped.linearize(&Y, batch(), &mut five, &mut tape[..len]),
        6,
        5,
    );
    length(
        taped.pull_tape(&Y, batch(), &tape, &Y, &mut six),
        len,
        len + 1,
    );
    length(
        taped.pull_tape(&Y, batch(), &tape[..len], &short, &mut six),
        6,
        5,
    );
    length(
        taped.pull_tape(&Y, batch(), &tape[..len], &Y, &mut five),
        6,
        5,
    );
}
