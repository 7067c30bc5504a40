//! `bilevel fewshot`: learning, resuming, and recognising own pictures.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{bilevel, document, refused, succeed};
use serde_json::Value;

/// A small job on the digits.
const SMALL: &str = "fewshot --network conv4:6 --query 5 --meta-batch 3 --outer-steps 8 --validate-every 3 --validation-tasks 5 --test-tasks 6 --steps 2 --quiet";

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

/// The history without times.
fn figures(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("history.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        value
    };
    text.lines().map(line).collect()
}

fn same(one: &Path, other: &Path) {
    assert_eq!(figures(one), figures(other));
    let weights = |run: &Path| read(&run.join("weights.safetensors"));
    assert!(weights(one) == weights(other), "the same bits");
}

#[test]
fn every_algorithm_learns_and_says_what_it_reached() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (number, options) in [
        "--algorithm hyper-representation",
        "--algorithm hyper-representation --method improved",
        "--algorithm hyper-representation --method bda --learn-step-sizes",
        "--algorithm maml",
        "--algorithm maml --learn-step-sizes --adjoint checkpointed:1",
        "--algorithm first-order",
        "--algorithm ufo --probability 0.5",
        "--algorithm ufo --probability adaptive",
        "--algorithm reptile",
    ]
    .iter()
    .enumerate()
    {
        let ran = succeed(
            here,
            &format!("{SMALL} {options} --json --out run-{number}"),
        );
        let result = document(&ran);
        let run = here.join(format!("run-{number}"));
        assert_eq!(result["test"]["tasks"], 6, "{options}");
        assert_eq!(result["outer_steps"], 8, "{options}");
        let accuracy = result["test"]["accuracy"].as_f64().unwrap();
        assert!((0.2..=1.0).contains(&accuracy), "{options}: {accuracy}");
        let names: Vec<&str> = result["baselines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|baseline| baseline["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["pixels", "features", "linear", "scratch"]);
        let exact = options.contains("hyper") || options.contains("maml");
        let passed = &result["gradient_check"]["passed"];
        assert_eq!(
            passed.as_bool(),
            exact.then_some(true),
            "{options} {passed}"
        );
        let learned = options.contains("learn-step");
        assert_eq!(result["step_factors"].is_array(), learned, "{options}");
        let history = figures(&run);
        assert_eq!(history.len(), 9, "{options}");
        let validated = history.iter().filter(|step| step["validation"].is_number());
        // At 0, 3, 6 and the last.
        assert_eq!(validated.count(), 4, "{options}");
        let page = String::from_utf8(read(&run.join("report.html"))).unwrap();
        assert!(page.contains("data:image/png;base64,") && page.contains("<polyline"));
        // A finished run prints its result again.
        let again = succeed(here, &format!("resume run-{number} --json --quiet"));
        assert_eq!(again.stdout, ran.stdout, "{options}");
    }
}

#[test]
fn bits_do_not_depend_on_threads_and_files_repeat_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for threads in 1..=3 {
        succeed(
            here,
            &format!("{SMALL} --algorithm maml --threads {threads} --out t{threads}"),
        );
        same(&here.join("t1"), &here.join(format!("t{threads}")));
    }
    succeed(here, "run t1/config.toml --quiet --out again");
    same(&here.join("t1"), &here.join("again"));
    // Other seeds draw other tasks.
    succeed(
        here,
        &format!("{SMALL} --algorithm maml --seed 1 --out other"),
    );
    assert_ne!(figures(&here.join("t1")), figures(&here.join("other")));
}

/// The exact part of a debiased estimate, the optimizer's moments and the best weights are all in the checkpoint.
#[test]
fn a_killed_run_continues_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let job = format!("{SMALL} --outer-steps 40 --algorithm ufo --probability adaptive");
    let job = job.replacen("--outer-steps 8 ", "", 1);
    succeed(here, &format!("{job} --out whole"));
    for (number, lines) in [1, 7, 25].into_iter().enumerate() {
        let out = format!("killed-{number}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_bilevel"))
            .args(format!("{job} --out {out}").split_whitespace())
            .current_dir(here)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let history = here.join(&out).join("history.jsonl");
        let begin = Instant::now();
        let written = || fs::read_to_string(&history).map_or(0, |text| text.matches('\n').count());
        while written() < lines && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        succeed(here, &format!("resume {out} --quiet"));
        same(&here.join("whole"), &here.join(&out));
    }
    // Ended by its time, and continued.
    succeed(here, &format!("{job} --time-limit 0.05s --out timed"));
    assert!(figures(&here.join("timed")).len() < 41);
    succeed(here, "resume timed --quiet --time-limit 1h");
    same(&here.join("whole"), &here.join("timed"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir_all(here.join("few/a")).unwrap();
    for (words, part) in [
        (
            "fewshot --way 40",
            "expected at least 40 classes for training, as many as a task has; found 24",
        ),
        (
            "fewshot --shot 100 --query 100",
            "expected at least 200 pictures",
        ),
        ("fewshot --algorithm mamll", "did you mean \"maml\"?"),
        (
            "fewshot --algorithm reptile --method basic",
            "it differentiates nothing",
        ),
        (
            "fewshot --algorithm ufo --method basic",
            "--algorithm ufo cannot be used with --method basic",
        ),
        ("fewshot --algorithm maml --method truncated:1", "zero"),
        ("fewshot --method iaptt", "here each task is new"),
        (
            "fewshot --train-classes 9 --test-classes 9",
            "to name at most the 10 classes",
        ),
        ("fewshot --network resnet", "did you mean \"resnet18\"?"),
        ("fewshot few", "found no picture"),
        ("fewshot nothing", "nothing: cannot be read"),
        ("fewshot adapt nothing few", "nothing: cannot be read"),
        ("fewshot --outer-schedule cosin", "did you mean \"cosine\"?"),
    ] {
        refused(here, words, part);
    }
    let ran = bilevel(
        here,
        &format!("{SMALL} --algorithm maml --step-size 1e30 --out wild"),
    );
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("try a smaller --step-size"),
        "{}",
        ran.stderr
    );
}

/// Writes digits as pictures: some of each class in a folder, and others beside them.
fn own_pictures(to: &Path, classes: &[u32], labelled: usize, others: usize) {
    let digits = bilevel_tasks::data::digits::digits();
    let write = |path: std::path::PathBuf, row: usize| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, 8, 8);
        encoder.set_color(png::ColorType::Grayscale);
        let bytes: Vec<u8> = digits.row(row).iter().map(|p| (p * 255.0) as u8).collect();
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&bytes)
            .unwrap();
    };
    for class in classes {
        let rows = (0..digits.rows()).filter(|&row| digits.labels()[row] == *class);
        for (number, row) in rows.take(labelled + others).enumerate() {
            let path = match number < labelled {
                true => to.join(format!("digit {class}/{number}.png")),
                false => to.join(format!("{class}-{number}.png")),
            };
            write(path, row);
        }
    }
}

#[test]
fn a_learned_start_recognises_own_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    own_pictures(&here.join("own"), &[0, 4, 7], 3, 4);
    for algorithm in ["maml --learn-step-sizes", "hyper-representation", "reptile"] {
        let name = algorithm.split(' ').next().unwrap();
        succeed(
            here,
            &format!("{SMALL} --algorithm {algorithm} --out {name}"),
        );
        let weights = format!("{name}/weights.safetensors");
        let ran = succeed(here, &format!("fewshot adapt {weights} own --json"));
        let found = document(&ran);
        assert_eq!(found["classes"].as_array().unwrap().len(), 3);
        let check = &found["check"];
        assert_eq!(check["pictures"], 9, "{found}");
        let best = ["learned", "features", "pixels"].map(|by| check[by].as_f64().unwrap());
        let by = found["by"].as_str().unwrap();
        assert!(check[by].as_f64().unwrap() >= best.into_iter().fold(0.0, f64::max));
        let recognised = found["recognised"].as_array().unwrap();
        assert_eq!(recognised.len(), 12);
        let right = recognised.iter().filter(|one| {
            let class = one["file"]
                .as_str()
                .unwrap()
                .split('-')
                .next()
                .unwrap()
                .to_owned();
            one["label"] == format!("digit {class}")
        });
        assert!(right.count() >= 8, "{algorithm}: {recognised:?}");
        // The same as a table, for any number of threads.
        succeed(
            here,
            &format!("fewshot adapt {weights} own --threads 1 --out {name}.csv"),
        );
        let table = fs::read_to_string(here.join(format!("{name}.csv"))).unwrap();
        assert_eq!(table.lines().count(), 13);
        let printed = succeed(
            here,
            &format!("fewshot adapt {weights} own --threads 3 --quiet"),
        );
        assert_eq!(printed.stdout, table);
    }
    let told = bilevel(here, "fewshot adapt maml/config.toml own");
    assert!(
        told.code == 2 && told.stderr.contains("safetensors"),
        "{}",
        told.stderr
    );
}
