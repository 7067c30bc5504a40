//! What derivatives cost beside the training that they differentiate: ratios on one machine, in one run.
//!
//! `cargo bench -p bilevel-tasks --bench cost`: an MLP on the embedded digits, f32, medians of interleaved repetitions.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use bilevel::adjoint::{Rollout, directional};
use bilevel::check::random_direction;
use bilevel::{
    Adjoint, At, Draw, FixedStart, GradientDescent, HyperGradient, Key, Memory, Objective, Problem,
    Reverse, ReverseTape, Unrolled,
};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::model::{Examples, LossSettings, Model};

const STEPS: usize = 20;
const REPEATS: usize = 15;
const ROWS: usize = 1000;

fn main() {
    let (model, key) = (Model::Mlp { hidden: 300 }, Key::from_seed(0));
    let all = digits();
    let rows = |from: usize, to: usize| all.select(&(from..to).collect::<Vec<_>>()).unwrap();
    let loss = |data, weighted| {
        let settings = LossSettings {
            weighted,
            weight_decay: 0.0,
        };
        let loss = model.loss(settings);
        loss.bind(&Examples::<f32>::new(data), None, ROWS).unwrap()
    };
    let (train, trusted) = (rows(0, ROWS), rows(ROWS, ROWS + 300));
    let inner = loss(&train, true);
    let y: Vec<f32> = model.start(train.columns(), train.classes(), key);
    let problem = Problem::from_shared(
        inner.clone(),
        loss(&trusted, false),
        std::sync::Arc::new(FixedStart(y.clone())),
    )
    .unwrap();
    let x = vec![0.0_f32; ROWS];
    let unrolled = |adjoint: Box<dyn Adjoint<f32>>| Unrolled {
        dynamics: Box::new(GradientDescent::default()),
        steps: STEPS,
        adjoint,
    };
    let (reverse, taped) = (
        unrolled(Box::new(Reverse)),
        unrolled(Box::<ReverseTape<f32>>::default()),
    );
    let dx: Vec<f32> = random_direction(key, ROWS);
    let v: Vec<f32> = random_direction(key.fold_in(1), y.len());
    let mut at = inner.at(&x).unwrap();
    let (mut out, mut out_x) = (vec![0.0; y.len()], vec![0.0; ROWS]);

    let training = || {
        reverse
            .evaluate(&At::new(&problem, &x, key), &Memory::default())
            .unwrap();
    };
    let estimate = |method: &Unrolled<f32>, out: &mut [f32]| {
        method
            .estimate(&At::new(&problem, &x, key), &mut Memory::default(), out)
            .unwrap();
    };
    let mut times: [Vec<f64>; 7] = Default::default();
    for repeat in 0..=REPEATS {
        let mut time = |place: usize, body: &mut dyn FnMut()| {
            let begin = Instant::now();
            body();
            // The first round compiles.
            if repeat > 0 {
                times[place].push(begin.elapsed().as_secs_f64());
            }
        };
        time(0, &mut || training());
        time(1, &mut || {
            let mut rollout =
                Rollout::new(&At::new(&problem, &x, key), &*reverse.dynamics, STEPS).unwrap();
            directional(&mut rollout, &dx).unwrap();
        });
        time(2, &mut || estimate(&reverse, &mut out_x));
        time(3, &mut || estimate(&taped, &mut out_x));
        time(4, &mut || {
            for _ in 0..STEPS {
                at.grad_y(&y, Draw::All, &mut out).unwrap();
            }
        });
        let second = at.second_order().unwrap();
        time(5, &mut || {
            for _ in 0..STEPS {
                second.push(&y, Draw::All, &dx, &v, &mut out).unwrap();
            }
        });
        time(6, &mut || {
            for _ in 0..STEPS {
                second.pull(&y, Draw::All, &v, &mut out).unwrap();
            }
        });
        at.finish(&mut out_x).unwrap();
    }
    let medians = times.map(|mut times| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("{model}, {ROWS} rows, K = {STEPS}, f32; medians of {REPEATS}");
    for (place, base, name) in [
        (1, 0, "forward, one direction / training"),
        (2, 0, "reverse / training"),
        (3, 0, "reverse:tape / training"),
        (5, 4, "product with a direction in x and y / gradient"),
        (6, 4, "product for x and y / gradient"),
    ] {
        println!(
            "{name:<48} {:>5.2}   ({:.2} ms, {:.2} ms)",
            medians[place] / medians[base],
            medians[place] * 1e3,
            medians[base] * 1e3
        );
    }
}
