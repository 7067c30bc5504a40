//! UFO: unbiased, of the variance and the cost that theory says, and of constant memory.

use crate::common::{self, X_LEN, problem, x};
use bilevel::vector::{norm, relative_difference};
use bilevel::{
    Adaptive, Adjoint, At, Checkpointed, Closures, Debiased, Dynamics, Error, FirstOrder,
    FixedStart, Forward, GradientDescent, Hyper, HyperGradient, Key, Memory, Oracle, Probability,
    Problem, Reverse, Scalar, StartFromX, Truncated, Unrolled,
};

fn dynamics() -> GradientDescent<f64> {
    GradientDescent {
        step_size: Hyper::Fixed(0.4),
        ..GradientDescent::default()
    }
}

fn unrolled(steps: usize, adjoint: impl Adjoint<f64> + 'static) -> Unrolled<f64> {
    Unrolled {
        steps,
        ..common::unrolled(&dynamics(), adjoint)
    }
}

fn ufo(
    steps: usize,
    cheap: impl Adjoint<f64> + 'static,
    exact: impl Adjoint<f64> + 'static,
    probability: Probability,
) -> Debiased<f64> {
    Debiased {
        cheap: Box::new(unrolled(steps, cheap)),
        exact: Box::new(unrolled(steps, exact)),
        probability,
    }
}

fn gradient(method: &dyn HyperGradient<f64>, problem: &Problem<f64>, key: Key) -> Vec<f64> {
    let mut out = vec![0.0; problem.x_len()];
    let x = &x()[..problem.x_len()];
    method
        .estimate(&At::new(problem, x, key), &mut Memory::default(), &mut out)
        .unwrap();
    out
}

/// Mean and second moment of 100 000 draws, for a cheap part that is neither zero nor exact.
fn assert_moments(problem: &Problem<f64>, cheap: impl Adjoint<f64> + 'static, q: f64) {
    const DRAWS: usize = 100_000;
    const STEPS: usize = 3;
    let root = Key::from_seed(11);
    let exact = gradient(&unrolled(STEPS, Reverse), problem, root);
    let method = ufo(STEPS, cheap, Reverse, Probability::Fixed(q));
    let cheap = gradient(&*method.cheap, problem, root);
    let bias = relative_difference(&cheap, &exact);
    assert!(norm(&cheap) > 0.05 * norm(&exact) && bias > 0.05, "{bias}");

    let mut sums = vec![(0.0, 0.0); problem.x_len()];
    let mut square_sums = (0.0, 0.0);
    for draw in 0..DRAWS {
        let estimate = gradient(&method, problem, root.fold_in(draw as u64));
        let mut square = 0.0;
        for (sums, value) in sums.iter_mut().zip(estimate) {
            *sums = (sums.0 + value, sums.1 + value * value);
            square += value * value;
        }
        square_sums = (square_sums.0 + square, square_sums.1 + square * square);
    }
    let mean_and_error = |(sum, squares): (f64, f64)| {
        let mean = sum / DRAWS as f64;
        let variance = squares / DRAWS as f64 - mean * mean;
        (mean, (variance.max(0.0) / DRAWS as f64).sqrt())
    };
    let mut moved = 0;
    for (i, &sums) in sums.iter().enumerate() {
        let (mean, error) = mean_and_error(sums);
        assert!(
            (mean - exact[i]).abs() <= 5.0 * error + 1e-12,
            "x_{i}: {mean} ± {error}, exact {}",
            exact[i]
        );
        moved += usize::from((cheap[i] - exact[i]).abs() > 20.0 * error);
    }
    // The same test would find the cheap part alone out.
    assert!(moved > problem.x_len() / 4, "{moved}");
    let (second, error) = mean_and_error(square_sums);
    let difference: Vec<f64> = exact.iter().zip(&cheap).map(|(e, c)| e - c).collect();
    let theory = norm(&exact).powi(2) + (1.0 / q - 1.0) * norm(&difference).powi(2);
    assert!(error < 0.02 * theory);
    assert!(
        (second - theory).abs() < 5.0 * error,
        "{second} ± {error} against {theory}"
    );
}

#[test]
fn draws_around_first_order_have_the_moments_of_the_theory() {
    assert_moments(&problem(8, 0.05, true), FirstOrder, 0.1);
}

#[test]
fn draws_around_the_last_step_have_the_moments_of_the_theory() {
    assert_moments(&frugal(), Truncated { last: 1 }, 0.3);
}

/// Each draw is one of the two values of the formula; the coin is that of the key and the step.
#[test]
fn a_draw_is_cheap_or_corrected() {
    const STEPS: usize = 6;
    let problem = problem(3, 0.05, true);
    let method = ufo(STEPS, FirstOrder, Reverse, Probability::Fixed(0.25));
    let (key, x) = (Key::from_seed(5), x());
    let at = |method: &dyn HyperGradient<f64>, outer_step| {
        let mut out = vec![0.0; X_LEN];
        let report = method
            .estimate(
                &At::new(&problem, &x, key).outer_step(outer_step),
                &mut Memory::default(),
                &mut out,
            )
            .unwrap();
        (out, report)
    };
    let mut coins = 0;
    for outer_step in 0..200 {
        let (found, report) = at(&method, outer_step);
        let (cheap, plain) = at(&unrolled(STEPS, FirstOrder), outer_step);
        let (exact, dear) = at(&unrolled(STEPS, Reverse), outer_step);
        let coin = report.figure("coin").unwrap();
        let expected: Vec<f64> = cheap
            .iter()
            .zip(&exact)
            .map(|(cheap, exact)| cheap + coin / 0.25 * (exact - cheap))
            .collect();
        assert!(relative_difference(&found, &expected) < 1e-14);
        assert_eq!((report.value, &report.y), (plain.value, &plain.y));
        let calls = if coin == 1.0 {
            plain.inner_calls + dear.inner_calls
        } else {
            plain.inner_calls
        };
        assert_eq!(report.inner_calls, calls);
        assert_eq!(report.figure("probability"), Some(0.25));
        coins += coin as usize;
        assert_eq!(found, at(&method, outer_step).0);
    }
    assert!((30..70).contains(&coins), "{coins}");
    let at_zero = |method: &dyn HyperGradient<f64>| {
        method
            .evaluate(&At::new(&problem, &x, key), &Memory::default())
            .unwrap()
    };
    assert_eq!(at_zero(&method), at_zero(&unrolled(STEPS, Reverse)));
}

#[test]
fn with_probability_one_it_is_the_exact_method() {
    let problem = problem(3, 0.05, true);
    let key = Key::from_seed(5);
    let exact = unrolled(6, Reverse);
    let adaptive = Adaptive {
        least: 1.0,
        ..Adaptive::default()
    };
    for probability in [Probability::Fixed(1.0), Probability::Adaptive(adaptive)] {
        let method = ufo(6, FirstOrder, Reverse, probability);
        assert_eq!(
            gradient(&method, &problem, key),
            gradient(&exact, &problem, key)
        );
    }
    let fixed = ufo(6, FirstOrder, Reverse, Probability::Fixed(1.0));
    assert_eq!(fixed.cost(&problem), exact.cost(&problem));
}

/// With q = 1/K and constant memory, K + (K(K − 1)/2 + 1)/K gradients on average.
#[test]
fn expected_gradients_are_linear_in_the_steps() {
    let problem = problem(2, 0.05, true);
    let mut per_step = vec![];
    for steps in [8, 16, 32, 64] {
        const DRAWS: usize = 1000;
        let k = steps as f64;
        let method = ufo(
            steps,
            FirstOrder,
            Checkpointed { slots: 1 },
            Probability::Fixed(1.0 / k),
        );
        let dear = k * (k - 1.0) / 2.0 + 1.0;
        let foreseen = method.cost(&problem).inner;
        assert!((foreseen[Oracle::GradY] - (k + dear / k)).abs() < 1e-9);
        assert!((foreseen[Oracle::Pull] - 1.0).abs() < 1e-12);
        let mut calls = 0;
        for draw in 0..DRAWS {
            let mut out = [0.0; X_LEN];
            let report = method
                .estimate(
                    &At::new(&problem, &x(), Key::from_seed(2)).outer_step(draw),
                    &mut Memory::default(),
                    &mut out,
                )
                .unwrap();
            calls += report.inner_calls[Oracle::GradY];
        }
        let mean = calls as f64 / DRAWS as f64;
        let error = dear * (1.0 / k * (1.0 - 1.0 / k) / DRAWS as f64).sqrt();
        assert!(
            (mean - foreseen[Oracle::GradY]).abs() < 5.0 * error,
            "K = {steps}: {mean} ± {error} against {}",
            foreseen[Oracle::GradY]
        );
        per_step.push(foreseen[Oracle::GradY] / k);
    }
    // The exact method in constant memory makes K/2 a step: 32 at K = 64.
    assert!(
        per_step.iter().all(|mean| (1.4..1.6).contains(mean)),
        "{per_step:?}"
    );
}

/// y ← y − s (y − x): nothing of it allocates.
fn frugal() -> Problem<f64> {
    let bowl = |pull: f64| {
        Closures::<f64>::new(
            1,
            1,
            move |x, y, _| (y[0] - pull * x[0]).powi(2) / 2.0,
            move |x, y, _, out| out[0] += y[0] - pull * x[0],
        )
        .with_grad_x(move |x, y, _, out| out[0] += pull * (pull * x[0] - y[0]))
        .with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                y_bar[0] += v[0];
                x_bar[0] -= pull * v[0];
            },
            move |_, _, _, dx, dy, out| out[0] += dy[0] - pull * dx[0],
        )
    };
    Problem::new(bowl(1.0), bowl(0.3), FixedStart(vec![0.2])).unwrap()
}

#[test]
fn memory_does_not_grow_with_the_steps() {
    let problem = frugal();
    for cheap in [1, 2] {
        let measured = [10, 1000].map(|steps| {
            let method = ufo(
                steps,
                Truncated { last: cheap },
                Checkpointed { slots: 1 },
                Probability::Fixed(0.5),
            );
            // Some key whose coin is 1, and one whose coin is 0.
            let coin = |coin: f64| {
                (0..100)
                    .map(Key::from_seed)
                    .find(|&key| {
                        let mut memory = Memory::default();
                        let report = method
                            .estimate(&At::new(&problem, &[0.5], key), &mut memory, &mut [0.0])
                            .unwrap();
                        report.figure("coin") == Some(coin)
                    })
                    .unwrap()
            };
            let keys = [coin(0.0), coin(1.0)];
            keys.map(|key| {
                let counted = allocation_counter::measure(|| {
                    let mut memory = Memory::default();
                    method
                        .estimate(&At::new(&problem, &[0.5], key), &mut memory, &mut [0.0])
                        .unwrap();
                });
                (counted.count_total, counted.bytes_total, counted.bytes_max)
            })
        });
        assert_eq!(measured[0], measured[1]);
        assert!(measured[0][1].1 > measured[0][0].1 && measured[0][0].1 > 0);
    }
}

#[test]
fn a_cheap_part_that_says_nothing_is_refused() {
    let cleaning = problem(8, 0.0, false);
    let half = Probability::Fixed(0.5);
    let error = ufo(6, FirstOrder, Reverse, half)
        .validate(&cleaning)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the first-order hypergradient is identically zero for this problem: it sees x only \
         through the start of training and the outer objective, and here x enters only through \
         the inner steps; it is useless as the cheap part of a debiased estimate"
    );
    ufo(6, Truncated { last: 1 }, Reverse, half)
        .validate(&cleaning)
        .unwrap();
    // What is wrong with the exact part is said as it is.
    let error = ufo(6, Truncated { last: 1 }, Checkpointed { slots: 0 }, half).validate(&cleaning);
    assert!(matches!(
        error.unwrap_err(),
        Error::Setting { field: "slots", .. }
    ));
    for (probability, expected) in [
        (Probability::Fixed(0.0), "probability"),
        (Probability::Fixed(1.5), "probability"),
        (Probability::Fixed(f64::NAN), "probability"),
        (adaptive(|a| a.least = 0.0), "least"),
        (adaptive(|a| a.averaging = 1.0), "averaging"),
        (adaptive(|a| a.power = 0.0), "power"),
        (
            adaptive(|a| a.difference_factor = f64::INFINITY),
            "difference_factor",
        ),
    ] {
        let method = ufo(6, Truncated { last: 1 }, Reverse, probability);
        match method.validate(&cleaning).unwrap_err() {
            Error::Setting { field, .. } => assert_eq!(field, expected),
            other => panic!("{other}"),
        }
    }
}

fn adaptive(change: impl FnOnce(&mut Adaptive)) -> Probability {
    let mut adaptive = Adaptive::default();
    change(&mut adaptive);
    Probability::Adaptive(adaptive)
}

/// First order where it sees x, the last step where it does not.
#[test]
fn ufo_picks_its_cheap_part() {
    let with = |problem: &Problem<f64>| {
        let exact = Box::new(Checkpointed { slots: 1 });
        let half = Probability::Fixed(0.5);
        let method = Debiased::ufo(problem, || Box::new(dynamics()), 6, exact, half);
        method.validate(problem).unwrap();
        method
    };
    let calls = |method: &Debiased<f64>, problem: &Problem<f64>| {
        let mut memory = Memory::default();
        let report = method
            .cheap
            .estimate(
                &At::new(problem, &x(), Key::from_seed(0)),
                &mut memory,
                &mut [0.0; X_LEN],
            )
            .unwrap();
        (
            report.inner_calls[Oracle::GradY],
            report.inner_calls[Oracle::Pull],
        )
    };
    let cleaning = problem(8, 0.0, false);
    assert_eq!(calls(&with(&cleaning), &cleaning), (6, 1));
    let by_start = problem(8, 0.0, true);
    assert_eq!(calls(&with(&by_start), &by_start), (6, 0));
    let by_outer = problem(8, 0.05, false);
    assert_eq!(calls(&with(&by_outer), &by_outer), (6, 0));

    // MAML, where truncation sees nothing.
    let loss = || {
        Closures::<f64>::new(
            1,
            1,
            |_, y, _| y[0].powi(2) / 2.0,
            |_, y, _, out| out[0] += y[0],
        )
        .with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += v[0],
            |_, _, _, _, dy, out| out[0] += dy[0],
        )
    };
    let maml = Problem::new(loss(), loss(), StartFromX::new(0..1)).unwrap();
    with(&maml);
}

/// Every new adjoint in f32, against the same in f64.
#[test]
fn single_precision() {
    fn bowl<T: Scalar>() -> Closures<T> {
        Closures::<T>::new(
            1,
            1,
            |x, y, _| (y[0] - x[0]).cosh().ln(),
            |x, y, _, out| out[0] += (y[0] - x[0]).tanh(),
        )
        .with_grad_x(|x, y, _, out| out[0] -= (y[0] - x[0]).tanh())
        .with_second_order(
            |x, y, _, v, y_bar, x_bar| {
                let curvature = (y[0] - x[0]).cosh().powi(-2);
                y_bar[0] += curvature * v[0];
                x_bar[0] -= curvature * v[0];
            },
            |x, y, _, dx, dy, out| out[0] += (y[0] - x[0]).cosh().powi(-2) * (dy[0] - dx[0]),
        )
    }
    fn gradients<T: Scalar>() -> Vec<f64> {
        let start = FixedStart(vec![T::from_f64(0.3)]);
        let problem = Problem::new(bowl::<T>(), bowl::<T>(), start).unwrap();
        let unrolled = |adjoint: Box<dyn Adjoint<T>>| Unrolled {
            steps: 9,
            adjoint,
            ..Unrolled::default()
        };
        let exact = Box::new(Checkpointed { slots: 1 });
        let dynamics = || -> Box<dyn Dynamics<T>> { Box::new(GradientDescent::default()) };
        let half = Probability::Fixed(0.5);
        let methods: [Box<dyn HyperGradient<T>>; 3] = [
            Box::new(unrolled(Box::new(Truncated { last: 3 }))),
            Box::new(unrolled(Box::new(Forward { most: 1 }))),
            Box::new(Debiased::ufo(&problem, dynamics, 9, exact, half)),
        ];
        let x = [T::from_f64(1.4)];
        let key = Key::from_seed(0);
        methods
            .iter()
            .map(|method| method.gradient(&problem, &x, key).unwrap().0[0].to_double())
            .collect()
    }
    let (single, double) = (gradients::<f32>(), gradients::<f64>());
    assert!(relative_difference(&single, &double) < 1e-6 && single != double);
}
