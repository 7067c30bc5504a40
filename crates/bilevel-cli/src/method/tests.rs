//! Names, parts, and the pairs that are refused.
#![cfg(test)]

use super::*;
use crate::arguments::{Arguments, Verb};
use clap::Parser;

fn method(options: &str) -> Result<Method, String> {
    let words = ["bilevel", "clean"]
        .into_iter()
        .chain(options.split_whitespace());
    match Arguments::try_parse_from(words).unwrap().verb {
        Verb::Clean(clean) => {
            let given = &clean.method;
            Method::new(given.method.as_ref(), &given.options, Defaults::TRAINING)
                .and_then(|method| method.expect_inner_weight(60))
                .map_err(|failure| failure.error.to_string())
        }
        other => panic!("{other:?}"),
    }
}

fn summary(options: &str) -> (String, Option<String>, String) {
    let method = method(options).unwrap();
    (
        method.name(),
        method.schedule(),
        method.adjoint.unwrap().to_string(),
    )
}

#[test]
fn names_and_parts() {
    for (options, name, schedule, adjoint) in [
        ("", "improved", Some("constant:0.5"), "reverse"),
        ("--method basic", "basic", None, "reverse"),
        (
            "--method rhg --adjoint checkpointed:5",
            "basic",
            None,
            "checkpointed:5",
        ),
        (
            "--method bigsam",
            "bigsam",
            Some("bigsam:1,0.5,1"),
            "reverse",
        ),
        (
            "--method bda --schedule harmonic:0.9",
            "bda",
            Some("harmonic:0.9"),
            "reverse",
        ),
        ("--method first-order", "first-order", None, "first-order"),
        ("--field inner", "basic", None, "reverse"),
        (
            "--field inner --adjoint first-order",
            "first-order",
            None,
            "first-order",
        ),
        (
            "--schedule harmonic:0.9",
            "improved",
            Some("harmonic:0.9"),
            "reverse",
        ),
    ] {
        let expected = (
            name.to_owned(),
            schedule.map(str::to_owned),
            adjoint.to_owned(),
        );
        assert_eq!(summary(options), expected, "{options}");
    }
}

#[test]
fn the_aggregate_step_size_is_a_scale() {
    let method = method("--step-size 0.5 --aggregate-step-size 0.25").unwrap();
    let Field::Aggregate { outer_scale, .. } = method.field else {
        panic!("{method:?}");
    };
    assert_eq!(outer_scale, 0.5);
}

#[test]
fn pairs_that_make_no_sense_are_refused() {
    for (options, part) in [
        (
            "--method basic --schedule constant:0.5",
            "--schedule has no meaning",
        ),
        (
            "--field inner --aggregate-step-size 1",
            "--aggregate-step-size has no meaning",
        ),
        ("--method basic --field aggregate", "contradict"),
        ("--method improved --field inner", "contradict"),
        ("--method improved --adjoint first-order", "contradict"),
        ("--method first-order --adjoint reverse", "contradict"),
        (
            "--method bda --schedule constant:0.5",
            "is the schedule harmonic",
        ),
        ("--schedule learned:0,1", "no x here has numbers"),
        ("--schedule constant:1", "identically zero"),
        ("--schedule harmonic:100 --steps 100", "identically zero"),
        ("--schedule every:1,constant:1", "identically zero"),
    ] {
        let message = method(options).unwrap_err();
        assert!(message.contains(part), "{options}: {message}");
    }
    assert!(method("--schedule per-outer:1,2").is_ok());
    assert!(method("--schedule every:2,constant:1").is_ok());
    assert!(method("--schedule harmonic:99 --steps 100").is_ok());
}
