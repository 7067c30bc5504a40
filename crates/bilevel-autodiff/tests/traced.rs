//! Bound functions: staging, passes and tapes change no result; what is impossible is an error.
use bilevel::check::{random_direction, second_order_check};
use bilevel::vector::{axpy, dot};
use bilevel::{Draw, Key, Layout, Objective};
use bilevel_autodiff::reference::Value;
use bilevel_autodiff::{Bound, Data, Device, Function, Inputs, Passes, Settings, Var};
use proptest::prelude::*;

use crate::common::case::{Style, random_case};
use crate::common::objective::{assert_same, everything, rewritten};
use crate::common::source::Source;

type Body = for<'t> fn(&Inputs<'t>) -> Var<'t>;

/// Objectives, named by how x enters.
const OBJECTIVES: &[(&str, Body)] = &[
    ("nonlinear", |v| {
        let losses = logits(v, v.data("a")).cross_entropy(v.labels("labels"));
        let decay = v.x("scalar").exp() * v.y("weights").square().sum_all();
        (v.x_rows("row").sigmoid() * losses).mean() + decay
    }),
    ("several parts", |v| {
        let scaled = v.data("a") * v.x("vector").tanh();
        let losses = logits(v, scaled).cross_entropy(v.labels("labels"));
        let decay = v.x("vector").exp().reshape(&[3, 1]) * v.y("weights").square();
        (v.x_rows("row").softplus() * losses).mean() + decay.sum_all() * v.x("scalar").sin()
    }),
    ("staged and directly", |v| {
        let vector = v.x("vector");
        let features = v.data("a") * vector.sin() + vector;
        let rows = v.x_rows("row").reshape(&[v.rows(), 1]);
        let logits = logits(v, features) * rows + rows.cos();
        logits.tanh().square().mean() + (v.y("bias").sum_all() * vector).exp().sum_all()
    }),
    ("a product with data", |v| {
        let features = v.data("a").matmul(v.x("matrix").tanh()).tanh();
        let whole = v.data("w").matmul(v.x("matrix")).matmul(v.y("weights"));
        let losses = logits(v, features).cross_entropy(v.labels("labels"));
        losses.mean() + whole.sin().square().sum_all()
    }),
    ("broadcasts across the cut", |v| {
        let rows = v.x_rows("row").exp().reshape(&[v.rows(), 1]);
        let all = rows.broadcast(&[v.rows(), 4]) * v.x("scalar").cos();
        let columns = v.x("vector").exp().reshape(&[3, 1]).broadcast(&[3, 4]);
        let weights = v.y("weights") * columns;
        (v.data("a").matmul(weights) * all).sigmoid().mean() + v.y("bias").square().mean()
    }),
    ("masks", |v| {
        let (row, zero) = (v.x_rows("row"), v.number(0.0));
        let chosen = row.sin().less(zero).select(row.exp(), row * row);
        let sparse = v.data("a").less(zero).select(zero, v.data("a"));
        let capped = v.x("matrix").exp().less_equal(v.data("w"));
        let extra = capped.select(v.y("weights").slice(1, 0, 3).exp(), v.x("matrix"));
        (chosen * logits(v, sparse).log_sum_exp(1).reshape(&[v.rows()])).mean() + extra.mean()
    }),
    ("stopped and alone", |v| {
        let stopped = v.x("vector").exp().stop_gradient() * v.x("vector");
        let alone = v.x("matrix").square().sum_all() * v.data("b").mean();
        (logits(v, v.data("a") * stopped).tanh() + v.y("scale").exp())
            .square()
            .mean()
            + alone
    }),
    ("weights picked by labels", |v| {
        let classes = v
            .x("matrix")
            .exp()
            .matmul(v.data("w"))
            .concat(0, v.x("matrix"));
        let rows = classes.take_rows(v.labels("labels"));
        (logits(v, v.data("a") * rows.sigmoid()).square() * v.y("scale").sigmoid()).mean()
    }),
];

fn logits<'t>(v: &Inputs<'t>, features: Var<'t>) -> Var<'t> {
    features.matmul(v.y("weights")) * v.y("scale") + v.y("bias")
}

fn numbers(seed: u64, len: usize, scale: f64) -> Vec<f64> {
    let mut source = Source::new(seed);
    (0..len).map(|_| source.signed(0.1, scale)).collect()
}

fn data(rows: usize) -> Data<f64> {
    let labels: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 4).collect();
    Data::new(rows)
        .rows("a", numbers(1, rows * 3, 1.0), &[3])
        .rows("b", numbers(2, rows, 1.0), &[])
        .whole("w", numbers(3, 9, 1.5), &[3, 3])
        .labels("labels", labels)
}

fn x_layout(rows: usize) -> Layout {
    Layout::new([
        ("row", vec![rows]),
        ("vector", vec![3]),
        ("matrix", vec![3, 3]),
        ("scalar", vec![]),
    ])
}

fn y_layout() -> Layout {
    Layout::new([
        ("weights", vec![3, 4]),
        ("bias", vec![4]),
        ("scale", vec![]),
    ])
}

fn objective(body: Body, rows: usize, batch: Option<usize>, settings: Settings) -> Bound<f64> {
    let function = Function::with(settings, body);
    let data = data(rows).batch(batch);
    function.bind(&x_layout(rows), &y_layout(), data).unwrap()
}

const PLAIN: Settings = Settings {
    device: Device::Interpreter,
    passes: Passes::NONE,
    staged: false,
    columns: false,
    sparse: false,
};

/// Settings that all give the same results.
fn variants() -> Vec<Settings> {
    let all = Passes::default();
    let interpreted = Settings {
        device: Device::Interpreter,
        ..Settings::default()
    };
    let mut variants = vec![Settings::default(), interpreted];
    for passes in [
        all,
        Passes::NONE,
        Passes {
            simplify: false,
            ..all
        },
        Passes {
            common: false,
            ..all
        },
        Passes { fuse: false, ..all },
        Passes {
            row_block: false,
            ..all
        },
    ] {
        variants.extend([false, true].map(|staged| Settings {
            device: Device::Cpu,
            passes,
            staged,
            columns: staged,
            sparse: staged,
        }));
    }
    variants
}

fn step(step: u64) -> Draw {
    Draw::Step {
        key: Key::from_seed(8),
        step,
    }
}

fn draws() -> [Draw; 3] {
    [step(0), Draw::All, step(1)]
}

#[test]
fn staging_and_passes_change_nothing() {
    for &(name, function) in OBJECTIVES {
        // One group of blocks and three groups; one row, and batches of one.
        for (rows, batch) in [
            (9, Some(4)),
            (300, Some(140)),
            (1, None),
            (5, Some(1)),
            (1, Some(1)),
        ] {
            let (x, y) = (numbers(4, rows + 13, 1.2), numbers(5, 17, 0.9));
            let expected = everything(&objective(function, rows, batch, PLAIN), &x, &y, &draws());
            for settings in variants() {
                let found = everything(
                    &objective(function, rows, batch, settings),
                    &x,
                    &y,
                    &draws(),
                );
                let what = format!("{name}, {rows} rows, batch {batch:?}, {settings:?}");
                assert_same(&what, &found, &expected, 1e-11, 1e-6);
            }
        }
    }
}

#[test]
fn derivatives_against_differences() {
    let key = Key::from_seed(1);
    for &(name, function) in OBJECTIVES {
        for batch in [None, Some(5)] {
            let objective = objective(function, 11, batch, Settings::default());
            assert!(objective.depends_on_x(), "{name}");
            let (x, y) = (numbers(4, 24, 1.2), numbers(5, 17, 0.9));
            // Products through a stopped gradient differ from differences of the gradient.
            if name != "stopped and alone" {
                let check = second_order_check(&objective, &x, &y, key, 1e-6).unwrap();
                assert!(check.passed(), "{name}: {check:?}");
            }
            let dy: Vec<f64> = random_direction(key.fold_in(1), 17);
            let dx: Vec<f64> = random_direction(key.fold_in(2), 24);
            let value = |t: f64, with_x: bool| {
                let (mut x, mut y) = (x.clone(), y.clone());
                axpy(if with_x { t } else { 0.0 }, &dx, &mut x);
                axpy(if with_x { 0.0 } else { t }, &dy, &mut y);
                objective.at(&x).unwrap().value(&y, step(2)).unwrap()
            };
            let mut at = objective.at(&x).unwrap();
            let (mut x_bar, mut y_bar) = (vec![0.0; 24], vec![0.0; 17]);
            at.grad_y(&y, step(2), &mut y_bar).unwrap();
            at.grad_x(&y, step(2), 1.0).unwrap();
            at.finish(&mut x_bar).unwrap();
            for (with_x, slope) in [(true, dot(&x_bar, &dx)), (false, dot(&y_bar, &dy))] {
                if with_x && name == "stopped and alone" {
                    continue;
                }
                let t = 1e-5;
                let difference = (value(t, with_x) - value(-t, with_x)) / (2.0 * t);
                let apart = (slope - difference).abs();
                assert!(
                    apart <= 1e-8 * slope.abs().max(1.0),
                    "{name}: {slope} {difference}"
                );
                assert!(slope.abs() > 1e-4, "{name}: {slope} says nothing");
            }
        }
    }
}

/// A random graph as an objective; its inputs are parts of x, parts of y, and data.
struct Random {
    x: (Layout, Vec<f64>),
    y: (Layout, Vec<f64>),
    data: Data<f64>,
    names: Vec<(char, String)>,
    graph: bilevel_autodiff::Graph,
}

impl Random {
    /// `None` if the index inputs differ in length, which labels cannot.
    fn new(seed: u64, rows: usize) -> Option<Self> {
        let style = Style {
            rows,
            ..Style::default()
        };
        let (graph, arguments) = random_case(seed, style);
        let indices = || {
            arguments.iter().filter_map(|value| match value {
                Value::Index(values) => Some(values.len()),
                _ => None,
            })
        };
        let count = indices().next().unwrap_or(rows);
        if indices().any(|len| len != count) {
            return None;
        }
        let mut source = Source::new(seed);
        let mut data = Data::new(count);
        let mut parts: [Vec<(String, Vec<usize>)>; 2] = Default::default();
        let mut values: [Vec<f64>; 2] = Default::default();
        let mut names = Vec::new();
        for (number, (&id, argument)) in graph.inputs().iter().zip(&arguments).enumerate() {
            let (name, shape) = (format!("input {number}"), graph.shape(id).to_vec());
            let role = match argument {
                Value::Index(labels) => {
                    data = data.labels(&name, labels.clone());
                    'l'
                }
                Value::Mask(_) => return None,
                Value::Real(numbers) => {
                    let role = source.one_of(&['x', 'y', 'd']);
                    if role == 'd' {
                        data = data.whole(&name, numbers.clone(), &shape);
                    } else {
                        let side = usize::from(role == 'y');
                        parts[side].push((name.clone(), shape));
                        values[side].extend(numbers);
                    }
                    role
                }
            };
            names.push((role, name));
        }
        let [x_parts, y_parts] = parts;
        let [x, y] = values;
        Some(Self {
            x: (Layout::new(x_parts), x),
            y: (Layout::new(y_parts), y),
            data,
            names,
            graph,
        })
    }

    fn bound(&self, settings: Settings) -> Bound<f64> {
        let (names, graph) = (self.names.clone(), self.graph.clone());
        let function = Function::with(settings, move |v| {
            let given: Vec<_> = names
                .iter()
                .zip(graph.inputs())
                .map(|((role, name), &id)| match role {
                    'x' => v.x(name),
                    'y' => v.y(name),
                    'd' => v.data(name),
                    _ => v.labels(name).reshape(graph.shape(id)),
                })
                .collect();
            rewritten(&graph, &given, v)
        });
        function
            .bind(&self.x.0, &self.y.0, self.data.clone())
            .unwrap()
    }
}

/// Returns whether the seed gave an objective.
fn random_objective(seed: u64, rows: usize) -> bool {
    let Some(random) = Random::new(seed, rows) else {
        return false;
    };
    let figures = |settings| {
        everything(
            &random.bound(settings),
            &random.x.1,
            &random.y.1,
            &[Draw::All],
        )
    };
    let expected = figures(PLAIN);
    for staged in [false, true] {
        for passes in [Passes::NONE, Passes::default()] {
            let settings = Settings {
                device: Device::Cpu,
                passes,
                staged,
                columns: staged,
                sparse: staged,
            };
            let found = figures(settings);
            let what = format!("seed {seed}, {settings:?}");
            assert_same(&what, &found, &expected, 1e-9, 1e-3);
            // Results with a tape equal those without.
            let of = |name: &str| {
                let find = |(own, _): &&(String, Vec<f64>)| own.starts_with(name);
                found.iter().find(find).unwrap().clone()
            };
            for (taped, plain) in [
                ("∇_y with a tape", "∇_y of"),
                ("∇²_yy from the tape", "∇²_yy of"),
                ("∇²_xy from the tape", "∇²_xy of"),
            ] {
                assert_same(&what, &[of(taped)], &[of(plain)], 1e-9, 1e-3);
            }
        }
    }
    true
}

#[test]
fn random_objectives() {
    let good = (0..400).filter(|&seed| random_objective(seed, 700));
    assert_eq!(good.take(25).count(), 25);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn small_random_objectives(seed: u64) {
        prop_assume!(random_objective(seed, 20));
    }
}
