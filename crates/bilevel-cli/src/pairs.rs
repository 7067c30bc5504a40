//! Every pair of a method with an adjoint, a field, a schedule or a problem: which pairs are accepted, and why
//! the others are refused before a run.
#![cfg(test)]

use std::collections::BTreeMap;

use bilevel::catalogue::{Defaults, Entry, FieldChoice, METHODS, Method, MethodChoice, Settings};
use bilevel::{Key, Problem};
use bilevel_tasks::cleaning::{Cleaning, CleaningData, CleaningSettings, Split};
use bilevel_tasks::data::digits::digits;
use bilevel_tasks::problem::{ProblemOptions, names, test_problem};

use crate::command::solve::{first_task, method_for};
use crate::failure::Failure;

/// The letter of each reason, with a part of its message; a dot marks an accepted pair.
const REASONS: [(char, &str); 11] = [
    ('c', "contradict each other"),
    ('n', "no meaning"),
    ('z', "identically zero"),
    ('e', "needs an exact derivative"),
    ('1', "one step at a time"),
    ('o', "uses the schedule"),
    // Forward mode over too many of them, or a schedule that takes its weights from some.
    ('x', "numbers of x"),
    ('t', "needs a tape"),
    ('s', "cannot keep y in a set"),
    ('v', "no outer variable"),
    ('i', "leads elsewhere"),
];

fn letter(outcome: Result<(), Failure>) -> char {
    let Err(failure) = outcome else { return '.' };
    assert_eq!(failure.code, 2);
    let text = failure.to_string();
    let found: Vec<char> = REASONS
        .iter()
        .filter(|(_, part)| text.contains(part))
        .map(|(letter, _)| *letter)
        .collect();
    assert!(found.len() == 1, "{found:?}: {text}");
    found[0]
}

/// The name of a method as the user types it.
fn typed(entry: &Entry) -> MethodChoice {
    let text = match entry.parameter {
        None => entry.name.to_owned(),
        Some(_) => format!("{}:3", entry.name),
    };
    text.parse().unwrap()
}

/// The settings with this method.
fn named(entry: &Entry, options: &Settings) -> Settings {
    Settings {
        method: Some(typed(entry)),
        ..options.clone()
    }
}

fn cleaning() -> Problem<f64> {
    let split = Split {
        train: 70,
        trusted: 20,
        test: 0,
    };
    let key = Key::from_seed(0);
    let data = CleaningData::draw(&digits(), split, None, key).unwrap();
    let settings = CleaningSettings::default();
    let cleaning = Cleaning::<f64>::new(&data, &settings, key).unwrap();
    cleaning.problem().clone()
}

fn on_cleaning(problem: &Problem<f64>, entry: &Entry, options: &Settings) -> char {
    let method = Method::new(&named(entry, options), Defaults::TRAINING)
        .and_then(|method| method.expect_inner_weight(60));
    letter(method.map_err(Failure::from).and_then(|method| {
        let built = method.build::<f64>(problem);
        built.validate(problem).map_err(Failure::usage)
    }))
}

/// One row of letters for each method.
fn rows(outcomes: impl Fn(&Entry) -> String) -> BTreeMap<&'static str, String> {
    let rows = METHODS.iter().map(|entry| (entry.name, outcomes(entry)));
    rows.collect()
}

fn expect(what: &str, found: &BTreeMap<&'static str, String>, expected: &[(&str, &str)]) {
    let written: BTreeMap<&str, String> = expected
        .iter()
        .map(|&(name, row)| (name, row.to_owned()))
        .collect();
    assert_eq!(found, &written, "{what}: left is found, right expected");
}

/// reverse, reverse:tape, checkpointed:2, truncated:3, truncated:4, forward, first-order; in cleaning.
#[test]
fn methods_and_adjoints() {
    let problem = cleaning();
    let found = rows(|entry| {
        let adjoints = [
            "reverse",
            "reverse:tape",
            "checkpointed:2",
            "truncated:3",
            "truncated:4",
            "forward",
            "first-order",
        ];
        let outcome = |adjoint: &&str| {
            let options = Settings {
                adjoint: Some(adjoint.parse().unwrap()),
                ..Settings::default()
            };
            on_cleaning(&problem, entry, &options)
        };
        adjoints.iter().map(outcome).collect()
    });
    expect("adjoints", &found, ADJOINTS);
}

/// inner, aggregate; in cleaning.
#[test]
fn methods_and_fields() {
    let problem = cleaning();
    let found = rows(|entry| {
        let outcome = |field: &FieldChoice| {
            let options = Settings {
                field: Some(*field),
                ..Settings::default()
            };
            on_cleaning(&problem, entry, &options)
        };
        [FieldChoice::Inner, FieldChoice::Aggregate]
            .iter()
            .map(outcome)
            .collect()
    });
    expect("fields", &found, FIELDS);
}

/// Every form of schedule, then one that gives the inner gradient no weight; in cleaning.
#[test]
fn methods_and_schedules() {
    let problem = cleaning();
    let found = rows(|entry| {
        let schedules = [
            "constant:0.5",
            "harmonic:0.5",
            "geometric:0.5,0.9",
            "bigsam:1,0.5,1",
            "per-outer:0.9,10",
            "every:2,constant:0.5",
            "learned:0,1",
            "constant:1",
        ];
        let outcome = |schedule: &&str| {
            let options = Settings {
                schedule: Some(schedule.parse().unwrap()),
                ..Settings::default()
            };
            on_cleaning(&problem, entry, &options)
        };
        schedules.iter().map(outcome).collect()
    });
    expect("schedules", &found, SCHEDULES);
}

/// Cleaning, then every test problem in the order of `names()`.
#[test]
fn methods_and_problems() {
    let cleaning = cleaning();
    let problems: Vec<_> = names()
        .iter()
        .map(|name| test_problem(name, &ProblemOptions::default()).unwrap())
        .collect();
    let found = rows(|entry| {
        let options = Settings::default();
        let mut row = String::from(on_cleaning(&cleaning, entry, &options));
        for problem in &problems {
            if problem.start.is_empty() {
                row.push('v');
                continue;
            }
            let task = first_task(problem, 0).unwrap();
            let steps = problem.defaults.outer_steps;
            let method = method_for(problem, &task, &named(entry, &options), steps);
            row.push(letter(method.map(|_| ())));
        }
        row
    });
    expect("problems", &found, PROBLEMS);
}

const ADJOINTS: &[(&str, &str)] = &[
    ("reversible", "nnnnnnn"),
    ("basic", "...ccxc"),
    ("improved", "...ccxc"),
    ("bigsam", "...ccxc"),
    ("bda", "...ccxc"),
    ("truncated", "ccc.ccc"),
    ("forward", "cccccxc"),
    ("first-order", "ccccccz"),
    ("ufo", "...eexe"),
    ("implicit:cg", "nnnnnnn"),
    ("implicit:neumann", "nnnnnnn"),
    ("implicit:fixed-point", "nnnnnnn"),
    ("hoag", "nnnnnnn"),
    ("one-stage", "nnnnnnn"),
    ("t1t2", "nnnnnnn"),
    ("bome", "nnnnnnn"),
    ("f2sa", "nnnnnnn"),
    ("pbgd", "nnnnnnn"),
    ("bvfsm", "nnnnnnn"),
    ("meha", "nnnnnnn"),
    ("iaptt", "...eexe"),
    ("bamm", "nnnnnnn"),
    ("soba", "nnnnnnn"),
    ("stocbio", "nnnnnnn"),
];

const FIELDS: &[(&str, &str)] = &[
    ("reversible", ".."),
    ("basic", ".c"),
    ("improved", "c."),
    ("bigsam", "c."),
    ("bda", "c."),
    ("truncated", ".c"),
    ("forward", "xc"),
    ("first-order", "zc"),
    ("ufo", ".."),
    ("implicit:cg", ".i"),
    ("implicit:neumann", ".i"),
    ("implicit:fixed-point", ".i"),
    ("hoag", ".i"),
    ("one-stage", ".."),
    ("t1t2", ".."),
    ("bome", "nn"),
    ("f2sa", "nn"),
    ("pbgd", "nn"),
    ("bvfsm", "nn"),
    ("meha", "nn"),
    ("iaptt", "nn"),
    ("bamm", "nn"),
    ("soba", "nn"),
    ("stocbio", "nn"),
];

const SCHEDULES: &[(&str, &str)] = &[
    ("reversible", "nnnnnnnn"),
    ("basic", "nnnnnnnn"),
    ("improved", "......xz"),
    ("bigsam", "ooo.oooo"),
    ("bda", "o.oooooo"),
    ("truncated", "nnnnnnnn"),
    ("forward", "nnnnnnnn"),
    ("first-order", "nnnnnnnn"),
    ("ufo", "nnnnnnnn"),
    ("implicit:cg", "nnnnnnnn"),
    ("implicit:neumann", "nnnnnnnn"),
    ("implicit:fixed-point", "nnnnnnnn"),
    ("hoag", "nnnnnnnn"),
    ("one-stage", "nnnnnnnn"),
    ("t1t2", "nnnnnnnn"),
    ("bome", "nnnnnnnn"),
    ("f2sa", "nnnnnnnn"),
    ("pbgd", "nnnnnnnn"),
    ("bvfsm", "nnnnnnnn"),
    ("meha", "nnnnnnnn"),
    ("iaptt", "nnnnnnnn"),
    ("bamm", ".111.11z"),
    ("soba", "nnnnnnnn"),
    ("stocbio", "nnnnnnnn"),
];

const PROBLEMS: &[(&str, &str)] = &[
    ("reversible", "......s...v"),
    ("basic", "..........v"),
    ("improved", "..........v"),
    ("bigsam", "..........v"),
    ("bda", "..........v"),
    ("truncated", "..z.......v"),
    ("forward", "x.........v"),
    ("first-order", "z....z....v"),
    ("ufo", "..........v"),
    ("implicit:cg", "..z...i...v"),
    ("implicit:neumann", "..z...i...v"),
    ("implicit:fixed-point", "..z.......v"),
    ("hoag", "..z...s...v"),
    ("one-stage", "..z.......v"),
    ("t1t2", "..z.......v"),
    ("bome", "..z.......v"),
    ("f2sa", "..z.......v"),
    ("pbgd", "..z.......v"),
    ("bvfsm", "..z.......v"),
    ("meha", "..z.......v"),
    ("iaptt", "..z.......v"),
    ("bamm", "..z.......v"),
    ("soba", "..z...s...v"),
    ("stocbio", "..z...s...v"),
];
