//! What a person does with the result: cleaned rows, rows to check, a model for other rows.

use std::fs;
use std::path::Path;

use crate::common::tables::{class, features, rows};
use crate::common::{bilevel, document, refused, succeed};

const WRONG: [usize; 4] = [10, 31, 52, 73];

fn line(row: usize, label: &str) -> String {
    let (a, b) = features(row);
    format!("n{row},{a},{b},{label}\n")
}

fn other(row: usize) -> &'static str {
    if class(row) == "up" { "down" } else { "up" }
}

/// A hundred rows, four of them with the other label; and trusted ones.
fn write_rows(here: &Path) -> String {
    let mut text = rows(0..100);
    for row in WRONG {
        text = text.replacen(&line(row, class(row)), &line(row, other(row)), 1);
    }
    fs::write(here.join("rows.csv"), &text).unwrap();
    fs::write(here.join("trusted.csv"), rows(100..140)).unwrap();
    fs::write(here.join("new.csv"), rows(140..180)).unwrap();
    text
}

const CLEAN: &str =
    "clean rows.csv --label y --id name --trusted trusted.csv --method noise-matrix";

#[test]
fn cleaned_rows_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = write_rows(here);
    let read = |name: &str| fs::read_to_string(here.join(name)).unwrap();
    let ran = succeed(
        here,
        &format!("{CLEAN} --write-cleaned new/clean.csv --out drop"),
    );
    assert!(ran.stdout.contains("cleaned rows: "), "{}", ran.stdout);
    let mut dropped = text.clone();
    let mut relabelled = text.clone();
    for row in WRONG {
        dropped = dropped.replacen(&line(row, other(row)), "", 1);
        relabelled = relabelled.replacen(&line(row, other(row)), &line(row, class(row)), 1);
    }
    assert_eq!(read("new/clean.csv"), dropped);
    // Never written over, and said before any work.
    refused(
        here,
        &format!("{CLEAN} --write-cleaned new/clean.csv --out again"),
        "--write-cleaned new/clean.csv: expected a file that does not exist yet",
    );
    succeed(
        here,
        &format!("{CLEAN} --write-cleaned r.csv --cleaned-as relabel --quiet --out r"),
    );
    assert_eq!(read("r.csv"), relabelled);
    succeed(
        here,
        &format!("{CLEAN} --write-cleaned f.csv --cleaned-as flag --quiet --out f"),
    );
    let flagged = read("f.csv");
    assert!(flagged.starts_with("name,a,b,y,label_suspect,label_suggested\n"));
    assert_eq!(flagged.matches(",true,").count(), 4);
    succeed(
        here,
        &format!("{CLEAN} --write-cleaned w.csv --cleaned-as weight --quiet --out w"),
    );
    assert!(read("w.csv").starts_with("name,a,b,y,label_weight\n"));
    for (options, part) in [
        (
            "clean --write-cleaned x --out x",
            "--write-cleaned has no meaning with the digits",
        ),
        (
            "clean rows.csv --label y --trusted trusted.csv --corrupt 0.1 --write-cleaned x --out x",
            "labels are made wrong for an experiment",
        ),
        (
            "clean rows.csv --label y --trusted trusted.csv --cleaned-as drop --out x",
            "--write-cleaned",
        ),
    ] {
        let ran = bilevel(here, options);
        assert!(
            ran.code == 2 && ran.stderr.contains(part),
            "{options}\n{}",
            ran.stderr
        );
    }
}

/// A row that is trusted under another label is a suspect, whatever models say of it.
#[test]
fn trusted_rows_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_rows(here);
    // Row 5 with the label that its features do not suggest.
    let trusted = rows(100..140) + &line(5, other(5));
    fs::write(here.join("trusted.csv"), trusted).unwrap();
    succeed(here, &format!("{CLEAN} --quiet --out out"));
    let scores = fs::read_to_string(here.join("out/scores.csv")).unwrap();
    let expected = format!(",true,{},1.0,n5", other(5));
    assert!(
        scores
            .lines()
            .any(|line| line.starts_with("5,") && line.ends_with(&expected)),
        "{scores}"
    );
}

#[test]
fn rows_are_reviewed_once() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_rows(here);
    succeed(here, &format!("{CLEAN} --quiet --out first"));
    let review = fs::read_to_string(here.join("first/review.csv")).unwrap();
    let lines: Vec<&str> = review.lines().collect();
    assert_eq!(
        lines[0],
        "rank,row,given,suggested,p_suggested,weight,reason,decision,id,name,a,b,y"
    );
    assert_eq!(lines.len(), 5);
    for row in WRONG {
        // With its own cells.
        let own = line(row, other(row));
        assert!(review.contains(&format!(",,n{row},{own}")), "{review}");
    }
    // One is decided.
    let decided = review.replacen(",,n31,", ",right,n31,", 1);
    assert_ne!(decided, review);
    fs::write(here.join("decided.csv"), decided).unwrap();
    succeed(
        here,
        &format!("{CLEAN} --reviewed decided.csv --quiet --out second"),
    );
    let second = fs::read_to_string(here.join("second/review.csv")).unwrap();
    assert_eq!(second.lines().count(), 4);
    assert!(!second.contains(",n31,"));
    let ran = bilevel(
        here,
        &format!("{CLEAN} --reviewed rows.csv --quiet --out third"),
    );
    assert!(
        ran.stderr
            .contains("a review.csv with the columns row and decision"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_model_is_applied_to_other_rows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_rows(here);
    succeed(
        here,
        &format!("{CLEAN} --save-model model.json --quiet --out out"),
    );
    let ran = succeed(here, "predict model.json new.csv");
    assert!(
        ran.stdout
            .starts_with("row,predicted,probability,given,id\n0,up,"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("accuracy on the 40 rows with a label: 1.0000"),
        "{}",
        ran.stderr
    );
    // Without labels, in another order of columns, with a column more.
    let mut text = "b,extra,a\n".to_owned();
    for row in 140..180 {
        let (a, b) = features(row);
        text += &format!("{b},7,{a}\n");
    }
    fs::write(here.join("bare.csv"), text).unwrap();
    succeed(here, "predict model.json bare.csv --out p.csv --quiet");
    let bare = fs::read_to_string(here.join("p.csv")).unwrap();
    let of = |text: &str| -> Vec<String> {
        text.lines()
            .skip(1)
            .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
            .collect()
    };
    assert_eq!(of(&bare), of(&ran.stdout));
    let json = document(&succeed(here, "predict model.json new.csv --json --quiet"));
    assert_eq!(
        (&json["rows"], &json["accuracy"]),
        (&40.into(), &1.0.into())
    );
    for (words, part) in [
        (
            "predict rows.csv new.csv",
            "expected a model that bilevel clean --save-model wrote",
        ),
        ("predict model.json none.csv", "none.csv: cannot be read"),
        (
            "predict model.json new.csv --out p.csv",
            "expected a file that does not exist yet",
        ),
    ] {
        let ran = bilevel(here, words);
        assert!(
            ran.code == 2 && ran.stderr.contains(part),
            "{words}\n{}",
            ran.stderr
        );
    }
    fs::write(here.join("narrow.csv"), "a\n1\n").unwrap();
    let ran = bilevel(here, "predict model.json narrow.csv");
    assert!(
        ran.code == 2 && ran.stderr.contains("\"b\""),
        "{}",
        ran.stderr
    );
}
