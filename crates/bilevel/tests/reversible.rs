//! Training with momentum that is run backwards.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::{X_LEN, problem, x};
use bilevel::check::gradient_check;
use bilevel::dynamics::Transform;
use bilevel::vector::relative_difference;
use bilevel::{
    At, Closures, Error, Field, FixedStart, Hint, Hyper, HyperGradient, Key, Memory, Momentum,
    Oracle, Problem, Ratio, Reversible, StartFromX, Unrolled,
};

fn ratio(numerator: u32, denominator: u32) -> Ratio {
    Ratio {
        numerator,
        denominator,
    }
}

fn reversible(field: Field, learned: bool) -> Reversible {
    Reversible {
        step_size: if learned {
            Hyper::FromX {
                index: 11,
                transform: Transform::Sigmoid,
            }
        } else {
            Hyper::Fixed(0.4)
        },
        momentum: ratio(3, 4),
        field,
        steps: 30,
        fraction_bits: 40,
    }
}

fn aggregate(schedule: &str) -> Field {
    Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 0.7,
    }
}

/// y and v are rounded to 1e-12: the differences, over distances of 1e-3, see that.
#[test]
fn it_agrees_with_central_differences() {
    for field in [
        Field::Inner,
        aggregate("constant:0.5"),
        aggregate("every:4,harmonic:0.9"),
    ] {
        for learned in [false, true] {
            for (batch, start_from_x) in [(8, false), (3, true)] {
                let method = reversible(field.clone(), learned);
                let problem = problem(batch, 0.05, start_from_x);
                let check = gradient_check(
                    &method,
                    &At::new(&problem, &x(), Key::from_seed(3)),
                    2,
                    1e-7,
                )
                .unwrap();
                assert!(check.passed(), "{field:?}, {learned}, {batch}: {check:?}");
            }
        }
    }
}

/// Unrolled momentum in floating-point numbers, whose rounding is another one.
#[test]
fn it_agrees_with_unrolled_momentum() {
    for (field, learned) in [
        (Field::Inner, false),
        (aggregate("every:4,harmonic:0.9"), true),
        (aggregate("learned:8,3"), true),
    ] {
        let method = reversible(field, learned);
        let unrolled = Unrolled {
            dynamics: Box::new(Momentum {
                step_size: method.step_size,
                momentum: Hyper::Fixed(0.75),
                field: method.field.clone(),
                ..Momentum::default()
            }),
            steps: method.steps,
            ..Unrolled::default()
        };
        let (problem, key) = (problem(3, 0.05, true), Key::from_seed(3));
        let (found, report) = method.gradient(&problem, &x(), key).unwrap();
        let (expected, other) = unrolled.gradient(&problem, &x(), key).unwrap();
        let difference = relative_difference(&found, &expected);
        assert!(difference > 0.0 && difference < 1e-9, "{difference}");
        let difference = relative_difference(&report.y, &other.y);
        assert!(difference > 0.0 && difference < 1e-9, "{difference}");
    }
}

/// The heavy ball in floating-point numbers, differentiated in reverse mode over the stored
/// trajectory, on g = ln cosh(y − x) and f = y²/2.
fn by_hand(x: f64, step_size: f64, momentum: f64, steps: usize) -> f64 {
    let (mut y, mut v) = (0.3, 0.0);
    let mut trajectory = vec![];
    for _ in 0..steps {
        trajectory.push(y);
        v = momentum * v + f64::tanh(y - x);
        y -= step_size * v;
    }
    let (mut y_bar, mut v_bar, mut x_bar) = (y, 0.0, 0.0);
    for y in trajectory.into_iter().rev() {
        v_bar -= step_size * y_bar;
        let curvature = f64::cosh(y - x).powi(-2);
        y_bar += curvature * v_bar;
        x_bar -= curvature * v_bar;
        v_bar *= momentum;
    }
    x_bar
}

fn ln_cosh() -> Problem<f64> {
    let inner = Closures::<f64>::new(
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
    );
    let outer = Closures::<f64>::new(
        1,
        1,
        |_, y, _| y[0].powi(2) / 2.0,
        |_, y, _, out| out[0] += y[0],
    );
    Problem::new(inner, outer, FixedStart(vec![0.3])).unwrap()
}

/// The difference to floating-point reverse mode is that of rounding, and shrinks with it.
#[test]
fn rounding_explains_the_difference_to_reverse_mode() {
    let (problem, steps) = (ln_cosh(), 40);
    let exact = by_hand(1.4, 0.1, 0.9, steps);
    for (fraction_bits, at_least) in [(12, 1e-6), (20, 1e-9), (28, 1e-11), (36, 0.0), (48, 0.0)] {
        let method = Reversible {
            steps,
            fraction_bits,
            ..Reversible::default()
        };
        let (gradient, _) = method
            .gradient(&problem, &[1.4], Key::from_seed(0))
            .unwrap();
        let error = (gradient[0] - exact).abs();
        // K steps, each with an error of about n units in v.
        let unit = f64::from(fraction_bits).exp2().recip();
        let allowed = 9.0 * steps as f64 * unit + 1e-13;
        assert!(
            error <= allowed && error >= at_least,
            "{fraction_bits} bits: {error}, {allowed} allowed"
        );
    }
}

#[test]
fn single_precision_comes_back_too() {
    let bowl = || {
        Closures::<f32>::new(
            2,
            2,
            |_, y, _| y.iter().map(|y| y.cosh().ln()).sum(),
            |_, y, _, out| (0..2).for_each(|i| out[i] += y[i].tanh()),
        )
        .with_second_order(
            |_, y, _, v, y_bar, _| (0..2).for_each(|i| y_bar[i] += v[i] / y[i].cosh().powi(2)),
            |_, y, _, _, dy, out| (0..2).for_each(|i| out[i] += dy[i] / y[i].cosh().powi(2)),
        )
    };
    let problem = Problem::new(bowl(), bowl(), StartFromX::new(0..2)).unwrap();
    let (gradient, report) = Reversible::default()
        .gradient(&problem, &[0.7, -2.0], Key::from_seed(0))
        .unwrap();
    assert!(gradient.iter().all(|g| g.is_finite() && *g != 0.0));
    assert_eq!(
        (
            report.inner_calls[Oracle::GradY],
            report.inner_calls[Oracle::Pull]
        ),
        (200, 100)
    );
}

/// The peak grows by log₂(10/9) bits for each number and step, not by states of 128 bits.
#[test]
fn memory_is_that_of_the_information_buffer() {
    const LEN: usize = 500;
    let bowl = || {
        Closures::<f64>::new(
            1,
            LEN,
            |x, y, _| y.iter().map(|y| (y - x[0]).powi(2) / 2.0).sum(),
            |x, y, _, out| (0..LEN).for_each(|i| out[i] += y[i] - x[0]),
        )
        .with_grad_x(|x, y, _, out| out[0] -= y.iter().map(|y| y - x[0]).sum::<f64>())
        .with_second_order(
            |_, _, _, v, y_bar, x_bar| {
                for i in 0..LEN {
                    y_bar[i] += v[i];
                    x_bar[0] -= v[i];
                }
            },
            |_, _, _, dx, dy, out| (0..LEN).for_each(|i| out[i] += dy[i] - dx[0]),
        )
    };
    let problem = Problem::new(bowl(), bowl(), FixedStart(vec![0.1; LEN])).unwrap();
    let peak = |steps: usize| {
        let method = Reversible {
            steps,
            ..Reversible::default()
        };
        let mut figure = None;
        let counted = allocation_counter::measure(|| {
            let (mut memory, key) = (Memory::default(), Key::from_seed(0));
            let report = method
                .estimate(&At::new(&problem, &[0.5], key), &mut memory, &mut [0.0])
                .unwrap();
            figure = report.figure("buffer bits");
        });
        (counted.bytes_max as f64, figure.unwrap())
    };
    let (short, _) = peak(10);
    let (long, figure) = peak(10_000);
    let theory = (10.0_f64 / 9.0).log2();
    let each = (long - short) * 8.0 / (LEN * 10_000) as f64;
    // 64 bits are there from the beginning, and a few bytes for each move to the stack.
    assert!(
        each < theory * 1.02 && each > theory * 0.93,
        "{each} bits, {theory} in theory"
    );
    assert!(figure >= theory && figure < theory * 1.05, "{figure}");
    let cost = Reversible {
        steps: 10_000,
        ..Reversible::default()
    }
    .cost(&problem);
    let foreseen = 8.0 * (cost.kept_numbers + cost.work_numbers) as f64;
    assert!(
        (foreseen / long - 1.0).abs() < 0.1,
        "{foreseen} foreseen, {long} counted"
    );
}

/// An objective that is not a function: each gradient is another one.
#[test]
fn an_objective_that_does_not_repeat_itself_is_found() {
    let count = AtomicU64::new(0);
    let inner = Closures::<f64>::new(
        1,
        1,
        |_, _, _| 0.0,
        move |x, y, _, out| {
            let noise = count.fetch_add(1, Ordering::Relaxed) as f64 * 1e-9;
            out[0] += y[0] - x[0] + noise;
        },
    )
    .with_grad_x(|_, _, _, _| {})
    .with_second_order(
        |_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let outer = Closures::<f64>::new(1, 1, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0);
    let problem = Problem::new(inner, outer, FixedStart(vec![0.0])).unwrap();
    for steps in [1, 5, 50] {
        let method = Reversible {
            steps,
            ..Reversible::default()
        };
        let error = method
            .gradient(&problem, &[1.0], Key::from_seed(0))
            .unwrap_err();
        assert!(
            matches!(error, Error::NotRecovered { outer_step: 0 }),
            "{error}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let problem = problem(8, 0.05, true);
    let good = reversible(Field::Inner, false);
    good.validate(&problem).unwrap();
    let settings = |change: fn(&mut Reversible), expected: &str| {
        let mut method = reversible(Field::Inner, false);
        change(&mut method);
        match method.validate(&problem).unwrap_err() {
            Error::Setting { field, .. } => assert_eq!(field, expected),
            other => panic!("{other}"),
        }
    };
    settings(|m| m.steps = 0, "steps");
    settings(|m| m.step_size = Hyper::Fixed(-1.0), "step_size");
    settings(|m| m.momentum = ratio(0, 10), "momentum");
    settings(|m| m.momentum = ratio(10, 10), "momentum");
    settings(|m| m.momentum = ratio(9, 100_000), "momentum");
    settings(|m| m.fraction_bits = 60, "fraction_bits");

    // Range and second derivatives.
    let huge = Problem::new(
        Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, out| out[0] += 1e9)
            .with_grad_x(|_, _, _, _| {})
            .with_second_order(|_, _, _, _, _, _| {}, |_, _, _, _, _, _| {}),
        Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, _| {}),
        FixedStart(vec![0.0]),
    )
    .unwrap();
    let error = good.gradient(&huge, &[0.0], Key::from_seed(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the inner variable or its velocity left the range ±2.097e6 of numbers with 40 binary \
         places at inner step 1 of outer step 0"
    );
    assert_eq!(error.hint(), Some(Hint::Smaller("step_size")));
    let aggregate = reversible(aggregate("constant:0.5"), false);
    assert!(matches!(
        aggregate.validate(&huge).unwrap_err(),
        Error::NoSecondOrder {
            needed_by: "reversible",
            ..
        }
    ));
}

/// Draws at a later step, and the same bits twice.
#[test]
fn it_repeats_itself() {
    let (problem, method) = (problem(3, 0.05, true), reversible(Field::Inner, true));
    let at = |outer_step| {
        let mut out = [0.0; X_LEN];
        let (mut memory, key) = (Memory::default(), Key::from_seed(1));
        let report = method
            .estimate(
                &At::new(&problem, &x(), key).outer_step(outer_step),
                &mut memory,
                &mut out,
            )
            .unwrap();
        let trained = method
            .evaluate(
                &At::new(&problem, &x(), key).outer_step(outer_step),
                &memory,
            )
            .unwrap();
        assert_eq!((report.value, &report.y), (trained.value, &trained.y));
        (out, report)
    };
    assert_eq!(at(4), at(4));
    assert!(relative_difference(&at(4).0, &at(5).0) > 1e-3);
}
