//! Names, parts, and the pairs that are refused.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::Field;

/// A method from words such as `method=basic steps=3`.
fn method(words: &str) -> Result<Method, String> {
    let mut settings = Settings::default();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        if name == "method" {
            settings.method = Some(value.parse().unwrap());
            continue;
        }
        let mut all = Setting::ALL.into_iter();
        let setting = all.find(|setting| setting.name() == name).unwrap();
        settings.set(setting, value).unwrap();
        assert_eq!(settings.get(setting).as_deref(), Some(value));
    }
    Method::new(&settings, Defaults::TRAINING)
        .and_then(|method| method.expect_inner_weight(60))
        .map_err(|refusal| refusal.to_string())
}

fn summary(options: &str) -> (String, Option<String>, String) {
    let method = method(options).unwrap();
    (
        method.name(),
        method.schedule(),
        method.settings.adjoint.unwrap().to_string(),
    )
}

#[test]
fn names_and_parts() {
    for (options, name, schedule, adjoint) in [
        ("", "improved", Some("constant:0.5"), "reverse"),
        ("method=basic", "basic", None, "reverse"),
        (
            "method=rhg adjoint=checkpointed:5",
            "basic",
            None,
            "checkpointed:5",
        ),
        ("method=bigsam", "bigsam", Some("bigsam:1,0.5,1"), "reverse"),
        (
            "method=bda schedule=harmonic:0.9",
            "bda",
            Some("harmonic:0.9"),
            "reverse",
        ),
        ("method=first-order", "first-order", None, "first-order"),
        ("field=inner", "basic", None, "reverse"),
        (
            "field=inner adjoint=first-order",
            "first-order",
            None,
            "first-order",
        ),
        (
            "schedule=harmonic:0.9",
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
    let method = method("step_size=0.5 aggregate_step_size=0.25").unwrap();
    let Field::Aggregate { outer_scale, .. } = method.settings.field else {
        panic!("{method:?}");
    };
    assert_eq!(outer_scale, 0.5);
}

#[test]
fn pairs_that_make_no_sense_are_refused() {
    for (options, part) in [
        (
            "method=basic schedule=constant:0.5",
            "`schedule` has no meaning",
        ),
        (
            "field=inner aggregate_step_size=1",
            "`aggregate_step_size` has no meaning",
        ),
        ("method=basic field=aggregate", "contradict"),
        ("method=improved field=inner", "contradict"),
        ("method=improved adjoint=first-order", "contradict"),
        ("method=first-order adjoint=reverse", "contradict"),
        (
            "method=bda schedule=constant:0.5",
            "uses the schedule harmonic",
        ),
        ("schedule=learned:0,1", "this x has none for them"),
        ("schedule=constant:1", "identically zero"),
        ("schedule=harmonic:100 steps=100", "identically zero"),
        ("schedule=every:1,constant:1", "identically zero"),
    ] {
        let message = method(options).unwrap_err();
        assert!(message.contains(part), "{options}: {message}");
    }
    assert!(method("schedule=per-outer:1,2").is_ok());
    assert!(method("schedule=every:2,constant:1").is_ok());
    assert!(method("schedule=harmonic:99 steps=100").is_ok());
}

/// The catalogue lists every method once, under names that no other has, and every setting of one is listed.
#[test]
fn names_are_told_apart() {
    let mut names: Vec<&str> = METHODS
        .iter()
        .flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases))
        .copied()
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for setting in Setting::ALL {
        assert!(
            METHODS.iter().any(|entry| entry.takes(setting)),
            "{setting:?}"
        );
        assert!(!setting.about().doc.ends_with('.'));
    }
}

/// The defaults that are said are those that are taken.
#[test]
fn defaults_are_as_said() {
    let method = method("method=ufo").unwrap();
    for (setting, value) in [
        (Setting::Steps, method.settings.steps.to_string()),
        (Setting::Dynamics, method.settings.dynamics.to_string()),
        (
            Setting::Probability,
            method.settings.probability.to_string(),
        ),
        (Setting::Damping, method.settings.damping.to_string()),
    ] {
        let said = setting.about().default.unwrap();
        let (first, _) = said.split_once([';', ',']).unwrap_or((said, ""));
        assert_eq!(first, value, "{setting:?}");
    }
    let said = Setting::StepSize.about().default.unwrap();
    assert!(said.starts_with("auto;"), "{said}");
    let given: Settings = Settings {
        step_size: Some(StepSizeChoice::Auto),
        ..Settings::default()
    };
    assert_eq!(
        Method::new(&given, Defaults::TRAINING).err(),
        Some(Refusal::NotMeasured)
    );
    let measured = Defaults {
        measures_step_size: true,
        step_size: 0.25,
        ..Defaults::TRAINING
    };
    let method = Method::new(&given, measured).unwrap();
    assert_eq!(method.settings.step_size, 0.25);
}

/// What a method says that it was given makes the same method, to the last bit of its numbers.
#[test]
fn a_method_is_made_again_from_its_settings() {
    let mut words: Vec<String> = METHODS
        .iter()
        .map(|entry| match entry.parameter {
            None => format!("method={}", entry.name),
            Some(_) => format!("method={}:3", entry.name),
        })
        .collect();
    words.extend(
        [
            "step_size=0.3 aggregate_step_size=0.1 schedule=harmonic:0.7",
            "method=bamm schedule=per-outer:0.8,3",
            "method=one-stage field=aggregate schedule=constant:0.25 aggregate_step_size=0.7",
            "method=f2sa penalty=geometric:0.5,1.1 y_step_size=0.03 steps=3",
            "method=ufo probability=adaptive adjoint=checkpointed:4 dynamics=momentum:0.9",
            "method=implicit:cg damping=0.001 linear_tolerance=0.0001 linear_products=7",
            "field=inner adjoint=truncated:4",
        ]
        .map(str::to_owned),
    );
    for words in words {
        let Ok(method) = method(&words) else {
            panic!("{words}")
        };
        let again = Method::new(&method.given(), Defaults::TRAINING).unwrap();
        assert_eq!(format!("{again:?}"), format!("{method:?}"), "{words}");
        assert_eq!(again.given(), method.given());
    }
}
