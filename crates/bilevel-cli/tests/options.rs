//! Options that change nothing but figures: each must change them.

use std::fs;
use std::path::Path;

use crate::common::{document, succeed};
use bilevel_tasks::data::digits::digits;
use serde_json::Value;

const QUICK: &str = "clean --train-rows 200 --trusted-rows 100 --steps 10 --json --quiet --out out";

/// A run in a folder of its own, seen by `look`: its result and its folder.
fn run<R>(options: &str, look: impl Fn(&Value, &Path) -> R) -> R {
    let folder = tempfile::tempdir().unwrap();
    let ran = succeed(folder.path(), &format!("{QUICK} {options}"));
    look(&document(&ran), &folder.path().join("out"))
}

#[test]
fn the_outer_optimizer_moves_the_weights() {
    let largest = |options: &str| {
        run(options, |_, out| {
            let csv = fs::read_to_string(out.join("scores.csv")).unwrap();
            let weight = |line: &str| line.split(',').nth(2).unwrap().parse::<f64>().unwrap();
            csv.lines().skip(1).map(weight).fold(0.0, f64::max)
        })
    };
    // One step of Adam moves every x by its rate.
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let off = "--method improved --outer-steps 1 --early-stopping off --outer-optimizer";
    let adam = largest(&format!("{off} adam:0.3"));
    assert!((adam - sigmoid(0.3)).abs() < 1e-3, "{adam}");
    let (slow, fast) = (
        largest(&format!("{off} sgd:1")),
        largest(&format!("{off} sgd:10")),
    );
    // Near one half the sigmoid is a line.
    let ratio = (fast - 0.5) / (slow - 0.5);
    assert!((ratio - 10.0).abs() < 0.1, "{slow} {fast}");
}

#[test]
fn patience_ends_the_run_so_many_steps_after_the_best() {
    for patience in [1, 3] {
        let options = format!(
            "--method basic --outer-optimizer adam:5 --outer-steps 40 --patience {patience}"
        );
        run(&options, |result, out| {
            let history = fs::read_to_string(out.join("history.jsonl")).unwrap();
            let held_out = |line: &str| {
                let line: Value = serde_json::from_str(line).unwrap();
                line["held_out_loss"].as_f64().unwrap()
            };
            let losses: Vec<f64> = history.lines().map(held_out).collect();
            let best = (0..losses.len())
                .min_by(|&a, &b| losses[a].total_cmp(&losses[b]))
                .unwrap();
            assert_eq!(result["outer_steps"], best + patience);
        });
    }
}

#[test]
fn each_corruption_is_its_own() {
    // (rows that are wrong, rows that are one class ahead), all rows being chosen.
    let wrong = |kind: &str| {
        let options = format!("--outer-steps 1 --corrupt 1 --corruption {kind}");
        run(&options, |_, out| {
            let source = digits();
            let csv = fs::read_to_string(out.join("scores.csv")).unwrap();
            let ahead = csv.lines().skip(1).map(|line| {
                let number = |column| line.split(',').nth(column).unwrap().parse::<u32>().unwrap();
                (number(1) + 10 - source.labels()[number(0) as usize]) % 10
            });
            let ahead: Vec<u32> = ahead.collect();
            let count = |holds: fn(u32) -> bool| ahead.iter().filter(|&&a| holds(a)).count();
            (count(|ahead| ahead > 0), count(|ahead| ahead == 1))
        })
    };
    assert_eq!(wrong("pairwise"), (200, 200));
    let (all, next) = wrong("other");
    assert!(all == 200 && next < 60, "{all} {next}");
    // One in ten draws its own class: 5 standard deviations are 21.
    let (most, next) = wrong("uniform");
    assert!((159..200).contains(&most) && next < 60, "{most} {next}");
}
