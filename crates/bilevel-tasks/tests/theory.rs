//! What the papers on the improved inner model prove, seen in numbers on problems with closed
//! forms: BDA (arXiv 2006.04045) and the Improved Bilevel Model (arXiv 2009.00690).
//!
//! φ(x) is the least f(x, y) among the minimisers S(x) of g(x, ·); y_K(x) the end of K inner steps;
//! φ_K(x) = f(x, y_K(x)).

use bilevel::dynamics::Weights;
use bilevel::{
    At, Closures, Driver, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key, Memory,
    Problem, RunState, Schedule, Sgd, Unrolled,
};
use bilevel_tasks::problem::{ProblemOptions, TestProblem, test_problem};

const STEP_SIZE: f64 = 0.5;
/// Weights that vanish with a sum that does not end: of both papers and of BiG-SAM.
const VANISHING: [&str; 3] = ["harmonic:0.9", "bigsam:1,0.7,1", "bigsam:0.6,0.5,0.9"];

/// `steps` inner steps of 0.5; the basic model without a schedule.
fn method(schedule: Option<&str>, steps: usize) -> Unrolled<f64> {
    let field = schedule.map_or(Field::Inner, |schedule| Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 1.0,
    });
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(STEP_SIZE),
            field,
            ..GradientDescent::default()
        }),
        steps,
        ..Unrolled::default()
    }
}

/// (y_K(x), φ_K(x)).
fn trained(
    problem: &Problem<f64>,
    schedule: Option<&str>,
    steps: usize,
    x: &[f64],
) -> (Vec<f64>, f64) {
    let report = method(schedule, steps)
        .evaluate(&At::new(problem, x, Key::from_seed(0)), &Memory::default())
        .unwrap();
    (report.y, report.value)
}

/// (argmin φ_K, min φ_K), by descent on the hypergradient.
fn solved(
    problem: &Problem<f64>,
    schedule: Option<&str>,
    steps: usize,
    outer_steps: usize,
) -> (Vec<f64>, f64) {
    let (method, optimizer) = (method(schedule, steps), Sgd::new(0.3));
    let mut state = RunState::new(vec![0.0; problem.x_len()], &optimizer);
    let mut driver =
        Driver::new(problem, &method, &optimizer, Key::from_seed(0)).outer_steps(outer_steps);
    driver.run(&mut state).unwrap();
    let value = trained(problem, schedule, steps, &state.x).1;
    (state.x, value)
}

fn non_unique(inner_start: &[f64]) -> TestProblem {
    let options = ProblemOptions {
        dimension: Some(inner_start.len() / 2),
        inner_start: Some(inner_start.to_vec()),
        ..ProblemOptions::default()
    };
    test_problem("non-unique", &options).unwrap()
}

/// argmin φ_K of one coordinate of `non-unique` and y_K there. The inner steps are affine in x: u =
/// p x + q and v = r x + s, so that φ_K = ((1 − r) x − s)²/2 + (p x + q − 1)²/2.
fn closed_form(schedule: Option<&str>, steps: usize, [u, v]: [f64; 2]) -> [f64; 3] {
    let schedule: Option<Schedule> = schedule.map(|schedule| schedule.parse().unwrap());
    let (mut p, mut q, mut r, mut s) = (0.0, u, 0.0, v);
    for k in 1..=steps {
        let basic = Weights {
            outer: 0.0,
            inner: 1.0,
        };
        let Weights { outer, inner } = schedule
            .as_ref()
            .map_or(basic, |schedule| schedule.weights::<f64>(k, 0, &[]));
        p -= STEP_SIZE * (outer * p + inner * (p - 1.0));
        q -= STEP_SIZE * (outer * (q - 1.0) + inner * q);
        r -= STEP_SIZE * outer * (r - 1.0);
        s -= STEP_SIZE * outer * s;
    }
    let x = ((1.0 - r) * s - p * (q - 1.0)) / ((1.0 - r).powi(2) + p * p);
    [x, p * x + q, r * x + s]
}

/// Every schedule from starts in three coordinates at once, which do not mix.
#[test]
fn non_unique_of_any_dimension_with_every_schedule() {
    let start = [0.0, 2.0, -1.5, 0.0, 2.0, 4.0];
    let problem = non_unique(&start);
    let task = problem.family.single().unwrap();
    for (schedule, steps) in [
        (None, 16),
        (None, 64),
        (Some("constant:0.5"), 16),
        (Some("harmonic:0.5"), 64),
        (Some("harmonic:0.9"), 16),
        (Some("geometric:0.5,0.9"), 64),
        (Some("bigsam:1,0.7,0.9"), 64),
        (Some("every:5,harmonic:0.9"), 64),
    ] {
        let (x, _) = solved(task, schedule, steps, 400);
        let (y, _) = trained(task, schedule, steps, &x);
        for i in 0..3 {
            let expected = closed_form(schedule, steps, [start[i], start[3 + i]]);
            for (found, expected) in [x[i], y[i], y[3 + i]].into_iter().zip(expected) {
                let close = (found - expected).abs() < 1e-9;
                assert!(
                    close,
                    "{schedule:?}, K={steps}, {i}: {found} is not {expected}"
                );
            }
        }
    }
}

/// The table of BDA's example is symmetric: from (2, 2) everything is 2 minus what it is from
/// (0, 0). Vanishing weights come to the solution (1, 1, 1), from both starts.
#[test]
fn both_starts_mirror_each_other_and_vanishing_weights_come_to_the_solution() {
    for schedule in VANISHING {
        let mut before = f64::INFINITY;
        for steps in [16, 256, 4096, 65_536] {
            let low = closed_form(Some(schedule), steps, [0.0, 0.0]);
            let high = closed_form(Some(schedule), steps, [2.0, 2.0]);
            for (low, high) in low.into_iter().zip(high) {
                assert!((low + high - 2.0).abs() < 1e-12, "{schedule}");
            }
            let error = low.iter().map(|z| (z - 1.0).abs()).fold(0.0, f64::max);
            assert!(error < before, "{schedule}, K={steps}: {error}");
            before = error;
        }
        assert!(before < 5e-3, "{schedule}: {before}");
    }
}

/// The basic model ends at x = (1 + v_0)/2 with f = (1 − v_0)²/4, for every v_0.
#[test]
fn the_basic_model_stays_where_it_starts() {
    for v_0 in [-3.0, 0.0, 0.5, 1.0, 2.0, 7.0] {
        let problem = non_unique(&[0.3, v_0]);
        let task = problem.family.single().unwrap();
        let (x, value) = solved(task, None, 100, 300);
        assert!((x[0] - f64::midpoint(1.0, v_0)).abs() < 1e-9);
        assert!((value - (1.0 - v_0).powi(2) / 4.0).abs() < 1e-9);
        let (y, _) = trained(task, None, 100, &x);
        assert_eq!(y[1], v_0);
    }
}

const A: f64 = 2.0;
const B: f64 = 0.5;
const D: f64 = 1.0;

/// f and g disagree about u at every x but one, and f couples u with v:
/// f = (u − 2)²/2 + (v − x/2)²/2 + (u + v − 1)²/2,  g = (u − x)²/2,  y = (u, v).
///
/// S(x) = {(x, v)}, of which f wants v = (1 − x/2)/2. f is strongly convex with constant 1 and
/// its gradient Lipschitz with constant 3.
fn disagreeing(start: [f64; 2]) -> Problem<f64> {
    let inner = Closures::<f64>::new(
        1,
        2,
        |x, y, _| (y[0] - x[0]).powi(2) / 2.0,
        |x, y, _, out| out[0] += y[0] - x[0],
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let outer = Closures::<f64>::new(
        1,
        2,
        |x, y, _| outer_value(x[0], y[0], y[1]),
        |x, y, _, out| {
            let sum = y[0] + y[1] - D;
            out[0] += y[0] - A + sum;
            out[1] += y[1] - B * x[0] + sum;
        },
    )
    .with_grad_x(|x, y, _, out| out[0] -= B * (y[1] - B * x[0]))
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += 2.0 * v[0] + v[1];
            y_bar[1] += v[0] + 2.0 * v[1];
            x_bar[0] -= B * v[1];
        },
        |_, _, _, dx, dy, out| {
            out[0] += 2.0 * dy[0] + dy[1];
            out[1] += dy[0] + 2.0 * dy[1] - B * dx[0];
        },
    );
    Problem::new(inner, outer, FixedStart(start.to_vec())).unwrap()
}

fn outer_value(x: f64, u: f64, v: f64) -> f64 {
    ((u - A).powi(2) + (v - B * x).powi(2) + (u + v - D).powi(2)) / 2.0
}

/// The v that f wants where u = x.
fn wanted(x: f64) -> f64 {
    f64::midpoint(B * x, D - x)
}

fn phi(x: f64) -> f64 {
    outer_value(x, x, wanted(x))
}

/// argmin { α f + (1 − α) g }: what a constant weight α comes to.
fn compromise(alpha: f64, x: f64) -> [f64; 2] {
    let [[a, b], [_, d]] = [[alpha * 2.0 + 1.0 - alpha, alpha], [alpha, alpha * 2.0]];
    let right = [alpha * (A + D) + (1.0 - alpha) * x, alpha * (B * x + D)];
    let determinant = a * d - b * b;
    [
        (d * right[0] - b * right[1]) / determinant,
        (a * right[1] - b * right[0]) / determinant,
    ]
}

/// Where a parabola is least.
fn lowest(parabola: impl Fn(f64) -> f64) -> f64 {
    let [left, middle, right] = [-1.0, 0.0, 1.0].map(parabola);
    (left - right) / 2.0 / (left + right - 2.0 * middle)
}

const POINTS: [f64; 5] = [-3.0, -0.4, 0.5, 1.3, 3.0];

/// The two properties from which BDA's convergence follows, uniformly over a grid of x: y_K comes to
/// S(x), and φ_K to φ; then min φ_K comes to min φ, and argmin to argmin.
#[test]
fn vanishing_weights_have_the_two_properties() {
    let problem = disagreeing([-1.0, 4.0]);
    let x_best = lowest(phi);
    for schedule in VANISHING {
        let mut before = [f64::INFINITY; 2];
        for steps in [10, 100, 1000, 10_000] {
            let mut errors = [0.0_f64; 2];
            for x in POINTS {
                let (y, value) = trained(&problem, Some(schedule), steps, &[x]);
                errors[0] = errors[0].max((y[0] - x).abs());
                errors[1] = errors[1].max((value - phi(x)).abs());
            }
            for (error, before) in errors.iter().zip(before) {
                assert!(
                    *error < before / 4.0,
                    "{schedule}, K={steps}: {errors:?} after {before}"
                );
            }
            before = errors;
        }
        assert!(
            before[0] < 1e-2 && before[1] < 5e-2,
            "{schedule}: {before:?}"
        );

        let (x, value) = solved(&problem, Some(schedule), 2000, 60);
        assert!(
            (x[0] - x_best).abs() < 2e-2,
            "{schedule}: {x:?} is not {x_best}"
        );
        assert!((value - phi(x_best)).abs() < 5e-2, "{schedule}: {value}");
    }
}

/// A constant weight has neither property: y_K comes to the minimiser of α f + (1 − α) g, exactly,
/// φ_K to f there, and the outer problem to another x.
#[test]
fn a_constant_weight_is_biased_by_a_known_amount() {
    let problem = disagreeing([-1.0, 4.0]);
    let x_best = lowest(phi);
    for alpha in [0.1, 0.5, 0.9] {
        let schedule = format!("constant:{alpha}");
        for x in POINTS {
            let (y, value) = trained(&problem, Some(&schedule), 1000, &[x]);
            let [u, v] = compromise(alpha, x);
            assert!(
                (y[0] - u).abs() < 1e-12 && (y[1] - v).abs() < 1e-12,
                "{y:?}, {u}, {v}"
            );
            assert!((value - outer_value(x, u, v)).abs() < 1e-12);
            // f and g agree where f wants u = x, that is at x = 11/7.
            let apart = (x - 11.0 / 7.0).abs();
            assert!((y[0] - x).abs() > 0.05 * apart, "{alpha}, {x}: {y:?}");
        }
        let x_biased = lowest(|x| {
            let [u, v] = compromise(alpha, x);
            outer_value(x, u, v)
        });
        let (x, _) = solved(&problem, Some(&schedule), 250, 1200);
        assert!(
            (x[0] - x_biased).abs() < 1e-9,
            "{alpha}: {x:?} is not {x_biased}"
        );
        assert!(
            (x_biased - x_best).abs() > 0.01,
            "{alpha}: {x_biased}, {x_best}"
        );
    }
}

/// Theorem 2 of the Improved Bilevel Model: its least value is at most that of the basic model,
/// whichever inner solution the basic one takes; equal only if that is the wanted one.
#[test]
fn the_improved_model_is_never_worse() {
    let x_best = lowest(phi);
    let lucky = wanted(x_best);
    for v_0 in [-4.0, -0.5, 0.0, lucky, 1.0, 6.0] {
        let problem = disagreeing([0.0, v_0]);
        let (_, basic) = solved(&problem, None, 100, 200);
        let (_, improved) = solved(&problem, Some("bigsam:1,0.7,1"), 2000, 60);
        let exact = lowest(|x| outer_value(x, x, v_0));
        assert!((basic - outer_value(exact, exact, v_0)).abs() < 1e-9);
        assert!((improved - phi(x_best)).abs() < 5e-2);
        if v_0 == lucky {
            assert!((basic - phi(x_best)).abs() < 1e-9);
        } else {
            assert!(
                basic > phi(x_best) + 1e-3 && improved < basic,
                "{v_0}: {improved}, {basic}"
            );
        }
    }
    let problem = non_unique(&[0.0, 0.0, 0.0, 5.0, -2.0, 0.9]);
    let task = problem.family.single().unwrap();
    let (_, basic) = solved(task, None, 100, 300);
    let (_, improved) = solved(task, Some("harmonic:0.9"), 256, 100);
    assert!((basic - (16.0 + 9.0 + 0.01) / 4.0).abs() < 1e-9);
    assert!(improved < 0.1 * basic, "{improved}, {basic}");
}
