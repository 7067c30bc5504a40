//! Many inner solutions, of which the outer objective wants one: plain training never finds it.
#![allow(clippy::print_stdout)]

use bilevel::{Driver, Field, GradientDescent, Hyper, Key, RunState, Unrolled};
use bilevel_tasks::problem::{ProblemOptions, test_problem};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = test_problem("non-unique", &ProblemOptions::default())?;
    let solve = |field: Field| -> Result<f64, Box<dyn std::error::Error>> {
        let method = Unrolled {
            dynamics: Box::new(GradientDescent {
                step_size: Hyper::Fixed(0.5),
                field,
                ..GradientDescent::default()
            }),
            steps: 64,
            ..Unrolled::default()
        };
        let optimizer = bilevel::Sgd::new(0.1);
        let mut state = RunState::new(problem.start.clone(), &optimizer);
        Driver::new(&*problem.family, &method, &optimizer, Key::from_seed(0))
            .outer_steps(1000)
            .run(&mut state)?;
        Ok(state.x[0])
    };
    let plain = solve(Field::Inner)?;
    let aggregate = solve(Field::Aggregate {
        schedule: "harmonic:0.9".parse()?,
        outer_scale: 1.0,
    })?;
    println!("the answer is 1; basic ends at {plain:.4}, bda at {aggregate:.4}");
    assert!((plain - 0.5).abs() < 1e-3 && (aggregate - 1.0).abs() < 0.02);
    Ok(())
}
