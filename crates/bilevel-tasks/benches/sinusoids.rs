//! Tiny tasks: the meta-gradient of MAML over ten regressions of sinusoids (arXiv 1703.03400), f64.
//!
//! `cargo bench -p bilevel-tasks --bench sinusoids`: a network 1-40-40-1, 10 + 10 points a task, five steps. The same
//! inputs in JAX, vmapped and compiled: `experiments/sinusoids.py`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use bilevel::{
    GradientDescent, Hyper, Key, Layout, Memory, OverTasks, Problem, Result, ReverseTape,
    StartFromX, TaskFamily, Unrolled,
};
use bilevel_autodiff::{Data, Function, Inputs, TaskThreads, Var};

const TASKS: usize = 10;
const POINTS: usize = 10;
const HIDDEN: usize = 40;
const STEPS: usize = 5;
const STEP_SIZE: f64 = 0.01;
const REPEATS: usize = 301;

struct Family {
    tasks: Vec<Problem<f64>>,
    x_len: usize,
}

impl TaskFamily<f64> for Family {
    fn x_len(&self) -> usize {
        self.x_len
    }

    fn draw(&self, _: Key, _: usize) -> Vec<usize> {
        (0..TASKS).collect()
    }

    fn task(&self, number: usize) -> Result<Problem<f64>> {
        Ok(self.tasks[number].clone())
    }
}

/// The mean squared error of the network.
fn loss<'t>(v: &Inputs<'t>) -> Var<'t> {
    let layer = |input: Var<'t>, number: usize| {
        let (weights, bias) = (v.y(&format!("w{number}")), v.y(&format!("b{number}")));
        input.matmul(weights) + bias
    };
    let hidden = layer(v.data("inputs"), 0).relu();
    let predicted = layer(layer(hidden, 1).relu(), 2);
    (predicted.reshape(&[v.rows()]) - v.data("targets"))
        .square()
        .mean()
}

/// Points of a task: angles from -5 to 5, and the values of its sinusoid.
fn points(task: usize, query: usize) -> Data<f64> {
    let (amplitude, phase) = (0.5 + 0.4 * task as f64, 0.3 * task as f64);
    let at = |i: usize| ((3 * i + 7 * task + 11 * query) as f64).sin() * 5.0;
    let inputs: Vec<f64> = (0..POINTS).map(at).collect();
    let targets: Vec<f64> = inputs
        .iter()
        .map(|input| amplitude * (input - phase).sin())
        .collect();
    Data::new(POINTS)
        .rows("inputs", inputs, &[1])
        .rows("targets", targets, &[])
}

fn main() {
    let y = Layout::new([
        ("w0", vec![1, HIDDEN]),
        ("b0", vec![HIDDEN]),
        ("w1", vec![HIDDEN, HIDDEN]),
        ("b1", vec![HIDDEN]),
        ("w2", vec![HIDDEN, 1]),
        ("b2", vec![1]),
    ]);
    let x_len = y.len();
    let x_layout = Layout::vector("x", x_len);
    let loss = Function::new(loss);
    let tasks = (0..TASKS).map(|task| {
        let bind = |query| {
            let bound = loss.bind(&x_layout, &y, points(task, query));
            Arc::new(bound.unwrap())
        };
        Problem::from_shared(bind(0), bind(1), Arc::new(StartFromX::new(0..x_len))).unwrap()
    });
    let family = Family {
        tasks: tasks.collect(),
        x_len,
    };
    let x: Vec<f64> = (0..x_len).map(|i| 0.15 * (1.7 * i as f64).sin()).collect();
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(STEP_SIZE),
            ..GradientDescent::default()
        }),
        steps: STEPS,
        adjoint: Box::<ReverseTape<f64>>::default(),
    };
    let key = Key::from_seed(0);
    for threads in [1, 2] {
        let pool = TaskThreads::new(threads).unwrap();
        let mut memory = Memory::default();
        let mut out = vec![0.0; x_len];
        let mut times = Vec::new();
        for _ in 0..=REPEATS {
            let begin = Instant::now();
            OverTasks::new(&family, &method)
                .on(&pool)
                .estimate(&x, &mut memory, key, 0, &mut out)
                .unwrap();
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        // The first one compiles.
        let first = times.remove(0);
        times.sort_unstable_by(f64::total_cmp);
        let norm = out.iter().map(|h| h * h).sum::<f64>().sqrt();
        println!(
            "{threads} threads: {:.3} ms (median of {REPEATS}; at best {:.3}, first {first:.1}); norm of the \
             hypergradient {norm:.12}, first element {:.12e}",
            times[REPEATS / 2],
            times[0],
            out[0]
        );
    }
}
