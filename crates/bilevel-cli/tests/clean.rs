//! `bilevel clean`, run as a person runs it.

use std::fs;
use std::path::Path;

use crate::common::{bilevel, document, entries, refused, succeed, write_digits, write_idx};
use serde_json::Value;

/// A quick run on a part of the digits.
const QUICK: &str = "clean --train-rows 200 --trusted-rows 100 --steps 20 --outer-steps 4";

fn columns(csv: &str) -> Vec<Vec<String>> {
    csv.lines()
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

fn history(folder: &Path) -> Vec<Value> {
    fs::read_to_string(folder.join("history.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The promise of the README's first command, and everything that it leaves behind.
#[test]
fn the_defaults_find_the_wrong_labels() {
    let folder = tempfile::tempdir().unwrap();
    let ran = succeed(folder.path(), "clean --out out");
    for part in [
        "of 1000 labels look wrong",
        "Of the 500 wrong labels",
        "-> ",
        "agreement",
        "Judged by ",
        "out/review.csv",
        "out/report.html; all rows: scores.csv",
        "To repeat: ",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    // Five rows between the head and the sentence behind the table.
    assert_eq!(ran.stdout.matches("-> ").count(), 5);
    assert!(!ran.stdout.contains("--out"));
    let out = folder.path().join("out");
    assert_eq!(
        entries(&out),
        [
            "checkpoint",
            "config.toml",
            "history.jsonl",
            "report.html",
            "result.json",
            "review.csv",
            "scores.csv"
        ]
    );

    let result: Value =
        serde_json::from_str(&fs::read_to_string(out.join("result.json")).unwrap()).unwrap();
    let figure = |name: &str| result[name].as_f64().unwrap();
    assert!(figure("f1") >= 0.88, "{result}");
    assert!(figure("auc") >= 0.9, "{result}");
    assert!(figure("retrained_accuracy") > 0.9, "{result}");
    assert_eq!(
        (&result["method"], &result["rows"], &result["trusted"]),
        (&"auto".into(), &1000.into(), &297.into())
    );
    assert_eq!(
        keys(&result),
        [
            "auc",
            "average_precision",
            "baselines",
            "chosen",
            "expected",
            "f",
            "f1",
            "gradient_check",
            "input",
            "kept_by",
            "method",
            "model",
            "outer_steps",
            "peak_memory_mb",
            "precision",
            "ranked_by",
            "recall",
            "retrained_accuracy",
            "rows",
            "seconds",
            "seed",
            "step_size",
            "suspect_f1",
            "test_accuracy",
            "trusted",
        ]
    );
    assert_eq!(
        keys(&result["baselines"]),
        [
            "agreement",
            "all_rows",
            "clean_rows",
            "confident-learning",
            "glc",
            "improved",
            "loss",
            "nearest-neighbours",
            "noise-matrix",
            "noise-matrix:hypergradient",
            "self-training",
            "trusted_only"
        ]
    );
    for (_, baseline) in result["baselines"].as_object().unwrap() {
        assert_eq!(
            keys(baseline),
            [
                "auc",
                "f1",
                "retrained_accuracy",
                "seconds",
                "test_accuracy"
            ]
        );
    }
    assert_eq!(result["gradient_check"]["passed"], true);
    assert!(result["gradient_check"]["relative_error"].as_f64().unwrap() < 1e-6);
    // The chosen detector's figures are those of the result, and the truth is within what was expected.
    let chosen = &result["baselines"][result["kept_by"].as_str().unwrap()];
    assert_eq!(chosen["f1"], result["f1"]);
    let expected = &result["expected"]["wrong"];
    let (low, high) = (
        expected["low"].as_f64().unwrap(),
        expected["high"].as_f64().unwrap(),
    );
    assert!(low <= 500.0 && 500.0 <= high, "{expected}");
    assert!(high - low < 200.0, "{expected}");

    let rows = columns(&fs::read_to_string(out.join("scores.csv")).unwrap());
    assert_eq!(
        rows[0],
        [
            "row",
            "given",
            "weight",
            "rank",
            "suspect",
            "suggested",
            "p_suggested"
        ]
    );
    assert_eq!(rows.len(), 1001);
    let mut previous = 0.0;
    let mut seen = std::collections::HashSet::new();
    for (index, row) in rows[1..].iter().enumerate() {
        let weight: f64 = row[2].parse().unwrap();
        assert!(weight >= previous && row[3] == (index + 1).to_string());
        // A suspect has another suggested label.
        assert!(row[4] == "false" || row[1] != row[5], "{row:?}");
        assert!(seen.insert(row[0].parse::<usize>().unwrap()));
        let probability: f64 = row[6].parse().unwrap();
        assert!((0.1..=1.0).contains(&probability));
        previous = weight;
    }
    assert!(seen.iter().all(|&row| row < 1797));

    let history = history(&out);
    assert_eq!(history[0]["step"], 0);
    assert_eq!(history.last().unwrap()["step"], result["outer_steps"]);
    for line in &history {
        assert_eq!(
            keys(line),
            [
                "auc",
                "f",
                "f1",
                "g",
                "held_out_loss",
                "hypergradient_norm",
                "oracle_calls",
                "seconds",
                "step",
            ]
        );
    }
    assert_eq!(history[1]["oracle_calls"]["inner"]["pulls"], 200);

    let config: toml::Table = fs::read_to_string(out.join("config.toml"))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(config["method"]["schedule"].as_str(), Some("constant:0.5"));
    assert_eq!(config["method"]["steps"].as_integer(), Some(100));
    assert_eq!(config["run"]["outer_optimizer"].as_str(), Some("adam:0.05"));
    assert_eq!(config["data"]["corrupt"].as_float(), Some(0.5));
}

#[test]
fn json_is_one_document_and_the_same_as_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let ran = succeed(folder.path(), &format!("{QUICK} --json --out out"));
    assert_eq!(document(&ran)["rows"], 200);
    let file = fs::read_to_string(folder.path().join("out/result.json")).unwrap();
    assert_eq!(ran.stdout, file);
    assert!(ran.stderr.contains("Judged by "));
    // Quiet: the document, and nothing else at all.
    let ran = succeed(
        folder.path(),
        &format!("{QUICK} --json --quiet --out quiet"),
    );
    assert_eq!(
        (ran.stderr.as_str(), &document(&ran)["rows"]),
        ("", &200.into())
    );
    let ran = succeed(folder.path(), &format!("{QUICK} --quiet --out silent"));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    // Without --out: date and time, under bilevel-out.
    succeed(folder.path(), QUICK);
    succeed(folder.path(), QUICK);
    let made = entries(&folder.path().join("bilevel-out"));
    assert_eq!(made.len(), 2);
    assert!(made[0].starts_with("clean-20"), "{made:?}");
}

#[test]
fn scores_follow_from_the_seed_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let scores = |options: &str, out: &str| {
        succeed(
            folder.path(),
            &format!("{QUICK} --batch 60 --quiet {options} --out {out}"),
        );
        fs::read_to_string(folder.path().join(out).join("scores.csv")).unwrap()
    };
    let first = scores("--seed 3 --threads 1", "a");
    for (threads, out) in [(2, "b"), (3, "c")] {
        assert_eq!(first, scores(&format!("--seed 3 --threads {threads}"), out));
    }
    assert_ne!(first, scores("--seed 4", "d"));
    // The same steps recomputed instead of kept give the same bits.
    assert_eq!(first, scores("--seed 3 --adjoint checkpointed:3", "e"));
    assert_ne!(first, scores("--seed 3 --method basic", "f"));
}

#[test]
fn a_folder_that_exists_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("there")).unwrap();
    refused(
        folder.path(),
        &format!("{QUICK} --out there"),
        "--out there",
    );
    assert!(entries(&folder.path().join("there")).is_empty());
    fs::write(folder.path().join("file"), "").unwrap();
    refused(folder.path(), &format!("{QUICK} --out file"), "--out file");
    refused(
        folder.path(),
        &format!("{QUICK} --out file/inside"),
        "cannot be created",
    );
}

#[test]
fn bad_input_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_digits(here, "images", "labels", 0, 30);
    write_digits(here, "images2", "labels2", 30, 20);
    write_idx(&here.join("wide"), &[30, 9, 9], &[0; 30 * 81]);
    fs::write(here.join("text"), "not images").unwrap();
    for (options, part) in [
        ("--method improve", "did you mean \"improved\"?"),
        ("--methods basic", "similar argument exists: '--method'"),
        ("--method boss", "bilevel methods lists them"),
        ("--schedule contsant:0.5", "did you mean \"constant\"?"),
        ("--schedule constant:2", "between 0 and 1"),
        ("--adjoint reverze", "did you mean \"reverse\"?"),
        ("--outer-optimizer adm:0.1", "did you mean \"adam\"?"),
        ("--outer-optimizer adam:0", "a positive number"),
        ("--model softmx", "did you mean \"softmax\"?"),
        ("--model mlp", "softmax, mlp:H with H"),
        ("--model mlp:0", "softmax, mlp:H with H"),
        ("--model mlp:-1", "softmax, mlp:H with H"),
        ("--model mlp:99999999999999", "softmax, mlp:H with H"),
        ("--weights per-row", "unexpected argument"),
        ("--corrupt 1.5", "a number from 0 to 1, found \"1.5\""),
        (
            "--corruption sideways",
            "possible values: other, uniform, pairwise",
        ),
        ("--steps 0", "at least 1, found \"0\""),
        ("--steps -3", "at least 1, found \"-3\""),
        ("--step-size -1", "a positive number, found \"-1\""),
        ("--step-size nan", "a positive number, found \"nan\""),
        ("--aggregate-step-size 0", "a positive number"),
        ("--weight-decay -1", "at least 0"),
        ("--outer-steps 0", "at least 1"),
        ("--patience 0", "at least 1"),
        ("--threads 0", "from 1 to 1024"),
        ("--seed -1", "from 0 to"),
        ("--time-limit 5", "10s, 5m or 1h"),
        ("--early-stopping 1", "above 0 and below 1"),
        (
            "--early-stopping off --patience 3",
            "--patience has no meaning",
        ),
        ("--early-stopping 0.999", "leave none to learn from"),
        ("--batch 2000", "batch must be at least 1 and at most"),
        ("--trusted-batch 290", "trusted batch must be"),
        ("--train-rows 1700", "1997 rows are needed, found 1797"),
        ("--train-rows 18446744073709551615", "found 1797"),
        (
            "--method basic --schedule constant:0.5",
            "--schedule has no meaning here",
        ),
        ("--method basic --field aggregate", "contradict"),
        ("--method basic --aggregate-step-size 1", "no meaning here"),
        ("--schedule constant:1", "identically zero"),
        (
            "--method first-order",
            "identically zero for this problem: it sees x only through",
        ),
        (
            "--field aggregate --adjoint first-order",
            "identically zero for this problem",
        ),
        (
            "--images images --trusted-rows 5",
            "images: expected labels, found features only; name their file: --labels FILE",
        ),
        (
            "--test-images images --test-labels labels",
            "--test has no meaning with the digits that come with the program: it needs DATA",
        ),
        (
            "--images none --labels labels --trusted-rows 5",
            "none: cannot be read",
        ),
        (
            "--images images --labels labels --method basic",
            "--trusted-rows",
        ),
        (
            "--images images --labels labels --trusted-rows 5 --corruption other",
            "--corruption has no meaning",
        ),
        (
            "--images images --labels labels2 --trusted-rows 5",
            "30 rows of features and labels2 holds 20 labels",
        ),
        (
            "--images text --labels labels --trusted-rows 5",
            "text: expected rows below the names of the columns, found none",
        ),
        (
            "--images labels --labels labels --trusted-rows 5",
            "labels: expected rows of features, found labels only",
        ),
        (
            "--images images --labels labels --trusted-rows 30",
            "expected at least one row",
        ),
        (
            "--images images --labels labels --trusted-rows 20 --train-rows 20",
            "40 rows are needed, found 30",
        ),
        (
            "--images images --labels labels --trusted-rows 9 --test-images wide --test-labels labels",
            "wide: expected 64 columns of features, as many as in the first file, found",
        ),
        (
            "--images images --labels labels --trusted-rows 9 --test-images images",
            "images: expected labels, found features only",
        ),
    ] {
        refused(here, &format!("clean {options}"), part);
    }
    refused(here, "cleam", "similar subcommand exists: 'clean'");
}

#[test]
fn a_run_that_fails_keeps_what_it_had_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let ran = bilevel(
        folder.path(),
        &format!("{QUICK} --step-size 1e30 --weight-decay 1 --out out"),
    );
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    for part in [
        "the inner variable became non-finite at inner step 2 of outer step 0",
        "try --step-size auto or a smaller --step-size than 1000000000000000000000000000000 or a smaller --weight-decay than 1",
        "the last good state, before outer step 0, is kept in out/checkpoint",
    ] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("what it had computed is in out"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        entries(&folder.path().join("out")),
        ["checkpoint", "config.toml", "history.jsonl"]
    );
}

#[test]
fn a_time_limit_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let ran = succeed(
        folder.path(),
        &format!(
            "{QUICK} --outer-steps 100000 --early-stopping off --time-limit 0.2s --json --out out"
        )
        .replace(" --outer-steps 4", ""),
    );
    let steps = document(&ran)["outer_steps"].as_u64().unwrap();
    assert!(steps < 100_000, "{steps}");
    assert!(ran.stderr.contains("the time limit was reached"));
    assert_eq!(history(&folder.path().join("out")).len() as u64, steps + 1);
}

/// A network as well as softmax regression, by a kept tape and from mini-batches.
#[test]
fn a_network_is_cleaned_with_too() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let scores = |options: &str, out: &str| {
        let run = "clean --train-rows 200 --trusted-rows 100 --model mlp:24 --step-size 0.2 --steps 30 --outer-steps 12 --outer-optimizer adam:0.2 --early-stopping off --batch 80 --trusted-batch 60 --json --quiet";
        let ran = succeed(here, &format!("{run} {options} --out {out}"));
        let scores = fs::read_to_string(here.join(out).join("scores.csv")).unwrap();
        (document(&ran), scores)
    };
    let (result, reverse) = scores("", "a");
    assert_eq!(result["model"], "mlp:24");
    assert_eq!(result["gradient_check"]["passed"], true, "{result}");
    assert!(result["f1"].as_f64().unwrap() > 0.8, "{result}");
    assert!(result["auc"].as_f64().unwrap() > 0.85, "{result}");
    assert!(
        result["retrained_accuracy"].as_f64().unwrap() > 0.75,
        "{result}"
    );
    assert_eq!(reverse, scores("--adjoint checkpointed:3", "b").1);
    // What is kept differs from what is worked out again by rounding alone.
    let (taped, _) = scores("--adjoint reverse:tape", "c");
    let difference = taped["f"].as_f64().unwrap() / result["f"].as_f64().unwrap() - 1.0;
    assert!(difference.abs() < 1e-3, "{difference}");
    assert!((taped["auc"].as_f64().unwrap() - result["auc"].as_f64().unwrap()).abs() < 0.01);
    // Where training starts follows from the seed.
    assert_ne!(reverse, scores("--seed 1", "d").1);
}

/// Convolutions on pictures: the same bits on any number of threads and with fewer states kept, a model that is applied to
/// other pictures.
#[test]
fn a_convolutional_network_is_cleaned_with_too() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_digits(here, "images", "labels", 0, 120);
    write_digits(here, "others", "other-labels", 260, 100);
    let files = "clean --images images --labels labels --train-rows 80 --trusted-rows 40 --corrupt 0.3 --model conv4:4 --json --quiet";
    let scores = |run: &str| fs::read_to_string(here.join(run).join("scores.csv")).unwrap();
    let learned = "--method improved --steps 8 --outer-steps 4 --early-stopping off";
    let result = document(&succeed(here, &format!("{files} {learned} --out a")));
    assert_eq!(result["model"], "conv4:4");
    assert_eq!(result["gradient_check"]["passed"], true, "{result}");
    let otherwise = "--threads 1 --adjoint checkpointed:2 --save-model model.json --out b";
    succeed(here, &format!("{files} {learned} {otherwise}"));
    assert_eq!(scores("a"), scores("b"));

    let predicted = succeed(here, "predict model.json others").stdout;
    let class = |line: &str| line.split(',').nth(1).and_then(|class| class.parse().ok());
    let classes: Vec<u32> = predicted.lines().skip(1).filter_map(class).collect();
    assert!(classes.len() == 100 && classes.iter().all(|&class| class < 10));

    fs::write(here.join("table.csv"), "a,b,label\n1,2,x\n3,4,y\n").unwrap();
    for (words, part) in [
        (
            "clean table.csv --label label --model conv4",
            "expected rows that are pictures",
        ),
        (
            "clean --images images --labels labels --model lenet",
            "lenet: expected pictures that its windows fit into, found 8 × 8",
        ),
        (
            "bench cleaning --data . --model conv4",
            "expected rows that are pictures",
        ),
    ] {
        refused(here, words, part);
    }
}

#[test]
fn own_images_with_and_without_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_digits(here, "images", "labels", 0, 500);
    write_digits(here, "test images", "test-labels", 500, 200);
    fs::rename(here.join("test images"), here.join("test-images")).unwrap();
    let files = "clean --images images --labels labels --steps 30 --outer-steps 5 --json";

    // Nothing is known about the labels: no figure that needs the truth is made up.
    let ran = succeed(here, &format!("{files} --trusted-rows 100 --out unknown"));
    let result = document(&ran);
    assert_eq!(
        (&result["rows"], &result["trusted"]),
        (&400.into(), &100.into())
    );
    for name in [
        "f1",
        "precision",
        "recall",
        "suspect_f1",
        "auc",
        "average_precision",
        "test_accuracy",
        "retrained_accuracy",
    ] {
        assert!(result[name].is_null(), "{name}");
    }
    assert!(result["f"].is_number());
    assert!(result["baselines"].get("clean_rows").is_none());
    assert!(result["baselines"]["agreement"]["f1"].is_null());
    assert!(
        ran.stderr.contains("Expected, from the trusted rows") && !ran.stderr.contains("Compared"),
        "{}",
        ran.stderr
    );
    assert!(history(&here.join("unknown"))[0]["f1"].is_null());

    // With labels made wrong, and test rows.
    let ran = succeed(
        here,
        &format!(
            "{files} --train-rows 300 --trusted-rows 200 --test-images test-images --test-labels test-labels --corrupt 0.4 --corruption pairwise --early-stopping off --method bda --out known"
        ),
    );
    let result = document(&ran);
    assert_eq!(result["method"], "bda");
    assert!(result["f1"].as_f64().unwrap() > 0.7, "{result}");
    assert!(
        result["retrained_accuracy"].as_f64().unwrap() > 0.6,
        "{result}"
    );
    assert!(history(&here.join("known"))[0]["held_out_loss"].is_null());
    // Rows are those of the file.
    let rows = columns(&fs::read_to_string(here.join("known/scores.csv")).unwrap());
    let digits = bilevel_tasks::data::digits::digits();
    let changed = rows[1..]
        .iter()
        .filter(|row| {
            let row_number: usize = row[0].parse().unwrap();
            let (given, truth) = (row[1].parse::<u32>().unwrap(), digits.labels()[row_number]);
            assert!(given == truth || given == (truth + 1) % 10);
            given != truth
        })
        .count();
    assert_eq!((rows.len(), changed), (301, 120));
}
