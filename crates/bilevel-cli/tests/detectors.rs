//! Detectors as methods, and the choice among them.

use std::fs;

use crate::common::tables::{class, features, rows};
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
        "noise-matrix:hypergradient",
        "nearest-neighbours",
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
        "the best on the trusted rows (model softmax)",
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
    let page = fs::read_to_string(here.join("few/report.html")).unwrap();
    assert!(page.contains("with so few trusted rows here"));
    assert!(!ran.stdout.contains("Expected, from"), "{}", ran.stdout);
}

/// Without trusted rows: those that need none, no expectation, and which rows to check first.
#[test]
fn nothing_need_be_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut text = rows(0..120);
    for row in [10, 31, 52, 73, 94] {
        let other = if class(row) == "up" { "down" } else { "up" };
        let (a, b) = features(row);
        let line = |label: &str| format!("n{row},{a},{b},{label}\n");
        text = text.replacen(&line(class(row)), &line(other), 1);
    }
    fs::write(here.join("rows.csv"), text).unwrap();
    let ran = succeed(here, "clean rows.csv --label y --id name --out out");
    assert!(
        ran.stdout.contains("without trusted rows"),
        "{}",
        ran.stdout
    );
    let result: Value =
        serde_json::from_str(&fs::read_to_string(here.join("out/result.json")).unwrap()).unwrap();
    assert_eq!(result["trusted"], 0);
    let baselines = result["baselines"].as_object().unwrap();
    for (name, there) in [
        ("loss", true),
        ("confident-learning", true),
        ("noise-matrix", true),
        ("agreement", false),
        ("glc", false),
        ("improved", false),
        ("trusted_only", false),
    ] {
        assert_eq!(baselines.contains_key(name), there, "{name}");
    }
    let review = fs::read_to_string(here.join("out/review.csv")).unwrap();
    assert_eq!(review.matches("check first").count(), 50);
    // Few of them, all with other names, and nothing else.
    let scores = fs::read_to_string(here.join("out/scores.csv")).unwrap();
    let suspects: Vec<&str> = scores
        .lines()
        .filter(|line| line.contains(",true,"))
        .collect();
    assert!((2..=5).contains(&suspects.len()), "{suspects:?}");
    for line in suspects {
        let row: usize = line.split(',').next().unwrap().parse().unwrap();
        assert!([10, 31, 52, 73, 94].contains(&row), "{line}");
    }
    succeed(here, "run out/config.toml --out again --quiet");
    let scores = |run: &str| fs::read(here.join(run).join("scores.csv")).unwrap();
    assert_eq!(scores("out"), scores("again"));
}

/// Where nothing can be learned, much looks wrong: this is said first.
#[test]
fn features_that_tell_nothing_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut text = "a,b,y\n".to_owned();
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    for _ in 0..400 {
        let label = if draw() < 0.6 { "cat" } else { "dog" };
        text += &format!("{},{},{label}\n", draw(), draw());
    }
    fs::write(here.join("rows.csv"), text).unwrap();
    let ran = succeed(here, "clean rows.csv --label y --out out");
    let warning = "WARNING: the features hardly tell which label a row has";
    assert!(ran.stdout.starts_with(warning), "{}", ran.stdout);
    let result = fs::read_to_string(here.join("out/result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["cautions"][0]["kind"], "features_say_little");
    let page = fs::read_to_string(here.join("out/report.html")).unwrap();
    assert!(page.contains(warning));
}

/// A kind of warning that there are thousands of is shown a few times; all are in `result.json`.
#[test]
fn many_warnings_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("rows.csv"), rows(0..60)).unwrap();
    let mut trusted = rows(60..80);
    for row in 0..30 {
        let (a, b) = features(row);
        trusted += &format!("t{row},{a},{b},other{row}\n");
    }
    fs::write(here.join("trusted.csv"), trusted).unwrap();
    let ran = succeed(
        here,
        "clean rows.csv --label y --id name --trusted trusted.csv --out out",
    );
    let one = "warning: only trusted.csv has the label";
    assert_eq!(ran.stderr.matches(one).count(), 5, "{}", ran.stderr);
    let more = "warning: 25 more of this kind, class_only_elsewhere: result.json has all";
    assert!(ran.stderr.contains(more), "{}", ran.stderr);
    let result = fs::read_to_string(here.join("out/result.json")).unwrap();
    assert_eq!(result.matches("\"class_only_elsewhere\"").count(), 30);
}

/// At the limit, the best result so far: an answer, what was left out, and a run that resume completes.
#[test]
fn a_time_limit_leaves_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ran = succeed(here, "clean --time-limit 0.001s --out out");
    for part in [
        "of 1000 labels look wrong",
        "Left out, as the time limit was reached: improved",
        "noise-matrix",
        "The run is not finished",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    // Who reads no further knows it.
    let warning = "WARNING: the time limit ended training after 1 step of at most 120";
    assert!(ran.stdout.starts_with(warning), "{}", ran.stdout);
    let first = DIGITS.replace(" --json --quiet", " --quiet");
    succeed(here, &format!("{first} --time-limit 0.001s --out cut"));
    succeed(here, "resume cut --time-limit 1h --quiet");
    succeed(here, &format!("{first} --out whole"));
    let scores = |run: &str| fs::read(here.join(run).join("scores.csv")).unwrap();
    assert_eq!(scores("cut"), scores("whole"));
    succeed(
        here,
        "clean --method glc --time-limit 1h --quiet --out detector",
    );
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
