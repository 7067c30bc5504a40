//! Simple bilevel problems: ω minimised over the minimisers of φ, against closed forms.

use bilevel::adjoint::Rollout;
use bilevel::simple::{
    BigSam, FerrisMangasarian, Moduli, SimpleBilevel, SimpleSolver, Solodov, Solution,
    SolutionStatus, Tikhonov,
};
use bilevel::vector::norm;
use bilevel::{
    At, Bounds, Closures, Error, FixedStart, GradientDescent, Hyper, Key, Oracle, Problem, Scalar,
    Sequence, Set,
};

/// Σ w_j (y_j − c_j)²/2 + Σ l_j y_j.
fn quadratic<T: Scalar>(w: &[f64], c: &[f64], l: &[f64]) -> Closures<T> {
    let terms: Vec<[T; 3]> = (0..w.len())
        .map(|j| [w[j], c[j], l[j]].map(T::from_f64))
        .collect();
    let again = terms.clone();
    let half = T::from_f64(0.5);
    Closures::new(
        0,
        w.len(),
        move |_, y: &[T], _| {
            let each = y.iter().zip(&terms);
            each.map(|(&y, &[w, c, l])| half * w * (y - c) * (y - c) + l * y)
                .sum()
        },
        move |_, y, _, out| {
            for ((out, &y), &[w, c, l]) in out.iter_mut().zip(y).zip(&again) {
                *out += w * (y - c) + l;
            }
        },
    )
}

/// The toy: φ = (y₁ − 3)²/2, ω = (3 − y₂)²/2 + (y₁ − 1)²/2, solved by (3, 3).
fn toy<T: Scalar>() -> (Closures<T>, Closures<T>) {
    (
        quadratic(&[1.0, 0.0], &[3.0, 0.0], &[0.0, 0.0]),
        quadratic(&[1.0, 1.0], &[1.0, 3.0], &[0.0, 0.0]),
    )
}

const ONES: Moduli = Moduli {
    inner_smoothness: 1.0,
    outer_smoothness: 1.0,
    outer_convexity: 1.0,
};

fn halves(steps: usize) -> BigSam {
    BigSam {
        inner_step: 0.5,
        outer_step: 0.5,
        steps,
        ..BigSam::new(ONES)
    }
}

fn solve<T: Scalar>(
    solver: &dyn SimpleSolver<T>,
    (phi, omega): &(Closures<T>, Closures<T>),
    set: Set<T>,
    start: &[f64],
) -> Solution<T> {
    let start: Vec<T> = start.iter().map(|&y| T::from_f64(y)).collect();
    let problem = SimpleBilevel::new(phi, omega, &[], set).unwrap();
    let solution = solver.solve(&problem, &start).unwrap();
    assert_eq!(solution.y.len(), problem.y_len());
    solution
}

#[test]
fn big_sam_errs_by_one_over_k() {
    for (steps, expected) in [(100, 1.4e-1), (1000, 1.4e-2), (10_000, 1.4e-3)] {
        let solution = solve(&halves(steps), &toy::<f64>(), Set::All, &[0.0, 0.0]);
        let error = (solution.y[0] - 3.0).abs();
        assert!((error / expected - 1.0).abs() < 0.05, "{steps}: {error}");
        assert!((solution.y[1] - 3.0).abs() < 0.1 * error);
        assert_eq!(solution.steps, steps);
        assert_eq!(solution.outer_calls[Oracle::GradY], steps as u64);
        assert_eq!(solution.status, SolutionStatus::Good);
    }
}

/// Gradient descent along the aggregate field makes the same steps, so that both papers'
/// inner loops are this solver.
#[test]
fn the_aggregate_field_makes_the_same_steps() {
    let moduli = Moduli {
        inner_smoothness: 1.3,
        outer_smoothness: 2.0,
        outer_convexity: 0.7,
    };
    let solver = BigSam {
        inner_step: 0.6,
        outer_step: 0.3,
        gamma: 0.8,
        ..BigSam::new(moduli)
    };
    let pair = || {
        (
            quadratic::<f64>(&[1.3, 0.0, 0.4], &[1.0, 0.0, -2.0], &[0.0; 3]),
            quadratic::<f64>(&[2.0, 0.7, 1.1], &[0.5, 1.5, 3.0], &[0.1; 3]),
        )
    };
    let start = vec![3.0, -1.0, 0.2];
    let dynamics = GradientDescent {
        step_size: Hyper::Fixed(solver.inner_step),
        field: solver.field(),
        ..GradientDescent::default()
    };
    let (phi, omega) = pair();
    let problem = Problem::new(phi, omega, FixedStart(start.clone())).unwrap();
    let mut rollout =
        Rollout::new(&At::new(&problem, &[], Key::from_seed(0)), &dynamics, 300).unwrap();
    let mut state = rollout.start().unwrap();
    for step in 0..300 {
        rollout.advance(step, &mut state).unwrap();
        let steps = step + 1;
        let found = solve(&BigSam { steps, ..solver }, &pair(), Set::All, &start).y;
        for (found, state) in found.iter().zip(&state) {
            assert!(
                (found - state).abs() < 1e-14,
                "step {steps}: {found} is not {state}"
            );
        }
    }
}

#[test]
fn every_solver_comes_to_the_solution_of_the_toy() {
    let near = |solver: &dyn SimpleSolver<f64>, tolerance: f64| {
        for start in [[0.0, 0.0], [-4.0, 7.0]] {
            let solution = solve(solver, &toy(), Set::All, &start);
            assert_eq!(solution.status, SolutionStatus::Good);
            for y in &solution.y {
                assert!((y - 3.0).abs() < tolerance, "{:?}", solution.y);
            }
            assert!((solution.outer_value - 2.0).abs() < 3.0 * tolerance);
            assert!(solution.inner_value.abs() < tolerance);
            assert!(solution.inner_residual < tolerance);
        }
    };
    near(&halves(10_000), 2e-3);
    near(&BigSam::new(ONES), 1e-3);
    near(&Solodov::default(), 1e-2);
    near(&Tikhonov::default(), 3e-5);
}

/// The minimiser of φ + σ ω is y₁ = (3 + σ)/(1 + σ), y₂ = 3: wrong by 2σ for every σ.
#[test]
fn tikhonov_errs_by_its_last_weight_and_no_perturbation_is_exact() {
    for stages in [1, 3, 5] {
        let solver = Tikhonov {
            stages,
            tolerance: 1e-8,
            ..Tikhonov::default()
        };
        let solution = solve(&solver, &toy::<f64>(), Set::All, &[0.0, 9.0]);
        let sigma = 0.1_f64.powi(stages as i32 - 1);
        assert!((solution.weight / sigma - 1.0).abs() < 1e-12);
        let expected = (3.0 + sigma) / (1.0 + sigma);
        assert!((solution.y[0] - expected).abs() < 1e-8 * sigma.max(1e-2));
        assert!((solution.y[1] - 3.0).abs() < 1e-7);
    }
    // The last weight of the second is so small that its error is within its tolerance.
    for tolerance in [1e-6, 1e-4] {
        let solver = FerrisMangasarian {
            tolerance,
            ..FerrisMangasarian::default()
        };
        let solution = solve(&solver, &toy::<f64>(), Set::All, &[0.0, 0.0]);
        let SolutionStatus::NotExact { weight, residual } = solution.status else {
            panic!("{:?}", solution.status);
        };
        assert!((residual / weight - 2.0).abs() < 1e-3);
        let said = solution.status.to_string();
        assert!(said.contains("use big-sam, solodov or tikhonov"));
    }
}

/// ω agrees with φ on y₁, so that its minimiser solves for every weight.
#[test]
fn a_perturbation_that_agrees_is_exact_at_once() {
    let pair = (
        quadratic::<f64>(&[1.0, 0.0], &[3.0, 0.0], &[0.0; 2]),
        quadratic::<f64>(&[1.0, 1.0], &[3.0, -2.0], &[0.0; 2]),
    );
    let solution = solve(&FerrisMangasarian::default(), &pair, Set::All, &[0.0, 0.0]);
    assert_eq!(solution.status, SolutionStatus::Good);
    assert_eq!(solution.weight, 1.0);
    assert!((solution.y[0] - 3.0).abs() < 1e-6 && (solution.y[1] + 2.0).abs() < 1e-6);
}

/// φ = ⟨l, y⟩ on a box: where l_j is not zero y_j is at an end, elsewhere as ω wants it. The
/// largest exact weight is 0.1: l_1 / (a_1 − lower).
#[test]
fn linear_programs_have_an_exact_perturbation() {
    let pair = || {
        (
            quadratic::<f64>(&[0.0; 4], &[0.0; 4], &[0.1, -0.4, 0.0, 0.0]),
            quadratic::<f64>(&[1.0; 4], &[1.0, 0.5, 0.3, -7.0], &[0.0; 4]),
        )
    };
    let set = || Set::Box(Bounds::uniform(0.0, 1.0).unwrap());
    let expected = [0.0, 1.0, 0.3, 0.0];
    let solution = solve(&FerrisMangasarian::default(), &pair(), set(), &[0.5; 4]);
    assert_eq!(solution.status, SolutionStatus::Good);
    // The first of the halves that is at most 0.1.
    assert_eq!(solution.weight, 1.0 / 16.0);
    assert_eq!(solution.inner_residual, 0.0);
    let moduli = Moduli {
        inner_smoothness: 0.5,
        ..ONES
    };
    let big_sam = BigSam {
        steps: 20_000,
        ..BigSam::new(moduli)
    };
    let solvers: [(&dyn SimpleSolver<f64>, f64); 4] = [
        (&FerrisMangasarian::default(), 1e-6),
        (&Tikhonov::default(), 1e-4),
        (&Solodov::default(), 1e-3),
        (&big_sam, 1e-3),
    ];
    for (i, (solver, tolerance)) in solvers.into_iter().enumerate() {
        let y = solve(solver, &pair(), set(), &[0.5; 4]).y;
        for (y, expected) in y.iter().zip(expected) {
            assert!(
                (y - expected).abs() < tolerance,
                "solver {i}: {y} is not {expected}"
            );
        }
    }
}

/// φ = (⟨a, y⟩ − b)²/2 with one row: the projection of c onto a line, c + a (b − ⟨a, c⟩)/‖a‖².
#[test]
fn the_nearest_point_of_a_plane() {
    let a = [1.0, -2.0, 0.5];
    let (b, c) = (4.0, [0.3, 0.9, -1.0]);
    let dot = move |y: &[f64]| -> f64 { a.iter().zip(y).map(|(a, y)| a * y).sum() };
    let phi = Closures::<f64>::new(
        0,
        3,
        move |_, y, _| (dot(y) - b).powi(2) / 2.0,
        move |_, y, _, out| {
            for (out, a) in out.iter_mut().zip(a) {
                *out += a * (dot(y) - b);
            }
        },
    );
    let pair = (phi, quadratic::<f64>(&[1.0; 3], &c, &[0.0; 3]));
    let moduli = Moduli {
        inner_smoothness: 5.25,
        ..ONES
    };
    let solvers: [(&dyn SimpleSolver<f64>, f64); 3] = [
        (&Tikhonov::default(), 3e-5),
        (&Solodov::default(), 1e-2),
        (&BigSam::new(moduli), 1e-3),
    ];
    for (i, (solver, tolerance)) in solvers.into_iter().enumerate() {
        let solution = solve(solver, &pair, Set::All, &[5.0, 5.0, 5.0]);
        let error: Vec<f64> = (0..3)
            .map(|j| solution.y[j] - c[j] - a[j] * (b - dot(&c)) / 5.25)
            .collect();
        assert!(norm(&error) < tolerance, "solver {i}: {error:?}");
    }
}

#[test]
fn the_inner_model_of_a_bilevel_problem_at_fixed_x() {
    let phi = Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, _| {});
    let omega = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] - x[0]).powi(2) / 2.0,
        |x, y, _, out| out[0] += y[0] - x[0],
    )
    .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0]);
    let problem = Problem::new(phi, omega, FixedStart(vec![0.0])).unwrap();
    let x = [7.0];
    let simple = SimpleBilevel::of(&problem, &x, Set::All).unwrap();
    let solution = Tikhonov::default().solve(&simple, &[0.0]).unwrap();
    assert!((solution.y[0] - 7.0).abs() < 1e-3);
    assert!(SimpleBilevel::of(&problem, &[], Set::All).is_err());
}

#[test]
fn single_precision() {
    let solvers: [&dyn SimpleSolver<f32>; 3] = [
        &BigSam::new(ONES),
        &Solodov::default(),
        &Tikhonov {
            stages: 3,
            tolerance: 1e-3,
            ..Tikhonov::default()
        },
    ];
    for solver in solvers {
        let solution = solve(solver, &toy::<f32>(), Set::All, &[0.0, 0.0]);
        assert_eq!(solution.status, SolutionStatus::Good);
        assert!(
            solution.y.iter().all(|y| (y - 3.0).abs() < 0.03),
            "{:?}",
            solution.y
        );
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let few = Tikhonov {
        steps: 1,
        ..Tikhonov::default()
    };
    let solution = solve(&few, &toy::<f64>(), Set::All, &[0.0, 0.0]);
    assert!(matches!(solution.status, SolutionStatus::NotSolved { .. }));
    assert!(solution.status.to_string().contains("allow more steps"));

    // A gradient of the wrong sign.
    let wrong = Closures::<f64>::new(
        0,
        1,
        |_, y, _| y[0] * y[0],
        |_, y, _, out| out[0] -= 2.0 * y[0],
    );
    let nothing = || quadratic::<f64>(&[0.0], &[0.0], &[0.0]);
    let solution = solve(&Solodov::default(), &(wrong, nothing()), Set::All, &[1.0]);
    assert_eq!(solution.status, SolutionStatus::NoDescent { step: 1 });
    assert_eq!(solution.y, [1.0]);

    let nan = || Closures::<f64>::new(0, 1, |_, _, _| f64::NAN, |_, _, _, out| out[0] = f64::NAN);
    let solvers: [&dyn SimpleSolver<f64>; 4] = [
        &BigSam::new(ONES),
        &Solodov::default(),
        &Tikhonov::default(),
        &FerrisMangasarian::default(),
    ];
    for solver in solvers {
        let (phi, omega) = (nan(), nothing());
        let problem = SimpleBilevel::new(&phi, &omega, &[], Set::All).unwrap();
        let error = solver.solve(&problem, &[1.0]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { .. }), "{error}");
        assert!(matches!(
            solver.solve(&problem, &[1.0; 2]),
            Err(Error::Length { .. })
        ));
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |solver: &dyn SimpleSolver<f64>, field: &str| {
        let message = solver.validate().unwrap_err().to_string();
        assert!(message.starts_with(field), "{message}");
    };
    refused(
        &BigSam {
            inner_step: 1.01,
            ..halves(1)
        },
        "inner_step of big-sam",
    );
    refused(
        &BigSam {
            outer_step: 1.01,
            ..halves(1)
        },
        "outer_step of big-sam",
    );
    refused(
        &BigSam {
            gamma: 1.1,
            ..halves(1)
        },
        "gamma",
    );
    refused(
        &BigSam::new(Moduli {
            outer_convexity: 1.5,
            ..ONES
        }),
        "outer_convexity",
    );
    refused(
        &BigSam::new(Moduli {
            inner_smoothness: 0.0,
            ..ONES
        }),
        "inner_smoothness",
    );
    for weights in [
        Sequence::Constant { value: 1.0 },
        Sequence::Power {
            start: 1.0,
            power: -1.5,
        },
    ] {
        refused(
            &Solodov {
                weights,
                ..Solodov::default()
            },
            "weights of solodov",
        );
    }
    refused(
        &Solodov {
            decrease: 1.0,
            ..Solodov::default()
        },
        "decrease of solodov",
    );
    refused(
        &Solodov {
            step_size: 0.0,
            ..Solodov::default()
        },
        "step_size of solodov",
    );
    refused(
        &Tikhonov {
            ratio: 1.0,
            ..Tikhonov::default()
        },
        "ratio of tikhonov",
    );
    refused(
        &Tikhonov {
            stages: 0,
            ..Tikhonov::default()
        },
        "stages of tikhonov",
    );
    refused(
        &Tikhonov {
            weight: f64::NAN,
            ..Tikhonov::default()
        },
        "weight of tikhonov",
    );
    refused(
        &FerrisMangasarian {
            tolerance: 0.0,
            ..FerrisMangasarian::default()
        },
        "tolerance of ferris",
    );
    refused(
        &FerrisMangasarian {
            steps: 0,
            ..FerrisMangasarian::default()
        },
        "steps of ferris",
    );
}
