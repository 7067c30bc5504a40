//! Laws of every method that remembers y: what is counted is what is foreseen, an evaluation is
//! the estimate's report and changes nothing, a copied memory continues to the same bits, both
//! precisions agree, and mini-batches are drawn where they should be.

use std::sync::{Arc, Mutex};

use crate::common::remembering::methods;
use crate::common::toys::{self, assert_calls, assert_near, entering, quadratic, run};
use bilevel::{
    At, Bounds, Closures, Draw, F2sa, FixedStart, HyperGradient, Key, Memory, Problem, Set,
};

fn key() -> Key {
    Key::from_seed(3)
}

/// Rows of g = mean (y − x − e_i)²/2 and f = y + (x − 3)²/2 + mean e_i y, `batch` of 12 at a time; the
/// draws that the gradients of g saw, in y and in x, and its products.
struct Batches {
    problem: Problem<f64>,
    seen: Arc<Mutex<[Vec<Draw>; 3]>>,
}

fn mean(draw: Draw, batch: usize) -> f64 {
    let noise = |row: usize| (2.0 * row as f64 - 11.0) / 11.0;
    let rows: Vec<usize> = draw
        .rows(12, batch)
        .map_or_else(|| (0..12).collect(), Iterator::collect);
    rows.iter().map(|&row| noise(row)).sum::<f64>() / rows.len() as f64
}

fn batches(batch: usize) -> Batches {
    let seen = Arc::new(Mutex::new([vec![], vec![], vec![]]));
    let (in_y, in_x, in_pulls) = (seen.clone(), seen.clone(), seen.clone());
    let g = Closures::<f64>::new(
        1,
        1,
        move |x, y, draw| (y[0] - x[0] - mean(draw, batch)).powi(2) / 2.0,
        move |x, y, draw, out| {
            in_y.lock().unwrap()[0].push(draw);
            out[0] += y[0] - x[0] - mean(draw, batch);
        },
    )
    .with_grad_x(move |x, y, draw, out| {
        in_x.lock().unwrap()[1].push(draw);
        out[0] -= y[0] - x[0] - mean(draw, batch);
    })
    .with_second_order(
        move |_, _, draw, v, y_bar, x_bar| {
            in_pulls.lock().unwrap()[2].push(draw);
            y_bar[0] += v[0];
            x_bar[0] -= v[0];
        },
        |_, _, _, dx, dy, out| out[0] += dy[0] - dx[0],
    );
    let f = Closures::<f64>::new(
        1,
        1,
        |x, y, _| y[0] + (x[0] - 3.0).powi(2) / 2.0,
        |_, _, _, out| out[0] += 1.0,
    )
    .with_grad_x(|x, _, _, out| out[0] += x[0] - 3.0)
    .with_second_order(|_, _, _, _, _, _| (), |_, _, _, _, _, _| ());
    let problem = Problem::new(g, f, FixedStart(vec![0.0])).unwrap();
    Batches { problem, seen }
}

#[test]
fn costs_are_foreseen_and_evaluations_agree_with_estimates() {
    for (inner, outer) in [(true, true), (true, false), (false, true)] {
        let problem = entering(inner, outer);
        for (name, method) in methods(Set::All) {
            if !outer && name == "one-stage of first order" {
                assert!(method.validate(&problem).is_err());
                continue;
            }
            method.validate(&problem).unwrap();
            assert_eq!(method.remembers(), bilevel::Remembers::Variables, "{name}");
            assert_foreseen(name, &*method, &problem);
        }
    }
}

fn assert_foreseen(name: &str, method: &dyn HyperGradient<f64>, problem: &Problem<f64>) {
    let (mut memory, mut h, x) = (Memory::default(), [0.0], [1.3]);
    let foreseen = method.cost(problem);
    let mut compared = 0;
    for outer_step in 0..4 {
        let before = memory.clone();
        let evaluated = method
            .evaluate(&At::new(problem, &x, key()).outer_step(outer_step), &memory)
            .unwrap();
        assert_eq!(memory, before, "{name}");
        let report = method
            .estimate(
                &At::new(problem, &x, key()).outer_step(outer_step),
                &mut memory,
                &mut h,
            )
            .unwrap();
        assert_eq!(report.value, evaluated.value, "{name}");
        assert_eq!(report.y, evaluated.y, "{name}");
        assert_eq!(report.figures, evaluated.figures, "{name}");
        assert!(report.status.is_good());
        // The first estimate of MEHA has no step of y. What IAPTT foresees is the worst case.
        if outer_step == 0 {
            continue;
        }
        if report.figure("truncation").is_none_or(|k| k == 6.0) {
            assert_calls(name, &report, &foreseen);
            compared += 1;
        }
        let moves = problem.outer().depends_on_x() || h[0] != 0.0;
        assert!(moves, "{name}: the hypergradient is zero");
    }
    // At x = 1.3 with x in f the last step of IAPTT is the worst.
    let worst_first = name == "iaptt" && !problem.outer().depends_on_x();
    assert!(compared == 3 || worst_first, "{name}: {compared}");
    assert!(foreseen.work_numbers > memory.len(), "{name}");
}

#[test]
fn a_copied_memory_continues_to_the_same_bits() {
    let toy = batches(5);
    for (name, method) in methods(Set::All) {
        let run = |from: usize, mut memory: Memory<f64>, mut x: f64| {
            let mut path = vec![];
            for outer_step in from..8 {
                let mut h = [0.0];
                method
                    .estimate(
                        &At::new(&toy.problem, &[x], key()).outer_step(outer_step),
                        &mut memory,
                        &mut h,
                    )
                    .unwrap();
                x -= 0.1 * h[0];
                path.push((x.to_bits(), memory.clone()));
            }
            path
        };
        let whole = run(0, Memory::default(), 0.4);
        assert_eq!(whole, run(0, Memory::default(), 0.4), "{name}");
        let (x, memory) = whole[3].clone();
        assert_eq!(whole[4..], run(4, memory, f64::from_bits(x)), "{name}");
        let moved = whole.windows(2).filter(|w| w[0].0 != w[1].0).count();
        assert_eq!(moved, 7, "{name}");
    }
}

#[test]
fn both_precisions_agree() {
    let pairs = methods::<f32>(Set::All)
        .into_iter()
        .zip(methods::<f64>(Set::All));
    for ((name, single), (_, double)) in pairs {
        let (h32, r32) = toys::estimates(&*single, &quadratic::<f32>(0.5), &[1.25], 5);
        let (h64, r64) = toys::estimates(&*double, &quadratic::<f64>(0.5), &[1.25], 5);
        for k in 0..5 {
            let (single, double) = (f64::from(h32[k][0]), h64[k][0]);
            assert_near(name, single, double, 2e-4 * double.abs().max(1.0));
            assert_near(name, f64::from(r32[k].y[0]), r64[k].y[0], 1e-5);
        }
    }
}

/// A y that is held at 1.5 does not depend on x: optimum x = 3, y = 1.5, for every penalty and set.
#[test]
fn constraints_hold_and_are_seen() {
    let sets = [
        Set::Box(Bounds::uniform(-1.0, 1.5).unwrap()),
        Set::Ball { radius: 1.5 },
        Set::Simplex { total: 1.5 },
    ];
    for set in sets {
        for (name, method) in methods(set.clone()) {
            let [x, y] = run(&*method, &quadratic(0.0), 0.1, 2_000);
            let mut inside = [y];
            set.project(&mut inside);
            assert_near(name, y, inside[0], 1e-12);
            // The limits of two are others: the worst step, and a v that knows nothing of the set.
            if name.starts_with("iaptt") || name == "bamm" {
                continue;
            }
            // BVFSM goes to and fro across its barrier: by s_y f_y = 0.005 in y, times the cap in x.
            let tolerance = if name == "bvfsm" { 0.05 } else { 1e-4 };
            assert_near(name, x, 3.0, tolerance);
            assert_near(name, y, 1.5, tolerance);
        }
    }
}

#[test]
fn training_sees_new_batches_and_differences_see_one() {
    for (name, method) in methods(Set::All) {
        let toy = batches(5);
        let (mut memory, mut h) = (Memory::default(), [0.0]);
        let mut all = vec![];
        for outer_step in 0..3 {
            *toy.seen.lock().unwrap() = [vec![], vec![], vec![]];
            method
                .estimate(
                    &At::new(&toy.problem, &[0.4], key()).outer_step(outer_step),
                    &mut memory,
                    &mut h,
                )
                .unwrap();
            let [in_y, in_x, in_pulls] = toy.seen.lock().unwrap().clone();
            assert!(in_y.iter().all(|draw| *draw != Draw::All), "{name}");
            // A step is pulled back on the batch that it was made on.
            assert!(in_pulls.iter().all(|draw| in_y.contains(draw)), "{name}");
            if name.starts_with("t1t2") {
                assert_eq!(in_pulls, in_y[in_y.len() - 1..], "{name}");
            }
            all.extend(in_y);
            if let [first, rest @ ..] = in_x.as_slice() {
                assert_eq!(rest, [*first], "{name}");
                let trained = all.contains(first);
                let of_the_last_step = matches!(name, "bome") || name.starts_with("one-stage");
                assert_eq!(trained, of_the_last_step, "{name}");
            }
        }
        // Distinct batches: those of one step can be shared by y and z, no others.
        let mut distinct: Vec<Draw> = vec![];
        for draw in &all {
            if !distinct.contains(draw) {
                distinct.push(*draw);
            }
        }
        assert!(distinct.len() >= 3, "{name}");
        let shared = ["f2sa", "bvfsm", "meha", "pbgd", "pbgd from y", "iaptt"].contains(&name);
        assert_eq!(distinct.len() == all.len(), !shared, "{name}");
    }
}

/// ∇_y g with additive noise and a constant ∇_y f: steps of the same size on g keep y − z, and with it
/// h, free of the noise of the mini-batches.
#[test]
fn noise_common_to_both_loops_cancels() {
    let method = F2sa::default();
    let (full, plain) = toys::estimates(&method, &batches(12).problem, &[0.4], 20);
    let (noisy, reports) = toys::estimates(&method, &batches(2).problem, &[0.4], 20);
    for (full, noisy) in full.iter().zip(&noisy) {
        assert_near("h", noisy[0], full[0], 1e-12);
    }
    assert!((reports[19].y[0] - plain[19].y[0]).abs() > 1e-3);
}

/// f = y + (x − 3)²/2 and y* = x: optimum x = 2. Batches of 5 of 12 rows, averaged over the last steps.
#[test]
fn mini_batches_end_where_all_rows_do() {
    let expected = |name: &str| match name {
        // One step: x − 3 + s = 0 with s the step, or with that of the average times its share.
        "one-stage" => 2.9,
        "one-stage of the average" => 3.0 - 0.75 * 0.1,
        "one-stage of first order" => 3.0,
        "t1t2" => 2.7,
        "t1t2 of the average" => 3.0 - 0.75 * 0.3,
        // z goes a part of the way from y to y*: 1 − ρ^T of it.
        "pbgd from y" => 2.0 + 0.9_f64.powi(2),
        "bome" => 2.0 + 0.7_f64.powi(5),
        _ => 2.0,
    };
    for (name, method) in methods(Set::All) {
        // sl-BAMM needs a strongly convex f, IAPTT minimises the worst step and MEHA an envelope.
        if ["bamm", "iaptt", "meha", "bvfsm"].contains(&name) {
            continue;
        }
        let toy = batches(5);
        let (mut memory, mut x, mut average) = (Memory::default(), 0.0, 0.0);
        for outer_step in 0..6_000 {
            let mut h = [0.0];
            method
                .estimate(
                    &At::new(&toy.problem, &[x], key()).outer_step(outer_step),
                    &mut memory,
                    &mut h,
                )
                .unwrap();
            x -= 0.05 * h[0];
            if outer_step >= 2_000 {
                average += x / 4_000.0;
            }
        }
        // Its λ divides by the square of a noisy norm.
        let tolerance = if name == "bome" { 0.2 } else { 0.02 };
        assert_near(name, average, expected(name), tolerance);
    }
}
