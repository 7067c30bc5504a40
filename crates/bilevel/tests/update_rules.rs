//! The numbers of each update rule, and where it could divide by zero.

use crate::common::waves::{problem, x};
use bilevel::adjoint::{Rollout, directional};
use bilevel::check::{adjoint_dot_test, gradient_check};
use bilevel::dynamics::Adam;
use bilevel::dynamics::Transform::{Exp, Sigmoid};
use bilevel::vector::relative_difference;
use bilevel::{
    At, Closures, Draw, Dynamics, ElasticNet, FixedStart, GradientDescent, Hyper, HyperGradient,
    Key, Momentum, Problem, ProximalGradient, ReverseTape, Scalar, StartFromX, Unrolled,
};

fn method<T: Scalar>(dynamics: impl Dynamics<T> + 'static, steps: usize) -> Unrolled<T> {
    let dynamics = Box::new(dynamics);
    Unrolled {
        dynamics,
        steps,
        ..Unrolled::default()
    }
}

/// y_1, y_3 and y_20 on g = Σ c_i cosh(y_i − a_i); the third gradient is always zero.
fn trajectory<T: Scalar>(dynamics: &impl Dynamics<T>) -> Vec<Vec<f64>> {
    let slope = |y: &[T], i: usize| {
        let (a, c) = ([0.3, -1.2, 2.0], [1.0, 0.5, 3.0]);
        T::from_f64(c[i]) * (y[i] - T::from_f64(a[i])).sinh()
    };
    let gradient = move |_: &[T], y: &[T], _: Draw, out: &mut [T]| {
        (0..3).for_each(|i| out[i] += slope(y, i));
    };
    let g = Closures::<T>::new(1, 3, |_, _, _| T::zero(), gradient);
    let f = Closures::<T>::new(1, 3, |_, _, _| T::zero(), |_, _, _, _| ());
    let start = FixedStart([1.0, 0.5, 2.0].map(T::from_f64).to_vec());
    let problem = Problem::new(g, f, start).unwrap();
    let x = [T::zero()];
    let mut rollout =
        Rollout::new(&At::new(&problem, &x, Key::from_seed(0)), dynamics, 20).unwrap();
    let mut state = rollout.start().unwrap();
    let mut all = Vec::new();
    for t in 0..20 {
        rollout.advance(t, &mut state).unwrap();
        if [0, 2, 19].contains(&t) {
            all.push(state[..3].iter().map(|y| y.to_double()).collect());
        }
    }
    all
}

/// Of PyTorch 2.15, in f64: y = (1, 0.5, 2) after 1, 3 and 20 steps of `opt.step()` on
/// `(c * torch.cosh(y - a)).sum()`, a = (0.3, −1.2, 2), c = (1, 0.5, 3).
#[rustfmt::skip]
const PYTORCH: [(&str, [[f64; 3]; 3]); 4] = [
    ("Adam(lr=0.1, betas=(0.8, 0.95), eps=1e-3)", [
        [0.900_131_651_060_650_5, 0.400_075_539_200_688_7, 2.0],
        [0.704_753_300_378_875_3, 0.202_449_121_958_675_6, 2.0],
        [0.302_279_427_692_948_5, -1.034_516_833_876_208_7, 2.0],
    ]),
    ("Adam(lr=0.05)", [
        [0.950_000_000_659_123, 0.450_000_000_377_981_5, 2.0],
        [0.850_584_496_143_423_7, 0.350_322_354_614_394_5, 2.0],
        [0.210_555_946_996_991_65, -0.421_486_154_815_934_27, 2.0],
    ]),
    ("SGD(lr=0.05, momentum=0.9)", [
        [0.962_070_814_908_023_4, 0.433_859_201_654_069_2, 2.0],
        [0.798_237_715_106_739_4, 0.149_723_312_374_954_9, 2.0],
        [0.233_937_142_093_382_18, -1.835_895_201_488_169_8, 2.0],
    ]),
    ("SGD(lr=0.05, momentum=0.9, nesterov=True)", [
        [0.927_934_548_325_244_4, 0.374_332_483_142_731_43, 2.0],
        [0.725_645_897_151_265_8, 0.024_440_484_050_490_843, 2.0],
        [0.260_689_811_715_185_2, -1.667_543_059_490_161, 2.0],
    ]),
];

fn assert_pytorch<T: Scalar>(tolerance: f64) {
    let own = Adam {
        step_size: Hyper::Fixed(0.1),
        beta1: Hyper::Fixed(0.8),
        beta2: Hyper::Fixed(0.95),
        epsilon: 1e-3,
        ..Adam::<T>::default()
    };
    let step_size = Hyper::Fixed(0.05);
    let default = Adam {
        step_size,
        ..Adam::<T>::default()
    };
    let heavy = Momentum {
        step_size,
        ..Momentum::<T>::default()
    };
    let nesterov = Momentum {
        nesterov: true,
        ..heavy.clone()
    };
    let found = [
        trajectory(&own),
        trajectory(&default),
        trajectory(&heavy),
        trajectory(&nesterov),
    ];
    for ((name, expected), found) in PYTORCH.iter().zip(found) {
        for (expected, found) in expected.iter().flatten().zip(found.iter().flatten()) {
            let error = (expected - found).abs();
            assert!(error <= tolerance, "{name}: {expected} {found}");
        }
    }
}

#[test]
fn the_numbers_of_pytorch() {
    assert_pytorch::<f64>(1e-14);
    assert_pytorch::<f32>(1e-6);
}

/// Gradients that are zero at every step, at the first ones, and of single numbers: neither an
/// infinite derivative of √v nor a NaN, whichever way.
#[test]
fn adam_where_gradients_are_zero() {
    let step_size = Hyper::FromX {
        index: 6,
        transform: Exp,
    };
    let beta1 = Hyper::FromX {
        index: 7,
        transform: Sigmoid,
    };
    let beta2 = beta1;
    for (from, steps) in [(0, 30), (4, 30), (30, 30)] {
        for epsilon in [1e-8, 1e-2] {
            let dynamics = Adam {
                step_size,
                beta1,
                beta2,
                epsilon,
                ..Adam::default()
            };
            let problem = problem(StartFromX::new(3..6), from);
            let (x, key) = (x::<f64>(), Key::from_seed(0));
            let reverse = method(dynamics.clone(), steps);
            let adjoint = Box::new(ReverseTape::default());
            let taped = Unrolled {
                adjoint,
                ..method(dynamics.clone(), steps)
            };
            let (gradient, _) = reverse.gradient(&problem, &x, key).unwrap();
            let (other, _) = taped.gradient(&problem, &x, key).unwrap();
            assert!(gradient.iter().all(|value| value.is_finite()));
            assert!(relative_difference(&gradient, &other) < 1e-9);
            let check = gradient_check(&reverse, &At::new(&problem, &x, key), 2, 1e-6).unwrap();
            assert!(check.passed(), "from {from}, {epsilon}: {check:?}");
            let check = adjoint_dot_test(&dynamics, &At::new(&problem, &x, key), 1e-12).unwrap();
            assert!(check.passed(), "from {from}, {epsilon}: {check:?}");
            // Where g is never there, y stays at its start, whatever the hyperparameters are.
            assert_eq!(gradient[6] == 0.0, from == 30);
            assert_eq!(gradient[7] == 0.0, from == 30);
        }
    }
}

/// At a minimum that moves with x no gradient is ever there, but its derivative is: at v = 0 the
/// step has the slope s (1 − β₁)/(1 − β₁ᵏ)/ε in m and none in v.
#[test]
fn adam_at_a_minimum() {
    let quadratic = |scale: f64| {
        Closures::<f64>::new(
            1,
            1,
            move |x, y, _| (y[0] - scale * x[0]).powi(2) / 2.0,
            move |x, y, _, out| out[0] += y[0] - scale * x[0],
        )
        .with_grad_x(move |x, y, _, out| out[0] += scale * (scale * x[0] - y[0]))
        .with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                y_bar[0] += v[0];
                x_bar[0] -= scale * v[0];
            },
            move |_, _, _, dx, dy, out| out[0] += dy[0] - scale * dx[0],
        )
    };
    let problem = Problem::new(quadratic(1.0), quadratic(0.0), FixedStart(vec![0.5])).unwrap();
    let epsilon = 1e-2;
    let step_size = Hyper::Fixed(1e-3);
    let dynamics = Adam {
        step_size,
        epsilon,
        ..Adam::default()
    };
    let (gradient, _) = method(dynamics.clone(), 1)
        .gradient(&problem, &[0.5], Key::from_seed(0))
        .unwrap();
    // y_1 = 0.5 − s d/(|d| + ε) with d = 0.5 − x;  f = y²/2.
    assert!((gradient[0] - 0.5 * 1e-3 / epsilon).abs() < 1e-15);
    let x = [0.5];
    let mut rollout =
        Rollout::new(&At::new(&problem, &x, Key::from_seed(0)), &dynamics, 3).unwrap();
    let (value, slope) = directional(&mut rollout, &[1.0]).unwrap();
    let (gradient, _) = method(dynamics.clone(), 3)
        .gradient(&problem, &x, Key::from_seed(0))
        .unwrap();
    assert!(value == 0.125 && (gradient[0] - slope).abs() < 1e-15 && slope > 0.0);
}

/// Rules that are plain gradient descent with these settings.
#[test]
fn without_momentum_and_penalty_it_is_gradient_descent() {
    let problem = problem::<f64>(StartFromX::new(3..6), 0);
    let run = |method: &Unrolled<f64>| {
        method
            .gradient(&problem, &x(), Key::from_seed(0))
            .unwrap()
            .0
    };
    let plain = run(&method(GradientDescent::default(), 9));
    for nesterov in [false, true] {
        let momentum = Hyper::Fixed(0.0);
        let dynamics = Momentum {
            momentum,
            nesterov,
            ..Momentum::default()
        };
        assert_eq!(plain, run(&method(dynamics, 9)));
    }
    let zero = Hyper::Fixed(0.0);
    let penalty = ElasticNet { l1: zero, l2: zero };
    let dynamics = ProximalGradient {
        penalty,
        ..ProximalGradient::default()
    };
    assert_eq!(plain, run(&method(dynamics, 9)));
}
