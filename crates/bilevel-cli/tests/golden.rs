//! Bits that must not change: what twenty commands compute, as hashes stored for each instruction set.
//!
//! A kernel sums in another order on another instruction set, so each has a file of its own under
//! `tests/golden`. `BILEVEL_GOLDEN=write` stores the bits of this machine; the commit that does so says which
//! changed and why. Where there was no machine with another set, its changed hashes become `-`.
#![allow(clippy::print_stdout)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::tables::{rows, write_npy_features};
use crate::common::{succeed, write_digits, write_npy};
use serde_json::Value;
use twox_hash::XxHash3_64;

/// Digits, tables, NPY arrays and images; every adjoint, both models, and methods of every family.
const CLEAN: [&str; 20] = [
    "--method basic",
    "--method improved --threads 1",
    "--method improved --threads 3",
    "--method bigsam --adjoint checkpointed:2",
    "--method bda --adjoint reverse:tape",
    "--method basic --model mlp:20 --adjoint reverse:tape --threads 2",
    "--method basic --model mlp:20 --adjoint checkpointed:3 --batch 16",
    "--method truncated:2 --batch 16 --trusted-batch 8",
    "--method ufo --probability 0.5",
    "--method reversible --step-size 0.1",
    "--method implicit:cg --weight-decay 0.01",
    "--method hoag",
    "--method stocbio --batch 16 --weight-decay 0.01",
    "--method bome --outer-optimizer sgd:0.5",
    "--method iaptt --model mlp:5",
    "--method basic --dynamics adam --step-size 0.05",
    "IMAGES --method improved --model mlp:7",
    "TABLE --method basic --batch 10",
    "TABLE --method improved --missing mean",
    "NPY --method basic --adjoint reverse:tape",
];

/// One hypergradient on matrices of which one has many zeros.
const BENCH: [&str; 8] = [
    "--model softmax --dtype f32 --adjoint reverse",
    "--model softmax --dtype f32 --adjoint reverse:tape --threads 1",
    "--model softmax --dtype f64 --adjoint checkpointed:2",
    "--model mlp:9 --dtype f32 --adjoint reverse",
    "--model mlp:9 --dtype f32 --adjoint reverse:tape --threads 3",
    "--model mlp:9 --dtype f64 --adjoint reverse",
    "--model softmax --dtype f32 --adjoint reverse --data dense",
    "--model mlp:9 --dtype f32 --adjoint reverse --data dense",
];

#[test]
fn scores_and_gradients_have_the_stored_bits() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_inputs(here);
    let mut found = String::new();
    for (number, words) in CLEAN.iter().enumerate() {
        let out = format!("run-{number}");
        succeed(here, &format!("{} --out {out}", clean(words)));
        let run = here.join(out);
        let scores = hash(&fs::read(run.join("scores.csv")).unwrap());
        let history = hash(figures(&run).as_bytes());
        let _ = writeln!(found, "{scores} {history} clean {words}");
    }
    for words in BENCH {
        let data = if words.contains("--data") {
            ""
        } else {
            " --data sparse"
        };
        let command =
            format!("bench cleaning {words}{data} --steps 6 --repeat 1 --quiet --gradient g.npy");
        succeed(here, &command);
        let gradient = hash(&fs::read(here.join("g.npy")).unwrap());
        let _ = writeln!(found, "{gradient} bench cleaning {words}");
    }
    let Some(set) = instruction_set() else {
        println!("skipped: no bits are stored for this kind of processor");
        return;
    };
    let file = PathBuf::from(format!(
        "{}/tests/golden/{set}.txt",
        env!("CARGO_MANIFEST_DIR")
    ));
    if std::env::var("BILEVEL_GOLDEN").as_deref() == Ok("write") {
        fs::write(&file, &found).unwrap();
        return;
    }
    let Ok(stored) = fs::read_to_string(&file) else {
        println!("skipped: no bits are stored for {set}; those of this machine are\n{found}");
        return;
    };
    let changed: Vec<_> = stored
        .lines()
        .zip(found.lines())
        .filter(|(stored, found)| !same(stored, found))
        .map(|(stored, found)| format!("stored {stored}\n found {found}\n"))
        .collect();
    assert!(changed.is_empty(), "other bits:\n{}", changed.concat());
    assert_eq!(stored.lines().count(), found.lines().count());
}

/// Whether the words of two lines are the same. A hash that was not computed again since it changed is stored as `-`.
fn same(stored: &str, found: &str) -> bool {
    let (stored, found) = (stored.split(' '), found.split(' '));
    stored
        .zip(found)
        .all(|(stored, found)| stored == found || stored == "-")
}

fn clean(words: &str) -> String {
    let outer = "--outer-steps 3 --quiet";
    let digits = "--train-rows 90 --trusted-rows 40 --early-stopping off";
    let steps = if words.contains("stocbio") {
        ""
    } else {
        "--steps 6"
    };
    if let Some(words) = words.strip_prefix("IMAGES") {
        let files = "--images images --labels labels --test-images images --test-labels labels";
        format!("clean {files} {digits} --corrupt 0.3 {steps} {outer}{words}")
    } else if let Some(words) = words.strip_prefix("TABLE") {
        let files = "train.csv --label y --ignore name --trusted trusted.csv --test trusted.csv";
        format!("clean {files} --corrupt 0.2 {steps} {outer}{words}")
    } else if let Some(words) = words.strip_prefix("NPY") {
        let files =
            "--features x.npy --labels y.npy --trusted-features x2.npy --trusted-labels y2.npy";
        format!("clean {files} {steps} {outer}{words}")
    } else {
        format!("clean {digits} {steps} {outer} {words}")
    }
}

/// The losses and the norm of the hypergradient at each outer step.
fn figures(run: &Path) -> String {
    let history = fs::read_to_string(run.join("history.jsonl")).unwrap();
    let mut figures = String::new();
    for line in history.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for name in ["f", "g", "hypergradient_norm"] {
            let _ = write!(figures, "{} ", line.get(name).unwrap_or(&Value::Null));
        }
    }
    assert!(figures.matches('.').count() > 6, "{history}");
    figures
}

fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// The instruction set that the kernels of this machine choose, if bits of it may be stored.
fn instruction_set() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
        return Some("avx512");
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return Some("avx2");
    }
    None
}

/// Data of every kind that the commands read. 700 rows are several blocks, the last of them short.
fn write_inputs(here: &Path) {
    write_digits(here, "images", "labels", 0, 300);
    write_npy_features(here);
    fs::write(here.join("train.csv"), rows(0..150)).unwrap();
    fs::write(here.join("trusted.csv"), rows(150..190)).unwrap();
    for (name, zeros) in [("sparse", true), ("dense", false)] {
        let folder = here.join(name);
        fs::create_dir(&folder).unwrap();
        write_case(&folder, zeros);
    }
}

const COLUMNS: usize = 37;
const CLASSES: usize = 5;
const HIDDEN: usize = 9;

fn write_case(folder: &Path, zeros: bool) {
    let value = |i: usize| ((i as f32 * 0.7).sin() * 1e4).fract();
    let element = |i: usize| {
        let empty = zeros && (i % COLUMNS == 3 || !(i * 7919 % 1009).is_multiple_of(4));
        if empty { 0.0 } else { value(i) }
    };
    let floats = |name: &str, shape: &str, values: Vec<f32>| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        write_npy(&folder.join(name), "<f4", false, shape, &bytes);
    };
    for (part, rows) in [("train", 700), ("val", 330)] {
        let features = (0..rows * COLUMNS).map(element).collect();
        let shape = format!("({rows}, {COLUMNS})");
        floats(&format!("{part}_inputs.npy"), &shape, features);
        let labels: Vec<u8> = (0..rows)
            .flat_map(|row| ((row * 31 % 17 % CLASSES) as i64).to_le_bytes())
            .collect();
        let path = folder.join(format!("{part}_labels.npy"));
        write_npy(&path, "<i8", false, &format!("({rows},)"), &labels);
    }
    for (name, len) in [
        ("x", 700),
        ("y_softmax", COLUMNS * CLASSES + CLASSES),
        (
            "y_mlp9",
            COLUMNS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES,
        ),
    ] {
        let values = (0..len).map(|i| 0.3 * value(i + 11)).collect();
        floats(&format!("{name}.npy"), &format!("({len},)"), values);
    }
}
