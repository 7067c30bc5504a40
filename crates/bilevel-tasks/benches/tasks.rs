//! What tasks gain from running one a thread: seconds an outer step for 16 traced tasks, and the ratio to one thread.
//!
//! `cargo bench -p bilevel-tasks --bench tasks`: a network on parts of the embedded digits, f32, medians of interleaved repetitions.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use bilevel::{
    FixedStart, GradientDescent, Key, Memory, OverTasks, Problem, Result, TaskFamily, Unrolled,
};
use bilevel_autodiff::TaskThreads;
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::model::{Examples, Loss, LossSettings, Model};

const TASKS: usize = 16;
const MODEL: Model = Model::Mlp { hidden: 64 };
const ROWS: usize = 100;
const STEPS: usize = 50;
const REPEATS: usize = 9;

struct Family(Vec<Problem<f32>>);

impl TaskFamily<f32> for Family {
    fn x_len(&self) -> usize {
        ROWS
    }

    fn draw(&self, _: Key, _: usize) -> Vec<usize> {
        (0..TASKS).collect()
    }

    fn task(&self, number: usize) -> Result<Problem<f32>> {
        Ok(self.0[number].clone())
    }
}

/// Trains on some rows, one weight each, and tests on as many others; both losses are compiled once for all tasks.
fn task(number: usize, [weighted, plain]: &[Loss<f32>; 2]) -> Problem<f32> {
    let all = digits();
    let rows = |part: usize| {
        let begin = (2 * number + part) * ROWS % (all.rows() - ROWS);
        let rows: Vec<usize> = (begin..begin + ROWS).collect();
        all.select(&rows).unwrap()
    };
    let bind = |loss: &Loss<f32>, data| loss.bind(&Examples::new(data), None, ROWS).unwrap();
    let (train, test) = (rows(0), rows(1));
    let y = MODEL.start(train.columns(), train.classes(), Key::from_seed(0));
    Problem::from_shared(
        bind(weighted, &train),
        bind(plain, &test),
        Arc::new(FixedStart(y)),
    )
    .unwrap()
}

fn main() {
    let losses = [true, false].map(|weighted| {
        MODEL.loss(LossSettings {
            weighted,
            weight_decay: 0.0,
        })
    });
    let family = Family((0..TASKS).map(|number| task(number, &losses)).collect());
    let method = Unrolled {
        dynamics: Box::new(GradientDescent::default()),
        steps: STEPS,
        ..Unrolled::default()
    };
    let threads = [1, 2, 4].map(|threads| TaskThreads::new(threads).unwrap());
    let (x, key) = (vec![0.0_f32; ROWS], Key::from_seed(0));
    let mut out = vec![vec![0.0_f32; ROWS]; threads.len()];
    let mut times = vec![vec![]; threads.len()];
    for repeat in 0..=REPEATS {
        for ((threads, out), times) in threads.iter().zip(&mut out).zip(&mut times) {
            let begin = Instant::now();
            OverTasks::new(&family, &method)
                .on(threads)
                .estimate(&x, &mut Memory::default(), key, 0, out)
                .unwrap();
            // The first round compiles.
            if repeat > 0 {
                times.push(begin.elapsed().as_secs_f64());
            }
        }
    }
    assert!(out.iter().all(|other| *other == out[0]));
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let times: Vec<f64> = times.iter_mut().map(median).collect();
    for (threads, time) in [1, 2, 4].iter().zip(&times) {
        println!(
            "{threads} threads: {time:.4} s, {:.2} × one thread",
            times[0] / time
        );
    }
}
