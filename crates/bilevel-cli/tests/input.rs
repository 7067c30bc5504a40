//! What `bilevel clean` reads: tables and NPY files, and what it answers to bad ones.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{bilevel, document, entries, gzipped, refused, succeed, write_idx, write_npy};
use serde_json::Value;

const QUICK: &str = "--steps 20 --outer-steps 3";

/// A cell of column `a` tells the class; `b` tells nothing.
fn features(row: usize) -> (f64, f64) {
    let noise = ((row * 7919) % 101) as f64 / 100.0;
    let side = if row.is_multiple_of(2) {
        1000.0
    } else {
        -1000.0
    };
    (side + 100.0 * noise, noise * 1e-3)
}

fn class(row: usize) -> &'static str {
    if row.is_multiple_of(2) { "up" } else { "down" }
}

fn rows(range: std::ops::Range<usize>) -> String {
    let mut text = "name,a,b,y\n".to_owned();
    for row in range {
        let (a, b) = features(row);
        let _ = writeln!(text, "n{row},{a},{b},{}", class(row));
    }
    text
}

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
            "config.toml",
            "history.jsonl",
            "result.json",
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
        "source = \"table\"",
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

fn write_npy_features(here: &Path) {
    let bytes = |values: &[f64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|&value| (value as f32).to_le_bytes())
            .collect()
    };
    let flat = |rows: std::ops::Range<usize>| -> Vec<f64> {
        rows.flat_map(|row| [features(row).0, features(row).1])
            .collect()
    };
    let columns: Vec<f64> = (0..40)
        .map(|row| features(row).0)
        .chain((0..40).map(|row| features(row).1))
        .collect();
    write_npy(
        &here.join("x.npy"),
        "<f4",
        false,
        "(40, 2)",
        &bytes(&flat(0..40)),
    );
    write_npy(
        &here.join("fortran.npy"),
        "<f4",
        true,
        "(40, 2)",
        &bytes(&columns),
    );
    write_npy(
        &here.join("x2.npy"),
        "<f4",
        false,
        "(20, 2)",
        &bytes(&flat(40..60)),
    );
    let labels = |rows: std::ops::Range<usize>| -> Vec<u8> {
        rows.flat_map(|row| (5 + (row % 2) as i64).to_le_bytes())
            .collect()
    };
    write_npy(&here.join("y.npy"), "<i8", false, "(40,)", &labels(0..40));
    write_npy(&here.join("y2.npy"), "<i8", false, "(20,)", &labels(40..60));
    let mut single = "y\n".to_owned();
    let mut named = "id,note,kind,sure\n".to_owned();
    for row in 0..40 {
        let _ = writeln!(single, "{}", 5 + row % 2);
        let _ = writeln!(
            named,
            "r{row},free text,{},{}",
            class(row),
            u8::from(row % 4 > 1)
        );
    }
    fs::write(here.join("y.csv"), single).unwrap();
    fs::write(here.join("named.csv"), named).unwrap();
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
    let part = "t.csv: row 7 (line 9), column \"a\": expected a number, found a missing value; 2 cells are missing in 2 of 60 rows";
    refused(here, &options, part);
    refused(here, &format!("{options} --missing error"), part);
    let ran = succeed(here, &format!("{options} --missing drop --json --out drop"));
    assert_eq!(document(&ran)["rows"], 38);
    assert!(
        ran.stderr
            .contains("warning: t.csv: 2 cells are missing in 2 rows"),
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
        "2 training rows have the features and the label of another: rows 5, 60\n",
        "another and a different label, so that some of these labels are wrong, or the features do not tell: rows 6 (up), 61 (down)\n",
        "1 trusted rows have the features of a training row, 1 of them with another label there; they count twice: trusted row 0 (up) = training row 62 (down)\n",
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
        .map(|row| format!("{row},1,{}\n", row % 3))
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

/// Tables that are wrong, each named by what is wrong with it.
fn write_bad_tables(here: &Path) {
    let good = "a,b,y\n1,2,u\n3,4,v\n5,6,u\n7,8,v\n9,10,u\n11,12,v\n";
    let packed = gzipped(rows(0..500).replace("name,", "id,").as_bytes());
    for (name, bytes) in [
        ("good.csv", good.into()),
        ("empty.csv", vec![]),
        ("blank.csv", b"\n\r\n\n".to_vec()),
        ("header.csv", b"a,b,y\n".to_vec()),
        ("ragged.csv", good.replace("3,4,v", "3,4,5,v").into()),
        ("short.csv", good.replace("9,10,u", "9,u").into()),
        ("text.csv", good.replace("3,4", "3,four").into()),
        ("comma.csv", good.replace("3,4", "\"3,5\",4").into()),
        ("nan.csv", good.replace("3,4", "3,NaN").into()),
        ("inf.csv", good.replace("3,4", "3,inf").into()),
        ("huge.csv", good.replace("3,4", "3,-1e999").into()),
        ("nolabel.csv", good.replace("3,4,v", "3,4,").into()),
        ("quote.csv", good.replace("3,4,v", "3,4,\"v").into()),
        ("behind.csv", good.replace("3,4,v", "3,4,\"v\"w").into()),
        ("utf8.csv", [good.as_bytes(), b"1,2,\xffu\n"].concat()),
        ("latin.csv", b"a,gr\xf6\xdfe,y\n1,2,u\n".to_vec()),
        ("utf16.csv", b"\xff\xfea\0,\0y\0\n\0".to_vec()),
        ("sheet.csv", b"PK\x03\x04\x14\x00\x06\x00\x08\x00".to_vec()),
        ("one.csv", good.replace(",v", ",u").into()),
        ("twice.csv", good.replace("a,b,y", "a,a,y").into()),
        ("noname.csv", good.replace("a,b,y", "a,,y").into()),
        ("semicolon.csv", good.replace(',', ";").into()),
        ("tabs.csv", good.replace(',', "\t").into()),
        ("only.csv", b"y\nu\nv\n".to_vec()),
        ("gap.csv", b"a,b,y\n1,,u\n2,NA,v\n3,,u\n".to_vec()),
        ("maybe.csv", good.replace("3,4", "3,maybe").into()),
        ("cut.csv.gz", packed[..packed.len() / 2].to_vec()),
        ("stranger.csv", b"a,b,y\n1,2,u\n3,4,w\n".to_vec()),
        ("narrow.csv", b"a,y\n1,u\n3,v\n".to_vec()),
        ("wide.csv", b"a,b,c,y\n1,2,3,u\n3,4,5,v\n".to_vec()),
        ("numbers.csv", {
            let lines: String = (0..40).map(|row| format!("{row},{row}.5\n")).collect();
            format!("a,y\n{lines}").into()
        }),
    ] {
        fs::write(here.join(name), bytes).unwrap();
    }
    fs::create_dir(here.join("folder.csv")).unwrap();
}

#[test]
fn a_bad_table_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_bad_tables(here);
    for (options, part) in [
        ("none.csv --label y", "none.csv: cannot be read"),
        ("folder.csv --label y", "folder.csv: cannot be read"),
        (
            "empty.csv --label y",
            "expected a first line with the names of the columns",
        ),
        (
            "blank.csv --label y",
            "expected a first line with the names of the columns",
        ),
        (
            "header.csv --label y",
            "header.csv: expected rows below the names",
        ),
        (
            "ragged.csv --label y",
            "row 1 (line 3): expected 3 cells, as many as there are column names, found 4",
        ),
        (
            "short.csv --label y",
            "row 4 (line 6): expected 3 cells, as many as there are column names, found 2",
        ),
        (
            "text.csv --label y",
            "row 1 (line 3), column \"b\": expected a number, found \"four\"",
        ),
        (
            "comma.csv --label y",
            "column \"a\": expected a number, found \"3,5\"",
        ),
        (
            "nan.csv --label y",
            "nan.csv: row 1 (line 3), column \"b\": expected a number, found a missing value; 1 cells",
        ),
        (
            "inf.csv --label y",
            "row 1 (line 3), column \"b\": expected a finite number, found \"inf\"",
        ),
        (
            "huge.csv --label y",
            "expected a finite number, found \"-1e999\"",
        ),
        (
            "nolabel.csv --label y",
            "row 1 (line 3), column \"y\": expected a label, found an empty cell",
        ),
        (
            "quote.csv --label y",
            "quote.csv: line 3: expected the quote that opens here to be closed",
        ),
        (
            "behind.csv --label y",
            "line 3: expected a separator or the end of the line",
        ),
        (
            "utf8.csv --label y",
            "row 6 (line 8), column \"y\": expected text in UTF-8",
        ),
        (
            "latin.csv --label y",
            "line 1, cell 2: expected a name in UTF-8",
        ),
        ("utf16.csv --label y", "found UTF-16"),
        ("sheet.csv --label y", "as a spreadsheet is"),
        (
            "one.csv --label y",
            "one.csv: column \"y\": expected at least two different labels, found \"u\" alone",
        ),
        (
            "twice.csv --label y",
            "line 1: expected each column name once, found \"a\" twice",
        ),
        ("noname.csv --label y", "found none for column 2 of 3"),
        ("semicolon.csv --label y", "separated by semicolons"),
        ("tabs.csv --label y", "separated by tabs"),
        ("only.csv --label y", "at least one column of features"),
        (
            "gap.csv --label y --missing mean",
            "column \"b\": expected at least one number",
        ),
        (
            "gap.csv --label y --missing drop",
            "--missing drop would leave no row",
        ),
        (
            "numbers.csv --label y",
            "40 different ones in 40 rows: is it the column of labels?",
        ),
        (
            "cut.csv.gz --label y",
            "expected a whole gzip file, found it cut short",
        ),
        ("good.csv", "--label COLUMN), one of \"a\", \"b\", \"y\""),
        (
            "good.csv --label Y",
            "expected a column \"Y\" (the labels), found \"a\", \"b\", \"y\"; did you mean \"y\"?",
        ),
        (
            "good.csv --label y --id idd",
            "expected a column \"idd\" (the names of the rows)",
        ),
        (
            "good.csv --label y --ignore c",
            "--ignore c: expected a column of the tables",
        ),
        (
            "good.csv --label y --ignore y",
            "column \"y\": expected one purpose, found two: the labels and left out",
        ),
        (
            "good.csv --label y --missing fill",
            "possible values: error, mean, drop",
        ),
        (
            "good.csv --label y --images good.csv --labels good.csv",
            "cannot be used with",
        ),
        (
            "good.csv --label y --features good.csv --labels good.csv",
            "cannot be used with",
        ),
        (
            "good.csv --label y --labels good.csv",
            "--labels has no meaning with a table",
        ),
        (
            "good.csv --label y --test-labels good.csv",
            "--test-labels has no meaning",
        ),
        (
            "good.csv --label y --trusted good.csv",
            "cannot be used with",
        ),
        ("good.csv --labal y", "similar argument exists: '--label'"),
        (
            "good.csv --label y --test stranger.csv",
            "stranger.csv: row 1 (line 3), column \"y\": expected a label that good.csv has, found \"w\"",
        ),
        (
            "good.csv --label y --test narrow.csv",
            "narrow.csv: expected a column \"b\" (a feature)",
        ),
        (
            "good.csv --label y --test wide.csv",
            "wide.csv: expected the columns of good.csv, found \"c\" too",
        ),
        (
            "good.csv --label y --test none.csv",
            "none.csv: cannot be read",
        ),
        ("good.csv --label y --test nan.csv", "nan.csv: row 1"),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 2 --out out"),
            part,
        );
    }
    for (options, part) in [
        (
            "",
            "expected --trusted FILE, --trusted-column COLUMN or --trusted-rows N",
        ),
        ("--trusted-rows 7", "good.csv: 7 rows are needed, found 6"),
        ("--trusted-rows 6", "expected at least one row"),
        ("--trusted-rows 0", "at least 1"),
        (
            "--trusted-rows 3 --train-rows 4",
            "7 rows are needed, found 6",
        ),
        ("--trusted trusted.csv", "trusted.csv: cannot be read"),
        (
            "--trusted stranger.csv",
            "stranger.csv: row 1 (line 3), column \"y\": expected a label that good.csv has, found \"w\": its labels are \"u\", \"v\"",
        ),
        (
            "--trusted narrow.csv",
            "expected a column \"b\" (a feature), found \"a\", \"y\"",
        ),
        (
            "--trusted wide.csv",
            "found \"c\" too (--ignore c leaves it out",
        ),
        ("--trusted empty.csv", "empty.csv: expected a first line"),
        (
            "--trusted good.csv --train-rows 7",
            "7 rows are needed, found 6",
        ),
        (
            "--trusted good.csv --trusted-column b",
            "cannot be used with",
        ),
        (
            "--trusted-column c",
            "expected a column \"c\" (which rows are trusted)",
        ),
        (
            "--trusted-column b",
            "expected true or false, yes or no, 1 or 0, found \"2\"",
        ),
        (
            "--trusted-column y",
            "found two: the labels and which rows are trusted",
        ),
        ("--trusted-rows 2 --corrupt 1.5", "a number from 0 to 1"),
        ("--trusted-rows 2 --model mlp:0", "mlp:0"),
    ] {
        refused(
            here,
            &format!("clean good.csv --label y {options} --out out"),
            part,
        );
    }
    fs::write(here.join("all.csv"), "a,t,y\n1,1,u\n2,1,v\n").unwrap();
    refused(
        here,
        "clean all.csv --label y --trusted-column t",
        "expected some rows that are trusted and some that are not, found 2 of 2 trusted",
    );
    for option in [
        "--label y",
        "--trusted good.csv",
        "--test good.csv",
        "--ignore a",
        "--missing drop",
        "--labels good.csv",
    ] {
        refused(
            here,
            &format!("clean {option}"),
            "has no meaning with the digits",
        );
    }
    if cfg!(target_os = "linux") {
        let options =
            "clean good.csv --label y --trusted-rows 3 --early-stopping off --out /proc/out";
        refused(here, options, "the folder /proc/out cannot be made");
    }
}

#[test]
fn a_bad_npy_file_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_npy_features(here);
    let write = |name: &str, descr: &str, shape: &str, bytes: &[u8]| {
        write_npy(&here.join(name), descr, false, shape, bytes);
    };
    write("object.npy", "|O", "(40, 2)", &[0; 640]);
    write("big.npy", ">f4", "(40, 2)", &[0; 320]);
    write("lying.npy", "<f4", "(4000000000, 2)", &[0; 320]);
    write("overflow.npy", "<f4", "(4294967296, 4294967296)", &[0; 320]);
    write("long.npy", "<f4", "(40, 2)", &[0; 321]);
    write("cube.npy", "<f4", "(5, 8, 2)", &[0; 320]);
    write("nowidth.npy", "<f4", "(40, 0)", &[]);
    write("norows.npy", "<f4", "(0, 2)", &[]);
    write(
        "inf.npy",
        "<f4",
        "(40, 2)",
        &f32::INFINITY.to_le_bytes().repeat(80),
    );
    write(
        "nan.npy",
        "<f4",
        "(40, 2)",
        &f32::NAN.to_le_bytes().repeat(80),
    );
    write("negative.npy", "<i8", "(40,)", &[0xff; 320]);
    write("same.npy", "<i8", "(40,)", &[0; 320]);
    write("float.npy", "<f4", "(40,)", &[0; 160]);
    write("other.npy", "<i8", "(20,)", &9_i64.to_le_bytes().repeat(20));
    fs::write(here.join("text.npy"), "not an array").unwrap();
    fs::write(here.join("cut.npy"), b"\x93NUMPY\x01\x00\xff\xff{'descr'").unwrap();
    for (options, part) in [
        (
            "--features none.npy --labels y.npy",
            "none.npy: cannot be read",
        ),
        (
            "--features text.npy --labels y.npy",
            "text.npy: expected an NPY file",
        ),
        (
            "--features cut.npy --labels y.npy",
            "cut.npy: expected a header that ends at byte",
        ),
        (
            "--features object.npy --labels y.npy",
            "object.npy: expected elements of type <f4",
        ),
        (
            "--features big.npy --labels y.npy",
            "(little-endian), found >f4",
        ),
        ("--features lying.npy --labels y.npy", "found 320 bytes"),
        (
            "--features overflow.npy --labels y.npy",
            "4294967296×4294967296",
        ),
        ("--features long.npy --labels y.npy", "found 321 bytes"),
        (
            "--features cube.npy --labels y.npy",
            "expected an array of shape (rows, columns), found 5×8×2",
        ),
        (
            "--features nowidth.npy --labels y.npy",
            "a matrix without columns",
        ),
        (
            "--features norows.npy --labels y.npy",
            "norows.npy holds 0 rows of features and y.npy holds 40 labels",
        ),
        (
            "--features x.npy --labels y2.npy",
            "x.npy holds 40 rows of features and y2.npy holds 20 labels",
        ),
        (
            "--features inf.npy --labels y.npy",
            "inf.npy: row 0, column \"0\": expected a finite number, found inf",
        ),
        (
            "--features nan.npy --labels y.npy",
            "nan.npy: row 0, column \"0\": expected a number, found a missing value; 80 cells",
        ),
        (
            "--features nan.npy --labels y.npy --missing mean",
            "column \"0\": expected at least one number",
        ),
        (
            "--features x.npy --labels negative.npy",
            "element 0: expected a class",
        ),
        (
            "--features x.npy --labels same.npy",
            "expected at least two different labels",
        ),
        ("--features x.npy --labels float.npy", "expected integers"),
        (
            "--features x.npy --labels x.npy",
            "expected an array of shape (rows)",
        ),
        ("--features x.npy --labels named.csv", "--label COLUMN"),
        (
            "--features x.npy --labels named.csv --label kindd",
            "did you mean \"kind\"?",
        ),
        ("--features x.npy", "--labels"),
        (
            "--features x.npy --labels y.npy --label y",
            "--label has no meaning with --features",
        ),
        (
            "--features x.npy --labels y.npy --trusted named.csv",
            "cannot be used with",
        ),
        (
            "--features x.npy --labels y.npy --test named.csv",
            "--test has no meaning with --features",
        ),
        (
            "--features x.npy --labels y.npy --test-features x2.npy",
            "--test-labels",
        ),
        (
            "--features x.npy --labels y.npy --test-features x2.npy --test-labels other.npy",
            "other.npy: row 0, column \"label\": expected a label that y.npy has, found \"9\"",
        ),
        (
            "--features x.npy --labels y.npy --test-features cube.npy --test-labels y2.npy",
            "cube.npy",
        ),
        (
            "named.csv --label kind",
            "column \"note\": expected a number, found \"free text\"",
        ),
        (
            "x.npy --label y",
            "found an NPY file: name it with --features",
        ),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 5 --out out"),
            part,
        );
    }
    write("wide.npy", "<f4", "(20, 3)", &[0; 240]);
    refused(
        here,
        "clean --features x.npy --labels y.npy --trusted-features wide.npy --trusted-labels y2.npy",
        "wide.npy: expected 2 columns of features, as many as in the first table, found 3",
    );
    refused(
        here,
        "clean --features x.npy --labels y.npy",
        "expected --trusted-features FILE",
    );
}

#[test]
fn a_bad_idx_file_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let pixels: Vec<u8> = (0..120).collect();
    let labels: Vec<u8> = (0..30).map(|row| row % 3).collect();
    write_idx(&here.join("images"), &[30, 2, 2], &pixels);
    write_idx(&here.join("labels"), &[30], &labels);
    write_idx(&here.join("few"), &[30, 2, 2], &pixels[1..]);
    write_idx(
        &here.join("many"),
        &[30, 2, 2],
        &[&pixels[..], &[0]].concat(),
    );
    write_idx(&here.join("huge"), &[u32::MAX, u32::MAX, u32::MAX], &pixels);
    write_idx(&here.join("fewer"), &[29], &labels[1..]);
    write_idx(&here.join("same"), &[30], &[2; 30]);
    fs::write(here.join("empty"), "").unwrap();
    fs::write(here.join("magic"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    fs::write(here.join("type"), [0, 0, 0x0a, 1, 0, 0, 0, 0]).unwrap();
    let packed = gzipped(&fs::read(here.join("images")).unwrap());
    fs::write(here.join("cut.gz"), &packed[..packed.len() - 20]).unwrap();
    for (options, part) in [
        ("--images none --labels labels", "none: cannot be read"),
        (
            "--images empty --labels labels",
            "empty: expected an IDX file, found no data",
        ),
        (
            "--images magic --labels labels",
            "magic: expected an IDX file, which starts with the bytes 00 00, found 01 02",
        ),
        ("--images type --labels labels", "found 0a"),
        (
            "--images few --labels labels",
            "few: expected 120 bytes of data (30×2×2 unsigned bytes declared), found 119",
        ),
        (
            "--images many --labels labels",
            "many: expected 120 bytes of data (30×2×2 unsigned bytes declared), found more",
        ),
        ("--images huge --labels labels", "huge: expected"),
        (
            "--images cut.gz --labels labels",
            "cut.gz: expected a whole gzip file, found it cut short",
        ),
        (
            "--images images --labels fewer",
            "images holds 30 images and fewer holds 29 labels",
        ),
        (
            "--images images --labels same",
            "same: expected rows of at least two classes, found 30 rows that are all of class \"2\"",
        ),
        (
            "--images images --labels labels --label y",
            "--label has no meaning with --images",
        ),
        (
            "--images images --labels labels --missing drop",
            "--missing has no meaning with --images",
        ),
        (
            "images --label y",
            "found an IDX file: name it with --images",
        ),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 5 --out out"),
            part,
        );
    }
    refused(
        here,
        "clean --images images --labels labels --trusted-rows 31",
        "31 rows are needed, found 30",
    );
}

/// What the help must tell: how rows are counted, what counts as missing.
#[test]
fn the_help_documents_input() {
    let folder = tempfile::tempdir().unwrap();
    let help = bilevel(folder.path(), "clean --help").stdout;
    for part in [
        "--missing",
        "counted from 0",
        "scaling.csv",
        "[DATA]",
        "--trusted-column",
    ] {
        assert!(help.contains(part), "{part}\n{help}");
    }
}
