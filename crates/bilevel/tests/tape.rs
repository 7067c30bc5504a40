//! What a tape spares, what it holds, and what a sweep allocates.

use crate::common::{Rows, plain, waves, weighted};
use bilevel::adjoint::Rollout;
use bilevel::dynamics::Transform;
use bilevel::{
    Adjoint, At, Bounds, Calls, Checkpointed, Closures, Error, Field, FixedStart, Forward,
    GradientDescent, Hyper, HyperGradient, Key, Memory, Oracle, Problem, Reverse, ReverseTape, Set,
    Truncated, Unrolled,
};

const X_LEN: usize = 9;
const STEPS: usize = 13;

fn x() -> Vec<f64> {
    (0..X_LEN).map(|i| (1.3 * i as f64 + 0.4).sin()).collect()
}

/// The rows of both objectives, which count, and the problem.
fn problem(batch: usize) -> ([Rows; 2], Problem<f64>) {
    let rows = [Rows::new(8, batch, 0.3), Rows::new(6, batch, 1.1)];
    let inner = weighted(rows[0].clone(), X_LEN);
    let outer = plain(rows[1].clone(), X_LEN, 0.05);
    let problem = Problem::new(inner, outer, FixedStart(vec![0.2, -0.1, 0.3])).unwrap();
    (rows, problem)
}

fn dynamics(schedule: Option<&str>, learned: bool) -> GradientDescent<f64> {
    GradientDescent {
        step_size: if learned {
            Hyper::FromX {
                index: 8,
                transform: Transform::Exp,
            }
        } else {
            Hyper::Fixed(0.4)
        },
        field: schedule.map_or(Field::Inner, |schedule| Field::Aggregate {
            schedule: schedule.parse().unwrap(),
            outer_scale: 0.7,
        }),
        set: Set::Box(Bounds::uniform(-9.0, 9.0).unwrap()),
    }
}

fn method(
    dynamics: GradientDescent<f64>,
    steps: usize,
    adjoint: impl Adjoint<f64> + 'static,
) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(dynamics),
        steps,
        adjoint: Box::new(adjoint),
    }
}

/// How often each objective worked its rows out, and the calls of each.
fn work(
    dynamics: &GradientDescent<f64>,
    adjoint: impl Adjoint<f64> + 'static,
) -> [(usize, Calls); 2] {
    let (rows, problem) = problem(3);
    let method = method(dynamics.clone(), STEPS, adjoint);
    let report = method
        .estimate(
            &At::new(&problem, &x(), Key::from_seed(1)),
            &mut Memory::default(),
            &mut [0.0; X_LEN],
        )
        .unwrap();
    [
        (rows[0].worked_out(), report.inner_calls),
        (rows[1].worked_out(), report.outer_calls),
    ]
}

fn calls(grad_y: u64, pulls: u64) -> Calls {
    Calls::of([(Oracle::GradY, grad_y), (Oracle::Pull, pulls)])
}

/// The seed asks for the value and both gradients of the outer objective.
fn seed() -> Calls {
    Calls::of([(Oracle::Value, 1), (Oracle::GradY, 1), (Oracle::GradX, 1)])
}

/// A product that looked at y again instead of the tape would work the rows out again.
#[test]
fn the_sweep_back_repeats_no_forward_work() {
    // The two gradients and the value of the seed; ∇_x of the coupling needs no rows.
    let at_seed = 2;
    let k = STEPS as u64;
    for learned in [false, true] {
        let inner = dynamics(None, learned);
        let gradients = if learned { 2 * k } else { k };
        let [(worked_out, inner_calls), _] = work(&inner, Reverse);
        assert_eq!(worked_out as u64, gradients + k);
        assert_eq!(inner_calls, calls(gradients, k));
        assert_eq!(
            work(&inner, ReverseTape::default()),
            [(STEPS, calls(k, k)), (at_seed, seed())]
        );

        let both = dynamics(Some("constant:0.5"), learned);
        assert_eq!(
            work(&both, ReverseTape::default()),
            [
                (STEPS, calls(k, k)),
                (STEPS + at_seed, calls(k, k) + seed())
            ]
        );
    }
}

/// At k = 4, 8, 12 the outer objective alone, at the other steps the inner one alone.
#[test]
fn an_objective_of_weight_zero_is_neither_asked_nor_kept() {
    let (x, (_, problem)) = (x(), problem(3));
    for learned in [false, true] {
        let dynamics = dynamics(Some("every:4,constant:1"), learned);
        assert_eq!(
            work(&dynamics, ReverseTape::default()).map(|(_, calls)| calls),
            [calls(10, 10), calls(3, 3) + seed()]
        );
        let key = Key::from_seed(1);
        let mut rollout = Rollout::new(&At::new(&problem, &x, key), &dynamics, STEPS).unwrap();
        for t in 0..STEPS {
            let direction = if learned { 3 } else { 0 };
            let rows = if (t + 1) % 4 == 0 { 6 + 3 } else { 2 * 3 };
            let len = rollout.tape_len(t).unwrap();
            assert_eq!(len, direction + rows + t % 3);
        }
    }
}

#[test]
fn a_tape_of_another_length_is_refused() {
    let (x, (_, problem)) = (x(), problem(3));
    let dynamics = dynamics(None, true);
    let mut rollout =
        Rollout::new(&At::new(&problem, &x, Key::from_seed(1)), &dynamics, STEPS).unwrap();
    let mut state = rollout.start().unwrap();
    let mut bar = state.clone();
    // Three numbers of the direction, two for each of three rows and one more.
    assert_eq!(rollout.tape_len(1).unwrap(), 10);
    for len in [0, 9, 11] {
        let mut tape = vec![0.0; len];
        for result in [
            rollout.advance_taped(1, &mut state, &mut tape),
            rollout.pull_back_taped(1, &[0.0; 3], &[0.0; 3], &tape, &mut bar),
        ] {
            match result.unwrap_err() {
                Error::Length {
                    expected, found, ..
                } => assert_eq!((expected, found), (10, len)),
                other => panic!("{other}"),
            }
        }
    }
}

/// Two objectives that allocate nothing: h = Σ (sin(y_i) − `scale` x_i)² / 2.
fn frugal(scale: f64) -> Closures<f64> {
    let r = move |x: &[f64], y: &[f64], i: usize| y[i].sin() - scale * x[i];
    let curvature = move |x: &[f64], y: &[f64], i: usize| {
        let (sin, cos) = y[i].sin_cos();
        cos * cos - r(x, y, i) * sin
    };
    Closures::<f64>::new(
        X_LEN,
        3,
        move |x, y, _| (0..3).map(|i| r(x, y, i).powi(2) / 2.0).sum(),
        move |x, y, _, out| (0..3).for_each(|i| out[i] += r(x, y, i) * y[i].cos()),
    )
    .with_grad_x(move |x, y, _, out| (0..3).for_each(|i| out[i] -= scale * r(x, y, i)))
    .with_second_order(
        move |x, y, _, v, y_bar, x_bar| {
            for i in 0..3 {
                y_bar[i] += curvature(x, y, i) * v[i];
                x_bar[i] -= scale * y[i].cos() * v[i];
            }
        },
        move |x, y, _, dx, dy, out| {
            for i in 0..3 {
                out[i] += curvature(x, y, i) * dy[i] - scale * y[i].cos() * dx[i];
            }
        },
    )
    .with_tape(
        |_| 6,
        move |x, y, _, out, tape| {
            for i in 0..3 {
                out[i] += r(x, y, i) * y[i].cos();
                tape[i] = curvature(x, y, i);
                tape[3 + i] = -scale * y[i].cos();
            }
        },
        |_, _, _, tape, v, y_bar, x_bar| {
            for i in 0..3 {
                y_bar[i] += tape[i] * v[i];
                x_bar[i] += tape[3 + i] * v[i];
            }
        },
    )
}

fn adjoints() -> [Box<dyn Adjoint<f64>>; 5] {
    [
        Box::new(Reverse),
        Box::new(ReverseTape::default()),
        Box::new(Checkpointed { slots: 4 }),
        Box::new(Truncated { last: 7 }),
        Box::new(Forward::default()),
    ]
}

/// As many allocations for 1000 steps as for 10: none belongs to a step.
#[test]
fn no_step_allocates() {
    let problem = Problem::new(frugal(1.0), frugal(0.3), FixedStart(vec![0.2; 3])).unwrap();
    let x = x();
    let allocations = |method: &Unrolled<f64>| {
        let counted = allocation_counter::measure(|| {
            let mut out = [0.0; X_LEN];
            method
                .estimate(
                    &At::new(&problem, &x, Key::from_seed(0)),
                    &mut Memory::default(),
                    &mut out,
                )
                .unwrap();
        });
        assert!(counted.count_total > 0);
        counted.count_total
    };
    for schedule in [None, Some("constant:0.5"), Some("every:4,harmonic:0.9")] {
        for learned in [false, true] {
            let counts = [10, 1000].map(|steps| {
                adjoints().map(|adjoint| {
                    allocations(&Unrolled {
                        dynamics: Box::new(dynamics(schedule, learned)),
                        steps,
                        adjoint,
                    })
                })
            });
            assert_eq!(counts[0], counts[1], "{schedule:?}, {learned}");
        }
    }
}

/// Nor with any other rule, on any set, with everything learned.
#[test]
fn no_step_of_any_rule_allocates() {
    let problem = waves::problem::<f64>(FixedStart(vec![0.2; 3]), 0);
    let x = waves::x();
    let counts = [10, 1000].map(|steps| {
        let mut counts = Vec::new();
        for index in 0..adjoints().len() {
            for (name, dynamics) in waves::rules() {
                let adjoint = adjoints().into_iter().nth(index).unwrap();
                let method = Unrolled {
                    dynamics,
                    steps,
                    adjoint,
                };
                let counted = allocation_counter::measure(|| {
                    let mut out = [0.0; 8];
                    let mut memory = Memory::default();
                    method
                        .estimate(
                            &At::new(&problem, &x, Key::from_seed(0)),
                            &mut memory,
                            &mut out,
                        )
                        .unwrap();
                });
                counts.push((name, index, counted.count_total));
            }
        }
        counts
    });
    assert_eq!(counts[0], counts[1]);
}
