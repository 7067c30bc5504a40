//! The step size of training: measured from the rows, or given and watched.

use std::borrow::Cow;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::common::{bilevel, document, refused, succeed};
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::{CleaningCheckpoint, Results};

/// Three features, the last of which is far larger than the others; the label is the sign of the sum of the first two.
fn write_table(to: &Path) {
    let mut text = "a,b,c,y\n".to_owned();
    for row in 0..300_u32 {
        let wave = |factor: f64| (f64::from(row) * factor).sin();
        let (a, b, c) = (wave(1.3), wave(2.7), 40.0 * wave(0.7));
        writeln!(
            text,
            "{a},{b},{c},{}",
            if a + b > 0.0 { "up" } else { "down" }
        )
        .unwrap();
    }
    fs::write(to, text).unwrap();
}

const CLEAN: &str = "clean t.csv --label y --trusted-rows 60 --corrupt 0.2 --steps 40 --outer-steps 4 --quiet --json";

fn step_size(folder: &Path, options: &str) -> f64 {
    let ran = succeed(folder, &format!("{CLEAN} {options}"));
    document(&ran)["step_size"].as_f64().unwrap()
}

#[test]
fn it_follows_the_scale_of_the_features() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_table(&here.join("t.csv"));
    let standard = step_size(here, "--out standard");
    assert_eq!(standard, step_size(here, "--scale standard --out same"));
    assert_eq!(standard, step_size(here, "--step-size auto --out auto"));
    // Standardised, the largest eigenvalue of the features' moments is near 1: ½ · ½ of it is the curvature.
    assert!((0.3..1.2).contains(&standard), "{standard}");
    // The large column has a mean square of 800; two classes: a curvature of at most half of it.
    let raw = step_size(here, "--scale none --out raw");
    assert!((0.5 / 800.0..4.0 / 800.0).contains(&raw), "{raw}");
    // A column of a mean square of 800 needs a hundred times the step of a network's other columns.
    let network = step_size(here, "--scale none --model mlp:8 --out network");
    assert!(network < 0.1, "{network}");
    // What was measured is in config.toml, and gives the same scores.
    succeed(here, "run raw/config.toml --quiet --out again");
    let scores = |run: &str| fs::read_to_string(here.join(run).join("scores.csv")).unwrap();
    assert_eq!(scores("raw"), scores("again"));
    let batches = step_size(here, "--scale none --batch 32 --out batches");
    assert!(batches < 2.0 * raw, "{batches}");
}

/// A number is taken as it is; training that rises is no result.
#[test]
fn a_number_is_kept_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_table(&here.join("t.csv"));
    assert_eq!(step_size(here, "--step-size 0.25 --out fixed"), 0.25);
    for (number, options) in [
        "",
        "--field inner",
        "--batch 32",
        "--method ufo",
        "--model mlp:8",
    ]
    .into_iter()
    .enumerate()
    {
        let ran = bilevel(
            here,
            &format!("{CLEAN} --scale none --step-size 0.5 {options} --out rising{number}"),
        );
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (1, ""),
            "{options} {}",
            ran.stderr
        );
        let rose = ran
            .stderr
            .contains("training rose: what it should lower went from");
        assert!(
            rose || ran.stderr.contains("non-finite"),
            "{options} {}",
            ran.stderr
        );
        assert!(
            ran.stderr
                .contains("try --step-size auto or a smaller --step-size than 0.5"),
            "{options} {}",
            ran.stderr
        );
        assert!(!here.join(format!("rising{number}/result.json")).exists());
    }
    for command in ["solve ridge --step-size auto", "check --step-size auto"] {
        refused(here, command, "--step-size auto has no meaning here");
    }
}

/// Results whose gradient check failed are printed, and the command fails, also when it is asked again.
#[test]
fn results_that_are_not_to_be_trusted_fail() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(
        here,
        "clean --train-rows 60 --trusted-rows 40 --steps 5 --outer-steps 2 --quiet --out run",
    );
    let path = here.join("run/checkpoint");
    let read: CleaningCheckpoint<'static> = checkpoint::read(&path).unwrap();
    let results = read.results.clone().unwrap().into_owned();
    assert_eq!(results.not_to_be_trusted, None);
    let distrusted = CleaningCheckpoint {
        results: Some(Cow::Owned(Results {
            not_to_be_trusted: Some("a reason".to_owned()),
            ..results.clone()
        })),
        ..read
    };
    checkpoint::write(&path, &distrusted).unwrap();
    let ran = bilevel(here, "resume run");
    assert_eq!((ran.code, ran.stdout), (1, results.text));
    assert!(
        ran.stderr
            .contains("the results are written, but not to be trusted: a reason"),
        "{}",
        ran.stderr
    );
}
