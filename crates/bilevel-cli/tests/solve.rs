//! `bilevel solve`: test problems with known answers, by every kind of method.

use crate::common::{Ran, bilevel, document, entries, refused, succeed};
use serde_json::Value;

fn solve(words: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    document(&succeed(
        folder.path(),
        &format!("solve {words} --json --quiet"),
    ))
}

fn figure(result: &Value, name: &str) -> f64 {
    result[name].as_f64().unwrap()
}

#[test]
fn the_document_has_its_fields() {
    let result = solve("quadratic --method basic");
    for name in [
        "problem",
        "method",
        "x",
        "y",
        "f",
        "outer_gradient_norm",
        "known_optimum",
        "distance",
        "oracle_calls",
        "seconds",
    ] {
        assert!(!result[name].is_null(), "{name}");
    }
    assert_eq!(result["problem"], "quadratic");
    // 201 estimates of 100 steps.
    assert_eq!(result["oracle_calls"]["inner"]["grad_y"], 201 * 100);
    assert_eq!(result["oracle_calls"]["inner"]["pulls"], 201 * 100);
    assert!(figure(&result, "distance") < 1e-10);
}

/// METHODS with an exact limit end at the optimum; the others where their bias leads.
#[test]
fn methods_end_where_they_must() {
    for (words, x, tolerance) in [
        ("truncation-counterexample --method basic", 1.5, 1e-9),
        ("truncation-counterexample --method forward", 1.5, 1e-9),
        ("truncation-counterexample --method truncated:1", 2.0, 1e-9),
        ("truncation-counterexample --method t1t2", 2.0, 1e-6),
        ("truncation-counterexample --method one-stage", 2.0, 1e-6),
        ("truncation-counterexample --method implicit:cg", 1.5, 1e-4),
        ("truncation-counterexample --method soba", 1.5, 1e-6),
        (
            "truncation-counterexample --method ufo --outer-steps 5000 --outer-optimizer sgd:0.5,0.1",
            1.5,
            0.3,
        ),
        ("non-unique --method basic", 0.5, 1e-4),
        ("non-unique --method basic --inner-start 2,2", 1.5, 1e-4),
        ("non-unique --method bda", 0.8502, 1e-3),
        (
            "non-unique --method bda --schedule harmonic:0.9 --steps 64",
            0.9908,
            1e-3,
        ),
        ("non-unique --method improved", 0.9996, 1e-3),
        ("sine --method iaptt", 8.639, 0.1),
    ] {
        let result = solve(words);
        let found = result["x"][0].as_f64().unwrap();
        assert!((found - x).abs() < tolerance, "{words}: {found}");
    }
}

#[test]
fn methods_of_gradients_alone_come_near() {
    for method in ["bome", "f2sa", "pbgd", "meha", "bvfsm", "bamm"] {
        let result = solve(&format!("non-unique --method {method}"));
        assert!(figure(&result, "distance") < 1e-3, "{method}: {result}");
    }
    for method in [
        "implicit:neumann",
        "implicit:fixed-point",
        "stocbio",
        "hoag",
    ] {
        let result = solve(&format!(
            "quadratic --method {method} --outer-optimizer sgd:0.2"
        ));
        assert!(figure(&result, "distance") < 0.05, "{method}: {result}");
    }
}

/// The counterexample of UFO-BLO: first order stays away from every stationary point.
#[test]
fn the_counterexample_tells_first_order_from_ufo() {
    let slope = |words: &str| {
        figure(
            &solve(&format!("ufo-counterexample {words}")),
            "outer_gradient_norm",
        )
    };
    let cheap = slope("--method first-order --seed 3");
    assert!((0.29..0.40).contains(&cheap), "{cheap}");
    let debiased = slope("--method ufo --probability 0.1 --seed 3");
    assert!(debiased < 0.2, "{debiased}");
    let exact = slope("--method basic --seed 3");
    assert!(exact < 0.03, "{exact}");
    let adaptive = slope("--method ufo --probability adaptive --outer-steps 2000");
    assert!(adaptive < 0.3, "{adaptive}");
}

#[test]
fn simple_bilevel_problems() {
    for (method, tolerance) in [("big-sam", 2e-3), ("solodov", 5e-3), ("tikhonov", 1e-4)] {
        let result = solve(&format!("simple-bilevel --method {method}"));
        assert!(
            figure(&result, "distance") < tolerance,
            "{method}: {result}"
        );
        assert_eq!(result["method"], method);
    }
    // |y_1 − 3| of METHODS: 1.4e-2 after a thousand steps.
    let result = solve("simple-bilevel --steps 1000");
    assert!(
        (figure(&result, "distance") - 1.37e-2).abs() < 1e-3,
        "{result}"
    );
    let ran = bilevel(
        tempfile::tempdir().unwrap().path(),
        "solve simple-bilevel --method ferris-mangasarian",
    );
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("is exact"), "{}", ran.stderr);
}

#[test]
fn the_way_there_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ran = succeed(
        here,
        "solve quadratic --outer-steps 5 --trajectory way.csv --out out",
    );
    assert!(ran.stdout.contains("Known optimum"), "{}", ran.stdout);
    let way = std::fs::read_to_string(here.join("way.csv")).unwrap();
    let lines: Vec<&str> = way.lines().collect();
    assert_eq!(
        lines[0],
        "step,f,hypergradient_norm,outer_gradient_norm,x0,x1,y0,y1"
    );
    assert_eq!(lines.len(), 7);
    assert!(lines[6].starts_with("5,"));
    assert_eq!(
        entries(&here.join("out")),
        ["result.json", "trajectory.csv"]
    );
    let kept = std::fs::read_to_string(here.join("out/trajectory.csv")).unwrap();
    assert_eq!(kept, way);
}

#[test]
fn a_budget_of_memory_chooses_the_derivative() {
    let run = "quadratic --dimension 100 --steps 200 --outer-steps 2";
    let within = |budget: &str| solve(&format!("{run} --memory-budget {budget}"));
    let reason = |result: &Value| result["adjoint_reason"].as_str().unwrap().to_owned();
    // 200 states of 100 numbers of eight bytes are 160 kB, and as much again are their tapes.
    let (few, states, tapes) = (within("40kB"), within("200kB"), within("4MB"));
    assert!(reason(&few).contains(": checkpointed:"), "{few}");
    assert!(reason(&states).contains(": reverse with"), "{states}");
    assert!(reason(&tapes).contains(": reverse:tape with"), "{tapes}");
    // The same bits.
    assert_eq!(few["x"], states["x"]);
    assert_eq!(states["x"], solve(&format!("{run} --adjoint reverse"))["x"]);
    let folder = tempfile::tempdir().unwrap();
    refused(
        folder.path(),
        "solve quadratic --dimension 100 --memory-budget 1kB",
        "expected at least",
    );
    refused(
        folder.path(),
        "solve quadratic --dimension 100 --adjoint reverse --memory-budget 10kB",
        "is too small: a hypergradient",
    );
}

/// No option is read and forgotten.
#[test]
fn each_option_of_a_method_changes_the_way() {
    for (method, option) in [
        ("bome", "--y-step-size 0.05"),
        ("f2sa", "--y-step-size 0.05"),
        ("f2sa", "--penalty constant:3"),
        ("pbgd", "--penalty linear:1,20,10"),
        ("meha", "--penalty power:2,0.5"),
        ("iaptt", "--y-step-size 0.2"),
        ("bamm", "--schedule per-outer:0.5,4"),
        ("bamm", "--schedule constant:0.3"),
        ("ufo", "--probability 0.6"),
        ("ufo", "--probability adaptive"),
        ("implicit:cg", "--damping 0.5"),
        ("implicit:cg", "--linear-products 1"),
        ("implicit:neumann", "--linear-tolerance 0.1"),
        ("implicit:fixed-point", "--linear-products 2"),
        ("soba", "--damping 0.5"),
        ("stocbio", "--linear-products 2"),
        ("hoag", "--damping 0.5"),
        ("hoag", "--outer-optimizer adaptive:0.3"),
        ("basic", "--dynamics momentum:0.5"),
        ("basic", "--dynamics adam"),
        ("one-stage", "--field aggregate"),
        ("reversible", "--field aggregate --schedule constant:0.3"),
        ("truncated:2", "--steps 1"),
        ("t1t2", "--steps 3"),
        ("improved", "--aggregate-step-size 0.1"),
        ("basic", "--start 1,2"),
        ("basic", "--outer-optimizer adam:0.05"),
    ] {
        let run = format!("ridge --outer-steps 4 --method {method}");
        let run = if option.contains("--start") || method == "implicit:cg" {
            run.replace("ridge", "quadratic")
        } else {
            run
        };
        // Long enough for a coin to fall.
        let run = if option.contains("adaptive") {
            run.replace("--outer-steps 4", "--outer-steps 60")
        } else {
            run
        };
        let (plain, other) = (solve(&run), solve(&format!("{run} {option}")));
        assert_ne!(plain["x"], other["x"], "{method} {option}");
    }
    // Always drawn: the exact part alone.
    let exact = solve("quadratic --outer-steps 5");
    let always = solve("quadratic --outer-steps 5 --method ufo --probability 1");
    assert_eq!(exact["x"], always["x"]);
}

#[test]
fn bad_usage_is_one_message() {
    let folder = tempfile::tempdir().unwrap();
    for (words, part) in [
        ("quadratik", "did you mean \"quadratic\"?"),
        ("quadratic --method soab", "did you mean \"soba\"?"),
        ("quadratic --method tikhonof", "did you mean \"tikhonov\"?"),
        ("quadratic --method tikhonov", "without an outer variable"),
        ("simple-bilevel --method basic", "no outer variable"),
        (
            "simple-bilevel --outer-steps 5",
            "no meaning with --method big-sam",
        ),
        (
            "simple-bilevel --method tikhonov --step-size 1",
            "--step-size has no meaning",
        ),
        ("quadratic --start 1", "1"),
        ("quadratic --start 1,nan", "finite numbers"),
        ("quadratic --inner-start 1,2,3", "3"),
        ("ufo-counterexample --inner-start 1", "start"),
        ("sine --dimension 3", "dimension"),
        ("sine --method soba", "cannot keep y in a set"),
        ("sine --method implicit:cg", "does not apply here"),
        (
            "ufo-counterexample --method truncated:3",
            "identically zero",
        ),
        (
            "ufo-counterexample --method implicit:cg",
            "identically zero",
        ),
        (
            "quadratic --method implicit:cg --field aggregate",
            "leads elsewhere",
        ),
        (
            "quadratic --probability 0.5",
            "--probability has no meaning",
        ),
        (
            "quadratic --method ufo --probability 0",
            "above 0 and at most 1",
        ),
        ("quadratic --dynamics momentum:1", "below 1"),
        ("quadratic --memory-budget 5", "200MB"),
        ("quadratic --outer-optimizer sgd:0.1,-1", "at least 0"),
    ] {
        refused(folder.path(), &format!("solve {words}"), part);
    }
    let Ran { code, stderr, .. } = bilevel(
        folder.path(),
        "solve quadratic --step-size 1000 --steps 500",
    );
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("non-finite"), "{stderr}");
    let ran = bilevel(
        folder.path(),
        "solve quadratic --trajectory no/such/file.csv",
    );
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
