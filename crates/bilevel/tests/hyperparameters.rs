//! Learned inner hyperparameters in single precision, alone, and out of range.

use crate::common::waves::{problem, rules, x};
use bilevel::check::{forward_check, replay_check};
use bilevel::dynamics::Adam;
use bilevel::dynamics::Transform::{Identity, Sigmoid};
use bilevel::vector::relative_difference;
use bilevel::{
    Adjoint, At, Checkpointed, Closures, Dynamics, ElasticNet, Error, Field, FixedStart,
    GradientDescent, Hyper, HyperGradient, Key, Momentum, Problem, ProximalGradient, Reverse,
    ReverseTape, Scalar, Set, StartFromX, Unrolled,
};

fn with<T: Scalar>(
    dynamics: Box<dyn Dynamics<T>>,
    adjoint: impl Adjoint<T> + 'static,
) -> Unrolled<T> {
    let adjoint = Box::new(adjoint);
    Unrolled {
        dynamics,
        steps: 12,
        adjoint,
    }
}

#[test]
fn single_precision() {
    let (x, key) = (x::<f32>(), Key::from_seed(0));
    let double: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let start = || StartFromX::new(3..6);
    let (single_problem, double_problem) = (problem::<f32>(start(), 0), problem::<f64>(start(), 0));
    let gradient = |method: &Unrolled<f32>| method.gradient(&single_problem, &x, key).unwrap().0;
    let twins = rules::<f32>()
        .into_iter()
        .zip(rules::<f32>())
        .zip(rules::<f32>());
    for ((((name, first), (_, second)), (_, third)), (_, exact)) in twins.zip(rules::<f64>()) {
        let reverse = with(first, Reverse);
        let checkpointed = with(second, Checkpointed { slots: 3 });
        assert!(
            replay_check(&reverse, &checkpointed, &At::new(&single_problem, &x, key)).unwrap(),
            "{name}"
        );
        let found = gradient(&reverse);
        let taped = gradient(&with(third, ReverseTape::default()));
        let error = relative_difference(&taped, &found);
        assert!(error < 1e-5, "{name}: taped {error}");
        let check = forward_check(&reverse, &At::new(&single_problem, &x, key), 2, 1e-5).unwrap();
        assert!(check.passed(), "{name}: forward {check:?}");
        let (exact, _) = with(exact, Reverse)
            .gradient(&double_problem, &double, key)
            .unwrap();
        let found: Vec<f64> = found.iter().map(|&value| f64::from(value)).collect();
        let error = relative_difference(&found, &exact);
        assert!(error < 1e-5 && error > 0.0, "{name}: {error}");
    }
}

/// x enters by hyperparameters alone.
#[test]
fn hyperparameters_are_a_path_of_their_own() {
    let square = |target: f64| {
        Closures::<f64>::new(
            1,
            1,
            move |_, y, _| (y[0] - target).powi(2) / 2.0,
            move |_, y, _, out| out[0] += y[0] - target,
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += v[0],
            |_, _, _, _, dy, out| out[0] += dy[0],
        )
    };
    let problem = Problem::new(square(2.0), square(1.0), FixedStart(vec![0.3])).unwrap();
    let aggregate = |schedule: &str| Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 1.0,
    };
    let hyper = |learned: bool| {
        let transform = Sigmoid;
        if learned {
            Hyper::FromX {
                index: 0,
                transform,
            }
        } else {
            Hyper::Fixed(0.3)
        }
    };
    let all = |learned: bool| -> [Box<dyn Dynamics<f64>>; 9] {
        let h = hyper(learned);
        let schedule = if learned {
            "learned:0,1"
        } else {
            "constant:0.3"
        };
        let every = if learned {
            "every:2,learned:0,1"
        } else {
            "every:2,constant:0.3"
        };
        let (l1, l2) = (
            ElasticNet {
                l1: h,
                ..Default::default()
            },
            ElasticNet {
                l2: h,
                ..Default::default()
            },
        );
        [
            Box::new(GradientDescent {
                step_size: h,
                ..Default::default()
            }),
            Box::new(GradientDescent {
                field: aggregate(schedule),
                ..Default::default()
            }),
            Box::new(Momentum {
                field: aggregate(every),
                ..Default::default()
            }),
            Box::new(Momentum {
                momentum: h,
                ..Default::default()
            }),
            Box::new(Momentum {
                nesterov: true,
                momentum: h,
                ..Default::default()
            }),
            Box::new(Adam {
                beta1: h,
                ..Default::default()
            }),
            Box::new(Adam {
                beta2: h,
                ..Default::default()
            }),
            Box::new(ProximalGradient {
                penalty: l1,
                ..Default::default()
            }),
            Box::new(ProximalGradient {
                penalty: l2,
                ..Default::default()
            }),
        ]
    };
    for (index, (learned, fixed)) in all(true).into_iter().zip(all(false)).enumerate() {
        let (gradient, _) = with(learned, Reverse)
            .gradient(&problem, &[-0.4], Key::from_seed(0))
            .unwrap();
        assert!(gradient[0] != 0.0, "{index}");
        let error = with(fixed, Reverse).validate(&problem).unwrap_err();
        assert!(
            matches!(error, Error::StructurallyZero { .. }),
            "{index}: {error}"
        );
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let (fixed, learned) = (Hyper::Fixed, |index| Hyper::FromX {
        index,
        transform: Identity,
    });
    let simplex = Set::Simplex { total: 1.0 };
    let penalty = |l1, l2| ElasticNet { l1, l2 };
    let field = Field::Aggregate {
        schedule: "learned:6,3".parse().unwrap(),
        outer_scale: 1.0,
    };
    let refused: Vec<(Box<dyn Dynamics<f64>>, &str)> = vec![
        (
            Box::new(GradientDescent {
                field,
                ..Default::default()
            }),
            "inside x, found 3 from number 6 on where x has 8",
        ),
        (
            Box::new(GradientDescent {
                set: Set::Ball { radius: -1.0 },
                ..Default::default()
            }),
            "the radius of the ball must be a positive number, found -1",
        ),
        (
            Box::new(Momentum {
                momentum: fixed(1.0),
                ..Default::default()
            }),
            "momentum must be at least 0 and below 1, found 1",
        ),
        (
            Box::new(Momentum {
                momentum: learned(8),
                ..Default::default()
            }),
            "momentum must be an index inside x, found 8",
        ),
        (
            Box::new(Momentum {
                step_size: fixed(0.0),
                ..Default::default()
            }),
            "step_size must be a positive number, found 0",
        ),
        (
            Box::new(Adam {
                beta1: fixed(-0.1),
                ..Default::default()
            }),
            "beta1 must be at least 0 and below 1, found -0.1",
        ),
        (
            Box::new(Adam {
                beta2: fixed(f64::NAN),
                ..Default::default()
            }),
            "beta2 must be at least 0 and below 1, found NaN",
        ),
        (
            Box::new(Adam {
                epsilon: 0.0,
                ..Default::default()
            }),
            "epsilon must be a positive number, found 0",
        ),
        (
            Box::new(ProximalGradient {
                penalty: penalty(fixed(-1.0), fixed(0.0)),
                ..Default::default()
            }),
            "l1 of the elastic net must be at least 0, found -1",
        ),
        (
            Box::new(ProximalGradient {
                penalty: penalty(fixed(0.0), learned(9)),
                ..Default::default()
            }),
            "l2 of the elastic net must be an index inside x, found 9",
        ),
        (
            Box::new(ProximalGradient {
                set: simplex.clone(),
                ..Default::default()
            }),
            "l1 of the elastic net on the simplex must be 0, because ‖y‖₁ is constant there, found 0.1",
        ),
        (
            Box::new(ProximalGradient {
                set: simplex,
                penalty: penalty(learned(0), fixed(0.0)),
                ..Default::default()
            }),
            "found a number of x",
        ),
    ];
    let problem = problem::<f64>(StartFromX::new(3..6), 0);
    for (dynamics, message) in refused {
        let error = with(dynamics, Reverse)
            .validate(&problem)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with(message), "{error}\n{message}");
    }
}
