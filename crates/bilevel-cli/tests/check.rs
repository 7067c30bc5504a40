//! `bilevel check` passes where the hypergradient is right, and says so with its exit code.

use crate::common::{bilevel, document, refused, succeed};

#[test]
fn every_method_passes() {
    let folder = tempfile::tempdir().unwrap();
    for options in [
        "",
        "--method basic --batch 50",
        "--method bigsam --trusted-batch 30 --batch 50 --weight-decay 0.01",
        "--method bda --aggregate-step-size 0.2 --adjoint checkpointed:3",
        "--schedule every:3,geometric:0.5,0.9",
    ] {
        let ran = succeed(
            folder.path(),
            &format!("check --steps 12 --json --quiet --seed 5 {options}"),
        );
        let result = document(&ran);
        assert_eq!(result["passed"], true, "{options} {result}");
        let checks = result["checks"].as_array().unwrap();
        assert!(checks.len() >= 7, "{result}");
        assert!(checks[0]["relative_error"].as_f64().unwrap() <= 1e-7);
    }
}

#[test]
fn a_difference_ends_with_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let ran = bilevel(folder.path(), "check --steps 5 --tolerance 1e-30");
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("FAILED"), "{}", ran.stdout);
    assert!(ran.stderr.contains("check failed"), "{}", ran.stderr);
    let ran = bilevel(
        folder.path(),
        "check --steps 5 --tolerance 1e-30 --json --out out",
    );
    assert_eq!((ran.code, &document(&ran)["passed"]), (1, &false.into()));
    let file = std::fs::read_to_string(folder.path().join("out/result.json")).unwrap();
    assert_eq!(file, ran.stdout);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (options, part) in [
        ("--method first-order", "identically zero"),
        ("--method basic --schedule constant:0.5", "no meaning here"),
        ("--batch 201", "batch must be"),
        ("--tolerance 0", "a positive number"),
    ] {
        refused(folder.path(), &format!("check {options}"), part);
    }
}
