//! `bilevel clean`, `check` and `bench` with every method that applies.

use std::fs;
use std::path::Path;

use crate::common::{bilevel, document, outcome, refused, succeed};
use serde_json::Value;

const QUICK: &str = "clean --train-rows 60 --trusted-rows 40 --steps 5 --outer-steps 3 --early-stopping off --quiet";

/// Those for which the number of rows is no hindrance, with the inner steps where they have any.
const METHODS: [&str; 21] = [
    "reversible --step-size 0.1",
    "basic",
    "improved",
    "bigsam",
    "bda",
    "truncated:2",
    "ufo --probability 0.5",
    "implicit:cg",
    "implicit:neumann",
    "implicit:fixed-point",
    "hoag",
    "one-stage",
    "t1t2",
    "bome",
    "f2sa",
    "pbgd",
    "bvfsm",
    "meha",
    "iaptt",
    "bamm",
    "soba --damping 0.1",
];

fn history(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("history.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn words(method: &str) -> String {
    let single_loop = ["meha", "bamm", "soba"];
    let quick = if single_loop.iter().any(|name| method.starts_with(name)) {
        QUICK.replace("--steps 5 ", "")
    } else {
        QUICK.to_owned()
    };
    format!("{quick} --method {method}")
}

#[test]
fn every_method_that_applies_moves_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (number, method) in METHODS.iter().enumerate() {
        let out = format!("run-{number}");
        let ran = succeed(here, &format!("{} --json --out {out}", words(method)));
        let result = document(&ran);
        let name = method.split(' ').next().unwrap();
        assert_eq!(result["method"], name);
        let history = history(&here.join(&out));
        assert_eq!(history.len(), 4, "{method}");
        let moved = history
            .iter()
            .any(|line| line["hypergradient_norm"].as_f64().unwrap() > 0.0);
        assert!(moved, "{method}");
        let exact = ["basic", "improved", "bigsam", "bda", "iaptt", "reversible"].contains(&name);
        let passed = &result["gradient_check"]["passed"];
        assert_eq!(passed.as_bool(), exact.then_some(true), "{method} {result}");
        let config = fs::read_to_string(here.join(&out).join("config.toml")).unwrap();
        let config: toml::Table = config.parse().unwrap();
        assert_eq!(config["method"]["method"].as_str(), Some(name));
    }
}

/// What a method complains of stands in the history, and on standard error once.
#[test]
fn complaints_and_figures_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let words = words("implicit:cg").replace(" --quiet", "");
    let ran = succeed(here, &format!("{words} --out out"));
    let lines = history(&here.join("out"));
    assert!(
        lines[0]["status"]
            .as_str()
            .unwrap()
            .contains("training ended"),
        "{}",
        lines[0]
    );
    assert!(lines[0]["figures"]["linear residual"].as_f64().unwrap() < 1e-3);
    assert_eq!(
        ran.stderr.matches("training ended").count(),
        1,
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("4 of 4 hypergradients"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("was not checked"), "{}", ran.stdout);
    succeed(here, &format!("{QUICK} --method basic --out plain"));
    let plain = history(&here.join("plain"));
    assert!(plain[0].get("status").is_none() && plain[0].get("figures").is_none());
}

/// Methods that remember y, z or averages go on to the same bits.
#[test]
fn warm_starts_are_continued() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (number, method) in [
        "implicit:cg",
        "f2sa",
        "bamm",
        "ufo --probability adaptive",
        "iaptt",
    ]
    .iter()
    .enumerate()
    {
        let run = words(method).replace("--outer-steps 3", "--outer-steps 40 --batch 30");
        succeed(here, &format!("{run} --out whole-{number}"));
        let part = format!("part-{number}");
        // Stopped by the clock within its first steps, and once more.
        succeed(here, &format!("{run} --time-limit 0.000001s --out {part}"));
        assert!(history(&here.join(&part)).len() < 40, "{method}");
        succeed(here, &format!("resume {part} --quiet --time-limit 0.002s"));
        succeed(here, &format!("resume {part} --quiet --time-limit 1h"));
        let whole = outcome(&here.join(format!("whole-{number}")));
        assert_eq!(whole.1.len(), 41, "{method}");
        assert_eq!(outcome(&here.join(&part)), whole, "{method}");
    }
}

#[test]
fn a_budget_of_memory_chooses_the_derivative() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let run = "clean --train-rows 60 --trusted-rows 40 --steps 50 --outer-steps 2 --early-stopping off --method basic";
    let chosen = |budget: &str, out: &str| {
        let ran = succeed(
            here,
            &format!("{run} --memory-budget {budget} --json --out {out}"),
        );
        let result = document(&ran);
        let reason = result["adjoint_reason"].as_str().unwrap().to_owned();
        assert!(ran.stderr.contains(&reason), "{}", ran.stderr);
        let config = fs::read_to_string(here.join(out).join("config.toml")).unwrap();
        assert!(config.contains(&reason), "{config}");
        result["adjoint"].as_str().unwrap().to_owned()
    };
    assert_eq!(chosen("1GiB", "a"), "reverse:tape");
    let least = refused_at(here, run);
    let slots = |name: &str| -> usize {
        let text = name
            .strip_prefix("checkpointed:")
            .unwrap_or_else(|| panic!("{name}"));
        text.parse().unwrap()
    };
    // A state has 650 numbers of four bytes.
    let few = slots(&chosen(&format!("{}B", least + 3 * 2600 + 100), "b"));
    assert_eq!(few, 4);
    assert_eq!(chosen(&format!("{}B", least + 60 * 2600), "c"), "reverse");
    // What was chosen stays, whatever the budget would choose with other threads.
    let (_, _, before) = outcome(&here.join("b"));
    let again = document(&succeed(here, "resume b --json --threads 1"));
    assert_eq!(again["adjoint"], before["adjoint"]);
    let of_states = fs::read_to_string(here.join("c/scores.csv")).unwrap();
    assert_eq!(
        fs::read_to_string(here.join("b/scores.csv")).unwrap(),
        of_states
    );
    refused(
        here,
        &format!("{run} --memory-budget 100kB --adjoint reverse"),
        "is too small: a hypergradient",
    );
}

/// The least bytes that a run says it takes.
fn refused_at(here: &Path, run: &str) -> usize {
    let ran = bilevel(here, &format!("{run} --memory-budget 1kB"));
    assert_eq!(ran.code, 2);
    let (_, rest) = ran.stderr.split_once("expected at least ").unwrap();
    let (kilobytes, _) = rest.split_once(" kB").unwrap();
    // Rounded up to 1 kB.
    kilobytes.parse::<usize>().unwrap() * 1000
}

#[test]
fn checks_of_methods_of_every_kind_pass() {
    let folder = tempfile::tempdir().unwrap();
    for (method, parts) in [
        (
            "ufo",
            &[
                "--probability 1 = checkpointed:1",
                "adjoint dot test of a step",
            ][..],
        ),
        ("truncated:3", &["adjoint dot test of a step"][..]),
        (
            "implicit:cg",
            &["adjoint dot test of a step", "asked twice"][..],
        ),
        ("iaptt", &["central differences"][..]),
        ("bome", &["asked twice"][..]),
        (
            "basic --dynamics momentum:0.9",
            &["central differences", "checkpointed:5 = reverse"][..],
        ),
        (
            "basic --dynamics adam --step-size 0.05",
            &["forward against reverse mode"][..],
        ),
    ] {
        let ran = succeed(
            folder.path(),
            &format!("check --steps 6 --json --quiet --method {method}"),
        );
        let result = document(&ran);
        let checks = result["checks"].as_array().unwrap();
        for part in parts {
            assert!(
                checks.iter().any(|check| check["check"] == *part),
                "{method} {part} {result}"
            );
        }
    }
}
