//! HOAG: decreasing tolerances, and the outer step that goes with them.

use crate::closed::{Quadratic, Ridge};
use bilevel::driver::{Driver, RunState, Why};
use bilevel::linear::ConjugateGradient;
use bilevel::optimizer::Projected;
use bilevel::vector::relative_difference;
use bilevel::{
    AdaptiveStep, At, Bounds, Error, Field, GradientDescent, Hoag, Hyper, HyperGradient, Implicit,
    Iterate, Key, Memory, Observer, Optimizer, Scalar, Sequence, Status,
};

/// Where the reference clips as well.
const LIMIT: f64 = 6.0;

fn hoag<T: Scalar>(tolerance: &str) -> Hoag<T> {
    Hoag {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(0.3),
            ..GradientDescent::default()
        }),
        tolerance: tolerance.parse().unwrap(),
        check_every: 1,
        ..Hoag::default()
    }
}

/// What a run cost.
#[derive(Default)]
struct Work {
    inner_steps: f64,
    products: f64,
    last_tolerance: f64,
    complaints: usize,
}

impl<T: Scalar> Observer<T> for Work {
    fn observe(&mut self, iterate: &Iterate<'_, T>) -> bilevel::Result<Option<Why>> {
        let figure = |name| iterate.report.figure(name);
        self.inner_steps += figure("inner steps").unwrap_or(0.0);
        self.products += figure("linear products").unwrap();
        self.last_tolerance = figure("tolerance").unwrap_or(0.0);
        self.complaints += usize::from(!iterate.report.status.is_good());
        Ok(None)
    }
}

fn run<T: Scalar>(
    method: &dyn HyperGradient<T>,
    ridge: &Ridge,
    optimizer: &dyn Optimizer<T>,
    outer_steps: usize,
) -> (Vec<f64>, Work) {
    let problem = ridge.problem();
    let mut state = RunState::new(vec![T::zero(); 3], optimizer);
    let mut work = Work::default();
    Driver::new(&problem, method, optimizer, Key::from_seed(0))
        .outer_steps(outer_steps)
        .observer(&mut work)
        .run(&mut state)
        .unwrap();
    (state.x.into_iter().map(Scalar::to_double).collect(), work)
}

fn adaptive<T: Scalar>() -> Projected<AdaptiveStep, T> {
    let limit = T::from_f64(LIMIT);
    Projected {
        optimizer: AdaptiveStep::default(),
        bounds: Bounds::uniform(-limit, limit).unwrap(),
    }
}

/// By the closed form of the gradient.
fn optimum(ridge: &Ridge) -> Vec<f64> {
    let mut x = vec![0.0; 3];
    for _ in 0..20_000 {
        let gradient = ridge.gradient(&x);
        for (x, g) in x.iter_mut().zip(gradient) {
            *x = (*x - 2.0 * g).clamp(-LIMIT, LIMIT);
        }
    }
    x
}

#[test]
fn decreasing_tolerances_reach_the_optimum_with_fewer_inner_steps_than_a_fixed_one() {
    let ridge = Ridge::new(12, 12);
    let best = ridge.value(&optimum(&ridge));
    let start = ridge.value(&[0.0; 3]);
    let outer_steps = 80;
    let mut steps = vec![];
    for tolerance in ["power:0.001,-2", "power:0.001,-3", "geometric:0.001,0.9"] {
        let (x, work) = run::<f64>(&hoag(tolerance), &ridge, &adaptive(), outer_steps);
        let left = (ridge.value(&x) - best) / (start - best);
        assert!(left.abs() < 1e-3, "{tolerance}: {left}");
        assert_eq!(work.complaints, 0);
        // The same outer steps at the last tolerance from the beginning.
        let fixed = format!("constant:{}", work.last_tolerance);
        let (x, at_once) = run::<f64>(&hoag(&fixed), &ridge, &adaptive(), outer_steps);
        let left = (ridge.value(&x) - best) / (start - best);
        assert!(left.abs() < 1e-3, "{fixed}: {left}");
        assert!(work.inner_steps < 0.85 * at_once.inner_steps);
        // The two do not end at the same bits, and three numbers need at most three products.
        assert!(work.products <= 1.05 * at_once.products);
        steps.push(work.inner_steps);
    }
    // A faster decrease costs more at the same number of outer steps.
    assert!(steps[0] < steps[1], "{steps:?}");
}

#[test]
fn single_precision_reaches_it_too() {
    let ridge = Ridge::new(12, 12);
    let best = ridge.value(&optimum(&ridge));
    let start = ridge.value(&[0.0; 3]);
    let (x, work) = run::<f32>(&hoag("power:0.001,-2"), &ridge, &adaptive(), 80);
    let left = (ridge.value(&x) - best) / (start - best);
    assert!(left.abs() < 2e-3, "{left}");
    assert_eq!(work.complaints, 0);
    // Not below what rounding allows.
    let least = f64::from(f32::EPSILON).powf(0.75);
    let (_, work) = run::<f32>(&hoag("power:0.001,-3"), &ridge, &adaptive(), 40);
    assert_eq!((work.last_tolerance, work.complaints), (least, 0));
}

/// The error of the gradient is of the size of the tolerance, and the warm start is used.
#[test]
fn the_gradient_is_as_exact_as_its_tolerance() {
    let ridge = Ridge::new(12, 12);
    let problem = ridge.problem::<f64>();
    let x = [-1.0, -0.5, 0.1];
    let expected = ridge.gradient(&x);
    let mut errors = vec![];
    for tolerance in [1e-2, 1e-5, 1e-9] {
        let method = Hoag {
            tolerance: Sequence::Constant { value: tolerance },
            ..hoag("constant:1")
        };
        let mut memory = Memory::default();
        let mut out = [0.0; 3];
        let mut estimate = |outer_step| {
            let before = memory.clone();
            let key = Key::from_seed(0);
            let report = method
                .estimate(
                    &At::new(&problem, &x, key).outer_step(outer_step),
                    &mut memory,
                    &mut out,
                )
                .unwrap();
            let value = method
                .evaluate(&At::new(&problem, &x, key).outer_step(outer_step), &before)
                .unwrap();
            assert_eq!((value.value, &value.y), (report.value, &report.y));
            report
        };
        let first = estimate(0);
        assert!(first.figure("inner steps").unwrap() > 0.0);
        let stationarity = first.figure("inner stationarity").unwrap();
        assert!(stationarity <= tolerance && stationarity > 0.1 * tolerance);
        let again = estimate(1);
        assert_eq!(again.figure("inner steps"), Some(0.0));
        // One for the residual of the guess.
        assert_eq!(again.figure("linear products"), Some(1.0));
        errors.push(relative_difference(&out, &expected));
        assert!(errors.last().unwrap() < &(30.0 * tolerance), "{errors:?}");
    }
    assert!(errors[0] > 1e3 * errors[2], "{errors:?}");
}

/// The tolerance is that of the residual itself, not relative to the right-hand side.
#[test]
fn a_large_right_hand_side_is_solved_to_the_same_tolerance() {
    let quadratic = Quadratic::definite(12);
    let x = [1000.0, -700.0];
    let (gradient, _) = hoag("constant:0.1")
        .gradient(&quadratic.problem::<f64>(), &x, Key::from_seed(0))
        .unwrap();
    for (found, exact) in gradient.iter().zip(quadratic.gradient(&x)) {
        assert!((found - exact).abs() < 0.3, "{found} {exact}");
    }
}

#[test]
fn too_few_steps_or_products_are_reported_and_what_does_not_apply_is_refused() {
    let quadratic = Quadratic::definite(6);
    let problem = quadratic.problem::<f64>();
    let (x, key) = ([0.5, 0.5], Key::from_seed(0));
    let short = Hoag {
        max_steps: 5,
        ..hoag("constant:0.000001")
    };
    let (_, report) = short.gradient(&problem, &x, key).unwrap();
    assert!(matches!(report.status, Status::InnerNotSolved { .. }));
    assert_eq!(report.figure("inner steps"), Some(5.0));
    let few = Hoag {
        max_products: 2,
        ..hoag("constant:0.000001")
    };
    let (_, report) = few.gradient(&problem, &x, key).unwrap();
    assert!(matches!(report.status, Status::LinearNotSolved { .. }));

    let indefinite = Quadratic::diagonal(&[-0.2, 1.0]).problem::<f64>();
    let error = short.gradient(&indefinite, &x, key).unwrap_err();
    assert!(matches!(error, Error::NotPositiveDefinite { .. }));

    let aggregate = Hoag {
        dynamics: Box::new(GradientDescent {
            field: Field::Aggregate {
                schedule: "constant:0.5".parse().unwrap(),
                outer_scale: 1.0,
            },
            ..GradientDescent::default()
        }),
        ..hoag("constant:1")
    };
    let error = aggregate.validate(&problem).unwrap_err();
    assert!(
        error.to_string().starts_with("hoag does not apply here"),
        "{error}"
    );
    for (method, field) in [
        (
            Hoag {
                max_steps: 0,
                ..hoag("constant:1")
            },
            "max_steps",
        ),
        (
            Hoag {
                check_every: 0,
                ..hoag("constant:1")
            },
            "check_every",
        ),
        (
            Hoag {
                max_products: 0,
                ..hoag("constant:1")
            },
            "max_products",
        ),
        (
            Hoag {
                damping: f64::NAN,
                ..hoag("constant:1")
            },
            "damping",
        ),
        (
            Hoag {
                tolerance: Sequence::Constant { value: 0.0 },
                ..hoag("constant:1")
            },
            "tolerance",
        ),
    ] {
        match method.validate(&problem).unwrap_err() {
            Error::Setting { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other}"),
        }
    }
}

/// A first step that is far too long is taken back, from inside the box too, and later
/// tolerances are halved.
#[test]
fn a_rejected_step_goes_back_and_halves_the_tolerances() {
    let ridge = Ridge::new(12, 12);
    let problem = ridge.problem::<f64>();
    let method = hoag("constant:0.001");
    let start = optimum(&ridge);
    // From next to the optimum to far beyond it.
    let optimizer = Projected {
        optimizer: AdaptiveStep {
            first_move: 5.0,
            allowed_rise: 0.01,
            ..AdaptiveStep::default()
        },
        bounds: Bounds::uniform(-LIMIT, LIMIT).unwrap(),
    };
    let mut state = RunState::new(start.clone(), &optimizer);
    let mut run = |outer_steps| {
        Driver::new(&problem, &method, &optimizer, Key::from_seed(0))
            .outer_steps(outer_steps)
            .run(&mut state)
            .unwrap();
        state.clone()
    };
    let away = run(1);
    assert!(ridge.value(&away.x) > 1.01 * ridge.value(&start));
    assert_eq!(away.memory.number("tolerance"), Some(1e-3));
    let back = run(2);
    assert_eq!(back.x, start);
    assert_eq!(run(3).memory.number("tolerance"), Some(5e-4));
}

/// HOAG against `Implicit` with the default optimizer: the same direction.
#[test]
fn it_is_implicit_differentiation() {
    let quadratic = Quadratic::definite(4);
    let problem = quadratic.problem::<f64>();
    let x = [0.3, -0.4];
    let key = Key::from_seed(0);
    let (exact, _) = hoag("constant:1e-12").gradient(&problem, &x, key).unwrap();
    let implicit = Implicit {
        steps: 500,
        solver: Box::new(ConjugateGradient {
            tolerance: 1e-12,
            ..ConjugateGradient::default()
        }),
        ..Implicit::default()
    };
    let (other, _) = implicit.gradient(&problem, &x, key).unwrap();
    assert!(relative_difference(&exact, &other) < 1e-10);
    let damped = |damping| {
        let method = Hoag {
            damping,
            ..hoag("constant:1e-12")
        };
        method.gradient(&problem, &x, key).unwrap().0
    };
    assert_eq!(exact, damped(0.0));
    assert!(relative_difference(&exact, &damped(0.5)) > 1e-2);
}
