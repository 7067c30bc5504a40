//! Every way to the hypergradient gives the same one: reverse, taped, checkpointed,
//! forward, central differences.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bilevel::check::{
    adjoint_dot_test, forward_check, gradient_check, replay_check, second_order_check,
};
use bilevel::dynamics::Transform;
use bilevel::vector::relative_difference;
use bilevel::{
    Adjoint, Bounds, Checkpointed, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key,
    Problem, Reverse, ReverseTape, Schedule, StartFromX, Unrolled,
};
use common::{Rows, plain, weighted};

/// 8 weights, 3 numbers for the start, 1 for the step size.
const X_LEN: usize = 12;
const STEPS: usize = 13;

fn x() -> Vec<f64> {
    (0..X_LEN)
        .map(|i| 0.7 * (1.3 * i as f64 + 0.4).sin())
        .collect()
}

fn problem(batch: usize, coupling: f64, start_from_x: bool) -> Problem<f64> {
    let inner = weighted(Rows::new(8, batch, 0.3), X_LEN);
    let outer = plain(Rows::new(6, batch.min(6), 1.1), X_LEN, coupling);
    if start_from_x {
        Problem::new(inner, outer, StartFromX::new(8..11)).unwrap()
    } else {
        Problem::new(inner, outer, FixedStart(vec![0.2, -0.1, 0.3])).unwrap()
    }
}

fn fields() -> Vec<Field> {
    let aggregate = |schedule: &str| Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 0.7,
    };
    let mut fields = vec![Field::Inner];
    fields.extend(
        [
            "constant:0.5",
            "constant:1",
            "harmonic:0.9",
            "harmonic:3",
            "geometric:0.5,0.9",
            "bigsam:1,0.5,1",
            "per-outer:0.9,10",
            "every:4,constant:0.5",
        ]
        .map(aggregate),
    );
    fields
}

fn unrolled(
    dynamics: &GradientDescent<f64>,
    adjoint: impl Adjoint<f64> + 'static,
) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(dynamics.clone()),
        steps: STEPS,
        adjoint: Box::new(adjoint),
    }
}

/// The whole grid: what it says of each pair is in one place.
fn assert_agreement(problem: &Problem<f64>, dynamics: &GradientDescent<f64>, label: &str) {
    let (x, key) = (x(), Key::from_seed(3));
    let reverse = unrolled(dynamics, Reverse);
    let check = gradient_check(&reverse, problem, &x, key, 2, 1e-7).unwrap();
    assert!(check.passed(), "{label}: differences {check:?}");
    let check = forward_check(&reverse, problem, &x, key, 3, 1e-12).unwrap();
    assert!(check.passed(), "{label}: forward {check:?}");
    let check = adjoint_dot_test(dynamics, problem, &x, key, 1e-12).unwrap();
    assert!(check.passed(), "{label}: dot test {check:?}");
    for slots in 1..=STEPS + 2 {
        let checkpointed = unrolled(dynamics, Checkpointed { slots });
        let same = replay_check(&reverse, &checkpointed, problem, &x, key).unwrap();
        assert!(same, "{label}: {slots} slots");
    }
    let taped = unrolled(dynamics, ReverseTape);
    let check = forward_check(&taped, problem, &x, key, 3, 1e-12).unwrap();
    assert!(check.passed(), "{label}: forward, taped {check:?}");
    let [with, without] = [&taped, &reverse].map(|method| {
        let mut out = vec![0.0; X_LEN];
        let report = method.estimate(problem, &x, key, 0, &mut out).unwrap();
        [vec![report.value], report.y, out]
    });
    for (with, without) in with.iter().zip(&without) {
        let difference = relative_difference(with, without);
        assert!(difference <= 1e-12, "{label}: taped {difference}");
    }
}

#[test]
fn every_field_and_schedule_full_and_mini_batch_fixed_and_learned_start() {
    for field in fields() {
        for batch in [8, 3] {
            for (start_from_x, coupling) in [(false, 0.0), (false, 0.05), (true, 0.05)] {
                let dynamics = GradientDescent {
                    step_size: Hyper::Fixed(0.4),
                    field: field.clone(),
                    bounds: None,
                };
                let label = format!("{field:?}, batch {batch}, start {start_from_x}, {coupling}");
                assert_agreement(&problem(batch, coupling, start_from_x), &dynamics, &label);
            }
        }
    }
}

/// Active for one number of y, inactive for the others.
fn narrow() -> Bounds<f64> {
    Bounds::new(vec![-9.0, -0.5, -9.0], vec![9.0, 9.0, 9.0]).unwrap()
}

#[test]
fn learned_step_sizes_and_boxes() {
    for field in fields() {
        for transform in [Transform::Identity, Transform::Exp, Transform::Sigmoid] {
            let dynamics = GradientDescent {
                step_size: Hyper::FromX {
                    index: 11,
                    transform,
                },
                field: field.clone(),
                bounds: Some(narrow()),
            };
            let label = format!("{field:?}, {transform:?}");
            assert_agreement(&problem(3, 0.05, true), &dynamics, &label);
        }
    }
}

#[test]
fn the_box_is_active_in_that_test() {
    let problem = problem(3, 0.05, true);
    let dynamics = GradientDescent {
        bounds: Some(narrow()),
        step_size: Hyper::FromX {
            index: 11,
            transform: Transform::Exp,
        },
        field: Field::Inner,
    };
    let run = |dynamics: &GradientDescent<f64>| {
        let method = unrolled(dynamics, Reverse);
        method
            .evaluate(&problem, &x(), Key::from_seed(3), 0)
            .unwrap()
            .y
    };
    let free = GradientDescent {
        bounds: None,
        ..dynamics.clone()
    };
    assert_ne!(run(&dynamics), run(&free));
}

#[test]
fn hand_written_products_are_right() {
    let (x, y, key) = (x(), [0.3, -0.2, 0.5], Key::from_seed(1));
    let inner = weighted(Rows::new(8, 3, 0.3), X_LEN);
    let outer = plain(Rows::new(6, 4, 1.1), X_LEN, 0.05);
    assert!(
        second_order_check(&inner, &x, &y, key, 1e-8)
            .unwrap()
            .passed()
    );
    assert!(
        second_order_check(&outer, &x, &y, key, 1e-8)
            .unwrap()
            .passed()
    );
}

/// The checks must be able to fail: a product with a wrong sign is found by each.
#[test]
fn a_wrong_product_is_found() {
    use bilevel::Closures;
    let right = |x: &[f64], y: &[f64]| (y[0] * x[0]).sin();
    let wrong = move || {
        Closures::<f64>::new(
            1,
            1,
            move |x, y, _| right(x, y),
            |x, y, _, out| out[0] += x[0] * (y[0] * x[0]).cos(),
        )
        .with_grad_x(|x, y, _, out| out[0] += y[0] * (y[0] * x[0]).cos())
        .with_second_order(
            |x, y, _, v, y_bar, x_bar| {
                let (s, c) = (y[0] * x[0]).sin_cos();
                y_bar[0] -= x[0] * x[0] * s * v[0];
                // The sign of the second term is wrong.
                x_bar[0] += (c + x[0] * y[0] * s) * v[0];
            },
            |x, y, _, dx, dy, out| {
                let (s, c) = (y[0] * x[0]).sin_cos();
                out[0] += (c - x[0] * y[0] * s) * dx[0] - x[0] * x[0] * s * dy[0];
            },
        )
    };
    let outer = Closures::<f64>::new(
        1,
        1,
        |_, y, _| y[0].powi(2),
        |_, y, _, out| out[0] += 2.0 * y[0],
    );
    let problem = Problem::new(wrong(), outer, FixedStart(vec![0.5])).unwrap();
    let (x, key) = ([0.8], Key::from_seed(0));
    let method = Unrolled {
        steps: 5,
        ..Unrolled::default()
    };
    assert!(
        !gradient_check(&method, &problem, &x, key, 1, 1e-7)
            .unwrap()
            .passed()
    );
    assert!(
        !forward_check(&method, &problem, &x, key, 1, 1e-9)
            .unwrap()
            .passed()
    );
    assert!(
        !adjoint_dot_test(&*method.dynamics, &problem, &x, key, 1e-9)
            .unwrap()
            .passed()
    );
    assert!(
        !second_order_check(&wrong(), &x, &[0.4], key, 1e-6)
            .unwrap()
            .passed()
    );
}

/// The draws of a sweep are what makes mini-batch estimates honest: another outer step
/// or another key sees other rows, and so gives another gradient.
#[test]
fn estimates_differ_between_outer_steps_and_keys() {
    let problem = problem(3, 0.0, false);
    let method = unrolled(&GradientDescent::default(), Reverse);
    let gradient = |seed, outer_step| {
        let mut out = vec![0.0; X_LEN];
        method
            .estimate(&problem, &x(), Key::from_seed(seed), outer_step, &mut out)
            .unwrap();
        out
    };
    assert_eq!(gradient(0, 0), gradient(0, 0));
    assert_ne!(gradient(0, 0), gradient(0, 1));
    assert_ne!(gradient(0, 0), gradient(1, 0));
}

/// Every step of a sweep draws anew, and each objective draws for itself.
#[test]
fn draws_differ_between_inner_steps_and_objectives() {
    use bilevel::{Closures, Draw};
    use std::sync::{Arc, Mutex};
    let seen: Arc<Mutex<Vec<Vec<Draw>>>> = Arc::new(Mutex::new(vec![Vec::new(); 2]));
    let watched = |which: usize| {
        let seen = Arc::clone(&seen);
        Closures::<f64>::new(
            1,
            1,
            |_, _, _| 0.0,
            move |_, _, draw, _| seen.lock().unwrap()[which].push(draw),
        )
        .with_grad_x(|_, _, _, _| {})
    };
    let problem = Problem::new(watched(0), watched(1), FixedStart(vec![0.0])).unwrap();
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            field: Field::Aggregate {
                schedule: Schedule::Constant { weight: 0.5 },
                outer_scale: 1.0,
            },
            ..GradientDescent::<f64>::default()
        }),
        steps: 6,
        ..Unrolled::default()
    };
    for outer_step in 0..2 {
        method
            .evaluate(&problem, &[0.0], Key::from_seed(0), outer_step)
            .unwrap();
    }
    let seen = seen.lock().unwrap();
    let mut rows: Vec<Vec<usize>> = seen
        .iter()
        .flatten()
        .map(|draw| draw.rows(1000, 10).unwrap().collect())
        .collect();
    assert_eq!(rows.len(), 24);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 24, "two evaluations saw the same batch");
}
