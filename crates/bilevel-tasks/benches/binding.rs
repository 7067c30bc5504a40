//! What a task costs beside its copy and its training: binding a model's loss to its rows, and both losses of a few-shot
//! task to their pictures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use bilevel_tasks::data::digits::digits;
use bilevel_tasks::fewshot::{Pictures, TaskForm, Tasks, Trained};
use bilevel_tasks::model::{Examples, LossSettings, Model};
use bilevel_tasks::network::Network;

const TASKS: usize = 1000;
const ROWS: usize = 5;

fn main() {
    let all = digits();
    let rows = |number: usize| -> Vec<usize> {
        (0..ROWS).map(|i| (number + 7 * i) % all.rows()).collect()
    };
    let tasks: Vec<Examples<f32>> = (0..TASKS)
        .map(|number| Examples::new(&all.select(&rows(number)).unwrap()))
        .collect();
    for model in [Model::Softmax, Model::Mlp { hidden: 300 }] {
        let loss = model.loss::<f32>(LossSettings {
            weighted: true,
            weight_decay: 0.0,
        });
        let begin = Instant::now();
        let first = loss.bind(&tasks[0], None, ROWS).unwrap();
        let first_us = begin.elapsed().as_secs_f64() * 1e6;
        let mut times: Vec<f64> = tasks
            .iter()
            .map(|task| {
                let begin = Instant::now();
                let bound = loss.bind(task, None, ROWS).unwrap();
                assert!(std::ptr::eq(bound.compiled(), first.compiled()));
                begin.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        println!(
            "{model}: {TASKS} tasks of {ROWS} rows, traced once ({first_us:.0} µs); binding a task takes {:.2} µs \
             (median), at most {:.2} µs",
            times[TASKS / 2],
            times[TASKS - 1]
        );
    }
    few_shot();
}

/// 20 classes of one picture, and one to be recognised of each.
fn few_shot() {
    const WAY: usize = 20;
    let shape = [28, 28, 1];
    let pictures = || Pictures {
        elements: vec![0.5_f32; WAY * shape.iter().product::<usize>()].into(),
        labels: (0..WAY as u32).collect(),
    };
    let network = Network::Conv4 {
        filters: 64,
        pooled: false,
    };
    for trained in [Trained::All, Trained::Head] {
        let tasks = Tasks::new(network, shape, WAY, TaskForm::plain(trained)).unwrap();
        let (support, query) = (pictures(), pictures());
        let begin = Instant::now();
        let first = tasks.bind(&support, &query).unwrap();
        let first_us = begin.elapsed().as_secs_f64() * 1e6;
        let mut times: Vec<f64> = (0..TASKS)
            .map(|_| {
                let begin = Instant::now();
                let bound = tasks.bind(&support, &query).unwrap();
                assert!(std::ptr::eq(bound.inner.compiled(), first.inner.compiled()));
                begin.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        println!(
            "conv4, {trained}: {TASKS} tasks of {WAY} classes, traced once ({first_us:.0} µs); binding a task takes {:.2} µs \
             (median), at most {:.2} µs",
            times[TASKS / 2],
            times[TASKS - 1]
        );
    }
}
