//! What is refused before a run, what is reported when a run fails, and how a run ends.

use std::time::Duration;

use bilevel::driver::{Driver, GradientNorm, RunState, Trace, Why};
use bilevel::objective::FiniteDifference;
use bilevel::{
    Adam, Adjoint, At, Bounds, Checkpointed, Closures, Error, Field, FirstOrder, FixedStart,
    Forward, GradientDescent, Hyper, HyperGradient, Iterate, Key, Memory, Objective, Observer,
    Problem, Reverse, ReverseTape, Role, Set, Sgd, StartFromX, Truncated, Unrolled,
};

/// g = (y − x)²/2, or y²/2 where x does not enter; f = (y − 1)²/2.
fn problem(x_enters: bool, second_order: bool, start_from_x: bool) -> Problem<f64> {
    let scale = if x_enters { 1.0 } else { 0.0 };
    let mut inner = Closures::<f64>::new(
        1,
        1,
        move |x, y, _| (y[0] - scale * x[0]).powi(2) / 2.0,
        move |x, y, _, out| out[0] += y[0] - scale * x[0],
    );
    if x_enters {
        inner = inner.with_grad_x(|x, y, _, out| out[0] += x[0] - y[0]);
    }
    if second_order {
        inner = inner.with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                y_bar[0] += v[0];
                x_bar[0] -= scale * v[0];
            },
            move |_, _, _, dx, dy, out| out[0] += dy[0] - scale * dx[0],
        );
    }
    let outer = Closures::<f64>::new(
        1,
        1,
        |_, y, _| (y[0] - 1.0).powi(2) / 2.0,
        |_, y, _, out| out[0] += y[0] - 1.0,
    );
    if start_from_x {
        Problem::new(inner, outer, StartFromX::new(0..1)).unwrap()
    } else {
        Problem::new(inner, outer, FixedStart(vec![0.0])).unwrap()
    }
}

fn method(step_size: f64, steps: usize, adjoint: impl Adjoint<f64> + 'static) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(step_size),
            ..Default::default()
        }),
        steps,
        adjoint: Box::new(adjoint),
    }
}

#[test]
fn structurally_zero_hypergradients_are_refused_with_the_reason() {
    let cleaning_like = problem(true, true, false);
    let error = method(0.1, 5, FirstOrder)
        .validate(&cleaning_like)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the first-order hypergradient is identically zero for this problem: it sees x only \
         through the start of training and the outer objective, and here x enters only through \
         the inner steps"
    );
    let nowhere = problem(false, true, false);
    let error = method(0.1, 5, Reverse).validate(&nowhere).unwrap_err();
    assert!(matches!(error, Error::StructurallyZero { .. }));
    // With a start from x the first-order derivative sees something.
    method(0.1, 5, FirstOrder)
        .validate(&problem(true, true, true))
        .unwrap();
    method(0.1, 5, Reverse).validate(&cleaning_like).unwrap();
}

/// MAML: a cut cotangent does not come back to the start.
#[test]
fn truncation_cuts_the_path_through_the_start() {
    let by_start_alone = problem(false, true, true);
    let error = method(0.1, 5, Truncated { last: 4 })
        .validate(&by_start_alone)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the truncated hypergradient is identically zero for this problem: it sees x only \
         through the inner steps and the outer objective, and here x enters only through the \
         start of training"
    );
    let whole = method(0.1, 5, Truncated { last: 5 });
    whole.validate(&by_start_alone).unwrap();
}

#[test]
fn forward_mode_over_a_large_x_is_refused_with_its_cost() {
    let inner = Closures::<f64>::new(65, 1, |_, _, _| 0.0, |_, _, _, _| {})
        .with_grad_x(|_, _, _, _| {})
        .with_second_order(|_, _, _, _, _, _| {}, |_, _, _, _, _, _| {});
    let outer = Closures::<f64>::new(65, 1, |_, _, _| 0.0, |_, _, _, _| {});
    let large = Problem::new(inner, outer, FixedStart(vec![0.0])).unwrap();
    let error = method(0.1, 100, Forward::default())
        .validate(&large)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "forward mode over the 65 numbers of x costs 19500 gradients, which is allowed for at \
         most 64 numbers; `reverse` costs 300 for any x"
    );
    method(0.1, 100, Forward { most: 65 })
        .validate(&large)
        .unwrap();
}

/// FOMAML's gradient is that of f at y_K; the exact one has the factor (1 − s)^K more.
#[test]
fn first_order_drops_the_second_derivatives() {
    let problem = problem(false, true, true);
    let gradient = |method: &Unrolled<f64>| {
        let mut out = [0.0];
        method
            .estimate(
                &At::new(&problem, &[3.0], Key::from_seed(0)),
                &mut Memory::default(),
                &mut out,
            )
            .unwrap();
        out[0]
    };
    let factor = 0.9_f64.powi(5);
    let at_end = 3.0 * factor - 1.0;
    assert!((gradient(&method(0.1, 5, FirstOrder)) - at_end).abs() < 1e-14);
    assert!((gradient(&method(0.1, 5, Reverse)) - at_end * factor).abs() < 1e-14);
}

#[test]
fn missing_second_derivatives_are_named_and_finite_differences_help() {
    let bare = problem(true, false, false);
    let error = method(0.1, 5, Reverse).validate(&bare).unwrap_err();
    assert!(matches!(
        error,
        Error::NoSecondOrder {
            role: Role::Inner,
            needed_by: "reverse"
        }
    ));

    let inner = Closures::<f64>::new(
        1,
        1,
        |x, y, _| (y[0] * x[0]).sin(),
        |x, y, _, out| out[0] += x[0] * (y[0] * x[0]).cos(),
    )
    .with_grad_x(|x, y, _, out| out[0] += y[0] * (y[0] * x[0]).cos());
    let outer = Closures::<f64>::new(
        1,
        1,
        |_, y, _| y[0].powi(2),
        |_, y, _, out| out[0] += 2.0 * y[0],
    );
    let problem = Problem::new(FiniteDifference::new(inner), outer, FixedStart(vec![0.5])).unwrap();
    let check = bilevel::check::gradient_check(
        &method(0.1, 5, Reverse),
        &At::new(&problem, &[0.8], Key::from_seed(0)),
        1,
        1e-7,
    )
    .unwrap();
    assert!(check.passed(), "{check:?}");
}

/// Reverse mode runs without a push; forward mode and conjugate gradients are refused by name.
#[test]
fn a_pull_is_enough_for_reverse_mode() {
    let pull_only = || {
        Closures::<f64>::new(
            1,
            1,
            |x, y, _| (y[0] - x[0]).powi(2) / 2.0,
            |x, y, _, out| out[0] += y[0] - x[0],
        )
        .with_grad_x(|x, y, _, out| out[0] += x[0] - y[0])
        .with_pull(|_, _, _, v, y_bar, x_bar| {
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        })
    };
    let problem = Problem::new(pull_only(), pull_only(), FixedStart(vec![2.0])).unwrap();
    let at = At::new(&problem, &[0.8], Key::from_seed(0));
    let check = bilevel::check::gradient_check(&method(0.1, 5, Reverse), &at, 1, 1e-7).unwrap();
    assert!(check.passed(), "{check:?}");
    let needs_push = |error: Error, method: &str| match error {
        Error::NoPush { role, needed_by } => {
            assert_eq!((role, needed_by), (Role::Inner, method));
        }
        other => panic!("{other}"),
    };
    let forward = method(0.1, 5, bilevel::Forward::default());
    needs_push(forward.validate(&problem).unwrap_err(), "forward");
    let implicit = bilevel::Implicit::<f64>::default();
    needs_push(implicit.validate(&problem).unwrap_err(), "implicit");
    // Asked all the same, it is an error and not zero.
    let tangent = bilevel::adjoint::Rollout::new(&at, &*forward.dynamics, 5)
        .and_then(|mut rollout| bilevel::adjoint::directional(&mut rollout, &[1.0]));
    assert!(tangent.unwrap_err().to_string().contains("no push"));
}

fn keeps_tape(objective: impl Objective<f64>) -> bool {
    objective.has_tape()
}

#[test]
fn missing_tapes_are_named_and_another_adjoint_is_advised() {
    let bare = problem(true, true, false);
    let taped = method(0.1, 5, ReverseTape::default());
    let error = taped.validate(&bare).unwrap_err();
    assert_eq!(
        error.to_string(),
        "reverse:tape needs a tape of the inner objective, which keeps none"
    );
    // Who does not ask before is told all the same.
    let error = taped
        .estimate(
            &At::new(&bare, &[1.0], Key::from_seed(0)),
            &mut Memory::default(),
            &mut [0.0],
        )
        .unwrap_err();
    let inner = Role::Inner;
    assert!(
        matches!(error, Error::NoTape { role, .. } if role == inner),
        "{error}"
    );

    // The outer objective needs one where the steps look at it, and only there.
    let inner = Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, _| {})
        .with_grad_x(|_, _, _, _| {})
        .with_tape(|_| 0, |_, _, _, _, _| {}, |_, _, _, _, _, _, _| {});
    let outer = Closures::<f64>::new(1, 1, |_, _, _| 0.0, |_, _, _, _| {})
        .with_second_order(|_, _, _, _, _, _| {}, |_, _, _, _, _, _| {});
    assert!(keeps_tape(&inner) && !keeps_tape(&outer));
    assert!(!keeps_tape(FiniteDifference::new(&inner)));
    let half = Problem::new(inner, outer, FixedStart(vec![0.0])).unwrap();
    taped.validate(&half).unwrap();
    let aggregate = Unrolled {
        dynamics: Box::new(GradientDescent {
            field: Field::Aggregate {
                schedule: "constant:0.5".parse().unwrap(),
                outer_scale: 1.0,
            },
            ..Default::default()
        }),
        ..taped
    };
    assert!(matches!(
        aggregate.validate(&half).unwrap_err(),
        Error::NoTape {
            role: Role::Outer,
            needed_by: "reverse:tape"
        }
    ));
    // A tape is no second derivatives without one, and those are no tape.
    assert!(matches!(
        method(0.1, 5, Reverse).validate(&half).unwrap_err(),
        Error::NoSecondOrder { .. }
    ));
}

#[test]
fn settings_out_of_range_are_refused() {
    let problem = problem(true, true, false);
    for (method, field) in [
        (method(0.0, 5, Reverse), "step_size"),
        (method(-1.0, 5, Reverse), "step_size"),
        (method(f64::NAN, 5, Reverse), "step_size"),
        (method(0.1, 0, Reverse), "steps"),
        (method(0.1, 5, Checkpointed { slots: 0 }), "slots"),
        (method(0.1, 5, Truncated { last: 0 }), "last"),
        (method(0.1, 5, Forward { most: 0 }), "most"),
    ] {
        match method.validate(&problem).unwrap_err() {
            Error::Setting { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_diverging_inner_training_says_where() {
    let problem = problem(true, true, false);
    let diverging = method(1e200, 5, Reverse);
    let error = diverging
        .estimate(
            &At::new(&problem, &[1.0], Key::from_seed(0)).outer_step(7),
            &mut Memory::default(),
            &mut [0.0],
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the inner variable became non-finite at inner step 2 of outer step 7"
    );
}

#[test]
fn a_box_does_not_hide_what_is_not_a_number() {
    let inner = Closures::<f64>::new(
        1,
        1,
        |x, y, _| x[0] * y[0].sqrt(),
        |x, y, _, out| out[0] += x[0] / (2.0 * y[0].sqrt()),
    )
    .with_grad_x(|_, y, _, out| out[0] += y[0].sqrt());
    let outer = Closures::<f64>::new(1, 1, |_, y, _| y[0], |_, _, _, out| out[0] += 1.0);
    let problem = Problem::new(inner, outer, FixedStart(vec![0.5])).unwrap();
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(1.0),
            set: Set::Box(Bounds::uniform(-1.0, 1.0).unwrap()),
            ..GradientDescent::default()
        }),
        steps: 5,
        ..Unrolled::default()
    };
    // The first step goes to −1 at the least, where the root is not a number.
    let error = method
        .evaluate(
            &At::new(&problem, &[4.0], Key::from_seed(0)),
            &Memory::default(),
        )
        .unwrap_err();
    let Error::NonFinite { inner_step, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(inner_step, Some(2));
}

fn run(outer_steps: usize, tolerance: f64, time_limit: Option<Duration>) -> (RunState<f64>, Why) {
    let problem = problem(true, true, false);
    let method = method(0.5, 20, Reverse);
    let optimizer = Sgd::new(0.5);
    let mut state = RunState::new(vec![5.0], &optimizer);
    let (mut rule, mut trace) = (GradientNorm { tolerance }, Trace::default());
    let why = Driver::new(&problem, &method, &optimizer, Key::from_seed(0))
        .outer_steps(outer_steps)
        .time_limit(time_limit)
        .observer(&mut trace)
        .observer(&mut rule)
        .run(&mut state)
        .unwrap();
    assert_eq!(trace.points.len(), state.outer_step + 1);
    (state, why)
}

#[test]
fn a_run_says_why_it_ended() {
    let (state, why) = run(3, 0.0, None);
    assert_eq!((state.outer_step, why), (3, Why::LastStep));
    let (state, why) = run(1000, 1e-6, None);
    assert_eq!(why, Why::Stationary);
    assert!((state.x[0] - 1.0).abs() < 1e-5);
    let (state, why) = run(1000, 0.0, Some(Duration::ZERO));
    assert_eq!((state.outer_step, why), (0, Why::TimeLimit));
}

/// What an observer is shown after each update.
#[derive(Default)]
struct States(Vec<RunState<f64>>);

impl Observer<f64> for States {
    fn observe(&mut self, iterate: &Iterate<'_, f64>) -> bilevel::Result<Option<Why>> {
        // In turn: iterate t, then the state that begins with t + 1.
        assert_eq!(iterate.outer_step, self.0.len());
        Ok(None)
    }

    fn updated(&mut self, state: &RunState<f64>) -> bilevel::Result<()> {
        self.0.push(state.clone());
        if state.outer_step == 12 {
            return Err(Error::observer("the disk is full"));
        }
        Ok(())
    }
}

fn go_on<'a>(
    (problem, method, optimizer): &'a (Problem<f64>, Unrolled<f64>, Adam),
    state: &mut RunState<f64>,
    outer_steps: usize,
    observers: Vec<&'a mut dyn Observer<f64>>,
) -> bilevel::Result<Why> {
    let driver =
        Driver::new(problem, method, optimizer, Key::from_seed(0)).outer_steps(outer_steps);
    let mut driver = observers.into_iter().fold(driver, Driver::observer);
    driver.run(state)
}

/// A run cut anywhere and continued from its state gives the same bits as one in a piece.
#[test]
fn a_run_continues_from_its_state() {
    let parts = (
        problem(true, true, false),
        method(0.5, 20, Reverse),
        Adam::new(0.3),
    );
    let start = || RunState::new(vec![5.0], &parts.2);
    let mut whole = start();
    let mut states = States::default();
    go_on(&parts, &mut whole, 9, vec![&mut states]).unwrap();
    assert_eq!(states.0.len(), 9);
    for mut state in states.0 {
        go_on(&parts, &mut state, 9, vec![]).unwrap();
        assert_eq!((&whole.x, &whole.optimizer), (&state.x, &state.optimizer));
    }

    let mut failed = start();
    let error = go_on(&parts, &mut failed, 20, vec![&mut States::default()]).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(failed.outer_step, 12);
}
