//! SOBA and stocBiO: to the known optimum, with all rows and with mini-batches.

use crate::closed::{Quadratic, Ridge};
use crate::common::toys::assert_calls;
use bilevel::driver::{Driver, RunState};
use bilevel::vector::{norm, relative_difference};
use bilevel::{
    At, Closures, Error, FixedStart, HyperGradient, Key, Memory, Problem, Role, Scalar, Sequence,
    Sgd, Soba, StartFromX, StocBio,
};

fn soba(step_size: f64) -> Soba {
    let value = step_size;
    Soba {
        step_size: Sequence::Constant { value },
        solver_step_size: Sequence::Constant { value },
        damping: 0.0,
    }
}

fn stocbio(step_size: f64, steps: usize, terms: usize) -> StocBio {
    StocBio {
        step_size,
        steps,
        solver_step_size: step_size,
        terms,
        damping: 0.0,
    }
}

fn run<T: Scalar>(
    problem: &Problem<T>,
    method: &dyn HyperGradient<T>,
    rate: Sgd,
    outer_steps: usize,
    x: &[f64],
) -> RunState<T> {
    let x = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut state = RunState::new(x, &rate);
    go_on(problem, method, rate, outer_steps, &mut state);
    state
}

fn go_on<T: Scalar>(
    problem: &Problem<T>,
    method: &dyn HyperGradient<T>,
    rate: Sgd,
    outer_steps: usize,
    state: &mut RunState<T>,
) {
    Driver::new(problem, method, &rate, Key::from_seed(4))
        .outer_steps(outer_steps)
        .run(state)
        .unwrap();
}

fn distance<T: Scalar>(x: &[T], optimum: &[f64]) -> f64 {
    let x: Vec<f64> = x.iter().map(|x| x.to_double()).collect();
    relative_difference(&x, optimum)
}

#[test]
fn both_reach_the_optimum_of_a_coupled_quadratic() {
    let quadratic = Quadratic::definite(5);
    let optimum = quadratic.optimum();
    assert!(norm(&quadratic.gradient(&optimum)) < 1e-12);
    let start = [2.0, -2.0];
    let reached = |method: &dyn HyperGradient<f64>| {
        let state = run(&quadratic.problem(), method, Sgd::new(0.1), 2000, &start);
        distance(&state.x, &optimum)
    };
    let in_single = |method: &dyn HyperGradient<f32>| {
        let state = run(&quadratic.problem(), method, Sgd::new(0.1), 2000, &start);
        distance(&state.x, &optimum)
    };
    assert!(reached(&soba(0.3)) < 1e-9);
    assert!(in_single(&soba(0.3)) < 1e-5);
    // The bias of stocBiO is that of the missing terms.
    let [few, more, many] = [2, 8, 60].map(|terms| reached(&stocbio(0.3, 5, terms)));
    assert!(
        few > 1e-2 && more < 0.2 * few && many < 1e-9,
        "{few} {more} {many}"
    );
    assert!(in_single(&stocbio(0.3, 5, 60)) < 1e-5);
}

/// With steps that shrink, noise averages out; the gradient there is small beside that at the
/// start, on any seed of the draws.
#[test]
fn both_reach_the_optimum_with_mini_batches() {
    let ridge = Ridge::new(12, 4);
    let problem = ridge.problem::<f64>();
    let start = [1.0, -2.0, 2.0];
    let target = |x: &[f64]| norm(&ridge.gradient(x)) / norm(&ridge.gradient(&start));
    let rate = Sgd {
        rate: 1.0,
        decay: 0.002,
    };
    let shrinking = Soba {
        step_size: "power:0.5,-0.3".parse().unwrap(),
        solver_step_size: "power:0.5,-0.3".parse().unwrap(),
        damping: 0.0,
    };
    let methods: [(&dyn HyperGradient<f64>, usize); 2] =
        [(&shrinking, 20_000), (&stocbio(0.1, 5, 60), 3000)];
    for (method, outer_steps) in methods {
        let state = run(&problem, method, rate, outer_steps, &start);
        let left = target(&state.x);
        assert!(left < 0.03, "{left}");
        assert!(ridge.value(&state.x) < ridge.value(&start));
    }
}

/// The mean direction of SOBA over draws is that of all rows, at the same x, y and v: each of its
/// three updates is unbiased.
#[test]
fn mini_batch_directions_of_soba_are_unbiased() {
    let (batched, full) = (Ridge::new(12, 3), Ridge::new(12, 12));
    let x = [-0.5, 0.3, 0.1];
    let mut memory = Memory::default();
    memory.set_vector("y", &[0.4, -0.2, 0.1]);
    memory.set_vector("v", &[0.3, 0.5, -0.4]);
    let one = |ridge: &Ridge, seed: u64| {
        let mut after = memory.clone();
        let mut out = vec![0.0; 3];
        soba(0.5)
            .estimate(
                &At::new(&ridge.problem(), &x, Key::from_seed(seed)),
                &mut after,
                &mut out,
            )
            .unwrap();
        [&out, after.vector("y").unwrap(), after.vector("v").unwrap()].concat()
    };
    let exact = one(&full, 0);
    let draws: Vec<Vec<f64>> = (0..4000).map(|seed| one(&batched, seed)).collect();
    let count = draws.len() as f64;
    let mut noisy = 0;
    for (i, exact) in exact.iter().enumerate() {
        let mean = draws.iter().map(|draw| draw[i]).sum::<f64>() / count;
        let variance = draws
            .iter()
            .map(|draw| (draw[i] - mean).powi(2))
            .sum::<f64>()
            / count;
        let error = (variance / count).sqrt();
        noisy += usize::from(error > 1e-6);
        assert!(
            (mean - exact).abs() <= 5.0 * error + 1e-12,
            "{i}: {mean} {exact} {error}"
        );
    }
    // y and v are noisy. x is not: the mixed derivatives are those of the penalty alone.
    assert_eq!(noisy, 6);
}

/// One step by hand: g = a y²/2 − x y, f = (y − 1)²/2.
#[test]
fn a_step_of_soba_by_hand() {
    let problem = Quadratic::diagonal(&[2.0]).problem::<f64>();
    let x = [0.5, 0.0];
    let mut memory = Memory::default();
    memory.set_vector("y", &[0.7]);
    memory.set_vector("v", &[0.2]);
    let method = Soba {
        step_size: "constant:0.1".parse().unwrap(),
        solver_step_size: "constant:0.3".parse().unwrap(),
        damping: 0.5,
    };
    let at = memory.clone();
    let mut h = [0.0; 2];
    let report = method
        .estimate(
            &At::new(&problem, &x, Key::from_seed(0)),
            &mut memory,
            &mut h,
        )
        .unwrap();
    // B = (cos 0.5, cos −0.2), c = 0.3, d = 1; ∇_y f = y − 1 + x₀/3.
    let (b0, b1) = (0.5_f64.cos(), (-0.2_f64).cos());
    let (grad_g, grad_f) = (2.0 * 0.7 - b0 * 0.5 - 0.3, 0.7 - 1.0 + 0.5 / 3.0);
    let expected = [0.25 + 0.7 / 3.0 + b0 * 0.2, b1 * 0.2];
    assert!(relative_difference(&h, &expected) < 1e-14);
    let kept = |name| memory.vector(name).unwrap()[0];
    assert!((kept("y") - (0.7 - 0.1 * grad_g)).abs() < 1e-14);
    assert!((kept("v") - (0.2 - 0.3 * (2.5 * 0.2 - grad_f))).abs() < 1e-14);
    assert_eq!(report.y, [0.7]);
    let value = method
        .evaluate(&At::new(&problem, &x, Key::from_seed(0)), &at)
        .unwrap();
    assert_eq!(value.value, report.value);
}

#[test]
fn costs_are_foreseen_and_runs_continue_to_the_same_bits() {
    let problem = Ridge::new(12, 4).problem::<f64>();
    let methods: [&dyn HyperGradient<f64>; 2] = [&soba(0.2), &stocbio(0.2, 4, 7)];
    for method in methods {
        assert_eq!(method.remembers(), bilevel::Remembers::Variables);
        let rate = Sgd::new(0.1);
        let whole = run(&problem, method, rate, 20, &[0.0; 3]);
        let mut cut = run(&problem, method, rate, 7, &[0.0; 3]);
        go_on(&problem, method, rate, 20, &mut cut);
        assert_eq!((&whole.x, &whole.memory), (&cut.x, &cut.memory));
        assert!(whole.memory.vector("y").is_some());

        let (_, report) = method
            .gradient(&problem, &[0.0; 3], Key::from_seed(0))
            .unwrap();
        assert_calls("a single loop", &report, &method.cost(&problem));
    }
}

/// The direction, in expectation over the batches of the Neumann series, is that of all rows.
#[test]
fn the_batches_of_stocbio_are_independent() {
    let (batched, full) = (Ridge::new(12, 3), Ridge::new(12, 12));
    let x = [-0.5, 0.3, 0.1];
    // Next to no inner step, so that y is the same for all.
    let method = StocBio {
        step_size: 1e-300,
        ..stocbio(0.5, 1, 4)
    };
    let mut memory = Memory::default();
    memory.set_vector("y", &[0.4, -0.2, 0.1]);
    let one = |inner: &Ridge, seed: u64| {
        let mut out = vec![0.0; 3];
        // The outer objective is that of all rows for both.
        let problem = Problem::new(
            Shared(inner.problem::<f64>()),
            Outer(full.problem::<f64>()),
            FixedStart(vec![0.0; 3]),
        )
        .unwrap();
        method
            .estimate(
                &At::new(&problem, &x, Key::from_seed(seed)),
                &mut memory.clone(),
                &mut out,
            )
            .unwrap();
        out
    };
    let exact = one(&full, 0);
    let draws: Vec<Vec<f64>> = (0..4000).map(|seed| one(&batched, seed)).collect();
    let count = draws.len() as f64;
    for (i, exact) in exact.iter().enumerate() {
        let mean = draws.iter().map(|draw| draw[i]).sum::<f64>() / count;
        let variance = draws
            .iter()
            .map(|draw| (draw[i] - mean).powi(2))
            .sum::<f64>()
            / count;
        let error = (variance / count).sqrt();
        assert!(error > 1e-6);
        assert!(
            (mean - exact).abs() <= 5.0 * error,
            "{i}: {mean} {exact} {error}"
        );
    }
}

/// The inner objective of a problem, as an objective of its own.
struct Shared(Problem<f64>);
/// Its outer one.
struct Outer(Problem<f64>);

macro_rules! forward {
    ($type:ident, $which:ident) => {
        impl bilevel::Objective<f64> for $type {
            fn x_layout(&self) -> &bilevel::Layout {
                self.0.$which().x_layout()
            }
            fn y_layout(&self) -> &bilevel::Layout {
                self.0.$which().y_layout()
            }
            fn depends_on_x(&self) -> bool {
                self.0.$which().depends_on_x()
            }
            fn has_second_order(&self) -> bool {
                self.0.$which().has_second_order()
            }
            fn at<'a>(
                &'a self,
                x: &'a [f64],
            ) -> bilevel::Result<Box<dyn bilevel::objective::AtX<f64> + 'a>> {
                self.0.$which().at(x)
            }
        }
    };
}

forward!(Shared, inner);
forward!(Outer, outer);

#[test]
fn what_makes_no_sense_is_refused() {
    let objective = || {
        Closures::<f64>::new(
            1,
            1,
            |_, y, _| y[0] * y[0] / 2.0,
            |_, y, _, out| out[0] += y[0],
        )
    };
    let second_order = || {
        objective().with_second_order(
            |_, _, _, v, y_bar, _| y_bar[0] += v[0],
            |_, _, _, _, dy, out| out[0] += dy[0],
        )
    };
    let from_start = Problem::new(second_order(), second_order(), StartFromX::new(0..1)).unwrap();
    let bare = Problem::new(objective(), objective(), FixedStart(vec![0.0])).unwrap();
    for (method, name) in [
        (&soba(0.1) as &dyn HyperGradient<f64>, "soba"),
        (&stocbio(0.1, 5, 5), "stocbio"),
    ] {
        let error = method.validate(&from_start).unwrap_err();
        assert!(matches!(error, Error::StructurallyZero { derivative, .. } if derivative == name));
        let error = method.validate(&bare).unwrap_err();
        let inner = Role::Inner;
        assert!(
            matches!(error, Error::NoSecondOrder { role, needed_by } if role == inner && needed_by == name)
        );
    }
    let problem = Ridge::new(12, 12).problem::<f64>();
    let settings: [(&dyn HyperGradient<f64>, &str); 7] = [
        (&soba(0.0), "step_size"),
        (
            &Soba {
                solver_step_size: Sequence::Constant { value: -1.0 },
                ..soba(0.1)
            },
            "solver_step_size",
        ),
        (
            &Soba {
                damping: -1.0,
                ..soba(0.1)
            },
            "damping",
        ),
        (&stocbio(0.1, 0, 5), "steps"),
        (&stocbio(0.1, 5, 0), "the terms of the linear solver"),
        (
            &StocBio {
                step_size: 0.0,
                ..stocbio(0.1, 5, 5)
            },
            "step_size",
        ),
        (
            &StocBio {
                damping: f64::NAN,
                ..stocbio(0.1, 5, 5)
            },
            "damping",
        ),
    ];
    for (method, field) in settings {
        match method.validate(&problem).unwrap_err() {
            Error::Setting { field: found, .. } => assert_eq!(found, field),
            other => panic!("{other}"),
        }
    }
    // Steps that are too long end with an error that says where.
    let error = {
        let mut state = RunState::new(vec![0.0; 3], &Sgd::new(0.1));
        Driver::new(&problem, &soba(1e10), &Sgd::new(0.1), Key::from_seed(0))
            .outer_steps(100)
            .run(&mut state)
            .unwrap_err()
    };
    assert!(
        matches!(
            error,
            Error::NonFinite {
                outer_step: Some(_),
                ..
            }
        ),
        "{error}"
    );
}
