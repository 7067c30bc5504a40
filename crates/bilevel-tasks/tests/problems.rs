//! The test problems: their derivatives, their known answers, their options.

use bilevel::check::{gradient_check, random_direction, second_order_check};
use bilevel::simple::{BigSam, SimpleBilevel, SimpleSolver};
use bilevel::vector::{axpy, norm, relative_difference};
use bilevel::{
    At, Draw, Driver, GradientDescent, Hyper, HyperGradient, Key, Memory, Objective, Problem,
    RunState, Unrolled,
};
use bilevel_tasks::problem::{ProblemOptions, TestProblem, names, test_problem};

fn made(name: &str, dimension: Option<usize>, seed: u64) -> TestProblem {
    let options = ProblemOptions {
        dimension,
        seed: Key::from_seed(seed),
        ..ProblemOptions::default()
    };
    test_problem(name, &options).unwrap()
}

/// Every problem, and those of any dimension in a few.
fn all() -> Vec<TestProblem> {
    let mut all: Vec<_> = names().iter().map(|name| made(name, None, 0)).collect();
    for name in ["non-unique", "quadratic", "ridge", "bvfsm-toy"] {
        all.push(made(name, Some(1), 1));
        all.push(made(name, Some(3), 2));
    }
    all
}

fn tasks(problem: &TestProblem) -> Vec<Problem<f64>> {
    if problem.name == "ufo-counterexample" {
        (0..2).map(|i| problem.family.task(i).unwrap()).collect()
    } else {
        vec![problem.family.single().unwrap().clone()]
    }
}

/// A point inside the box of x, off every special place.
fn inside(problem: &TestProblem, seed: u64) -> Vec<f64> {
    let mut x: Vec<f64> = Key::from_seed(seed)
        .normals()
        .take(problem.start.len())
        .map(|z| 1.7 + 0.3 * z)
        .collect();
    if problem.name == "ridge" {
        x[0] -= 3.0;
    }
    x
}

fn central(step: f64, at: impl Fn(f64) -> f64) -> f64 {
    (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step)
}

/// (∇_x h, ∇_y h) along (dx, dy) against differences of values, and the tape against `pull`.
fn check_first_order(objective: &dyn Objective<f64>, x: &[f64], y: &[f64], name: &str) {
    let key = Key::from_seed(7);
    let (dx, dy): (Vec<f64>, Vec<f64>) = (
        random_direction(key.fold_in(0), x.len()),
        random_direction(key.fold_in(1), y.len()),
    );
    let moved = |from: &[f64], along: &[f64], by: f64| {
        let mut moved = from.to_vec();
        axpy(by, along, &mut moved);
        moved
    };
    let value = |by: f64| {
        let x = moved(x, &dx, by);
        let mut at = objective.at(&x).unwrap();
        at.value(&moved(y, &dy, by), Draw::All).unwrap()
    };
    let mut at = objective.at(x).unwrap();
    let (mut grad_y, mut grad_x) = (vec![0.0; y.len()], vec![0.0; x.len()]);
    at.grad_y(y, Draw::All, &mut grad_y).unwrap();
    at.grad_x(y, Draw::All, 1.0).unwrap();
    at.finish(&mut grad_x).unwrap();
    let slope = bilevel::vector::dot(&grad_x, &dx) + bilevel::vector::dot(&grad_y, &dy);
    let difference = central(1e-3, value);
    assert!(
        (slope - difference).abs() < 1e-8,
        "{name}: {slope} is not {difference}"
    );

    let (mut pulled, mut x_bar) = (vec![0.0; y.len()], vec![0.0; x.len()]);
    at.second_order()
        .unwrap()
        .pull(y, Draw::All, &dy, &mut pulled)
        .unwrap();
    at.finish(&mut x_bar).unwrap();
    if let Some(taped) = at.tape() {
        let mut tape = vec![f64::NAN; taped.tape_len(Draw::All)];
        let (mut out, mut y_bar) = (vec![f64::NAN; y.len()], vec![0.0; y.len()]);
        taped.linearize(y, Draw::All, &mut out, &mut tape).unwrap();
        taped
            .pull_tape(y, Draw::All, &tape, &dy, &mut y_bar)
            .unwrap();
        let mut x_tape = vec![0.0; x.len()];
        at.finish(&mut x_tape).unwrap();
        assert!(relative_difference(&out, &grad_y) < 1e-15, "{name}");
        assert!(relative_difference(&y_bar, &pulled) < 1e-15, "{name}");
        assert!(relative_difference(&x_tape, &x_bar) < 1e-15, "{name}");
    }
}

#[test]
fn derivatives_of_every_objective() {
    for problem in all() {
        for task in tasks(&problem) {
            let x = inside(&problem, 3);
            // The tasks of ufo-counterexample have three zones on both sides of their centres.
            let shifts: &[f64] = if problem.name == "ufo-counterexample" {
                &[0.4, -0.9, 13.1, 24.7, 30.0]
            } else {
                &[0.4]
            };
            for shift in shifts {
                let y: Vec<f64> = Key::from_seed(4).normals().take(task.y_len()).collect();
                let y: Vec<f64> = y.iter().map(|y| y * 0.1 + shift).collect();
                for objective in [task.inner(), task.outer()] {
                    check_first_order(objective, &x, &y, problem.name);
                    let checked =
                        second_order_check(objective, &x, &y, Key::from_seed(5), 1e-6).unwrap();
                    assert!(checked.passed(), "{}: {checked:?}", problem.name);
                }
            }
        }
    }
}

#[test]
fn the_true_gradient_is_that_of_the_true_objective() {
    for problem in all() {
        for seed in 0..5 {
            let x = inside(&problem, seed);
            let gradient = problem.true_gradient(&x).unwrap();
            for i in 0..x.len() {
                let difference = central(1e-3, |by| {
                    let mut moved = x.clone();
                    moved[i] += by;
                    problem.true_objective(&moved).unwrap()
                });
                let scale = gradient[i].abs().max(1.0);
                assert!(
                    (gradient[i] - difference).abs() < 1e-7 * scale,
                    "{} at {x:?}: {} is not {difference}",
                    problem.name,
                    gradient[i]
                );
            }
        }
    }
}

#[test]
fn known_answers_are_stationary_feasible_and_least() {
    for problem in all() {
        let name = problem.name;
        let optimum = problem.optimum.as_ref().unwrap();
        let least = problem.true_objective(&optimum.x).unwrap();
        assert!(
            (least - optimum.f).abs() < 1e-12 * least.abs().max(1.0),
            "{name}"
        );
        assert_eq!(problem.distance(&optimum.x, &optimum.y), Some(0.0));
        // The answer of `sine` is a jump of φ: it falls to its least value there.
        if name == "sine" {
            let before = problem.true_objective(&[optimum.x[0] - 1e-6]).unwrap();
            assert!((before - least - std::f64::consts::TAU).abs() < 1e-5);
        } else {
            // Stationary on the box: ridge with few features may want no penalty at all.
            let mut moved = optimum.x.clone();
            axpy(
                -1.0,
                &problem.true_gradient(&optimum.x).unwrap(),
                &mut moved,
            );
            if let Some(bounds) = &problem.x_bounds {
                bounds.project(&mut moved);
            }
            assert!(
                relative_difference(&moved, &optimum.x) < 1e-12,
                "{name}: {moved:?}"
            );
        }
        let mut box_or_far = [-5.0, 9.0];
        if let Some(bounds) = &problem.x_bounds {
            box_or_far
                .iter_mut()
                .for_each(|end| bounds.project(std::slice::from_mut(end)));
        }
        let [low, high] = box_or_far;
        for i in 0..=997 {
            let x = vec![low + (high - low) * f64::from(i) / 997.0; problem.start.len()];
            assert!(
                problem.true_objective(&x).unwrap() >= least - 1e-12,
                "{name} at {x:?}"
            );
        }
        if let Some(task) = problem.family.single() {
            let mut gradient = vec![0.0; task.y_len()];
            let mut inner = task.inner().at(&optimum.x).unwrap();
            inner.grad_y(&optimum.y, Draw::All, &mut gradient).unwrap();
            assert!(norm(&gradient) < 1e-12, "{name}: {gradient:?}");
            let mut outer = task.outer().at(&optimum.x).unwrap();
            let f = outer.value(&optimum.y, Draw::All).unwrap();
            assert!((f - optimum.f).abs() < 1e-12, "{name}: {f}");
            let mut kept = optimum.y.clone();
            problem.y_set.project(&mut kept);
            assert_eq!(kept, optimum.y, "{name}");
        }
    }
}

fn unrolled(problem: &TestProblem, steps: usize) -> Unrolled<f64> {
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(problem.defaults.step_size),
            ..GradientDescent::default()
        }),
        steps,
        ..Unrolled::default()
    }
}

/// Where the inner solution is unique, long training and its derivative come to φ and ∇φ.
#[test]
fn long_training_reaches_the_closed_form() {
    for problem in all() {
        if ![
            "truncation-counterexample",
            "quadratic",
            "ridge",
            "pbgd-toy",
            "penalty-trap",
        ]
        .contains(&problem.name)
        {
            continue;
        }
        let x = inside(&problem, 11);
        let (task, method) = (&tasks(&problem)[0], unrolled(&problem, 3000));
        let mut gradient = vec![0.0; x.len()];
        let report = method
            .estimate(
                &At::new(task, &x, Key::from_seed(0)),
                &mut Memory::default(),
                &mut gradient,
            )
            .unwrap();
        let value = problem.true_objective(&x).unwrap();
        let truth = problem.true_gradient(&x).unwrap();
        assert!((report.value - value).abs() < 1e-9, "{}", problem.name);
        let error = relative_difference(&gradient, &truth);
        assert!(
            error < 1e-9,
            "{}: {gradient:?} is not {truth:?}",
            problem.name
        );
    }
}

#[test]
fn every_default_is_a_gradient_that_agrees_with_differences() {
    for problem in all() {
        // x does not enter simple-bilevel at all.
        if problem.name == "simple-bilevel" {
            continue;
        }
        let method = unrolled(&problem, problem.defaults.steps);
        for task in tasks(&problem) {
            let x = inside(&problem, 2);
            let key = Key::from_seed(1);
            let checked = gradient_check(&method, &At::new(&task, &x, key), 1, 1e-7).unwrap();
            assert!(checked.passed(), "{}: {checked:?}", problem.name);
        }
    }
}

/// The last x of a run with the problem's own settings and the exact gradient of training.
fn run(problem: &TestProblem, seed: u64) -> Vec<f64> {
    let method = unrolled(problem, problem.defaults.steps);
    let optimizer = problem.defaults.outer_optimizer.optimizer();
    let mut state = RunState::new(problem.start.clone(), &*optimizer);
    let mut driver = Driver::new(&*problem.family, &method, &*optimizer, Key::from_seed(seed))
        .outer_steps(problem.defaults.outer_steps);
    driver.run(&mut state).unwrap();
    state.x
}

/// Where the inner solution is unique and φ has one valley, naming the problem is enough.
#[test]
fn the_defaults_come_to_the_answer() {
    for (name, tolerance) in [
        ("truncation-counterexample", 1e-9),
        ("quadratic", 1e-9),
        ("penalty-trap", 1e-9),
        ("ridge", 1e-3),
    ] {
        let problem = made(name, None, 3);
        let (x, best) = (run(&problem, 3), &problem.optimum.as_ref().unwrap().x);
        let error = relative_difference(&x, best);
        assert!(error < tolerance, "{name}: {x:?} is not {best:?}");
    }
    for seed in 0..5 {
        let problem = made("ufo-counterexample", None, seed);
        let slope = problem.true_gradient(&run(&problem, seed)).unwrap();
        assert!(slope[0].abs() < 0.03, "seed {seed}: {slope:?}");
    }
}

#[test]
fn the_counterexample_to_first_order_gradients() {
    let problem = made("ufo-counterexample", None, 0);
    let (best, first_order) = (2.840_281_802_5, 5.758_866_912_2);
    let optimum = problem.optimum.as_ref().unwrap();
    assert!((optimum.x[0] - best).abs() < 1e-9);
    assert!((optimum.f - 1.475_99).abs() < 5e-6);
    let slope = problem.true_gradient(&[first_order]).unwrap()[0];
    assert!((slope - 0.12_f64.sqrt()).abs() < 1e-9, "{slope}");
    let value = problem.true_objective(&[first_order]).unwrap();
    assert!((value - 1.981_50).abs() < 5e-6);

    // M' is the mean of what unrolling gives for the tasks.
    let method = unrolled(&problem, problem.defaults.steps);
    for x in [-8.0, 1.0, 17.0, 28.0] {
        let mut mean = 0.0;
        for task in tasks(&problem) {
            let mut gradient = [0.0];
            method
                .estimate(
                    &At::new(&task, &[x], Key::from_seed(0)),
                    &mut Memory::default(),
                    &mut gradient,
                )
                .unwrap();
            mean += gradient[0] / 2.0;
        }
        assert!((mean - problem.true_gradient(&[x]).unwrap()[0]).abs() < 1e-13);
    }

    let drawn: Vec<_> = (0..1000)
        .map(|step| problem.family.draw(Key::from_seed(3), step))
        .collect();
    assert!(drawn.iter().all(|numbers| numbers.len() == 1));
    let second = drawn.iter().filter(|numbers| numbers[0] == 1).count();
    assert!((450..=550).contains(&second), "{second}");
    assert!(problem.family.task(2).is_err());

    let starts: Vec<f64> = (0..50)
        .map(|seed| made("ufo-counterexample", None, seed).start[0])
        .collect();
    assert!(starts.iter().all(|x| (-10.0..30.0).contains(x)));
    assert!(starts.iter().any(|&x| x < 0.0) && starts.iter().any(|&x| x > 20.0));
    let longer = ProblemOptions {
        steps: Some(20),
        ..ProblemOptions::default()
    };
    assert!(
        test_problem("ufo-counterexample", &longer)
            .unwrap()
            .optimum
            .is_none()
    );
}

/// From `simple-bilevel` and from `non-unique` at x = 3, which is the same.
#[test]
fn the_simple_bilevel_problem_is_the_inner_model_of_another() {
    let simple = made("simple-bilevel", None, 0);
    let solver = BigSam::new(simple.moduli.unwrap());
    let solve = |problem: &TestProblem, x: &[f64]| {
        let task = problem.family.single().unwrap();
        let pair = SimpleBilevel::of(task, x, problem.y_set.clone()).unwrap();
        solver.solve(&pair, &problem.inner_start).unwrap().y
    };
    let y = solve(&simple, &[]);
    assert!(simple.distance(&[], &y).unwrap() < 1e-3);
    assert_eq!(y, solve(&made("non-unique", None, 0), &[3.0]));
}

#[test]
fn data_and_random_starts_come_from_the_seed() {
    for name in ["ridge", "pbgd-toy", "ufo-counterexample"] {
        let x = [0.3];
        let print = |seed| {
            let problem = made(name, None, seed);
            (
                problem.start.clone(),
                problem.inner_start.clone(),
                problem.true_objective(&x).unwrap(),
            )
        };
        assert_eq!(print(5), print(5), "{name}");
        assert_ne!(print(5), print(6), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |name: &str, options: ProblemOptions| {
        test_problem(name, &options)
            .map(|problem| problem.name)
            .unwrap_err()
            .to_string()
    };
    let none = ProblemOptions::default;
    let message = refused("non-uniq", none());
    assert!(
        message.ends_with("simple-bilevel; did you mean \"non-unique\"?"),
        "{message}"
    );
    assert!(!refused("x", none()).contains("did you mean"));
    let sized = |dimension| ProblemOptions {
        dimension: Some(dimension),
        ..none()
    };
    assert_eq!(
        refused("sine", sized(2)),
        "sine: expected dimension 1, the only possible one, found 2"
    );
    assert_eq!(
        refused("ridge", sized(201)),
        "ridge: expected a dimension from 1 to 200, found 201"
    );
    assert_eq!(
        refused("quadratic", sized(0)),
        "quadratic: expected a dimension of at least 1, found 0"
    );
    let start = |start: &[f64]| ProblemOptions {
        start: Some(start.to_vec()),
        ..none()
    };
    assert_eq!(
        refused("quadratic", start(&[1.0; 3])),
        "quadratic: the start of x: expected 2 numbers, found 3"
    );
    assert_eq!(
        refused("quadratic", start(&[1.0, f64::NAN])),
        "quadratic: the start of x: expected finite numbers, found NaN at place 1"
    );
    let inner = |start: &[f64]| ProblemOptions {
        inner_start: Some(start.to_vec()),
        ..none()
    };
    assert_eq!(
        refused("non-unique", inner(&[1.0])),
        "non-unique: the start of training: expected 2 numbers, found 1"
    );
    assert!(refused("ufo-counterexample", inner(&[1.0])).contains("training starts at x"));
    let step_size = ProblemOptions {
        step_size: Some(0.0),
        ..none()
    };
    assert!(refused("sine", step_size).contains("step_size must be a positive number, found 0"));
    let problem = made("quadratic", None, 0);
    assert!(problem.true_gradient(&[1.0]).is_err() && problem.true_objective(&[1.0]).is_err());
}
