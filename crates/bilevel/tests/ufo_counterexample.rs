//! The counterexample of UFO-BLO (arXiv 2006.03631): where first-order gradients end, where unbiased ones do.

use crate::counterexample::{Bowls, STEPS};
use bilevel::driver::RunState;
use bilevel::{
    Adaptive, Adjoint, At, Debiased, Driver, FirstOrder, GradientDescent, Hyper, HyperGradient,
    Key, Memory, Moments, OverTasks, Probability, Reverse, Sgd, Stream, TaskFamily, Unrolled,
};
use rand::RngExt;

fn dynamics(step_size: f64) -> GradientDescent<f64> {
    GradientDescent {
        step_size: Hyper::Fixed(step_size),
        ..GradientDescent::default()
    }
}

fn unrolled(step_size: f64, adjoint: impl Adjoint<f64> + 'static) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(dynamics(step_size)),
        steps: STEPS,
        adjoint: Box::new(adjoint),
    }
}

fn ufo(step_size: f64, probability: Probability) -> Debiased<f64> {
    Debiased {
        cheap: Box::new(unrolled(step_size, FirstOrder)),
        exact: Box::new(unrolled(step_size, Reverse)),
        probability,
    }
}

/// (M, M′) at x, the means over both tasks.
fn mean(family: &Bowls, method: &dyn HyperGradient<f64>, x: f64) -> (f64, f64) {
    assert!(family.both);
    let mut out = [0.0];
    let report = OverTasks::new(family, method)
        .estimate(&[x], &mut Memory::default(), Key::from_seed(0), 0, &mut out)
        .unwrap();
    (report.value, out[0])
}

#[test]
fn the_bowls_are_smooth() {
    let bowl = Bowls::counterexample(true).bowls[1];
    for i in -300..300 {
        let (y, h) = (0.1 * f64::from(i) + 0.013, 1e-5);
        let slope = (bowl.value(y + h) - bowl.value(y - h)) / (2.0 * h);
        assert!((slope - bowl.slope(y)).abs() < 1e-7, "{y}");
        let curvature = (bowl.slope(y + h) - bowl.slope(y - h)) / (2.0 * h);
        assert!((curvature - bowl.curvature(y)).abs() < 1e-5, "{y}");
    }
}

#[test]
fn its_constants() {
    let near = |found: f64, expected: f64, tolerance: f64| {
        assert!(
            (found - expected).abs() < tolerance,
            "{found} for {expected}"
        );
    };
    let family = Bowls::counterexample(true);
    let [first, second] = family.bowls;
    near(second.b, 17.3952699705, 1e-10);
    near(first.zone, 12.5968466470, 1e-10);
    let (exact, cheap) = (unrolled(0.1, Reverse), unrolled(0.1, FirstOrder));
    // Where the first-order and where the exact gradient vanishes.
    let (theta_fo, theta) = (5.7588669122, 2.8402818025);
    near(mean(&family, &cheap, theta_fo).1, 0.0, 1e-9);
    near(mean(&family, &exact, theta).1, 0.0, 1e-9);
    let (value, slope) = mean(&family, &exact, theta_fo);
    near(slope.abs(), 0.3464101615, 1e-9);
    near(value, 1.98150, 5e-6);
    near(mean(&family, &exact, theta).0, 1.47599, 5e-6);
}

/// 10 000 steps of 10/k, one of the two tasks at each, from x uniform on (−10, 30).
#[test]
fn where_the_runs_end() {
    let (family, both) = (Bowls::counterexample(false), Bowls::counterexample(true));
    let exact = unrolled(0.1, Reverse);
    let optimizer = Sgd {
        rate: 10.0,
        decay: 1.0,
    };
    let ends = |method: &dyn HyperGradient<f64>| {
        let mut slopes: Vec<f64> = (0..10)
            .map(|seed| {
                let key = Key::from_seed(seed);
                let start = key
                    .stream(Stream::Named {
                        name: "instance",
                        number: 13,
                    })
                    .rng()
                    .random_range(-10.0..30.0);
                let mut state = RunState::new(vec![start], &optimizer);
                Driver::new(&family, method, &optimizer, key)
                    .outer_steps(10_000)
                    .run(&mut state)
                    .unwrap();
                mean(&both, &exact, state.x[0]).1.abs()
            })
            .collect();
        slopes.sort_by(f64::total_cmp);
        slopes
    };
    let first_order = ends(&unrolled(0.1, FirstOrder));
    assert!(
        first_order.iter().all(|slope| (0.29..0.40).contains(slope)),
        "{first_order:?}"
    );
    let unbiased = ends(&ufo(0.1, Probability::Fixed(0.1)));
    let median = (unbiased[4] + unbiased[5]) / 2.0;
    assert!(median < 0.07 && unbiased[9] < 0.2, "{unbiased:?}");
    let exact_ends = ends(&exact);
    assert!(exact_ends[9] < 0.03, "{exact_ends:?}");
}

/// D² and V² of the two tasks at x.
fn moments(family: &Bowls, step_size: f64, x: f64) -> Moments {
    let methods = [
        unrolled(step_size, FirstOrder),
        unrolled(step_size, Reverse),
    ];
    let (mut difference, mut square) = (0.0, 0.0);
    for number in [0, 1] {
        let problem = family.task(number).unwrap();
        let [cheap, exact] = methods.each_ref().map(|method| {
            let (mut memory, mut out) = (Memory::default(), [0.0]);
            method
                .estimate(
                    &At::new(&problem, &[x], Key::from_seed(0)),
                    &mut memory,
                    &mut out,
                )
                .unwrap();
            out[0]
        });
        difference += (exact - cheap).powi(2) / 2.0;
        square += exact.powi(2) / 2.0;
    }
    Moments {
        difference,
        exact: square,
    }
}

/// The largest D² and V² on [−50, 50], and the best probability for them.
#[test]
fn the_second_toy() {
    let family = Bowls::new([0.5, 1.5], [0.0, 10.0], 400.0, true);
    let largest = |of: fn(Moments) -> f64| {
        (-50..=50)
            .map(|x| of(moments(&family, 0.01, f64::from(x))))
            .fold(0.0, f64::max)
    };
    let worst = Moments {
        difference: largest(|m| m.difference),
        exact: largest(|m| m.exact),
    };
    assert!((worst.difference - 53.212).abs() < 5e-4, "{worst:?}");
    assert!((worst.exact - 2229.316).abs() < 5e-4, "{worst:?}");
    let best = |power, cheap, exact| {
        let adaptive = Adaptive {
            power,
            ..Adaptive::default()
        };
        adaptive.best(worst, cheap, exact)
    };
    assert!((best(0.5, 11.0, 10.0) - 0.1100).abs() < 5e-5);
    assert!((best(2.0, 11.0, 55.0) - 0.1119).abs() < 5e-5);
}

/// At an x that does not move, the probability comes to the best one for its D² and V².
#[test]
fn an_adaptive_probability_finds_the_best_one() {
    let family = Bowls::new([0.5, 1.5], [0.0, 10.0], 400.0, false);
    let adaptive = Adaptive {
        averaging: 0.999,
        ..Adaptive::default()
    };
    for x in [-20.0, 1.0, 35.0] {
        let method = ufo(0.01, Probability::Adaptive(adaptive));
        let over = OverTasks::new(&family, &method);
        let (mut memory, key) = (Memory::default(), Key::from_seed(4));
        let mut at = |outer_step| {
            let mut out = [0.0];
            let report = over
                .estimate(&[x], &mut memory, key, outer_step, &mut out)
                .unwrap();
            report.figure("probability").unwrap()
        };
        assert_eq!(at(0), 0.05);
        let found = (1..40_000).map(&mut at).last().unwrap();
        let cost = |part: &dyn HyperGradient<f64>| part.cost(&family.task(0).unwrap()).gradients();
        let truth = moments(&family, 0.01, x);
        let best = adaptive.best(truth, cost(&*method.cheap), cost(&*method.exact));
        assert!(best > 0.06 && best < 0.9, "{x}: {best}");
        assert!((found / best - 1.0).abs() < 0.1, "{x}: {found}, {best}");
    }
}
