//! Estimates over several tasks: their order, draws, memories and reports.

use std::sync::Mutex;

use crate::common;
use crate::counterexample::{Bowl, Bowls};
use bilevel::{
    Adaptive, At, CallingThread, Calls, Checkpointed, Closures, Cost, Debiased, Error, Executor,
    FirstOrder, FixedStart, GradientDescent, HyperGradient, Key, Memory, Oracle, OrderedMean,
    OverTasks, Probability, Problem, Remembers, Report, Result, Reverse, Status, T1T2,
    TaskEstimate, TaskFamily, Threads, Unrolled,
};
use proptest::prelude::*;

/// Says where it was asked: the key and step, and how often it saw this memory.
#[derive(Default)]
struct Recorder {
    /// Statistics, unless there is another answer.
    remembers: Option<Remembers>,
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
        let calls = Calls::of([(Oracle::GradY, 1)]);
        let mut report = Report::new(2.0 * slope[0], x.to_vec(), calls, Calls::default());
        report.add_figure("times", times);
        if seen.len() == 2 {
            report.add_figure("second", 7.0);
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

    fn remembers(&self) -> Remembers {
        self.remembers.unwrap_or(Remembers::Statistics)
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
    let report = OverTasks::new(&family, &method)
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
    assert_eq!(report.inner_calls[Oracle::GradY], 3);
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
    for remembers in [Remembers::Statistics, Remembers::Variables] {
        let method = Recorder {
            remembers: Some(remembers),
            ..Recorder::default()
        };
        let over = OverTasks::new(&family, &method);
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
        if remembers == Remembers::Variables {
            // Task 1, at places 0 and 2, then task 0.
            assert_eq!(times, [1.0, 2.0, 1.0, 3.0, 4.0, 2.0]);
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
    let over = OverTasks::new(&family, &method);
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
    let over = OverTasks::new(&family, &method);
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
    let other = OverTasks::new(&problem, &method)
        .estimate(&common::x(), &mut memory, key, 4, &mut over)
        .unwrap();
    assert_eq!((alone, report), (over, other));
}

#[test]
fn every_task_of_the_first_step_is_checked() {
    let method = common::unrolled(&GradientDescent::default(), bilevel::Truncated { last: 1 });
    let family = listed(&[0, 1]);
    let over = OverTasks::new(&family, &method);
    let error = over.validate(Key::from_seed(0)).unwrap_err();
    assert!(error.to_string().contains("the start of training"));
}

/// Tasks with an own slope each: g = a (y − c x)²/2, f = (y − 1)²/2.
struct Slopes(Vec<usize>);

impl TaskFamily<f64> for Slopes {
    fn x_len(&self) -> usize {
        1
    }

    fn draw(&self, _: Key, outer_step: usize) -> Vec<usize> {
        let mut numbers = self.0.clone();
        numbers.rotate_left(outer_step);
        numbers.truncate(7);
        numbers
    }

    fn task(&self, number: usize) -> Result<Problem<f64>> {
        let (a, c) = (0.3 + 0.17 * number as f64, (1.0 + number as f64).sqrt());
        let g = Closures::<f64>::new(
            1,
            1,
            move |x, y, _| a * (y[0] - c * x[0]).powi(2) / 2.0,
            move |x, y, _, out| out[0] += a * (y[0] - c * x[0]),
        )
        .with_grad_x(move |x, y, _, out| out[0] -= c * a * (y[0] - c * x[0]))
        .with_second_order(
            move |_, _, _, v, y_bar, x_bar| {
                y_bar[0] += a * v[0];
                x_bar[0] -= c * a * v[0];
            },
            move |_, _, _, dx, dy, out| out[0] += a * dy[0] - c * a * dx[0],
        );
        let f = Closures::<f64>::new(
            1,
            1,
            |_, y, _| (y[0] - 1.0).powi(2) / 2.0,
            |_, y, _, out| out[0] += y[0] - 1.0,
        );
        Problem::new(g, f, FixedStart(vec![0.1]))
    }
}

/// Gradients, reports and memory of three outer steps; x does not move.
fn three_steps(
    method: &dyn HyperGradient<f64>,
    executor: &dyn Executor,
) -> (Vec<(u64, Report<f64>)>, Memory<f64>) {
    let family = Slopes(vec![3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]);
    let over = OverTasks::new(&family, method).on(executor);
    over.validate(Key::from_seed(2)).unwrap();
    let mut memory = Memory::default();
    let steps = (0..3).map(|outer_step| {
        let mut out = [0.0];
        let report = over
            .estimate(&[0.7], &mut memory, Key::from_seed(2), outer_step, &mut out)
            .unwrap();
        (out[0].to_bits(), report)
    });
    (steps.collect(), memory)
}

/// Whatever a method remembers: nothing, variables of the tasks, statistics of all of them.
#[test]
fn threads_change_no_bit() {
    let adaptive = Probability::Adaptive(Adaptive {
        least: 0.5,
        ..Adaptive::default()
    });
    let cheap = Unrolled {
        steps: 5,
        adjoint: Box::new(bilevel::Truncated { last: 1 }),
        ..Unrolled::default()
    };
    let exact = Unrolled {
        steps: 5,
        ..Unrolled::default()
    };
    let debiased = Debiased {
        cheap: Box::new(cheap),
        exact: Box::new(exact),
        probability: adaptive,
    };
    let methods: [(Remembers, Box<dyn HyperGradient<f64>>); 3] = [
        (Remembers::Nothing, Box::<Unrolled<f64>>::default()),
        (Remembers::Variables, Box::<T1T2<f64>>::default()),
        (Remembers::Statistics, Box::new(debiased)),
    ];
    for (remembers, method) in methods {
        assert_eq!(method.remembers(), remembers);
        let (expected, memory) = three_steps(&*method, &CallingThread);
        assert_eq!(memory.is_empty(), remembers == Remembers::Nothing);
        assert!(
            expected
                .iter()
                .all(|(bits, _)| f64::from_bits(*bits) != 0.0)
        );
        assert_ne!(expected[0].0, expected[1].0);
        for threads in [1, 2, 3] {
            for _ in 0..20 {
                let found = three_steps(&*method, &Threads(threads));
                assert_eq!(found, (expected.clone(), memory.clone()), "{remembers:?}");
            }
        }
    }
}

/// The sum over tasks is what a loop over them adds up.
#[test]
fn the_mean_is_that_of_a_loop() {
    let (method, key) = (Unrolled::default(), Key::from_seed(2));
    let family = Slopes(vec![7, 0, 2, 5, 3]);
    let over = OverTasks::new(&family, &method);
    let (mut sum, share) = (0.0, 1.0 / 5.0);
    for (place, number) in over.tasks(key, 1).into_iter().enumerate() {
        let one = over
            .estimate_one(&[0.7], key, 1, (place, number), &mut Memory::default())
            .unwrap();
        sum += share * one.hypergradient[0];
    }
    let mut out = [0.0];
    over.on(&Threads(3))
        .estimate(&[0.7], &mut Memory::default(), key, 1, &mut out)
        .unwrap();
    assert_eq!(out[0].to_bits(), f64::to_bits(sum));
}

proptest! {
    /// Partial means of any parts of the tasks, filled and merged in any order.
    #[test]
    fn partial_means_merge_to_the_same_bits(
        values in prop::collection::vec((-1e2..1e2_f64, 0..4_usize), 1..20),
        order in prop::collection::vec(any::<u32>(), 20),
    ) {
        let count = values.len();
        let estimate = |place: usize| {
            let value = values[place].0;
            let mut report = Report::new(value, vec![1.0], Calls::default(), Calls::default());
            report.add_figure(if place.is_multiple_of(2) { "even" } else { "odd" }, value);
            TaskEstimate { place, hypergradient: vec![value, value.exp()], report }
        };
        let mut in_order = OrderedMean::new(count, 2);
        (0..count).for_each(|place| in_order.add(estimate(place)).unwrap());
        let mut places: Vec<usize> = (0..count).collect();
        places.sort_by_key(|&place| order[place]);
        let mut parts = vec![OrderedMean::new(count, 2); 4];
        for place in places {
            parts[values[place].1].add(estimate(place)).unwrap();
        }
        let mut merged = OrderedMean::new(count, 2);
        parts.into_iter().for_each(|part| merged.merge(part).unwrap());
        let finish = |mean: OrderedMean<f64>| {
            let mut out = [0.0; 2];
            let report = mean.finish(&mut out).unwrap();
            (out.map(f64::to_bits), report)
        };
        prop_assert_eq!(finish(merged), finish(in_order));
    }
}

#[test]
fn a_place_is_added_once() {
    let estimate = |place| TaskEstimate {
        place,
        hypergradient: vec![1.0],
        report: Report::new(1.0, vec![], Calls::default(), Calls::default()),
    };
    let mut mean = OrderedMean::new(3, 1);
    mean.add(estimate(0)).unwrap();
    mean.add(estimate(2)).unwrap();
    for place in [0, 2, 3] {
        let error = mean.add(estimate(place)).unwrap_err();
        assert!(matches!(error, Error::TaskPlace { place: p, count: 3 } if p == place));
    }
    let mut other = OrderedMean::new(3, 1);
    other.add(estimate(0)).unwrap();
    assert!(mean.clone().merge(other).is_err());
    let error = mean.finish(&mut [0.0]).unwrap_err();
    assert!(error.to_string().contains("place 1 of 3"), "{error}");
}

/// Fails at some places, late at the first of them.
struct Failing;

impl HyperGradient<f64> for Failing {
    fn validate(&self, _: &Problem<f64>) -> Result<()> {
        Ok(())
    }

    fn estimate(
        &self,
        at: &At<'_, f64>,
        _: &mut Memory<f64>,
        _: &mut [f64],
    ) -> Result<Report<f64>> {
        let key = Key::from_seed(1).stream(bilevel::Stream::Task);
        let place = (0..8).find(|&place| key.fold_in(place) == at.key).unwrap();
        if place == 2 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        if [2, 3, 4, 7].contains(&place) {
            return Err(Error::objective(format!("place {place}")));
        }
        Ok(Report::new(0.0, vec![], Calls::default(), Calls::default()))
    }

    fn cost(&self, _: &Problem<f64>) -> Cost {
        Cost::default()
    }
}

#[test]
fn the_first_error_in_the_order_of_the_tasks_is_reported() {
    let family = listed(&[0, 1, 0, 1, 0, 1, 0, 1]);
    for threads in [1, 2, 3] {
        let error = OverTasks::new(&family, &Failing)
            .on(&Threads(threads))
            .estimate(
                &[0.4],
                &mut Memory::default(),
                Key::from_seed(1),
                0,
                &mut [0.0],
            )
            .unwrap_err();
        assert!(error.to_string().contains("place 2"), "{error}");
    }
}

#[test]
fn a_method_that_denies_its_memory_is_refused() {
    let method = Recorder {
        remembers: Some(Remembers::Nothing),
        ..Recorder::default()
    };
    let error = OverTasks::new(&listed(&[0, 1]), &method)
        .estimate(
            &[0.4],
            &mut Memory::default(),
            Key::from_seed(1),
            0,
            &mut [0.0],
        )
        .unwrap_err();
    assert!(error.to_string().contains("`remembers`"), "{error}");
}
