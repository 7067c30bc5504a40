//! The inner problem with many solutions of BDA (arXiv 2006.04045):
//! min (x − y₂)²/2 + (y₁ − 1)²/2  over x in [−100, 100],  y in argmin y₁²/2 − x y₁.
//!
//! Its optimum is x = 1, y = (1, 1). Following the inner gradient alone, y₂ never moves.

use bilevel::driver::{RunState, Trace};
use bilevel::optimizer::Projected;
use bilevel::{
    At, Bounds, Closures, Driver, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key,
    Memory, Problem, Sgd, Unrolled,
};

fn problem(start: [f64; 2]) -> Problem<f64> {
    let inner = Closures::new(
        1,
        2,
        |x: &[f64], y: &[f64], _| y[0].powi(2) / 2.0 - x[0] * y[0],
        |x, y, _, out| out[0] += y[0] - x[0],
    )
    .with_grad_x(|_, y, _, out| out[0] -= y[0])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let outer = Closures::new(
        1,
        2,
        |x: &[f64], y: &[f64], _| (x[0] - y[1]).powi(2) / 2.0 + (y[0] - 1.0).powi(2) / 2.0,
        |x, y, _, out| {
            out[0] += y[0] - 1.0;
            out[1] += y[1] - x[0];
        },
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0] - y[1])
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            y_bar[1] += v[1];
            x_bar[0] -= v[1];
        },
        |_, _, _, dx, dy, out| {
            out[0] += dy[0];
            out[1] += dy[1] - dx[0];
        },
    );
    Problem::new(inner, outer, FixedStart(start.to_vec())).unwrap()
}

/// (x, y₁, y₂) after 2 000 outer steps of 0.1.
fn solve(schedule: Option<&str>, steps: usize, start: [f64; 2]) -> [f64; 3] {
    let problem = problem(start);
    let (step_size, field) = match schedule {
        None => (0.1, Field::Inner),
        Some(schedule) => (
            0.5,
            Field::Aggregate {
                schedule: schedule.parse().unwrap(),
                outer_scale: 1.0,
            },
        ),
    };
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(step_size),
            field,
            ..GradientDescent::default()
        }),
        steps,
        ..Unrolled::default()
    };
    let optimizer = Projected {
        optimizer: Sgd::new(0.1),
        bounds: Bounds::uniform(-100.0, 100.0).unwrap(),
    };
    let mut state = RunState::new(vec![0.0], &optimizer);
    let mut trace = Trace::default();
    let key = Key::from_seed(0);
    let mut driver = Driver::new(&problem, &method, &optimizer, key)
        .outer_steps(2000)
        .observer(&mut trace);
    driver.run(&mut state).unwrap();
    assert_eq!(trace.points.len(), 2001);
    let y = method
        .evaluate(&At::new(&problem, &state.x, key), &Memory::default())
        .unwrap()
        .y;
    [state.x[0], y[0], y[1]]
}

/// The problem is symmetric about 1: from (2, 2) everything is 2 minus what it is from (0, 0).
fn assert_row(schedule: Option<&str>, expected: [([f64; 2], usize, [f64; 3]); 4]) {
    let mirrored = expected
        .iter()
        .filter(|(_, steps, _)| *steps < 256)
        .map(|&(start, steps, row)| (start.map(|y| 2.0 - y), steps, row.map(|z| 2.0 - z)));
    for (start, steps, expected) in mirrored.chain(expected) {
        let found = solve(schedule, steps, start);
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() <= 5e-5 + 1e-9,
                "{schedule:?}, K={steps}, y0={start:?}: {found} is not {expected}"
            );
        }
    }
}

const O: [f64; 2] = [0.0, 0.0];
const D: [f64; 2] = [2.0, 2.0];

#[test]
fn inner_gradient_alone_ends_at_a_half() {
    assert_row(
        None,
        [
            (O, 16, [0.4897, 0.3989, 0.0]),
            (O, 64, [0.5000, 0.4994, 0.0]),
            (O, 256, [0.5, 0.5, 0.0]),
            (D, 256, [1.5, 1.5, 2.0]),
        ],
    );
}

#[test]
fn harmonic_half() {
    assert_row(
        Some("harmonic:0.5"),
        [
            (O, 16, [0.8502, 0.8552, 0.5053]),
            (O, 64, [0.9222, 0.9228, 0.6565]),
            (O, 256, [0.9599, 0.9600, 0.7642]),
            (D, 256, [1.0401, 1.0400, 1.2358]),
        ],
    );
}

#[test]
fn harmonic_nine_tenths() {
    assert_row(
        Some("harmonic:0.9"),
        [
            (O, 16, [0.9660, 0.9680, 0.7956]),
            (O, 64, [0.9908, 0.9909, 0.8966]),
            (O, 256, [0.9974, 0.9974, 0.9465]),
            (D, 256, [1.0026, 1.0026, 1.0535]),
        ],
    );
}

#[test]
fn constant_half() {
    assert_row(
        Some("constant:0.5"),
        [
            (O, 16, [0.9996, 0.9998, 0.9896]),
            (O, 64, [1.0, 1.0, 1.0]),
            (O, 256, [1.0, 1.0, 1.0]),
            (D, 256, [1.0, 1.0, 1.0]),
        ],
    );
}
