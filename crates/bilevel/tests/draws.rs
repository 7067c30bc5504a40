//! What is drawn: the same again for the same key and steps, something else for any other.

use std::sync::{Arc, Mutex};

use crate::common::{X_LEN, problem, unrolled, x};
use bilevel::driver::Why;
use bilevel::{
    At, Closures, Draw, Driver, Field, FixedStart, GradientDescent, HyperGradient, Iterate, Key,
    Memory, Observer, Problem, Reverse, RunState, Schedule, Sgd, Unrolled,
};

/// The draws of a sweep are what makes mini-batch estimates honest: another outer step
/// or another key sees other rows, and so gives another gradient.
#[test]
fn estimates_differ_between_outer_steps_and_keys() {
    let problem = problem(3, 0.0, false);
    let method = unrolled(&GradientDescent::default(), Reverse);
    let gradient = |seed, outer_step| {
        let mut out = vec![0.0; X_LEN];
        method
            .estimate(
                &At::new(&problem, &x(), Key::from_seed(seed)).outer_step(outer_step),
                &mut Memory::default(),
                &mut out,
            )
            .unwrap();
        out
    };
    assert_eq!(gradient(0, 0), gradient(0, 0));
    assert_ne!(gradient(0, 0), gradient(0, 1));
    assert_ne!(gradient(0, 0), gradient(1, 0));
}

/// Sees that each estimate of a run is that of its own outer step.
struct OwnStep<'a> {
    problem: &'a Problem<f64>,
    method: &'a Unrolled<f64>,
    key: Key,
}

impl Observer<f64> for OwnStep<'_> {
    fn observe(&mut self, iterate: &Iterate<'_, f64>) -> bilevel::Result<Option<Why>> {
        for outer_step in 0..4 {
            let mut out = vec![0.0; X_LEN];
            self.method.estimate(
                &At::new(self.problem, iterate.x, self.key).outer_step(outer_step),
                &mut Memory::default(),
                &mut out,
            )?;
            let own = outer_step == iterate.outer_step;
            assert_eq!(out == iterate.hypergradient, own, "{outer_step}");
        }
        Ok(None)
    }
}

#[test]
fn a_run_draws_anew_at_every_outer_step() {
    let (problem, key) = (problem(3, 0.0, false), Key::from_seed(2));
    let method = unrolled(&GradientDescent::default(), Reverse);
    let optimizer = Sgd::new(0.1);
    let mut own_step = OwnStep {
        problem: &problem,
        method: &method,
        key,
    };
    let mut state = RunState::new(x(), &optimizer);
    Driver::new(&problem, &method, &optimizer, key)
        .outer_steps(3)
        .observer(&mut own_step)
        .run(&mut state)
        .unwrap();
    assert_eq!(state.outer_step, 3);
}

/// Every step of a sweep draws anew, and each objective draws for itself: the outer one for
/// every step of the aggregate field, and once more at the end.
#[test]
fn draws_differ_between_inner_steps_and_objectives() {
    let seen: Arc<Mutex<Vec<Vec<Draw>>>> = Arc::new(Mutex::new(vec![Vec::new(); 2]));
    let watched = |which: usize| {
        let (at_value, at_gradient) = (Arc::clone(&seen), Arc::clone(&seen));
        Closures::<f64>::new(
            1,
            1,
            move |_, _, draw| {
                at_value.lock().unwrap()[which].push(draw);
                0.0
            },
            move |_, _, draw, _| at_gradient.lock().unwrap()[which].push(draw),
        )
        .with_grad_x(|_, _, _, _| {})
    };
    let problem = Problem::new(watched(0), watched(1), FixedStart(vec![0.0])).unwrap();
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            field: Field::Aggregate {
                schedule: Schedule::Constant { weight: 0.5 },
                outer_scale: 1.0,
            },
            ..GradientDescent::<f64>::default()
        }),
        steps: 6,
        ..Unrolled::default()
    };
    for outer_step in 0..2 {
        method
            .evaluate(
                &At::new(&problem, &[0.0], Key::from_seed(0)).outer_step(outer_step),
                &Memory::default(),
            )
            .unwrap();
    }
    let seen = seen.lock().unwrap();
    let mut rows: Vec<Vec<usize>> = seen
        .iter()
        .flatten()
        .map(|draw| draw.rows(1000, 10).unwrap().collect())
        .collect();
    // For each of two outer steps six of each objective, and f at the end.
    assert_eq!(rows.len(), 26);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 26, "two evaluations saw the same batch");
}
