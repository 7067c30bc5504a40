//! Estimates over several tasks: their order, draws, memories and reports.

use std::sync::Mutex;

use crate::common;
use crate::counterexample::{Bowl, Bowls};
use bilevel::{
    Adaptive, At, Calls, Checkpointed, Cost, Debiased, FirstOrder, GradientDescent, HyperGradient,
    Key, Memory, OverTasks, Probability, Problem, Report, Result, Reverse, Status, TaskFamily,
    Unrolled,
};

/// Says where it was asked: the key and step, and how often it saw this memory.
#[derive(Default)]
struct Recorder {
    warm: bool,
    seen: Mutex<Vec<(Key, usize, f64, f64)>>,
}

impl HyperGradient<f64> for Recorder {
    fn validate(&self, _: &Problem<f64>) -> Result<()> {
        Ok(())
    }

    fn estimate(
        &self,
        at: &At<'_, f64>,
        memory: &mut Memory<f64>,
        out: &mut [f64],
    ) -> Result<Report<f64>> {
        let &At {
            problem,
            x,
            key,
            outer_step,
        } = at;
        let mut slope = [0.0];
        let draw = bilevel::Draw::All;
        problem.outer().at(x)?.grad_y(x, draw, &mut slope)?;
        let times = memory.number("times").unwrap_or(0.0) + 1.0;
        memory.set_number("times", times);
        let mut seen = self.seen.lock().unwrap();
        seen.push((key, outer_step, slope[0], times));
        out[0] = slope[0];
        let calls = Calls {
            grad_y: 1,
            ..Calls::default()
        };
        let mut report = Report::new(2.0 * slope[0], x.to_vec(), calls, Calls::default());
        report.figures = vec![("times", times)];
        if seen.len() == 2 {
            report.figures.push(("second", 7.0));
            report.status = Status::NotContraction { ratio: 2.0 };
        } else if seen.len() == 3 {
            report.status = Status::NotContraction { ratio: 3.0 };
        }
        Ok(report)
    }

    fn evaluate(&self, _: &At<'_, f64>, _: &Memory<f64>) -> Result<Report<f64>> {
        panic!("nobody asks");
    }

    fn cost(&self, _: &Problem<f64>) -> Cost {
        Cost::default()
    }

    fn warm_starts(&self) -> bool {
        self.warm
    }
}

/// Tasks of which some come twice in a step.
struct Listed {
    bowls: Bowls,
    numbers: Vec<usize>,
}

impl TaskFamily<f64> for Listed {
    fn x_len(&self) -> usize {
        1
    }

    fn draw(&self, _: Key, _: usize) -> Vec<usize> {
        self.numbers.clone()
    }

    fn task(&self, number: usize) -> Result<Problem<f64>> {
        self.bowls.task(number)
    }
}

fn listed(numbers: &[usize]) -> Listed {
    Listed {
        bowls: Bowls::counterexample(true),
        numbers: numbers.to_vec(),
    }
}

#[test]
fn the_mean_is_taken_in_order() {
    let family = listed(&[1, 0, 1]);
    let method = Recorder::default();
    let (mut memory, mut out) = (Memory::default(), [9.0]);
    let report = OverTasks {
        family: &family,
        method: &method,
    }
    .estimate(&[0.4], &mut memory, Key::from_seed(1), 6, &mut out)
    .unwrap();
    let [a, b] = family.bowls.bowls.map(|bowl: Bowl| bowl.slope(0.4));
    let seen = method.seen.lock().unwrap();
    let slopes: Vec<f64> = seen.iter().map(|&(.., slope, _)| slope).collect();
    assert_eq!(slopes, [b, a, b]);
    assert!(seen.iter().all(|&(_, outer_step, ..)| outer_step == 6));
    // In this order, to the last bit.
    let third = 1.0 / 3.0;
    assert_eq!(out[0], third * b + third * a + third * b);
    assert_eq!(
        report.value,
        third * (2.0 * b) + third * (2.0 * a) + third * (2.0 * b)
    );
    assert_eq!(report.inner_calls.grad_y, 3);
    assert!(report.y.is_empty());
    assert_eq!(report.status, Status::NotContraction { ratio: 2.0 });
    assert_eq!(report.figure("times"), Some(2.0));
    assert_eq!(report.figure("second"), Some(7.0));
    // A task that comes twice has other draws at each place.
    assert_ne!(seen[0].0, seen[2].0);
    assert_ne!(seen[0].0, seen[1].0);
}

/// Variables of a task are those of its number; statistics are for all together.
#[test]
fn warm_starts_are_kept_for_each_task_apart() {
    let family = listed(&[1, 0, 1]);
    for warm in [false, true] {
        let method = Recorder {
            warm,
            ..Recorder::default()
        };
        let over = OverTasks {
            family: &family,
            method: &method,
        };
        let mut memory = Memory::default();
        for outer_step in 0..2 {
            over.estimate(
                &[0.4],
                &mut memory,
                Key::from_seed(1),
                outer_step,
                &mut [0.0],
            )
            .unwrap();
        }
        let seen = method.seen.lock().unwrap();
        let times: Vec<f64> = seen.iter().map(|&(.., times)| times).collect();
        if warm {
            assert_eq!(times, [1.0, 1.0, 2.0, 3.0, 2.0, 4.0]);
            assert_eq!(memory.number("times"), None);
        } else {
            assert_eq!(times, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(memory.number("times"), Some(6.0));
        }
    }
}

fn ufo(probability: Probability) -> Debiased<f64> {
    let unrolled = |first_order: bool| Unrolled {
        dynamics: Box::new(GradientDescent::default()),
        steps: 5,
        adjoint: if first_order {
            Box::new(FirstOrder)
        } else {
            Box::new(Checkpointed { slots: 1 })
        },
    };
    Debiased {
        cheap: Box::new(unrolled(true)),
        exact: Box::new(unrolled(false)),
        probability,
    }
}

/// Of four tasks, the number of coins that fell is binomial: with one coin for all it would be 0 or 4.
#[test]
fn each_task_has_a_coin_of_its_own() {
    let family = listed(&[0, 0, 1, 1]);
    let method = ufo(Probability::Fixed(0.5));
    let over = OverTasks {
        family: &family,
        method: &method,
    };
    let mut counts = [0; 5];
    for outer_step in 0..400 {
        let report = over
            .estimate(
                &[0.4],
                &mut Memory::default(),
                Key::from_seed(1),
                outer_step,
                &mut [0.0],
            )
            .unwrap();
        counts[(4.0 * report.figure("coin").unwrap()).round() as usize] += 1;
    }
    // 25, 100, 150, 100, 25 are expected.
    for (count, expected) in counts.into_iter().zip([25, 100, 150, 100, 25]) {
        let spread = 5.0 * f64::from(expected).sqrt();
        assert!((f64::from(count - expected)).abs() < spread, "{counts:?}");
    }
}

/// Three exact draws, of three tasks, in one memory.
#[test]
fn the_averages_of_an_adaptive_probability_are_shared() {
    let family = listed(&[0, 1, 1]);
    let method = ufo(Probability::Adaptive(Adaptive {
        least: 1.0,
        averaging: 0.5,
        ..Adaptive::default()
    }));
    let over = OverTasks {
        family: &family,
        method: &method,
    };
    let mut memory = Memory::default();
    over.estimate(&[0.4], &mut memory, Key::from_seed(1), 0, &mut [0.0])
        .unwrap();
    let [a, b] = [0, 1].map(|number| {
        let mut out = [0.0];
        let problem = family.task(number).unwrap();
        method
            .exact
            .estimate(
                &At::new(&problem, &[0.4], Key::from_seed(1)),
                &mut Memory::default(),
                &mut out,
            )
            .unwrap();
        out[0] * out[0]
    });
    let problem = family.task(0).unwrap();
    let report = method
        .estimate(
            &At::new(&problem, &[0.4], Key::from_seed(1)).outer_step(1),
            &mut memory.clone(),
            &mut [0.0],
        )
        .unwrap();
    // The fourth draw is in the report too; each is worth half of the next one.
    let expected = (a / 8.0 + b / 4.0 + b / 2.0 + a) / 1.875;
    let found = report.figure("squared exact gradient").unwrap();
    assert!(
        (found / expected - 1.0).abs() < 1e-12,
        "{found}, {expected}"
    );
}

/// A single problem is no family of one: the same key, and so the same draws, as without.
#[test]
fn a_single_problem_is_estimated_as_it_is() {
    let problem = common::problem(3, 0.05, true);
    let method = common::unrolled(&GradientDescent::default(), Reverse);
    let key = Key::from_seed(3);
    let (mut alone, mut over) = ([0.0; common::X_LEN], [0.0; common::X_LEN]);
    let mut memory = Memory::default();
    let report = method
        .estimate(
            &At::new(&problem, &common::x(), key).outer_step(4),
            &mut memory,
            &mut alone,
        )
        .unwrap();
    let other = OverTasks {
        family: &problem,
        method: &method,
    }
    .estimate(&common::x(), &mut memory, key, 4, &mut over)
    .unwrap();
    assert_eq!((alone, report), (over, other));
}

#[test]
fn every_task_of_the_first_step_is_checked() {
    let method = common::unrolled(&GradientDescent::default(), bilevel::Truncated { last: 1 });
    let family = listed(&[0, 1]);
    let over = OverTasks {
        family: &family,
        method: &method,
    };
    let error = over.validate(Key::from_seed(0)).unwrap_err();
    assert!(error.to_string().contains("the start of training"));
}
