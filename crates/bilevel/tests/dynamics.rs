//! Every rule, field, schedule and set together: one hypergradient whichever way it is taken, with
//! all inner hyperparameters learned; and the numbers of the rules themselves.

use crate::common::agreement::{assert_agreement, fields};
use crate::common::{Rows, STEPS, plain, unrolled, weighted};
use bilevel::adjoint::Rollout;
use bilevel::dynamics::Transform::{self, Exp, Sigmoid};
use bilevel::vector::norm;
use bilevel::{
    Adjoint, At, Bounds, Checkpointed, Closures, Dynamics, ElasticNet, Field, Forward,
    GradientDescent, Hyper, HyperGradient, InnerAdam, Key, Momentum, Oracle, Problem,
    ProximalGradient, Reverse, ReverseTape, Set, StartFromX, Status, Truncated, Unrolled,
};

/// 8 weights, 3 numbers for the start, then hyperparameters before their transform.
const X_LEN: usize = 15;

fn x() -> Vec<f64> {
    let mut x: Vec<f64> = (0..X_LEN)
        .map(|i| 0.7 * (1.3 * i as f64 + 0.4).sin())
        .collect();
    // Step sizes near 0.4 and 0.1, strengths near 0.14 and 0.1, decays near 0.7.
    x[11..].copy_from_slice(&[-0.9, -2.3, -2.0, 0.8]);
    x
}

fn problem(batch: usize) -> Problem<f64> {
    let inner = weighted(Rows::new(8, batch, 0.3), X_LEN);
    let outer = plain(Rows::new(6, batch.min(6), 1.1), X_LEN, 0.05);
    Problem::new(inner, outer, StartFromX::new(8..11)).unwrap()
}

fn learned(index: usize, transform: Transform) -> Hyper {
    Hyper::FromX { index, transform }
}

/// What holds y is held on the way: some numbers of y by the box, the norm by the ball, and a zero
/// of the simplex.
fn sets() -> Vec<Set<f64>> {
    vec![
        Set::All,
        Set::Box(Bounds::new(vec![-0.45, -9.0, -9.0], vec![9.0, -0.15, 9.0]).unwrap()),
        Set::Ball { radius: 0.6 },
        Set::Simplex { total: 0.7 },
    ]
}

fn held(set: &Set<f64>, y: &[f64]) -> bool {
    match set {
        Set::All => true,
        Set::Box(_) => y[0] == -0.45 || y[1] == -0.15,
        Set::Ball { radius } => norm(y) > radius - 1e-12,
        Set::Simplex { .. } => y.contains(&0.0),
    }
}

/// The states y_1 … y_K.
fn states(dynamics: &dyn Dynamics<f64>, problem: &Problem<f64>) -> Vec<Vec<f64>> {
    let x = x();
    let mut rollout =
        Rollout::new(&At::new(problem, &x, Key::from_seed(3)), dynamics, STEPS).unwrap();
    let mut state = rollout.start().unwrap();
    (0..STEPS)
        .map(|t| {
            rollout.advance(t, &mut state).unwrap();
            state[..3].to_vec()
        })
        .collect()
}

/// The grid for one rule: `rule` makes it from a field and a set, and says whether y is zero or held
/// where it must be.
fn assert_grid<D: Dynamics<f64> + Clone + 'static>(
    rule: impl Fn(Field, Set<f64>) -> Option<D>,
    touches: impl Fn(&[Vec<f64>]) -> bool,
) {
    for set in sets() {
        for field in fields() {
            for batch in [8, 3] {
                let Some(dynamics) = rule(field.clone(), set.clone()) else {
                    continue;
                };
                let problem = problem(batch);
                let label = format!("{field:?}, {set:?}, batch {batch}");
                let states = states(&dynamics, &problem);
                assert!(states.iter().any(|y| held(&set, y)), "{label}: never held");
                assert!(touches(&states), "{label}: never zero");
                assert_agreement(&problem, &dynamics, &x(), &label);
                assert_cost(&problem, &dynamics, &label);
            }
        }
    }
}

/// What was foreseen is what was asked.
fn assert_cost(
    problem: &Problem<f64>,
    dynamics: &(impl Dynamics<f64> + Clone + 'static),
    label: &str,
) {
    let (inner, outer) = dynamics.gradients(STEPS);
    let varied = [inner, outer]
        .iter()
        .any(|&asked| asked != 0.0 && asked != STEPS as f64);
    let methods = [
        unrolled(dynamics, Reverse),
        unrolled(dynamics, ReverseTape::default()),
        unrolled(dynamics, Checkpointed { slots: 3 }),
        unrolled(dynamics, Truncated { last: 5 }),
        unrolled(dynamics, Forward::default()),
    ];
    for method in methods {
        let (_, report) = method.gradient(problem, &x(), Key::from_seed(3)).unwrap();
        let cost = method.cost(problem);
        for (foreseen, calls) in [
            (cost.inner, report.inner_calls),
            (cost.outer, report.outer_calls),
        ] {
            let name = method.adjoint.name();
            let foreseen = foreseen.untaped();
            let same = |oracle| (foreseen[oracle] - calls[oracle] as f64).abs() < 1e-9;
            // The shares of checkpointing and truncation are those of a mean step.
            let varied = varied && ["checkpointed", "truncated"].contains(&name);
            let right = same(Oracle::Push) && (varied || same(Oracle::GradY) && same(Oracle::Pull));
            assert!(right, "{label}, {name}: {foreseen:?} {calls:?}");
        }
    }
}

#[test]
fn gradient_descent() {
    assert_grid(
        |field, set| {
            let step_size = learned(11, Exp);
            Some(GradientDescent {
                step_size,
                field,
                set,
            })
        },
        |_| true,
    );
}

#[test]
fn proximal_gradient() {
    let rule = |l1, l2| {
        move |field, set| {
            let simplex = matches!(set, Set::Simplex { .. });
            let l1 = if simplex { Hyper::Fixed(0.0) } else { l1 };
            let penalty = ElasticNet { l1, l2 };
            let step_size = learned(11, Exp);
            Some(ProximalGradient {
                step_size,
                penalty,
                field,
                set,
            })
        }
    };
    // Some number of y is zero at some step, and some at the last one is not.
    let zero = |states: &[Vec<f64>]| {
        states.iter().flatten().any(|&y| y == 0.0) && states[STEPS - 1].iter().any(|&y| y != 0.0)
    };
    assert_grid(rule(learned(13, Exp), learned(12, Exp)), zero);
    assert_grid(rule(Hyper::Fixed(0.1), Hyper::Fixed(0.0)), |_| true);
}

#[test]
fn heavy_ball() {
    momentum(false);
}

#[test]
fn nesterov() {
    momentum(true);
}

fn momentum(nesterov: bool) {
    for fixed in [false, true] {
        assert_grid(
            |field, set| {
                let (step_size, momentum) = if fixed {
                    (Hyper::Fixed(0.2), Hyper::Fixed(0.8))
                } else {
                    (learned(11, Exp), learned(14, Sigmoid))
                };
                Some(Momentum {
                    step_size,
                    momentum,
                    nesterov,
                    field,
                    set,
                })
            },
            |_| true,
        );
    }
}

#[test]
fn adam() {
    assert_grid(
        |field, set| {
            let (beta1, beta2) = (learned(14, Sigmoid), learned(14, Sigmoid));
            let step_size = learned(12, Exp);
            let epsilon = 1e-3;
            Some(InnerAdam {
                step_size,
                beta1,
                beta2,
                epsilon,
                field,
                set,
            })
        },
        |_| true,
    );
}

/// (y₀ y₁ − target)²/2 from the start y = x; y₂ never has a gradient.
fn product(target: f64) -> Closures<f64> {
    let apart = move |y: &[f64]| y[0] * y[1] - target;
    Closures::new(
        3,
        3,
        move |_, y, _| apart(y).powi(2) / 2.0,
        move |_, y, _, out| {
            out[0] += apart(y) * y[1];
            out[1] += apart(y) * y[0];
        },
    )
    .with_second_order(
        move |_, y, _, v, y_bar, _| {
            let mixed = y[0] * y[1] + apart(y);
            y_bar[0] += y[1] * y[1] * v[0] + mixed * v[1];
            y_bar[1] += mixed * v[0] + y[0] * y[0] * v[1];
        },
        move |_, y, _, _, dy, out| {
            let mixed = y[0] * y[1] + apart(y);
            out[0] += y[1] * y[1] * dy[0] + mixed * dy[1];
            out[1] += mixed * dy[0] + y[0] * y[0] * dy[1];
        },
    )
}

#[test]
fn adam_says_where_its_first_step_jumps() {
    let problem = Problem::new(product(1.0), product(2.0), StartFromX::new(0..3)).unwrap();
    let adjoints: [Box<dyn Adjoint<f64>>; 3] = [
        Box::new(Reverse),
        Box::new(Checkpointed { slots: 2 }),
        Box::new(Forward::default()),
    ];
    for adjoint in adjoints {
        let method = Unrolled {
            dynamics: Box::new(InnerAdam {
                step_size: Hyper::Fixed(0.05),
                ..InnerAdam::default()
            }),
            steps: 5,
            adjoint,
        };
        let status = |x: &[f64]| {
            let (gradient, report) = method.gradient(&problem, x, Key::from_seed(0)).unwrap();
            (norm(&gradient), report.status)
        };
        // The gradient in y₀ is 0 at y₁ = 0 alone; the one in y₂ everywhere.
        let (size, at_zero) = status(&[0.5, 0.0, 0.3]);
        assert_eq!(at_zero, Status::StepJumps);
        assert!(size > 1e4, "{size}");
        assert!(at_zero.to_string().contains("momentum"), "{at_zero}");
        let (size, beside) = status(&[0.5, 1e-3, 0.3]);
        assert_eq!(beside, Status::Good);
        assert!(size < 10.0, "{size}");
    }
}
