//! The strength of ridge penalties by implicit differentiation: memory that does not grow with training.
#![allow(clippy::print_stdout)]

use bilevel::{GradientDescent, Hyper, HyperGradient, Implicit, Key, Unrolled, vector};
use bilevel_tasks::problem::{ProblemOptions, test_problem};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ridge = test_problem("ridge", &ProblemOptions::default())?;
    let problem = ridge.family.task(0)?;
    let dynamics = || {
        Box::new(GradientDescent {
            step_size: Hyper::Fixed(ridge.defaults.step_size),
            ..GradientDescent::default()
        })
    };
    let key = Key::from_seed(0);
    let truth = ridge.true_gradient(&ridge.start)?;
    let implicit = Implicit {
        dynamics: dynamics(),
        steps: 4000,
        ..Implicit::default()
    };
    let (gradient, report) = implicit.gradient(&problem, &ridge.start, key)?;
    let error = vector::relative_difference(&gradient, &truth);
    println!(
        "implicit: {}, error {error:.1e}, {} products for the linear system",
        report.status,
        report.figure("linear products").unwrap_or_default()
    );
    assert!(error < 1e-6 && report.status.is_good());
    let unrolled = Unrolled {
        dynamics: dynamics(),
        steps: 4000,
        ..Unrolled::default()
    };
    let (gradient, _) = unrolled.gradient(&problem, &ridge.start, key)?;
    let kept = |method: &dyn HyperGradient<f64>| method.cost(&problem).kept_numbers;
    println!(
        "unrolled: error {:.1e}; numbers kept for the way back {} against {}",
        vector::relative_difference(&gradient, &truth),
        kept(&unrolled),
        kept(&implicit)
    );
    Ok(())
}
