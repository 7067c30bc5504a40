//! Zeros of the data are left out of products: only the amount of work changes.

use std::sync::Mutex;

use bilevel::{Draw, Key, Layout, Objective, Oracle};
use bilevel_autodiff::{Bound, Data, Function, Inputs, Settings, Var};

use crate::common::objective::{Figure, assert_same, everything};

type Model = for<'t> fn(&Inputs<'t>) -> Var<'t>;

/// A data set that is mostly zero, and the number of outputs for each row.
#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    columns: usize,
    outputs: usize,
    /// About one number in `every` is not zero: at similar places in each row, as in images, or anywhere.
    every: usize,
    similar: bool,
}

impl Shape {
    fn features(self, key: Key) -> Vec<f64> {
        let normals = key.normals().take(self.rows * self.columns);
        let places = key.fold_in(1).normals();
        normals
            .zip(places)
            .enumerate()
            .map(|(i, (value, place))| {
                let (row, column) = (i / self.columns, i % self.columns);
                let shift = row * 7 % 5;
                let there = if self.similar {
                    (column / 4 + shift).is_multiple_of(self.every)
                } else {
                    place.abs() * (self.every as f64) < 1.2
                };
                if there { value } else { 0.0 }
            })
            .collect()
    }

    fn y(self) -> Layout {
        let (columns, outputs) = (self.columns, self.outputs);
        Layout::new([
            ("w", vec![columns, outputs]),
            ("t", vec![outputs, columns]),
            ("second", vec![outputs, 3]),
            ("bias", vec![outputs]),
        ])
    }

    fn traced(self, features: Vec<f64>, sparse: bool, model: Model) -> Bound<f64> {
        let labels: Vec<u32> = (0..self.rows as u32).map(|i| i * 7 % 3).collect();
        let data = Data::new(self.rows)
            .rows("a", features, &[self.columns])
            .labels("labels", labels);
        let settings = Settings {
            // Keep columns that are zero everywhere, so that the panels leave them out.
            columns: false,
            sparse,
            ..Settings::default()
        };
        let x = Layout::vector("x", self.rows);
        let function = Function::with(settings, model);
        function.bind(&x, &self.y(), data).unwrap()
    }
}

/// Plain and transposed weights.
fn network<'t>(v: &Inputs<'t>) -> Var<'t> {
    let (a, b) = (
        v.data("a").matmul(v.y("w")),
        v.data("a").matmul(v.y("t").t()),
    );
    let hidden = (a + b.sin() + v.y("bias")).tanh();
    let losses = hidden
        .matmul(v.y("second"))
        .cross_entropy(v.labels("labels"));
    (v.x_rows("x").sigmoid() * losses).mean() + v.y("w").square().sum_all()
}

/// The sum over the rows with the data as the second operand, and the data itself.
fn second_operand<'t>(v: &Inputs<'t>) -> Var<'t> {
    let outputs = v.data("a").matmul(v.y("w"));
    let weights = v.x_rows("x").sigmoid();
    let sizes = outputs.sin().square().sum(&[1]).reshape(&[v.rows()]);
    let weighted = outputs.cos() * weights.tanh().reshape(&[v.rows(), 1]);
    let moments = weighted.t().matmul(v.data("a"));
    (moments * v.y("t")).sum_all() + (weights * sizes).mean() + v.data("a").square().mean()
}

fn figures(shape: Shape, h: &Bound<f64>) -> Vec<Figure> {
    let numbers = |stream: u64, len: usize| -> Vec<f64> {
        let key = Key::from_seed(11).fold_in(stream);
        key.normals().take(len).map(|z| 0.3 * z).collect()
    };
    let (x, y) = (numbers(1, shape.rows), numbers(2, shape.y().len()));
    everything(h, &x, &y, &[Draw::All])
}

fn flops(h: &Bound<f64>) -> f64 {
    h.compiled().cost(Oracle::GradY, 1).unwrap().product_flops
}

fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (number, rows) in [4, 5, 7, 61, 300, 1001, 2500].into_iter().enumerate() {
        for (other, columns) in [4, 6, 37, 130].into_iter().enumerate() {
            for similar in [false, true] {
                shapes.push(Shape {
                    rows,
                    columns,
                    outputs: [1, 5, 8, 16, 17, 32, 41][(number + 3 * other) % 7],
                    every: 2 + (number + other) % 5,
                    similar,
                });
            }
        }
    }
    // Wide enough that a group of rows has several blocks.
    for columns in [18, 40] {
        shapes.push(Shape {
            rows: 700,
            columns,
            outputs: 301,
            every: 3,
            similar: true,
        });
    }
    shapes
}

#[test]
fn nothing_changes_but_the_work() {
    let mut less = [0; 2];
    for shape in shapes() {
        let features = shape.features(Key::from_seed(shape.rows as u64));
        for (model, less) in [network as Model, second_operand]
            .into_iter()
            .zip(&mut less)
        {
            let [with, without] =
                [true, false].map(|sparse| shape.traced(features.clone(), sparse, model));
            let (found, expected) = (figures(shape, &with), figures(shape, &without));
            assert_same(&format!("{shape:?}"), &found, &expected, 1e-13, 1e-8);
            *less += usize::from(flops(&with) < 0.8 * flops(&without));
        }
    }
    // Packing is worth it in many of the cases.
    // With vectors of 64 bytes in fewer.
    assert!(less.iter().all(|&less| less >= 10), "{less:?}");
}

#[test]
fn dense_data_are_multiplied_as_they_are() {
    let shape = Shape {
        rows: 500,
        columns: 40,
        outputs: 32,
        every: 1,
        similar: true,
    };
    let features = shape.features(Key::from_seed(1));
    let [with, without] = [true, false].map(|on| shape.traced(features.clone(), on, network));
    assert_eq!(flops(&with), flops(&without));
    assert_eq!(with.packed_bytes(&[Oracle::GradY]).unwrap(), 0);
}

#[test]
fn a_nan_is_not_left_out() {
    let shape = Shape {
        rows: 400,
        columns: 60,
        outputs: 32,
        every: 5,
        similar: true,
    };
    let mut features = shape.features(Key::from_seed(2));
    assert_eq!(features[61], 0.0);
    let y = vec![0.0; shape.y().len()];
    let logits: Model = |v| v.data("a").matmul(v.y("w")).sum_all();
    for (value, expected) in [(0.0, false), (f64::NAN, true)] {
        features[61] = value;
        let h = shape.traced(features.clone(), true, logits);
        assert!(h.packed_bytes(&[Oracle::Value]).unwrap() > 0);
        let found = h.at(&[0.0; 400]).unwrap().value(&y, Draw::All).unwrap();
        assert_eq!(found.is_nan(), expected);
    }
}

#[test]
fn threads_do_not_change_bits() {
    let shape = Shape {
        rows: 2500,
        columns: 130,
        outputs: 41,
        every: 4,
        similar: true,
    };
    let features = shape.features(Key::from_seed(3));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| figures(shape, &shape.traced(features.clone(), true, network)))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

/// The first thread compiles and packs; the threads that others wait for may take such work over themselves.
#[test]
fn many_tasks_share_an_objective() {
    let shape = Shape {
        rows: 2500,
        columns: 200,
        outputs: 32,
        every: 4,
        similar: true,
    };
    let h = shape.traced(shape.features(Key::from_seed(4)), true, network);
    let (x, y) = (vec![0.5; shape.rows], vec![0.1; shape.y().len()]);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    let gradients = Mutex::new(Vec::new());
    pool.scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|_| {
                let mut gradient = vec![0.0; y.len()];
                h.at(&x)
                    .unwrap()
                    .grad_y(&y, Draw::All, &mut gradient)
                    .unwrap();
                gradients.lock().unwrap().push(gradient);
            });
            // Some start before others.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    let all = gradients.into_inner().unwrap();
    assert!(all.iter().all(|gradient| *gradient == all[0]));
    assert!(all[0].iter().any(|&slope| slope != 0.0));
}
