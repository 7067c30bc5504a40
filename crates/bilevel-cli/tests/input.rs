//! What `bilevel clean` reads: tables and NPY files.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::common::tables::{features, rows, write_npy_features};
use crate::common::{bilevel, document, entries, gzipped, refused, succeed};
use serde_json::Value;

const QUICK: &str = "--steps 20 --outer-steps 3";

fn scores(folder: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder.join("scores.csv")).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().map(cells).collect()
}

fn result(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("result.json")).unwrap()).unwrap()
}

/// Rows 3 and 8 of the training table are given the label of the other class.
fn write_tables(here: &Path) {
    let train = rows(0..60)
        .replace(",down\nn4,", ",up\nn4,")
        .replace(",up\nn9,", ",down\nn9,");
    fs::write(here.join("train.csv"), train).unwrap();
    fs::write(here.join("trusted.csv"), rows(60..100)).unwrap();
    fs::write(here.join("test.csv"), rows(100..130)).unwrap();
}

#[test]
fn wrong_labels_of_a_table_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_tables(here);
    let ran = succeed(
        here,
        "clean train.csv --label y --id name --trusted trusted.csv --test test.csv --steps 50 --outer-steps 20 --out out",
    );
    assert!(
        ran.stdout.contains("60 rows of train.csv"),
        "{}",
        ran.stdout
    );
    let out = here.join("out");
    assert_eq!(
        entries(&out),
        [
            "checkpoint",
            "config.toml",
            "history.jsonl",
            "report.html",
            "result.json",
            "review.csv",
            "scaling.csv",
            "scores.csv"
        ]
    );
    let scores = scores(&out);
    assert_eq!(scores[0].last().unwrap(), "id");
    let first: Vec<_> = scores[1..3]
        .iter()
        .map(|row| (&row[0][..], &row[7][..]))
        .collect();
    assert!(
        first.contains(&("3", "n3")) && first.contains(&("8", "n8")),
        "{scores:?}"
    );
    for row in &scores[1..3] {
        assert_eq!((&row[4][..], row[5] == row[1]), ("true", false), "{row:?}");
    }
    assert!(result(&out)["retrained_accuracy"].as_f64().unwrap() > 0.95);
    assert_eq!(result(&out)["input"]["warnings"], Value::Array(vec![]));
    let scaling = fs::read_to_string(out.join("scaling.csv")).unwrap();
    let lines: Vec<_> = scaling.lines().collect();
    assert_eq!((lines[0], lines.len()), ("column,mean,scale", 3));
    let mean: f64 = (0..60).map(|row| features(row).0).sum::<f64>() / 60.0;
    let written: f64 = lines[1].split(',').nth(1).unwrap().parse().unwrap();
    assert!(lines[1].starts_with("a,") && (written - mean).abs() < 1e-9);
    let config = fs::read_to_string(out.join("config.toml")).unwrap();
    for line in [
        &format!("file = {:?}", here.join("train.csv")),
        "label = \"y\"",
        "id = \"name\"",
        "missing = \"error\"",
    ] {
        assert!(config.contains(line), "{config}");
    }
}

#[test]
fn trusted_rows_by_column_or_drawn_and_fewer_training_rows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut table = "kind;x".replace(';', "\t") + "\ty\tsure\n";
    for row in 0..80 {
        let sure = if row % 4 == 1 { "yes" } else { "No" };
        let _ = writeln!(table, "text\t{}\t{}\t{sure}", features(row).0, row % 3);
    }
    fs::write(here.join("t.tsv.gz"), gzipped(table.as_bytes())).unwrap();
    let options = format!("clean t.tsv.gz --label y --ignore kind --json {QUICK}");
    let by_column = succeed(here, &format!("{options} --trusted-column sure --out a"));
    let found = document(&by_column);
    assert_eq!(
        (&found["rows"], &found["trusted"]),
        (&60.into(), &20.into())
    );
    // A trusted row is no training row, and rows keep the numbers of the table.
    let numbers = |out: &str| -> Vec<usize> {
        let scores = scores(&here.join(out));
        assert_eq!(scores[0].len(), 7);
        let mut rows: Vec<_> = scores[1..]
            .iter()
            .map(|row| row[0].parse().unwrap())
            .collect();
        rows.sort_unstable();
        rows
    };
    let expected: Vec<usize> = (0..80).filter(|row| row % 4 != 1).collect();
    assert_eq!(numbers("a"), expected);

    let options = format!("{options} --ignore sure");
    let drawn = succeed(
        here,
        &format!("{options} --trusted-rows 30 --train-rows 40 --out b"),
    );
    assert_eq!(document(&drawn)["trusted"], 30);
    assert_eq!(numbers("b").len(), 40);
}

#[test]
fn npy_features_with_npy_and_csv_labels() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_npy_features(here);
    let options =
        format!("--trusted-features x2.npy --trusted-labels y2.npy --early-stopping 0.3 {QUICK}");
    let weights = |labels: &str, features: &str, out: &str| {
        succeed(
            here,
            &format!("clean --features {features} --labels {labels} {options} --json --out {out}"),
        );
        scores(&here.join(out))
    };
    let first = weights("y.npy", "x.npy", "a");
    assert_eq!(first.len(), 41);
    // One column alone needs no name; Fortran order is the same matrix.
    assert_eq!(weights("y.csv", "x.npy", "b"), first);
    assert_eq!(weights("y.npy", "fortran.npy", "c"), first);
    let options = format!("--labels named.csv --label kind --trusted-column sure {QUICK}");
    let ran = succeed(
        here,
        &format!("clean --features x.npy {options} --json --out d"),
    );
    assert_eq!(document(&ran)["trusted"], 20);
    // What has no purpose is passed over in a table of labels; the column id is not.
    assert_eq!(scores(&here.join("d"))[0].last().unwrap(), "id");
}

#[test]
fn missing_values_are_filled_or_their_rows_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let table = rows(0..60)
        .replace("n7,", "n7,,")
        .replace("n7,,-", "n7,,")
        .replace("n11,-", "n11,NaN,");
    // The cells behind the ones put in go, so that rows keep their length.
    let table: String = table
        .lines()
        .map(|line| {
            let mut cells: Vec<_> = line.split(',').collect();
            if cells.len() == 5 {
                cells.remove(2);
            }
            cells.join(",") + "\n"
        })
        .collect();
    fs::write(here.join("t.csv"), table).unwrap();
    let options = format!("clean t.csv --label y --id name --trusted-rows 20 {QUICK}");
    let part = "t.csv: row 7 (line 9), column \"a\": expected a value, found a missing one; missing cells: 2, in 2 of 60 rows";
    refused(here, &options, part);
    refused(here, &format!("{options} --missing error"), part);
    let ran = succeed(here, &format!("{options} --missing drop --json --out drop"));
    assert_eq!(document(&ran)["rows"], 38);
    assert!(
        ran.stderr.contains(
            "warning: t.csv: 2 cells are missing in 2 rows (columns \"a\"): these rows are left out"
        ),
        "{}",
        ran.stderr
    );
    let rows = scores(&here.join("drop"));
    // Rows keep their numbers and names, whatever was left out before them.
    for row in &rows[1..] {
        assert_eq!(format!("n{}", row[0]), row[7]);
        assert!(row[0] != "7" && row[0] != "11");
    }
    let ran = succeed(here, &format!("{options} --missing mean --json --out mean"));
    assert_eq!(document(&ran)["rows"], 40);
    let missing = &result(&here.join("mean"))["input"]["missing"];
    assert_eq!(
        (&missing["policy"], &missing["files"][0]["columns"]["a"]),
        (&"mean".into(), &2.into())
    );
}

#[test]
fn duplicates_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_tables(here);
    let train = fs::read_to_string(here.join("train.csv")).unwrap();
    // Row 60 is row 5 again; row 61 has the features of row 6 and another label; row 62 those of
    // the first trusted row, with another label, and row 63 those of the second test row.
    let line =
        |row: usize, class: &str| format!("x,{},{},{class}\n", features(row).0, features(row).1);
    let more = [
        line(5, "down"),
        line(6, "down"),
        line(60, "down"),
        line(101, "down"),
    ]
    .concat();
    fs::write(here.join("train.csv"), train + &more).unwrap();
    let ran = succeed(
        here,
        &format!(
            "clean train.csv --label y --ignore name --trusted trusted.csv --test test.csv {QUICK} --json --out out"
        ),
    );
    for part in [
        "2 training rows have the same features and the same label as another: rows 5, 60\n",
        "another but a different label (some of these labels are wrong, or the features do not determine the label): rows 6 (up), 61 (down)\n",
        "1 trusted row has the same features as a training row, 1 of them with a different label; such rows count twice: trusted row 0 (up) = training row 62 (down)\n",
        "test row 1 (down) = training row 63 (down)\n",
    ] {
        assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
    }
    let found = &document(&ran)["input"];
    assert_eq!(found["duplicates"]["same_label"]["first"][0][1]["row"], 60);
    assert_eq!(found["duplicates"]["other_label"]["groups"], 1);
    assert_eq!(found["duplicates"]["trusted_in_training"]["other_label"], 1);
    assert_eq!(found["duplicates"]["test_in_training"]["rows"], 1);
    assert_eq!(found["warnings"].as_array().unwrap().len(), 4);
    // Quiet is quiet.
    let quiet =
        format!("clean train.csv --label y --ignore name --trusted trusted.csv --quiet {QUICK}");
    assert_eq!(succeed(here, &quiet).stderr, "");
}

#[test]
fn classes_without_trusted_rows_and_constant_columns_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let table: String = (0..60)
        .map(|row| format!("{row}.5,1,{}\n", row % 3))
        .collect();
    fs::write(here.join("t.csv"), format!("a,same,y\n{table}")).unwrap();
    let trusted: String = (0..20)
        .map(|row| format!("{row}.5,1,{}\n", row % 2))
        .collect();
    fs::write(
        here.join("trusted.csv"),
        format!("y,a,same\n{trusted}").replace("y,a,same", "a,same,y"),
    )
    .unwrap();
    let ran = succeed(
        here,
        &format!("clean t.csv --label y --trusted trusted.csv {QUICK} --json"),
    );
    assert!(
        ran.stderr.contains("no trusted row has the label \"2\""),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("all the same: \"same\""),
        "{}",
        ran.stderr
    );
    assert_eq!(document(&ran)["input"]["untrusted_classes"][0], "2");
}

/// Labels that are missing are no class: such rows are not trained on, and get a suggestion.
#[test]
fn missing_labels_get_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let table = rows(0..60)
        .replace(",up\nn5,", ",NaN\nn5,")
        .replace(",down\nn8,", ",\nn8,");
    fs::write(here.join("t.csv"), table).unwrap();
    fs::write(
        here.join("trusted.csv"),
        rows(60..100).replace(",up\nn63,", ",?\nn63,"),
    )
    .unwrap();
    let ran = succeed(
        here,
        "clean t.csv --label y --id name --trusted trusted.csv --steps 50 --outer-steps 5 --json --out out",
    );
    let found = document(&ran);
    assert_eq!(
        (&found["rows"], &found["trusted"]),
        (&58.into(), &39.into())
    );
    let warnings = found["input"]["warnings"].as_array().unwrap();
    assert_eq!(warnings[0]["kind"], "missing_labels");
    assert_eq!(warnings[0]["count"], 2);
    assert!(
        ran.stderr
            .contains("t.csv: 2 labels of 60 are missing (\"NaN\", empty)"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("trusted.csv: 1 label of 40 is missing (\"?\")"),
        "{}",
        ran.stderr
    );
    let scores = scores(&here.join("out"));
    assert_eq!(scores.len(), 61);
    let last: Vec<_> = scores[59..].iter().map(|row| row.join(",")).collect();
    assert!(
        last[0].starts_with("4,,,,false,up,") && last[0].ends_with(",n4"),
        "{last:?}"
    );
    assert!(
        last[1].starts_with("7,,,,false,down,") && last[1].ends_with(",n7"),
        "{last:?}"
    );
    succeed(here, "resume out");
}

/// The same rows from standard input, a pipe, another separator, and a file of labels: the same scores.
#[test]
fn the_way_in_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let table = rows(0..60);
    fs::write(here.join("t.csv"), &table).unwrap();
    fs::write(
        here.join("semi.txt"),
        table.replace(',', ";").replace('.', ","),
    )
    .unwrap();
    fs::write(
        here.join("t.zst"),
        zstd::encode_all(table.as_bytes(), 3).unwrap(),
    )
    .unwrap();
    let (features, labels): (Vec<String>, Vec<String>) = table
        .lines()
        .map(|line| line.rsplit_once(',').unwrap())
        .map(|(features, label)| (features.to_owned(), label.to_owned()))
        .unzip();
    fs::write(here.join("x.tsv"), features.join("\n").replace(',', "\t")).unwrap();
    fs::write(here.join("y.csv"), labels.join("\n")).unwrap();
    let options = format!("--id name --trusted-rows 20 {QUICK}");
    let run = |words: &str, out: &str| {
        succeed(here, &format!("clean {words} {options} --out {out}"));
        fs::read_to_string(here.join(out).join("scores.csv")).unwrap()
    };
    let expected = run("t.csv --label y", "a");
    assert_eq!(run("semi.txt --label y", "b"), expected);
    assert_eq!(run("t.zst --label y", "c"), expected);
    assert_eq!(run("x.tsv --labels y.csv", "d"), expected);
    let piped = |words: &str| {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_bilevel"))
            .args(words.split_whitespace())
            .current_dir(here)
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, table.as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success(), "{words}");
    };
    piped(&format!("clean - --label y {options} --out e"));
    assert_eq!(
        fs::read_to_string(here.join("e/scores.csv")).unwrap(),
        expected
    );
    if cfg!(target_os = "linux") {
        piped(&format!("clean /dev/stdin --label y {options} --out f"));
        assert_eq!(
            fs::read_to_string(here.join("f/scores.csv")).unwrap(),
            expected
        );
        // A pipe can be given again as standard input.
        let config = fs::read_to_string(here.join("f/config.toml")).unwrap();
        assert!(config.contains("file = \"-\""), "{config}");
        piped("run f/config.toml --out g");
        assert_eq!(
            fs::read_to_string(here.join("g/scores.csv")).unwrap(),
            expected
        );
    }
    refused(
        here,
        "clean - --label y --trusted -",
        "--trusted has no meaning here: standard input was read for another file",
    );
}

#[test]
fn folders_of_pictures_are_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let picture = |path: &Path, side: u32, shade: u8| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, side, side);
        encoder.set_color(png::ColorType::Grayscale);
        let pixels: Vec<u8> = (0..side * side)
            .map(|i| shade.wrapping_add((i % 7) as u8))
            .collect();
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&pixels)
            .unwrap();
    };
    for i in 0..30_u8 {
        picture(&here.join(format!("set/dark/{i}.png")), 6, 10 + i);
        picture(&here.join(format!("set/light one/{i}.png")), 6, 190 + i);
    }
    fs::write(here.join("set/dark/notes.txt"), "not a picture").unwrap();
    let options = format!("--trusted-rows 20 {QUICK}");
    let ran = succeed(here, &format!("clean set {options} --out a --json"));
    assert_eq!(document(&ran)["rows"], 40);
    assert!(ran.stderr.contains("passed over: 1"), "{}", ran.stderr);
    let text = fs::read_to_string(here.join("a/scores.csv")).unwrap();
    assert!(
        text.contains("light one/") && text.contains("dark/"),
        "{text}"
    );
    picture(&here.join("set/dark/large.png"), 9, 10);
    refused(
        here,
        &format!("clean set {options}"),
        "set: expected pictures of one size, such as 6×6 (dark/0.png), found 9×9 (dark/large.png); --image-size 6 resizes all of them",
    );
    succeed(here, &format!("clean set {options} --image-size 5 --out b"));
    fs::write(here.join("set/dark/broken.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
    refused(
        here,
        &format!("clean set {options}"),
        "broken.png: expected a PNG or JPEG picture, found",
    );
}

/// What is in the data does not act on the screen; files for machines keep it.
#[test]
fn texts_of_the_data_are_shown_safely() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let class = |row: usize| {
        if row.is_multiple_of(2) {
            "\"=cmd\u{1b}[31m\nred\"".to_owned()
        } else {
            format!("long{}", "g".repeat(300))
        }
    };
    let table: String = (0..60)
        .map(|row| format!("{},{},{}\n", features(row).0, row % 5, class(row)))
        .collect();
    fs::write(here.join("t.csv"), format!("a,b,y\n{table}")).unwrap();
    let ran = succeed(
        here,
        &format!("clean t.csv --label y --trusted-rows 20 {QUICK} --out out"),
    );
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() < 400),
            "{text}"
        );
    }
    assert!(
        ran.stdout.contains("=cmd\\u{1b}[31m\\nred"),
        "{}",
        ran.stdout
    );
    let scores = fs::read_to_string(here.join("out/scores.csv")).unwrap();
    assert!(scores.contains("\"=cmd\u{1b}[31m\nred\""), "{scores}");
    let report = fs::read_to_string(here.join("out/report.html")).unwrap();
    assert!(!report.contains('\u{1b}'));
}

#[test]
fn reading_is_timed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("t.csv"), rows(0..60)).unwrap();
    let ran = succeed(here, "bench read t.csv --json");
    let found = document(&ran);
    assert_eq!(
        (&found["case"], &found["rows"], &found["columns"]),
        (&"read".into(), &60.into(), &4.into())
    );
    assert!(found["seconds"].as_f64().unwrap() > 0.0);
    let text = succeed(here, "bench read t.csv").stdout;
    assert!(
        text.starts_with("text separated by commas of 60 rows and 4 columns"),
        "{text}"
    );
    refused(here, "bench read none.csv", "none.csv: cannot be read");
}

/// What the help must tell: how rows are counted, what counts as missing.
#[test]
fn the_help_documents_input() {
    let folder = tempfile::tempdir().unwrap();
    let help = bilevel(folder.path(), "clean --help").stdout;
    for part in [
        "--missing",
        "counted from 0",
        "empty cells, NA",
        "[DATA]",
        "--merge-labels",
        "a folder with a folder of pictures for each class",
        "--trusted-column",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}
