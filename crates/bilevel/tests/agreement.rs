//! Every way to the hypergradient gives the same one: reverse, taped, checkpointed,
//! forward, central differences.

use crate::common::agreement::{assert_agreement, fields};
use crate::common::{Rows, STEPS, X_LEN, plain, problem, unrolled, weighted, x};
use bilevel::adjoint::{Rollout, directional};
use bilevel::check::{
    adjoint_dot_test, forward_check, gradient_check, random_direction, second_order_check,
};
use bilevel::dynamics::Transform;
use bilevel::vector::{axpy, dot, norm};
use bilevel::{
    At, Bounds, Checkpointed, Field, GradientDescent, Hyper, HyperGradient, Key, Memory, Problem,
    Reverse, Set, Unrolled,
};

#[test]
fn every_field_and_schedule_full_and_mini_batch_fixed_and_learned_start() {
    for field in fields() {
        for batch in [8, 3] {
            for (start_from_x, coupling) in [(false, 0.0), (false, 0.05), (true, 0.05)] {
                let dynamics = GradientDescent {
                    step_size: Hyper::Fixed(0.4),
                    field: field.clone(),
                    ..GradientDescent::default()
                };
                let label = format!("{field:?}, batch {batch}, start {start_from_x}, {coupling}");
                assert_agreement(
                    &problem(batch, coupling, start_from_x),
                    &dynamics,
                    &x(),
                    &label,
                );
            }
        }
    }
}

/// The checks look at outer step 0, where a schedule over outer steps is like any other: the
/// same agreement at a later one.
#[test]
fn every_field_and_schedule_at_a_later_outer_step() {
    const LATER: usize = 6;
    let (x, key) = (x(), Key::from_seed(3));
    let direction: Vec<f64> = random_direction(key, X_LEN);
    for field in fields() {
        for batch in [8, 3] {
            let label = format!("{field:?}, batch {batch}");
            let problem = problem(batch, 0.05, true);
            let dynamics = GradientDescent {
                step_size: Hyper::Fixed(0.4),
                field: field.clone(),
                ..GradientDescent::default()
            };
            let gradient = |method: &Unrolled<f64>, outer_step| {
                let mut out = vec![0.0; X_LEN];
                method
                    .estimate(
                        &At::new(&problem, &x, key).outer_step(outer_step),
                        &mut Memory::default(),
                        &mut out,
                    )
                    .unwrap();
                out
            };
            let reverse = unrolled(&dynamics, Reverse);
            let later = gradient(&reverse, LATER);
            let (slope, size) = (dot(&later, &direction), norm(&later));

            let at = |distance: f64| {
                let mut moved = x.clone();
                axpy(distance, &direction, &mut moved);
                let report = reverse
                    .evaluate(
                        &At::new(&problem, &moved, key).outer_step(LATER),
                        &Memory::default(),
                    )
                    .unwrap();
                report.value
            };
            let h = 1e-3;
            let difference = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let error = (slope - difference).abs() / size;
            assert!(error < 1e-7, "{label}: differences {error}");

            let mut rollout = Rollout::new(
                &At::new(&problem, &x, key).outer_step(LATER),
                &dynamics,
                STEPS,
            )
            .unwrap();
            let (_, forward) = directional(&mut rollout, &direction).unwrap();
            let error = (slope - forward).abs() / size;
            assert!(error < 1e-12, "{label}: forward {error}");

            let checkpointed = unrolled(&dynamics, Checkpointed { slots: 4 });
            assert_eq!(later, gradient(&checkpointed, LATER), "{label}");

            let per_outer = format!("{field:?}").contains("PerOuter");
            let changes = later != gradient(&reverse, 0);
            assert_eq!(changes, per_outer || batch == 3, "{label}");
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
                set: Set::Box(narrow()),
            };
            let label = format!("{field:?}, {transform:?}");
            assert_agreement(&problem(3, 0.05, true), &dynamics, &x(), &label);
        }
    }
}

#[test]
fn the_box_is_active_in_that_test() {
    let problem = problem(3, 0.05, true);
    let dynamics = GradientDescent {
        set: Set::Box(narrow()),
        step_size: Hyper::FromX {
            index: 11,
            transform: Transform::Exp,
        },
        field: Field::Inner,
    };
    let run = |dynamics: &GradientDescent<f64>| {
        let method = unrolled(dynamics, Reverse);
        method
            .evaluate(
                &At::new(&problem, &x(), Key::from_seed(3)),
                &Memory::default(),
            )
            .unwrap()
            .y
    };
    let free = GradientDescent {
        set: Set::All,
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
    use bilevel::{Closures, FixedStart};
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
        !gradient_check(&method, &At::new(&problem, &x, key), 1, 1e-7)
            .unwrap()
            .passed()
    );
    assert!(
        !forward_check(&method, &At::new(&problem, &x, key), 1, 1e-9)
            .unwrap()
            .passed()
    );
    assert!(
        !adjoint_dot_test(&*method.dynamics, &At::new(&problem, &x, key), 1e-9)
            .unwrap()
            .passed()
    );
    assert!(
        !second_order_check(&wrong(), &x, &[0.4], key, 1e-6)
            .unwrap()
            .passed()
    );
}
