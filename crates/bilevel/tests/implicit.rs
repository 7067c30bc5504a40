//! Implicit hypergradients against closed forms.

use crate::closed::{Quadratic, Ridge};
use crate::common::implicit::{cg, descent, implicit};
use crate::common::toys::assert_calls;
use bilevel::check::gradient_check;
use bilevel::driver::{Driver, RunState};
use bilevel::dynamics::Transform;
use bilevel::linear::{ConjugateGradient, FixedPoint, LinearSolver, Neumann};
use bilevel::vector::relative_difference;
use bilevel::{
    At, Closures, Draw, Dynamics, ElasticNet, FixedStart, Hyper, HyperGradient, Implicit,
    InnerAdam, Key, Memory, Momentum, Oracle, Problem, ProximalGradient, Report, Scalar, Sgd,
    Unrolled, WarmStart,
};

fn solvers<T: Scalar>(tolerance: f64) -> Vec<Box<dyn LinearSolver<T>>> {
    vec![
        Box::new(ConjugateGradient {
            tolerance,
            ..ConjugateGradient::default()
        }),
        Box::new(Neumann {
            step_size: 0.3,
            terms: 1000,
            tolerance: Some(tolerance),
        }),
        Box::new(FixedPoint {
            terms: 1000,
            tolerance: Some(tolerance),
        }),
    ]
}

fn agree<T: Scalar>(
    problem: &Problem<T>,
    x: &[f64],
    expected: &[f64],
    (tolerance, steps): (f64, usize),
    allowed: f64,
) {
    let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    let expected: Vec<T> = expected.iter().map(|&x| T::from_f64(x)).collect();
    let key = Key::from_seed(1);
    for solver in solvers(tolerance) {
        let name = solver.name();
        let method = Implicit {
            dynamics: Box::new(descent::<T>(0.3)),
            steps,
            solver,
            ..Implicit::default()
        };
        method.validate(problem).unwrap();
        let (gradient, report) = method.gradient(problem, &x, key).unwrap();
        let error = relative_difference(&gradient, &expected);
        assert!(error < allowed, "{name} in {}: {error}", T::NAME);
        assert!(report.status.is_good(), "{name}: {}", report.status);
        for figure in ["linear residual", "linear products", "inner stationarity"] {
            assert!(report.figure(figure).is_some(), "{name}: {figure}");
        }
    }
    let long = Unrolled {
        dynamics: Box::new(descent::<T>(0.3)),
        steps,
        ..Unrolled::default()
    };
    let (gradient, _) = long.gradient(problem, &x, key).unwrap();
    let error = relative_difference(&gradient, &expected);
    assert!(error < allowed, "unrolled in {}: {error}", T::NAME);
}

#[test]
fn every_solver_and_a_long_unroll_reach_the_closed_form() {
    let (quadratic, ridge) = (Quadratic::definite(6), Ridge::new(12, 12));
    for x in [[0.4, -0.9], [-2.0, 0.1]] {
        let expected = quadratic.gradient(&x);
        agree::<f64>(&quadratic.problem(), &x, &expected, (1e-11, 400), 1e-8);
        agree::<f32>(&quadratic.problem(), &x, &expected, (1e-6, 400), 2e-5);
    }
    for x in [[-2.0, -1.0, 0.0], [-0.3, 0.2, -1.5]] {
        let expected = ridge.gradient(&x);
        agree::<f64>(&ridge.problem(), &x, &expected, (1e-11, 600), 1e-8);
        agree::<f32>(&ridge.problem(), &x, &expected, (1e-6, 600), 2e-4);
    }
}

/// Where training has ended, central differences see the implicit gradient.
#[test]
fn central_differences_agree_where_training_has_ended() {
    let ridge = Ridge::new(12, 12);
    let method = implicit(0.3, 600, cg());
    let x = [-1.0, -0.5, 0.1];
    let check = gradient_check(
        &method,
        &At::new(&ridge.problem(), &x, Key::from_seed(0)),
        2,
        1e-7,
    )
    .unwrap();
    assert!(check.passed(), "{check:?}");
}

#[test]
fn conjugate_gradient_needs_as_many_products_as_there_are_distinct_eigenvalues() {
    let key = Key::from_seed(0);
    for (diagonal, expected) in [
        (vec![0.5; 5], 1.0),
        (vec![1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 2.0),
        (vec![0.4, 1.0, 2.0, 3.0], 4.0),
    ] {
        let problem = Quadratic::diagonal(&diagonal).problem();
        let method = implicit::<f64>(0.3, 300, cg());
        let (_, report) = method.gradient(&problem, &[0.3, 0.8], key).unwrap();
        assert_eq!(report.figure("linear products"), Some(expected));
        // One push each, and the one pull is the product with the mixed derivatives.
        assert_eq!(report.inner_calls[Oracle::Push], expected as u64);
        assert_eq!(report.inner_calls[Oracle::Pull], 1);
        assert_eq!(report.inner_calls[Oracle::GradY], 301);
    }
}

/// What is foreseen is what is made, where all products are made.
#[test]
fn the_cost_is_foreseen() {
    let problem = Ridge::new(12, 12).problem::<f64>();
    let x = [-1.0, -0.5, 0.1];
    let some: Vec<Box<dyn LinearSolver<f64>>> = vec![
        Box::new(ConjugateGradient {
            tolerance: 1e-15,
            max_products: 2,
        }),
        Box::new(Neumann {
            terms: 7,
            tolerance: None,
            ..Neumann::default()
        }),
        Box::new(FixedPoint {
            terms: 7,
            tolerance: None,
        }),
    ];
    for solver in some {
        let name = solver.name();
        let method = Implicit {
            steps: 5,
            solver,
            ..Implicit::default()
        };
        let mut memory = Memory::default();
        let mut out = [0.0; 3];
        // The second estimate has a product for the warm start.
        for outer_step in 0..2 {
            let key = Key::from_seed(0);
            let report = method
                .estimate(
                    &At::new(&problem, &x, key).outer_step(outer_step),
                    &mut memory,
                    &mut out,
                )
                .unwrap();
            if outer_step == 1 {
                assert_calls(name, &report, &method.cost(&problem));
            }
        }
    }
}

#[test]
fn warm_starts_save_products_and_come_closer() {
    let ridge = Ridge::new(12, 12);
    let problem = ridge.problem::<f64>();
    let second = |warm_start: WarmStart| -> (Report<f64>, f64) {
        let method = Implicit {
            warm_start,
            ..implicit(
                0.3,
                30,
                Neumann {
                    step_size: 0.3,
                    terms: 500,
                    tolerance: Some(1e-6),
                },
            )
        };
        let nothing = method.remembers() == bilevel::Remembers::Nothing;
        assert_eq!(nothing, warm_start == WarmStart::Cold);
        let mut memory = Memory::default();
        let mut out = [0.0; 3];
        let mut estimate = |x: &[f64], outer_step| {
            let key = Key::from_seed(0);
            let at = memory.clone();
            let report = method
                .estimate(
                    &At::new(&problem, x, key).outer_step(outer_step),
                    &mut memory,
                    &mut out,
                )
                .unwrap();
            // The value is that of the function that is differentiated, with the same memory.
            let value = method
                .evaluate(&At::new(&problem, x, key).outer_step(outer_step), &at)
                .unwrap();
            assert_eq!((value.value, &value.y), (report.value, &report.y));
            report
        };
        estimate(&[-1.0, -0.5, 0.1], 0);
        let near = [-0.99, -0.5, 0.1];
        let report = estimate(&near, 1);
        assert_eq!(memory.is_empty(), warm_start == WarmStart::Cold);
        let error = relative_difference(&out, &ridge.gradient(&near));
        (report, error)
    };
    let [cold, inner, both] =
        [WarmStart::Cold, WarmStart::Inner, WarmStart::InnerAndLinear].map(second);
    let figure = |of: &(Report<f64>, f64), name| of.0.figure(name).unwrap();
    let products = |of| figure(of, "linear products");
    assert!(
        products(&both) < 0.7 * products(&inner),
        "{} {}",
        products(&both),
        products(&inner)
    );
    let stationarity = |of| figure(of, "inner stationarity");
    assert!(stationarity(&inner) < 0.1 * stationarity(&cold));
    assert!(both.1 < 0.1 * cold.1, "{} {}", both.1, cold.1);
}

/// With the damping d the gradient is ∇_x f + Bᵀ (A + d I)⁻¹ ∇_y f.
#[test]
fn damping_is_added_to_the_inner_hessian() {
    let (plain, damped) = (
        Quadratic::diagonal(&[1.0, 2.0]),
        Quadratic::diagonal(&[1.5, 2.5]),
    );
    let key = Key::from_seed(0);
    let x = [0.5, -0.2];
    let y = plain.solution(&x);
    // The damped problem, with its start at the solution of the plain one and next to no steps.
    let there = Problem::new(damped.inner::<f64>(), damped.outer(), FixedStart(y)).unwrap();
    let expected = Implicit {
        stationarity: None,
        ..implicit(1e-300, 1, cg())
    };
    let (expected, _) = expected.gradient(&there, &x, key).unwrap();
    for solver in [
        Box::new(cg()) as Box<dyn LinearSolver<f64>>,
        Box::new(Neumann {
            step_size: 0.4,
            terms: 1000,
            tolerance: Some(1e-12),
        }),
    ] {
        let method = Implicit {
            damping: 0.5,
            solver,
            ..implicit(0.4, 300, cg())
        };
        let (gradient, _) = method.gradient(&plain.problem(), &x, key).unwrap();
        assert!(relative_difference(&gradient, &expected) < 1e-9);
    }
}

/// The last J terms of reverse mode at a fixed point are the first J of the series.
#[test]
fn a_short_series_is_truncated_reverse_mode_at_the_fixed_point() {
    let quadratic = Quadratic::definite(4);
    let (x, key, step_size) = ([0.4, -0.3], Key::from_seed(0), 0.2);
    let y = quadratic.solution(&x);
    let at_end = Problem::new(quadratic.inner::<f64>(), quadratic.outer(), FixedStart(y)).unwrap();
    for terms in [1, 2, 5] {
        let unrolled = Unrolled {
            dynamics: Box::new(descent(step_size)),
            steps: terms,
            ..Unrolled::default()
        };
        let (expected, _) = unrolled.gradient(&at_end, &x, key).unwrap();
        let both: [Box<dyn LinearSolver<f64>>; 2] = [
            Box::new(Neumann {
                step_size,
                terms,
                tolerance: None,
            }),
            Box::new(FixedPoint {
                terms,
                tolerance: None,
            }),
        ];
        for solver in both {
            let name = solver.name();
            let method = Implicit {
                solver,
                ..implicit(step_size, 1, cg())
            };
            let (gradient, report) = method.gradient(&at_end, &x, key).unwrap();
            let error = relative_difference(&gradient, &expected);
            assert!(error < 1e-12, "{name}, {terms} terms: {error}");
            assert!(report.status.is_good());
        }
    }
}

/// Conjugate gradient sees one mini-batch, the Neumann series a new one for each product, both
/// others than training; with `all_rows` there are none.
#[test]
fn the_products_see_the_draws_that_the_solver_can_use() {
    let ridge = Ridge::new(40, 5);
    let problem = ridge.problem::<f64>();
    let neumann = Neumann {
        terms: 4,
        tolerance: None,
        ..Neumann::default()
    };
    let draws = |method: Implicit<f64>| {
        let mut all = vec![];
        for outer_step in 0..2 {
            let mut memory = Memory::default();
            let (x, key) = ([0.0, 0.1, 0.2], Key::from_seed(3));
            method
                .estimate(
                    &At::new(&problem, &x, key).outer_step(outer_step),
                    &mut memory,
                    &mut [0.0; 3],
                )
                .unwrap();
            let mut seen = std::mem::take(&mut *ridge.products.lock().unwrap());
            assert!(seen.len() >= 4);
            let products = seen.len();
            seen.dedup();
            all.push((products, seen));
        }
        assert!(
            all[0].1 != all[1].1 || all[0].1 == [Draw::All],
            "outer steps draw anew"
        );
        all.remove(0)
    };
    let damped = |solver: Box<dyn LinearSolver<f64>>| Implicit {
        solver,
        ..implicit(0.1, 10, cg())
    };
    let (_, one) = draws(damped(Box::new(cg())));
    assert_eq!(one.len(), 1);
    let (products, each) = draws(damped(Box::new(neumann)));
    assert_eq!((products, each.len()), (5, 5));
    let mut batches: Vec<Vec<usize>> = each
        .iter()
        .map(|draw| draw.rows(40, 5).unwrap().collect())
        .collect();
    batches.sort();
    batches.dedup();
    assert_eq!(batches.len(), 5);
    for solver in [
        Box::new(cg()) as Box<dyn LinearSolver<f64>>,
        Box::new(neumann),
        Box::new(FixedPoint::default()),
    ] {
        let method = Implicit {
            all_rows: true,
            ..damped(solver)
        };
        assert_eq!(draws(method).1, [Draw::All]);
    }
}

/// With all rows in the solver, mini-batches in training leave the mean right: y is linear in
/// what is drawn only up to its noise, which a small step size and many steps keep small.
#[test]
fn a_run_with_mini_batches_goes_where_a_full_one_goes_and_continues_to_the_same_bits() {
    let (full, batched) = (Ridge::new(12, 12), Ridge::new(12, 4));
    let optimizer = Sgd::new(1.0);
    let run = |ridge: &Ridge, outer_steps: usize, state: &mut RunState<f64>| {
        let problem = ridge.problem();
        let method = Implicit {
            all_rows: true,
            ..implicit(0.05, 40, cg())
        };
        Driver::new(&problem, &method, &optimizer, Key::from_seed(5))
            .outer_steps(outer_steps)
            .run(state)
            .unwrap();
    };
    let start = || RunState::new(vec![-1.0; 3], &optimizer);
    let (mut exact, mut noisy) = (start(), start());
    run(&full, 60, &mut exact);
    run(&batched, 60, &mut noisy);
    let before = full.value(&[-1.0; 3]);
    let [exact_value, noisy_value] = [&exact, &noisy].map(|state| full.value(&state.x));
    let gain = before - exact_value;
    assert!(gain > 1e-3, "{gain}");
    assert!(
        (noisy_value - exact_value).abs() < 0.1 * gain,
        "{noisy_value} {exact_value} {gain}"
    );

    let mut cut = start();
    run(&batched, 25, &mut cut);
    run(&batched, 60, &mut cut);
    assert_eq!((&cut.x, &cut.memory), (&noisy.x, &noisy.memory));
}

/// To a solver with the inner Hessian it does not matter how y came there; the fixed-point solver
/// goes through the buffers of momentum.
#[test]
fn other_dynamics_lead_to_the_same_gradient() {
    let quadratic = Quadratic::definite(4);
    let (problem, x, key) = (quadratic.problem::<f64>(), [0.9, -0.7], Key::from_seed(0));
    let expected = quadratic.gradient(&x);
    let momentum = |nesterov| Momentum {
        step_size: Hyper::Fixed(0.2),
        momentum: Hyper::Fixed(0.6),
        nesterov,
        ..Momentum::default()
    };
    let adam = InnerAdam {
        step_size: Hyper::Fixed(0.01),
        ..InnerAdam::default()
    };
    let fixed_point = FixedPoint {
        terms: 1000,
        tolerance: Some(1e-12),
    };
    type Case<'a> = (
        &'a str,
        Box<dyn Dynamics<f64>>,
        Box<dyn LinearSolver<f64>>,
        f64,
    );
    let cases: [Case<'_>; 6] = [
        (
            "momentum, cg",
            Box::new(momentum(false)),
            Box::new(cg()),
            1e-10,
        ),
        (
            "momentum",
            Box::new(momentum(false)),
            Box::new(fixed_point),
            1e-10,
        ),
        (
            "nesterov",
            Box::new(momentum(true)),
            Box::new(fixed_point),
            1e-10,
        ),
        ("adam, cg", Box::new(adam.clone()), Box::new(cg()), 1e-3),
        (
            "adam",
            Box::new(adam),
            Box::new(FixedPoint {
                terms: 5000,
                tolerance: Some(1e-6),
            }),
            1e-3,
        ),
        (
            "proximal of no weight",
            Box::new(ProximalGradient {
                penalty: ElasticNet {
                    l1: Hyper::Fixed(1e-300),
                    l2: Hyper::Fixed(0.0),
                },
                ..ProximalGradient::default()
            }),
            Box::new(fixed_point),
            1e-10,
        ),
    ];
    for (name, dynamics, solver, allowed) in cases {
        let method = Implicit {
            dynamics,
            solver,
            ..implicit(0.1, 3000, cg())
        };
        method.validate(&problem).unwrap();
        let (gradient, report) = method.gradient(&problem, &x, key).unwrap();
        assert!(report.status.is_good(), "{name}: {}", report.status);
        let error = relative_difference(&gradient, &expected);
        assert!(error < allowed, "{name}: {error}");
    }
}

/// A learned penalty of a proximal step moves the end of training, though x is in no objective.
#[test]
fn a_learned_penalty_is_differentiated_by_the_fixed_point_solver() {
    let still = |target: f64| {
        Closures::<f64>::new(
            1,
            2,
            move |_, y, _| ((y[0] - target).powi(2) + (y[1] + 0.5).powi(2)) / 2.0,
            move |_, y, _, out| {
                out[0] += y[0] - target;
                out[1] += y[1] + 0.5;
            },
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| {
                y_bar[0] += v[0];
                y_bar[1] += v[1];
            },
            |_, _, _, _, dy, out| {
                out[0] += dy[0];
                out[1] += dy[1];
            },
        )
    };
    let problem = Problem::new(still(2.0), still(1.0), FixedStart(vec![0.0; 2])).unwrap();
    let method = Implicit {
        dynamics: Box::new(ProximalGradient {
            penalty: ElasticNet {
                l1: Hyper::FromX {
                    index: 0,
                    transform: Transform::Identity,
                },
                l2: Hyper::Fixed(0.0),
            },
            ..ProximalGradient::default()
        }),
        ..implicit(
            0.1,
            500,
            FixedPoint {
                terms: 1000,
                tolerance: Some(1e-12),
            },
        )
    };
    method.validate(&problem).unwrap();
    let (gradient, _) = method
        .gradient(&problem, &[0.7], Key::from_seed(0))
        .unwrap();
    // y* = (2 − 0.7, 0): a soft threshold; the gradient is −(y₀ − 1).
    assert!((gradient[0] + 0.3).abs() < 1e-9, "{gradient:?}");
}
