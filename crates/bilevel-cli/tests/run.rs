//! `bilevel run`: jobs that a file says.

use std::fs;
use std::path::Path;

use crate::common::tables::{features, rows, write_npy_features};
use crate::common::{bilevel, outcome, refused, succeed, write_digits};

/// Methods, models, images, tables, NPY files, missing values, mini-batches, early stopping, a budget of memory,
/// threads; numbers that are no short decimals.
const RUNS: [&str; 12] = [
    "clean --train-rows 200 --trusted-rows 100 --steps 10 --outer-steps 4",
    "clean --train-rows 150 --trusted-rows 100 --steps 10 --outer-steps 30 --method basic --adjoint reverse:tape --batch 40 --trusted-batch 30 --patience 3 --outer-optimizer adam:0.7",
    "clean --train-rows 150 --trusted-rows 100 --steps 7 --outer-steps 4 --early-stopping off --seed 12 --step-size 0.3 --aggregate-step-size 0.07 --schedule harmonic:0.7",
    "clean --train-rows 150 --trusted-rows 60 --steps 10 --outer-steps 4 --memory-budget 240kB --method basic",
    "clean --train-rows 150 --trusted-rows 60 --steps 8 --outer-steps 4 --model mlp:5 --weight-decay 0.01 --threads 1 --corrupt 0.3 --corruption pairwise",
    "clean --images images --labels labels --trusted-rows 50 --test-images images --test-labels labels --corrupt 0.2 --method implicit:cg --damping 0.03 --linear-products 7 --outer-steps 3",
    "clean rows.csv --label y --id name --trusted-rows 20 --missing mean --steps 9 --outer-steps 4 --method truncated:3",
    "clean rows.csv --label y --id name --ignore b --trusted trusted.csv --test trusted.csv --missing drop --train-rows 30 --outer-steps 4 --method f2sa --penalty geometric:0.5,1.1 --y-step-size 0.01",
    "clean --features x.npy --labels y.npy --trusted-rows 15 --outer-steps 4 --method ufo --probability 0.3 --dynamics momentum:0.9 --steps 6",
    "clean --features x.npy --labels y.npy --trusted-rows 15 --outer-steps 4 --method bamm --schedule per-outer:0.8,3 --threads 2",
    "clean --train-rows 100 --trusted-rows 60 --outer-steps 4 --method one-stage --field aggregate --schedule constant:0.25 --aggregate-step-size 0.3",
    "clean --train-rows 100 --trusted-rows 60 --outer-steps 4 --method hoag --steps 20 --weight-decay 0.1 --outer-optimizer sgd:3,0.25 --time-limit 1h",
];

fn write_inputs(here: &Path) {
    write_digits(here, "images", "labels", 0, 150);
    write_npy_features(here);
    let lacking = rows(0..60)
        .replacen(&format!("n4,{}", features(4).0), "n4,", 1)
        .replacen(&format!("n9,{}", features(9).0), "n9,NA", 1);
    fs::write(here.join("rows.csv"), lacking).unwrap();
    fs::write(here.join("trusted.csv"), rows(60..100)).unwrap();
}

/// From another folder than the run; its own specification is the same again, but for why a derivative was
/// chosen.
#[test]
fn a_run_is_repeated_from_its_own_specification() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_inputs(here);
    fs::create_dir(here.join("elsewhere")).unwrap();
    for (number, run) in RUNS.iter().enumerate() {
        succeed(here, &format!("{run} --quiet --out run-{number}"));
        let config = format!("run-{number}/config.toml");
        succeed(
            &here.join("elsewhere"),
            &format!("run ../{config} --quiet --out again-{number}"),
        );
        let first = here.join(format!("run-{number}"));
        let again = here.join(format!("elsewhere/again-{number}"));
        let read = |folder: &Path, name: &str| fs::read(folder.join(name)).unwrap();
        assert!(
            read(&first, "scores.csv") == read(&again, "scores.csv"),
            "{run}"
        );
        let settings = |folder: &Path| {
            let text = String::from_utf8(read(folder, "config.toml")).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(settings(&first), settings(&again), "{run}");
        let ((_, one, _), (_, two, _)) = (outcome(&first), outcome(&again));
        assert_eq!(one, two, "{run}");
    }
}

/// The same bits on other threads, and what a file leaves out has its default.
#[test]
fn a_file_may_leave_everything_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("least.toml"), "[run]\nouter_steps = 2\n").unwrap();
    succeed(here, "run least.toml --threads 1 --quiet --out one");
    succeed(here, "clean --outer-steps 2 --threads 2 --quiet --out two");
    let (one, two) = (outcome(&here.join("one")), outcome(&here.join("two")));
    assert!(one == two);
}

/// Relative paths start at the folder of the file, and messages name them as seen from here.
#[test]
fn paths_start_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let inner = here.join("inner");
    fs::create_dir(&inner).unwrap();
    write_inputs(&inner);
    fs::write(
        inner.join("job.toml"),
        "[data]\ntable = \"rows.csv\"\nlabel = \"y\"\nid = \"name\"\ntrusted_rows = 20\nmissing = \"mean\"\n[run]\nouter_steps = 2\n",
    )
    .unwrap();
    let ran = succeed(here, "run inner/job.toml --out out");
    assert!(ran.stdout.contains("of inner/rows.csv"), "{}", ran.stdout);
    fs::remove_file(inner.join("rows.csv")).unwrap();
    refused(
        here,
        "run out/config.toml --out again",
        "inner/rows.csv: cannot be read",
    );
}

#[test]
fn wrong_files_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("t.csv"), "a,b,y\n1,x,u\n2,3,v\n").unwrap();
    for (text, part) in [
        // Unknown and misspelt keys.
        (
            "seeds = 1",
            "job.toml: line 1: unknown key \"seeds\" at the top; did you mean \"seed\"?",
        ),
        (
            "[method]\n\nstepsize = 1",
            "line 3: unknown key \"stepsize\" in [method]; did you mean \"step_size\"?",
        ),
        (
            "[run]\nsteps = 3",
            "line 2: unknown key \"steps\" in [run]; did you mean \"steps\" in [method]?",
        ),
        ("[data]\ntrain-rows = 3", "did you mean \"train_rows\"?"),
        (
            "[training]\nwheight_decay = 3",
            "did you mean \"weight_decay\"?",
        ),
        (
            "[method2]\nsteps = 3",
            "line 1: unknown key \"method2\" at the top; did you mean \"method\"?",
        ),
        (
            "[method]\nzzz = 3\n[run]\npatienec = 2",
            "line 2: unknown key \"zzz\" in [method]; line 4: unknown key \"patienec\" in [run]; did you mean \"patience\"?",
        ),
        // Misspelt names.
        (
            "[method]\nmethod = \"bigsma\"",
            "line 2, \"method = \\\"bigsma\\\"\": expected the name of a method, found \"bigsma\"; did you mean \"bigsam\"?",
        ),
        (
            "method = { method = \"bigsma\" }",
            "did you mean \"bigsam\"?",
        ),
        (
            "[method]\nadjoint = \"revers\"",
            "; did you mean \"reverse\"?",
        ),
        (
            "[training]\nmodel = \"sofmax\"",
            "; did you mean \"softmax\"?",
        ),
        (
            "[run]\nouter_optimizer = \"adma:0.1\"",
            "; did you mean \"adam",
        ),
        (
            "[data]\ncorruption = \"pairwize\"",
            "; did you mean \"pairwise\"?",
        ),
        // Types.
        (
            "seed = \"1\"",
            "line 1, \"seed = \\\"1\\\"\": invalid type: string \"1\", expected a number",
        ),
        ("[method]\nsteps = \"20\"", "line 2"),
        (
            "[method]\nadjoint = 3",
            "invalid type: integer `3`, expected a text",
        ),
        (
            "[method]\nprobability = true",
            "invalid type: boolean `true`, expected a number or a text",
        ),
        (
            "[data]\nignore = \"b\"",
            "line 2, \"ignore = \\\"b\\\"\": invalid type",
        ),
        ("[data]\ntable = 5", "line 2"),
        ("run = 5", "invalid type: integer `5`, expected a table"),
        (
            "[run]\nouter_steps = 2.5",
            "expected a whole number of at least 1, found \"2.5\"",
        ),
        // Ranges.
        (
            "seed = -1",
            "line 1, \"seed = -1\": expected a whole number from 0 to",
        ),
        (
            "[data]\ncorrupt = 1.5",
            "line 2, \"corrupt = 1.5\": expected a number from 0 to 1, found \"1.5\"",
        ),
        (
            "[data]\ntrain_rows = 0",
            "expected a whole number of at least 1, found \"0\"",
        ),
        (
            "[method]\nstep_size = 0",
            "expected auto, or a positive number, found \"0\"",
        ),
        (
            "[method]\nstep_size = nan",
            "expected auto, or a positive number, found \"NaN\"",
        ),
        (
            "[method]\nprobability = 1.5",
            "expected adaptive, or a number above 0 and at most 1",
        ),
        ("[method]\nadjoint = \"checkpointed:0\"", "line 2"),
        ("[method]\nschedule = \"constant:2\"", "between 0 and 1"),
        ("[method]\npenalty = \"geometric:0,1\"", "line 2"),
        (
            "[training]\nweight_decay = -1",
            "expected a number of at least 0",
        ),
        ("[training]\nmodel = \"mlp:0\"", "softmax, mlp:H"),
        (
            "[run]\nearly_stopping = 1",
            "expected off, or a share of the trusted rows",
        ),
        (
            "[run]\nthreads = 5000",
            "expected a whole number from 1 to 1024",
        ),
        ("[run]\ntime_limit = \"5\"", "a time such as 10s"),
        ("[run]\nmemory_budget = \"5\"", "a size such as 200MB"),
        (
            "[run]\nouter_optimizer = \"adam:0\"",
            "expected a positive number",
        ),
        // Words.
        (
            "job = \"bake\"",
            "line 1, \"job = \\\"bake\\\"\": unknown variant",
        ),
        (
            "[method]\nmethod = \"truncated\"",
            "expected truncated:J with J",
        ),
        ("[data]\nmissing = \"fill\"", "line 2"),
        ("[method", "line 1"),
        ("[data]\nx\n", "line 2"),
        // What does not go together, in the words of the file.
        (
            "[data]\nlabel = \"y\"",
            "label has no meaning with the digits",
        ),
        (
            "[data]\ntable = \"a\"\nimages = \"b\"",
            "duplicate field `file`",
        ),
        (
            "[data]\nimages = \"b\"\ntest_labels = \"c\"\ntrusted_rows = 3",
            "test_labels needs test",
        ),
        (
            "[data]\ntable = \"a\"\ntrusted = \"b\"\ntrusted_rows = 3",
            "trusted cannot be used with trusted_rows; leave one of them out",
        ),
        (
            "[data]\ntable = \"rows.csv\"\n[method]\nmethod = \"loss\"\n[run]\npatience = 3",
            "patience has no meaning here: loss learns no weights",
        ),
        (
            "[data]\ntable = \"rows.csv\"\n[method]\nmethod = \"basic\"",
            "expected trusted FILE, trusted_column COLUMN or trusted_rows N",
        ),
        (
            "[data]\ntable = \"t.csv\"\ntrusted_rows = 1",
            "name it: label = \"COLUMN\"",
        ),
        (
            "[data]\ntable = \"t.csv\"\nlabel = \"y\"\ntrusted_rows = 1",
            "found \"x\" (1 cell of 2); \"b\" in ignore leaves the column out",
        ),
        (
            "[method]\nmethod = \"basic\"\nschedule = \"constant:0.5\"",
            "schedule has no meaning here",
        ),
        (
            "[method]\nmethod = \"basic\"\nadjoint = \"first-order\"",
            "try field = inner and adjoint = first-order",
        ),
        (
            "[run]\nearly_stopping = \"off\"\npatience = 3",
            "patience has no meaning with early_stopping off",
        ),
    ] {
        fs::write(here.join("job.toml"), text).unwrap();
        refused(here, "run job.toml", part);
    }
    refused(here, "run nothing.toml", "nothing.toml: cannot be read");
    fs::write(here.join("job.toml"), "").unwrap();
    fs::create_dir(here.join("taken")).unwrap();
    refused(
        here,
        "run job.toml --out taken",
        "a folder that does not exist yet",
    );
    assert_eq!(bilevel(here, "run").code, 2);
}

/// What helps is said in keys of the file, not in options that were not typed.
#[test]
fn advice_about_a_run_names_the_keys_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "[data]\ntrain_rows = 60\ntrusted_rows = 30\n[method]\nstep_size = 1e30\n[training]\nweight_decay = 1.0\n[run]\nouter_steps = 1\n";
    fs::write(here.join("job.toml"), text).unwrap();
    let ran = bilevel(here, "run job.toml --quiet");
    assert_eq!(ran.code, 1);
    let part = "try step_size = \"auto\" or a smaller step_size than 1000000000000000000000000000000 or a smaller weight_decay than 1;";
    assert!(ran.stderr.contains(part), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--"), "{}", ran.stderr);
}
