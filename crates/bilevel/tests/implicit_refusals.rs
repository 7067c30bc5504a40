//! What implicit hypergradients refuse before a run, and what they say where they cannot be right.

use crate::closed::Quadratic;
use crate::common::implicit::{cg, descent, implicit};
use bilevel::dynamics::Transform;
use bilevel::linear::{ConjugateGradient, FixedPoint, LinearSolver, Neumann};
use bilevel::vector::relative_difference;
use bilevel::{
    At, Bounds, Closures, Error, Field, FixedStart, GradientDescent, Hint, Hyper, HyperGradient,
    Implicit, Key, Memory, Problem, Role, Set, StartFromX, Status, Unrolled,
};

fn message(error: &Error) -> String {
    error.to_string()
}

#[test]
fn an_indefinite_or_singular_system_is_an_error_that_advises_damping() {
    let key = Key::from_seed(0);
    for lowest in [-0.25, 0.0] {
        let problem = Quadratic::diagonal(&[lowest, 1.0, 2.0]).problem::<f64>();
        let method = |damping| Implicit {
            damping,
            stationarity: None,
            ..implicit(0.1, 5, cg())
        };
        let error = method(0.0)
            .gradient(&problem, &[0.5, 0.5], key)
            .unwrap_err();
        let Error::NotPositiveDefinite { curvature, .. } = error else {
            panic!("{error}");
        };
        assert!(curvature <= 1e-12, "{curvature}");
        let text = message(&error);
        assert!(
            text.contains("conjugate gradient is not positive definite"),
            "{text}"
        );
        assert_eq!(error.hint(), Some(Hint::Damp));
        // With damping the system is that of A + damping · I.
        let (_, report) = method(0.5).gradient(&problem, &[0.5, 0.5], key).unwrap();
        assert!(report.status.is_good());
        assert_eq!(report.figure("damping"), Some(0.5));
    }
}

#[test]
fn a_map_that_does_not_contract_is_reported_with_its_ratio() {
    let key = Key::from_seed(0);
    // Step size 1.5 on the eigenvalue 2: the factor is −2.
    let problem = Quadratic::diagonal(&[1.0, 2.0]).problem::<f64>();
    let both: [Box<dyn LinearSolver<f64>>; 2] = [
        Box::new(Neumann {
            step_size: 1.5,
            ..Neumann::default()
        }),
        Box::new(FixedPoint::default()),
    ];
    for (solver, step_size) in both.into_iter().zip([0.3, 1.5]) {
        let name = solver.name();
        let method = Implicit {
            dynamics: Box::new(descent(step_size)),
            steps: 6,
            solver,
            ..Implicit::default()
        };
        let mut memory = Memory::default();
        let report = method
            .estimate(
                &At::new(&problem, &[0.5, 0.5], key),
                &mut memory,
                &mut [0.0; 2],
            )
            .unwrap();
        let Status::NotContraction { ratio } = report.status else {
            panic!("{name}: {}", report.status);
        };
        assert!((1.7..=2.0 + 1e-9).contains(&ratio), "{name}: {ratio}");
        assert!(report.status.to_string().contains("does not contract"));
        // Ten doublings are enough to see it.
        let products = report.figure("linear products").unwrap();
        assert!(products <= 20.0, "{name}: {products}");
        // Nothing to begin with the next time.
        assert_eq!(memory.vector("q"), None);
        assert!(memory.vector("y").is_some());
    }
    // Slow growth shows in the last residuals, though all together are smaller than the first.
    let problem = Quadratic::diagonal(&[1.0, 1.0, 1.0, 1.0, 1.0, 2.05]).problem::<f64>();
    let neumann = Neumann {
        step_size: 1.0,
        terms: 8,
        ..Neumann::default()
    };
    let (_, report) = implicit(0.3, 100, neumann)
        .gradient(&problem, &[3.0, 0.5], key)
        .unwrap();
    assert!(report.figure("linear residual").unwrap() < 1.0);
    let Status::NotContraction { ratio } = report.status else {
        panic!("{}", report.status);
    };
    assert!((ratio - 1.05).abs() < 1e-9, "{ratio}");
    // A direction of negative curvature grows too, however small the step.
    let problem = Quadratic::diagonal(&[-0.5, 2.0]).problem::<f64>();
    let method = implicit(0.1, 5, Neumann::default());
    let (_, report) = method.gradient(&problem, &[0.5, 0.5], key).unwrap();
    assert!(matches!(report.status, Status::NotContraction { .. }));
}

#[test]
fn an_unsolved_system_or_inner_problem_is_reported() {
    let key = Key::from_seed(0);
    let problem = Quadratic::definite(6).problem::<f64>();
    let x = [0.5, 0.5];
    let few: [Box<dyn LinearSolver<f64>>; 3] = [
        Box::new(ConjugateGradient {
            max_products: 2,
            ..ConjugateGradient::default()
        }),
        Box::new(Neumann {
            terms: 2,
            ..Neumann::default()
        }),
        Box::new(FixedPoint {
            terms: 2,
            ..FixedPoint::default()
        }),
    ];
    for solver in few {
        let name = solver.name();
        let method = Implicit {
            solver,
            ..implicit(0.3, 300, cg())
        };
        let (_, report) = method.gradient(&problem, &x, key).unwrap();
        let Status::LinearNotSolved { residual, .. } = report.status else {
            panic!("{name}: {}", report.status);
        };
        assert_eq!(report.figure("linear residual"), Some(residual));
        let text = report.status.to_string();
        assert!(text.contains("in 2 products, not to 1.0e-6"), "{text}");
    }
    let (_, report) = implicit(0.3, 2, cg()).gradient(&problem, &x, key).unwrap();
    let Status::InnerNotSolved { gradient_norm, .. } = report.status else {
        panic!("{}", report.status);
    };
    assert_eq!(report.figure("inner stationarity"), Some(gradient_norm));
    assert!(gradient_norm > 1e-3);
    let text = report.status.to_string();
    assert!(text.contains("use more inner steps"), "{text}");
    let method = implicit(0.3, 2, FixedPoint::default());
    let (_, report) = method.gradient(&problem, &x, key).unwrap();
    assert!(matches!(report.status, Status::StepNotFixed { .. }));
    let text = report.status.to_string();
    assert!(text.contains("one more inner step moves"), "{text}");
}

/// The fixed-point solver follows a projection and an aggregate field; the others are refused.
#[test]
fn sets_and_aggregate_fields_need_the_fixed_point_solver() {
    let quadratic = Quadratic::definite(4);
    let (problem, x, key) = (quadratic.problem::<f64>(), [0.9, -0.7], Key::from_seed(0));
    let mut all = vec![GradientDescent {
        field: Field::Aggregate {
            schedule: "constant:0.3".parse().unwrap(),
            outer_scale: 1.0,
        },
        ..descent(0.2)
    }];
    all.extend(
        [
            Set::Box(Bounds::uniform(-0.1, 0.5).unwrap()),
            Set::Ball { radius: 0.6 },
            Set::Simplex { total: 0.8 },
        ]
        .map(|set| GradientDescent {
            set,
            ..descent(0.2)
        }),
    );
    for dynamics in all {
        let unrolled = Unrolled {
            dynamics: Box::new(dynamics.clone()),
            steps: 800,
            ..Unrolled::default()
        };
        let (expected, _) = unrolled.gradient(&problem, &x, key).unwrap();
        let method = Implicit {
            dynamics: Box::new(dynamics.clone()),
            ..implicit(
                0.2,
                800,
                FixedPoint {
                    terms: 1000,
                    tolerance: Some(1e-12),
                },
            )
        };
        method.validate(&problem).unwrap();
        let (gradient, report) = method.gradient(&problem, &x, key).unwrap();
        assert!(report.status.is_good(), "{}", report.status);
        let error = relative_difference(&gradient, &expected);
        assert!(error < 1e-9, "{dynamics:?}: {error}");
        let plain = quadratic.gradient(&x);
        assert!(relative_difference(&gradient, &plain) > 1e-3);

        let refused = Implicit {
            dynamics: Box::new(dynamics),
            ..implicit(0.2, 800, cg())
        };
        let text = message(&refused.validate(&problem).unwrap_err());
        assert!(
            text.starts_with("conjugate gradient does not apply here"),
            "{text}"
        );
        assert!(
            text.contains("an aggregate field, a set or a proximal step"),
            "{text}"
        );
    }
}

#[test]
fn hypergradients_that_are_zero_and_settings_out_of_range_are_refused() {
    let quadratic = Quadratic::definite(2);
    // x enters through the start alone.
    let still = |second_order: bool| {
        let objective = Closures::<f64>::new(
            2,
            2,
            |_, y, _| (y[0] * y[0] + y[1] * y[1]) / 2.0,
            |_, y, _, out| {
                out[0] += y[0];
                out[1] += y[1];
            },
        );
        if second_order {
            objective.with_second_order(
                |_, _, _, v, y_bar, _| {
                    y_bar[0] += v[0];
                    y_bar[1] += v[1];
                },
                |_, _, _, _, dy, out| {
                    out[0] += dy[0];
                    out[1] += dy[1];
                },
            )
        } else {
            objective
        }
    };
    let from_start = Problem::new(still(true), still(true), StartFromX::new(0..2)).unwrap();
    let method = implicit(0.3, 5, cg());
    let text = message(&method.validate(&from_start).unwrap_err());
    assert!(
        text.contains("sees x only through the inner steps and the outer objective"),
        "{text}"
    );
    assert!(
        text.ends_with("enters only through the start of training"),
        "{text}"
    );

    // Or through the step size alone.
    let fixed = Problem::new(still(true), still(true), FixedStart(vec![1.0, 1.0])).unwrap();
    let learned = Implicit {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::FromX {
                index: 0,
                transform: Transform::Exp,
            },
            ..GradientDescent::default()
        }),
        ..implicit(0.3, 5, cg())
    };
    let text = message(&learned.validate(&fixed).unwrap_err());
    assert!(text.contains("do not move that point"), "{text}");

    let bare = Problem::new(still(false), quadratic.outer(), FixedStart(vec![0.0; 2])).unwrap();
    assert!(matches!(
        method.validate(&bare).unwrap_err(),
        Error::NoSecondOrder {
            role: Role::Inner,
            needed_by: "implicit"
        }
    ));

    let problem = quadratic.problem::<f64>();
    let fixed_point = implicit(0.3, 5, FixedPoint::default());
    for (method, field) in [
        (implicit(0.3, 0, cg()), "steps"),
        (implicit(-0.3, 5, cg()), "step_size"),
        (
            Implicit {
                damping: -1.0,
                ..implicit(0.3, 5, cg())
            },
            "damping",
        ),
        (
            Implicit {
                damping: 0.1,
                ..fixed_point
            },
            "damping",
        ),
        (
            Implicit {
                stationarity: Some(f64::NAN),
                ..implicit(0.3, 5, cg())
            },
            "stationarity",
        ),
        (
            implicit(
                0.3,
                5,
                ConjugateGradient {
                    tolerance: 0.0,
                    ..cg()
                },
            ),
            "the tolerance of the linear solver",
        ),
        (
            implicit(
                0.3,
                5,
                ConjugateGradient {
                    max_products: 0,
                    ..cg()
                },
            ),
            "max_products of the linear solver",
        ),
        (
            implicit(
                0.3,
                5,
                Neumann {
                    terms: 0,
                    ..Neumann::default()
                },
            ),
            "the terms of the linear solver",
        ),
        (
            implicit(
                0.3,
                5,
                Neumann {
                    step_size: 0.0,
                    ..Neumann::default()
                },
            ),
            "the step size of the linear solver",
        ),
    ] {
        match method.validate(&problem).unwrap_err() {
            Error::Setting { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other}"),
        }
    }
}
