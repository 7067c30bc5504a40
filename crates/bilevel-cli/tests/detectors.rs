//! Detectors as methods, and the choice among them.

use std::fs;

use crate::common::{bilevel, document, refused, succeed};
use serde_json::Value;

const DIGITS: &str =
    "clean --train-rows 200 --trusted-rows 60 --steps 5 --outer-steps 2 --json --quiet";

/// Each by its name: the same figures as beside the others, no learned weights, and the same scores from its own file.
#[test]
fn each_judges_alone() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let all = document(&succeed(here, &format!("{DIGITS} --out all")));
    for name in [
        "agreement",
        "loss",
        "confident-learning",
        "self-training",
        "noise-matrix",
        "glc",
    ] {
        let options = "--train-rows 200 --trusted-rows 60 --json --quiet";
        let ran = succeed(
            here,
            &format!("clean {options} --method {name} --out {name}"),
        );
        let result = document(&ran);
        assert_eq!(result["method"], name);
        for figure in ["f1", "auc", "retrained_accuracy"] {
            assert_eq!(
                result[figure], all["baselines"][name][figure],
                "{name} {figure}"
            );
            assert!(
                result[figure].as_f64().unwrap() > 0.6,
                "{name} {figure} {result}"
            );
        }
        assert_eq!(
            (&result["f"], &result["step_size"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(result["outer_steps"], 0);
        let scores = |run: &str| fs::read_to_string(here.join(run).join("scores.csv")).unwrap();
        assert!(scores(name).contains(",true,"), "{name}");
        if name == "noise-matrix" {
            succeed(here, &format!("run {name}/config.toml --quiet --out again"));
            assert_eq!(scores(name), scores("again"));
            // It is finished: the same document again.
            let again = succeed(here, &format!("resume {name} --json --quiet"));
            assert_eq!(document(&again), result);
        }
    }
}

#[test]
fn auto_says_what_it_chose_and_what_to_expect() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ran = succeed(here, &DIGITS.replace(" --json --quiet", " --out auto"));
    let text = fs::read_to_string(here.join("auto/result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["method"], "auto");
    for part in [
        "It was chosen on trusted rows that it did not see",
        "Method: auto, which chose",
        "Learned weights stand beside it",
        "Expected, from the trusted rows:",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    for figure in ["wrong", "precision", "recall"] {
        let of = |end: &str| result["expected"][figure][end].as_f64().unwrap();
        assert!(
            of("low") <= of("estimate") && of("estimate") <= of("high"),
            "{figure}"
        );
    }
    let config = fs::read_to_string(here.join("auto/config.toml")).unwrap();
    assert!(config.contains("method = \"auto\""), "{config}");
    succeed(here, "run auto/config.toml --quiet --out again");
    let scores = |run: &str| fs::read_to_string(here.join(run).join("scores.csv")).unwrap();
    assert_eq!(scores("auto"), scores("again"));
    // With few trusted rows nothing can be tried: no expectation is invented.
    let few = "clean --train-rows 100 --trusted-rows 8 --steps 5 --outer-steps 2 --out few";
    let ran = succeed(here, few);
    assert!(
        ran.stdout.contains("with so few trusted rows here"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("Expected, from"), "{}", ran.stdout);
}

/// A detector has no use for the options of learned weights, and a name is not guessed.
#[test]
fn what_has_no_meaning_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for option in [
        "--steps 5",
        "--step-size 0.1",
        "--batch 10",
        "--outer-steps 3",
        "--outer-optimizer adam:0.1",
        "--early-stopping off",
        "--adjoint reverse",
    ] {
        let name = option.split(' ').next().unwrap();
        refused(
            here,
            &format!("clean --method loss {option}"),
            &format!("{name} has no meaning here: loss learns no weights"),
        );
    }
    refused(
        here,
        "clean --method noise-matrx",
        "did you mean \"noise-matrix\"?",
    );
    fs::write(here.join("job.toml"), "[method]\nmethod = \"self-train\"\n").unwrap();
    let ran = bilevel(here, "run job.toml");
    assert!(
        ran.code == 2 && ran.stderr.contains("did you mean \"self-training\"?"),
        "{}",
        ran.stderr
    );
}
