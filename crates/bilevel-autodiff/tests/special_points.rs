//! Values and first and second derivatives at special points: 0, subnormal numbers, tails, ties, infinities, large
//! common offsets, in double and single precision, compiled and interpreted.

mod table;

use bilevel_autodiff::graph::{Graph, Op, Unary};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::{grad, jvp, vjp};
use bilevel_autodiff::{Argument, DType, Program, Real, Var, Workspace, trace};
use table::Row;

/// A function of a vector.
type Function = for<'t> fn(Var<'t>) -> Var<'t>;

const INF: f64 = f64::INFINITY;

/// The function of x with its gradient, and the gradient's derivative along a second argument in reverse and in forward
/// mode.
fn with_derivatives(len: usize, function: Function) -> Graph {
    let mut graph = trace(&[(vec![len], DType::Real), (vec![len], DType::Real)], |v| {
        let out = function(v[0]);
        vec![out, out.sum_all()]
    })
    .unwrap();
    let (x, direction) = (graph.inputs()[0], graph.inputs()[1]);
    let (out, sum) = (graph.outputs[0], graph.outputs[1]);
    let first = grad(&mut graph, sum, &[x]).unwrap()[0];
    let reverse = vjp(&mut graph, &[(first, direction)], &[x]).unwrap()[0];
    let forward = jvp(&mut graph, &[(x, direction)], &[first]).unwrap()[0];
    graph.outputs = vec![out, first];
    // Neither is there if the second derivative is zero everywhere.
    graph.outputs.extend(reverse);
    graph.outputs.extend(forward);
    graph
}

/// The outputs at x, compiled and interpreted.
fn both<T: Real>(graph: &Graph, x: &[f64], direction: &[f64]) -> [Vec<Vec<f64>>; 2] {
    let [x, direction] =
        [x, direction].map(|x| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>());
    let program = Program::<T>::compile(graph).unwrap();
    let mut outputs: Vec<Vec<T>> = graph
        .outputs
        .iter()
        .map(|&id| vec![T::zero(); graph.node(id).len()])
        .collect();
    let mut places: Vec<&mut [T]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    program
        .run(
            &mut Workspace::default(),
            &[Argument::Real(&x), Argument::Real(&direction)],
            &mut places,
        )
        .unwrap();
    let double = |values: &[T]| values.iter().map(|&a| a.to_double()).collect::<Vec<f64>>();
    let compiled = outputs.iter().map(|values| double(values)).collect();
    let interpreted = evaluate(graph, &[Value::Real(x), Value::Real(direction)]).unwrap();
    let interpreted = interpreted.iter().map(|value| double(value.real()));
    [compiled, interpreted.collect()]
}

/// Relative errors of single and double precision, and their smallest numbers.
const SINGLE: (f64, f64) = (1e-6, 1.5e-45);
const DOUBLE: (f64, f64) = (1e-14, 5e-324);

fn assert_near(what: &str, found: f64, expected: f64, (relative, least): (f64, f64)) {
    let single = relative == SINGLE.0 || relative > DOUBLE.0 * 1e4;
    let largest = if single {
        f64::from(f32::MAX)
    } else {
        f64::MAX
    };
    let expected = if expected.abs() > largest {
        expected.signum() * INF
    } else {
        expected
    };
    let near = found == expected
        || (found - expected).abs() <= least
        || (found - expected).abs() <= relative * expected.abs();
    assert!(near, "{what}: {found:e}, expected {expected:e}");
}

fn check_rows(name: &str, function: Function, rows: &[Row], conditioned: bool) {
    let run = |rows: Vec<Row>, tolerance: (f64, f64), outputs: [Vec<Vec<f64>>; 2]| {
        for (form, outputs) in ["compiled", "interpreted"].iter().zip(outputs) {
            for (i, &(x, value, first, second)) in rows.iter().enumerate() {
                // e^(−x²) loses x² units to the rounding of x².
                let scale = if conditioned { 1.0 + x * x } else { 1.0 };
                let tolerance = (tolerance.0 * scale, tolerance.1);
                let expected = [value, first, second, second];
                let parts = ["value", "first", "second, reverse", "second, forward"];
                for ((part, output), expected) in parts.iter().zip(&outputs).zip(expected) {
                    let what = format!("{name} {form} at {x:e}: {part}");
                    assert_near(&what, output[i], expected, tolerance);
                }
            }
        }
    };
    let graph = with_derivatives(rows.len(), function);
    let x: Vec<f64> = rows.iter().map(|row| row.0).collect();
    run(
        rows.to_vec(),
        DOUBLE,
        both::<f64>(&graph, &x, &vec![1.0; x.len()]),
    );
    let exact = |row: &&Row| f64::from(row.0 as f32) == row.0;
    let rows: Vec<Row> = rows.iter().filter(exact).copied().collect();
    let graph = with_derivatives(rows.len(), function);
    let x: Vec<f64> = rows.iter().map(|row| row.0).collect();
    run(rows, SINGLE, both::<f32>(&graph, &x, &vec![1.0; x.len()]));
}

#[test]
fn elementwise_functions() {
    check_rows("exp", |x| x.exp(), table::EXP, false);
    check_rows("ln", |x| x.ln(), table::LN, false);
    check_rows("sqrt", |x| x.sqrt(), table::SQRT, false);
    check_rows("recip", |x| x.recip(), table::RECIP, false);
    check_rows("tanh", |x| x.tanh(), table::TANH, false);
    check_rows("sigmoid", |x| x.sigmoid(), table::SIGMOID, false);
    let sech: Function = |x| x.apply(Op::Unary(Unary::SechSquared), &[]);
    check_rows("sech²", sech, table::SECH_SQUARED, false);
    check_rows("softplus", |x| x.softplus(), table::SOFTPLUS, false);
    check_rows("sin", |x| x.sin(), table::SIN, false);
    check_rows("cos", |x| x.cos(), table::COS, false);
    check_rows("erf", |x| x.erf(), table::ERF, true);
    check_rows("erfc", |x| x.erfc(), table::ERFC, true);
    check_rows("log1p", |x| x.log1p(), table::LOG1P, false);
    check_rows("expm1", |x| x.expm1(), table::EXPM1, false);
    check_rows("gelu", |x| x.gelu(), table::GELU, true);
}

/// One case of a function of a vector: the value, the gradient of the sum of its results, and the derivative of the
/// gradient along `direction`.
struct Case {
    x: &'static [f64],
    value: Vec<f64>,
    gradient: Vec<f64>,
    second: Option<(Vec<f64>, Vec<f64>)>,
}

fn check_case<T: Real>(name: &str, function: Function, case: &Case, tolerance: (f64, f64)) {
    let len = case.x.len();
    let zeros = vec![0.0; len];
    let (direction, second) = match &case.second {
        Some((direction, second)) => (direction, Some(second)),
        None => (&zeros, None),
    };
    let graph = with_derivatives(len, function);
    for (form, outputs) in ["compiled", "interpreted"]
        .iter()
        .zip(both::<T>(&graph, case.x, direction))
    {
        let mut expected = vec![&case.value, &case.gradient];
        expected.extend(second);
        expected.extend(second);
        for (part, (output, expected)) in outputs.iter().zip(expected).enumerate() {
            assert_eq!(output.len(), expected.len());
            for (i, (&found, &expected)) in output.iter().zip(expected).enumerate() {
                let what = format!(
                    "{name} {form} at {:?}: derivative {part}, element {i}",
                    case.x
                );
                // Differences of numbers near 1, such as p(1 − p), have an absolute error.
                let least = tolerance.1.max(tolerance.0);
                assert_near(&what, found, expected, (tolerance.0, least));
            }
        }
    }
}

fn check_cases(name: &str, function: Function, cases: &[Case]) {
    for case in cases {
        check_case::<f64>(name, function, case, DOUBLE);
        check_case::<f32>(name, function, case, SINGLE);
    }
}

/// Vectors, each with its softmax probabilities and ln Σ eˣ − max x.
fn logits() -> Vec<(&'static [f64], Vec<f64>, f64)> {
    let finite = |x: &'static [f64]| {
        let top = x.iter().copied().fold(-INF, f64::max);
        let powers: Vec<f64> = x.iter().map(|x| (x - top).exp()).collect();
        let sum: f64 = powers.iter().sum();
        (x, powers.iter().map(|p| p / sum).collect(), sum.ln())
    };
    let mut all: Vec<_> = [
        &[0.0, 1.0, 2.0][..],
        &[0.0, 0.0, 0.0],
        &[1e4, 1e4, 1e4],
        &[1e6, 1e6 + 1.0, 1e6 + 2.0],
        &[-1e6, -1e6 + 3.0],
        &[1e8, 1e8, 1e8],
        &[40.0, 0.0],
        &[0.0, 40.0],
        &[-40.0, 40.0, 0.0],
        &[0.0, 80.0, 2.0],
        &[-600.0, 0.0],
        &[-INF, 0.0, 1.0],
        &[1e-40, -1e-40],
    ]
    .into_iter()
    .map(finite)
    .collect();
    // What is infinite takes all, in equal parts.
    all.push((&[-INF, -INF], vec![0.5, 0.5], 2.0_f64.ln()));
    all.push((&[INF, 1.0], vec![1.0, 0.0], 0.0));
    all.push((&[INF, -INF, INF], vec![0.5, 0.0, 0.5], 2.0_f64.ln()));
    all
}

/// (diag(p) − p pᵀ) v, which is pᵢ Σ pⱼ (vᵢ − vⱼ): no term is a difference of larger ones.
fn covariance(p: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let direction: Vec<f64> = (0..p.len()).map(|i| 1.0 - 1.5 * i as f64).collect();
    let distances = |i: usize| -> f64 {
        let terms = p.iter().zip(&direction);
        terms.map(|(p, v)| p * (direction[i] - v)).sum()
    };
    let product = (0..p.len()).map(|i| p[i] * distances(i)).collect();
    (direction, product)
}

#[test]
fn log_sum_exp_and_cross_entropy() {
    let (mut sums, mut entropies, mut softmaxes) = (Vec::new(), Vec::new(), Vec::new());
    for (x, p, above) in logits() {
        let top = x.iter().copied().fold(-INF, f64::max);
        let second = Some(covariance(&p));
        sums.push(Case {
            x,
            value: vec![top + above],
            gradient: p.clone(),
            second: second.clone(),
        });
        let mut gradient = p.clone();
        gradient[0] -= 1.0;
        let below = if x[0] == top { 0.0 } else { x[0] - top };
        entropies.push(Case {
            x,
            value: vec![above - below],
            gradient,
            second,
        });
        softmaxes.push(Case {
            x,
            gradient: vec![0.0; x.len()],
            value: p,
            second: None,
        });
    }
    check_cases("log_sum_exp", |x| x.log_sum_exp(0), &sums);
    check_cases("softmax", |x| x.softmax(0), &softmaxes);
    // The order of one number is 0, the first class.
    let first_class: Function = |x| x.unsqueeze(0).cross_entropy(x.slice(0, 0, 1).argsort(0));
    check_cases("cross_entropy", first_class, &entropies);
}

/// A function at a point with its value and derivatives by convention or as limits.
fn check_point(
    name: &str,
    function: Function,
    x: &'static [f64],
    value: &[f64],
    gradient: &[f64],
    second: Option<(&[f64], &[f64])>,
) {
    let case = Case {
        x,
        value: value.to_vec(),
        gradient: gradient.to_vec(),
        second: second.map(|(direction, product)| (direction.to_vec(), product.to_vec())),
    };
    check_cases(name, function, &[case]);
}

#[test]
fn ties_are_shared() {
    let maximum: Function = |x| x.slice(0, 0, 1).maximum(x.slice(0, 1, 1));
    let minimum: Function = |x| x.slice(0, 0, 1).minimum(x.slice(0, 1, 1));
    for (x, larger) in [
        (&[2.0, 2.0][..], [0.5, 0.5]),
        (&[3.0, 2.0], [1.0, 0.0]),
        (&[-1.0, 0.0], [0.0, 1.0]),
    ] {
        let smaller = [larger[1], larger[0]];
        check_point("maximum", maximum, x, &[x[0].max(x[1])], &larger, None);
        check_point("minimum", minimum, x, &[x[0].min(x[1])], &smaller, None);
        check_point("max", |x| x.max(&[0]), x, &[x[0].max(x[1])], &larger, None);
    }
    // max(x, 0) + softplus(−|x|) is softplus.
    let softplus: Function = |x| x.maximum(x * 0.0) + (-x.abs()).softplus();
    check_point("softplus", softplus, &[0.0], &[2.0_f64.ln()], &[0.5], None);
}

#[test]
fn conventions_at_kinks() {
    check_point(
        "relu",
        |x| x.relu(),
        &[0.0, -0.0],
        &[0.0, 0.0],
        &[0.0, 0.0],
        None,
    );
    check_point(
        "abs",
        |x| x.abs(),
        &[0.0, -0.0],
        &[0.0, 0.0],
        &[0.0, 0.0],
        None,
    );
    check_point(
        "sign",
        |x| x.sign(),
        &[0.0, 2.0],
        &[0.0, 1.0],
        &[0.0, 0.0],
        None,
    );
    check_point(
        "clamp",
        |x| x.clamp(-1.0, 2.0),
        &[-1.0, 2.0, 3.0],
        &[-1.0, 2.0, 2.0],
        &[1.0, 1.0, 0.0],
        None,
    );
    check_point(
        "norm",
        |x| x.norm(&[0]),
        &[0.0, 0.0],
        &[0.0],
        &[0.0, 0.0],
        Some((&[1.0, 2.0], &[0.0, 0.0])),
    );
    check_point(
        "norm²",
        |x| x.norm(&[0]).square(),
        &[0.0, 0.0],
        &[0.0],
        &[0.0, 0.0],
        Some((&[1.0, 2.0], &[0.0, 0.0])),
    );
    let deviation: Function = |x| x.standard_deviation(&[0]);
    check_point(
        "standard deviation",
        deviation,
        &[3.0, 3.0],
        &[0.0],
        &[0.0, 0.0],
        Some((&[1.0, 2.0], &[0.0, 0.0])),
    );
    check_point(
        "standard deviation",
        deviation,
        &[1e6, 1e6 + 2.0],
        &[1.0],
        &[-0.5, 0.5],
        Some((&[1.0, 2.0], &[0.0, 0.0])),
    );
    // 0ᵇ and the derivative in b.
    let power: Function = |b| (b * 0.0).pow(b);
    check_point(
        "0 to b",
        power,
        &[2.0, 3.5, 0.0],
        &[0.0, 0.0, 1.0],
        &[0.0, 0.0, 0.0],
        Some((&[1.0, 1.0, 1.0], &[0.0, 0.0, 0.0])),
    );
    let power: Function = |b| (b * 0.0 + 2.0).pow(b);
    let (ln, four) = (2.0_f64.ln(), 4.0);
    check_point(
        "2 to b",
        power,
        &[2.0],
        &[four],
        &[four * ln],
        Some((&[1.0], &[four * ln * ln])),
    );
}

#[test]
fn what_was_not_taken_has_no_derivative() {
    let root: Function = |x| (x * 0.0).less(x).select(x.sqrt(), x);
    check_point(
        "select √x or x",
        root,
        &[-1.0, -4.0, 0.0, 4.0],
        &[-1.0, -4.0, 0.0, 2.0],
        &[1.0, 1.0, 1.0, 0.25],
        Some((&[1.0; 4], &[0.0, 0.0, 0.0, -1.0 / 32.0])),
    );
    let other: Function = |x| x.less_equal(x * 0.0).select(x, x.sqrt());
    check_point(
        "select x or √x",
        other,
        &[-1.0, -4.0, 0.0, 4.0],
        &[-1.0, -4.0, 0.0, 2.0],
        &[1.0, 1.0, 1.0, 0.25],
        Some((&[1.0; 4], &[0.0, 0.0, 0.0, -1.0 / 32.0])),
    );
    // x·ln x, with its limit at 0; tanh of it; a quotient; and sums before the branch is chosen.
    let entropy: Function = |x| (x * 0.0).less(x).select(x * x.ln(), x * 0.0);
    check_point(
        "x ln x",
        entropy,
        &[0.0, 1.0, -1.0],
        &[0.0, 0.0, 0.0],
        &[0.0, 1.0, 0.0],
        Some((&[1.0; 3], &[0.0, 1.0, 0.0])),
    );
    let inside: Function = |x| (x * 0.0).less(x).select(x.ln().tanh() + x.recip(), x);
    check_point(
        "tanh ln x + 1/x",
        inside,
        &[-1.0, 0.0, 1.0],
        &[-1.0, 0.0, 1.0],
        &[1.0, 1.0, 0.0],
        Some((&[1.0; 3], &[0.0, 0.0, 1.0])),
    );
    let sum: Function = |x| {
        let sinc = (x.sin() / x).exp();
        (x * 0.0)
            .equal(x)
            .select(x * 0.0 + std::f64::consts::E, sinc)
    };
    check_point("e^sinc", sum, &[0.0], &[std::f64::consts::E], &[0.0], None);
}

/// A cotangent that is 0 without a `select` being the reason: the residual is 0, the second derivative is not.
#[test]
fn a_zero_residual_behind_a_select_keeps_its_second_derivative() {
    let clamped: Function = |x| (x.exp().clamp(0.5, 2.0) - 1.0).square();
    check_point(
        "clamp",
        clamped,
        &[0.0],
        &[0.0],
        &[0.0],
        Some((&[1.0], &[2.0])),
    );
    let taken: Function = |x| ((x * 0.0).less(x.exp()).select(x.exp(), x) - 1.0).square();
    check_point(
        "select",
        taken,
        &[0.0],
        &[0.0],
        &[0.0],
        Some((&[1.0], &[2.0])),
    );
    // A first derivative that is finite, and a second one that is not, where the operand is not taken.
    let power: Function = |x| (x * 0.0).less(x).select(x.powf(1.5), x);
    check_point(
        "select x^1.5 or x",
        power,
        &[0.0],
        &[0.0],
        &[1.0],
        Some((&[1.0], &[0.0])),
    );
    // One select in another, and a sum in a branch.
    let nested: Function = |x| {
        let inner = (x * 0.0 + 4.0).less(x).select(x.ln(), x.sqrt());
        (x * 0.0).less(x).select(inner, x)
    };
    check_point(
        "nested",
        nested,
        &[-1.0, 4.0],
        &[-1.0, 2.0],
        &[1.0, 0.25],
        Some((&[1.0, 1.0], &[0.0, -1.0 / 32.0])),
    );
    let sum: Function = |x| {
        let (total, plain) = (x.sqrt().sum(&[0]), x.sum(&[0]));
        (plain * 0.0).less(plain).select(total, plain)
    };
    check_point(
        "sum of roots",
        sum,
        &[-1.0, 0.0],
        &[-1.0],
        &[1.0, 1.0],
        Some((&[1.0, 1.0], &[0.0, 0.0])),
    );
}
