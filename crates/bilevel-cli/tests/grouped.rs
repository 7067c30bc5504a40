//! Columns that put rows into groups: who gave a label, and which rows belong together.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::common::{document, refused, succeed};
use serde_json::Value;

const CLASSES: usize = 4;

/// Numbers from 0 to 1 that look random.
fn drawn(row: usize, column: usize) -> f64 {
    let row = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut state = row ^ ((column as u64 + 1) << 32);
    for _ in 0..3 {
        state ^= state >> 31;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    (state >> 40) as f64 / (1_u64 << 24) as f64
}

/// A row: features in which classes overlap, its true class, who labelled it, and the label that this one gave.
fn row(number: usize) -> (Vec<f64>, usize, &'static str, usize) {
    let class = number % CLASSES;
    let feature = |column: usize| {
        let sum: f64 = (0..4).map(|k| drawn(number, 10 * column + k)).sum();
        sum - 2.0 + if column == class { 1.1 } else { 0.0 }
    };
    let who = ["ann", "bob", "eve"][(drawn(number, 100) * 3.0) as usize % 3];
    let errs = who == "eve" && drawn(number, 101) < 0.55;
    let given = if errs { (class + 1) % CLASSES } else { class };
    ((0..CLASSES).map(feature).collect(), class, who, given)
}

const ROWS: std::ops::Range<usize> = 0..600;

/// The rows to check, and trusted rows without the column of annotators.
fn write(here: &Path) {
    let (mut rows, mut trusted) = ("a,b,c,d,who,y\n".to_owned(), "a,b,c,d,y\n".to_owned());
    let cells = |features: &[f64]| {
        let cells: Vec<String> = features.iter().map(|f| format!("{f:.4}")).collect();
        cells.join(",")
    };
    for number in ROWS {
        let (features, _, who, given) = row(number);
        let _ = writeln!(rows, "{},{who},k{given}", cells(&features));
    }
    for number in 1000..1060 {
        let (features, class, ..) = row(number);
        let _ = writeln!(trusted, "{},k{class}", cells(&features));
    }
    fs::write(here.join("rows.csv"), rows).unwrap();
    fs::write(here.join("trusted.csv"), trusted).unwrap();
}

/// How often a wrong label has a smaller weight than a right one.
fn auc(scores: &Path) -> f64 {
    let text = fs::read_to_string(scores).unwrap();
    let (mut wrong_before, mut pairs) = (0.0, 0.0);
    let mut wrong = 0.0;
    for line in text.lines().skip(1) {
        let (_, class, _, given) = row(line.split(',').next().unwrap().parse().unwrap());
        if class == given {
            wrong_before += wrong;
            pairs += 1.0;
        } else {
            wrong += 1.0;
        }
    }
    wrong_before / (pairs * wrong)
}

/// One of three gave nearly all wrong labels: that is found out, and used.
#[test]
fn annotators_have_their_own_way_to_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here);
    let options = "clean rows.csv --label y --trusted trusted.csv --method noise-matrix";
    let named = format!("{options} --annotator who --out named");
    let ran = succeed(here, &named);
    let line = "Most often suspected of 3 annotators: eve in ";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    let text = fs::read_to_string(here.join("named/result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    let annotators = result["annotators"].as_array().unwrap();
    let of = |place: usize, key: &str| annotators[place][key].as_f64().unwrap();
    assert_eq!(annotators[0]["annotator"], "eve");
    assert!(of(0, "suspects") > 0.35 * of(0, "rows"), "{annotators:?}");
    assert!(of(1, "suspects") < 0.15 * of(1, "rows"), "{annotators:?}");
    let total: f64 = (0..3).map(|place| of(place, "rows")).sum();
    assert_eq!(total, ROWS.len() as f64);
    let page = fs::read_to_string(here.join("named/report.html")).unwrap();
    assert!(page.contains("<h2>Annotators</h2>"));
    // Without them, the same rows and no features but the four.
    succeed(here, &format!("{options} --ignore who --out unknown"));
    let (named_auc, unknown) = (
        auc(&here.join("named/scores.csv")),
        auc(&here.join("unknown/scores.csv")),
    );
    assert!(named_auc > unknown + 0.02, "{named_auc} {unknown}");
    assert!(named_auc > 0.9, "{named_auc}");
    // The choice on trusted rows knows them too, and the job is repeated from its own file.
    let auto =
        "clean rows.csv --label y --trusted trusted.csv --annotator who --steps 10 --outer-steps 2";
    let result = document(&succeed(here, &format!("{auto} --json --quiet --out auto")));
    let expected = &result["expected"]["precision"];
    assert!(expected["low"].as_f64().unwrap() < expected["high"].as_f64().unwrap());
    succeed(here, "run auto/config.toml --quiet --out again");
    let scores = |run: &str| fs::read(here.join(run).join("scores.csv")).unwrap();
    assert_eq!(scores("auto"), scores("again"));
    // Labels apart, with the annotators beside them.
    let (mut features, mut labels) = (String::new(), String::new());
    for line in fs::read_to_string(here.join("rows.csv")).unwrap().lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let _ = writeln!(features, "{}", cells[..4].join(","));
        let _ = writeln!(labels, "{}", cells[4..].join(","));
    }
    fs::write(here.join("features.csv"), features).unwrap();
    fs::write(here.join("labels.csv"), labels).unwrap();
    let apart = named.replace("rows.csv", "features.csv --labels labels.csv");
    succeed(here, &apart.replace("--out named", "--out apart --quiet"));
    assert_eq!(scores("named"), scores("apart"));
}

/// Rows of a group are nearly equal, and have one label, which has nothing to do with them: who has seen a row of the
/// group knows the label of another.
#[test]
fn rows_of_a_group_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let names: Vec<String> = (0..60).map(|column| format!("f{column}")).collect();
    let mut text = format!("{},patient,y\n", names.join(","));
    for number in 0..240 {
        let group = number % 40;
        let cells: Vec<String> = (0..60)
            .map(|column| format!("{:.4}", drawn(group, column) + 0.01 * drawn(number, column)))
            .collect();
        let label = if drawn(group, 99) < 0.5 { "no" } else { "yes" };
        let _ = writeln!(text, "{},p{group},{label}", cells.join(","));
    }
    fs::write(here.join("rows.csv"), text).unwrap();
    for trust in ["", "--trusted-rows 60"] {
        let suspects = |options: &str, out: &str| {
            let command = format!(
                "clean rows.csv --label y {trust} --method loss {options} --quiet --out {out}"
            );
            succeed(here, &command);
            let scores = fs::read_to_string(here.join(out).join("scores.csv")).unwrap();
            scores.matches(",true,").count()
        };
        let number = trust.len();
        let apart = suspects("--ignore patient", &format!("apart{number}"));
        let together = suspects("--group patient", &format!("together{number}"));
        // Trusted rows of the group may be seen: their labels are right.
        let least = if trust.is_empty() { 30 } else { 12 };
        assert!(apart < 5 && together > least, "{trust}: {apart} {together}");
    }
    // Learned weights hold out whole groups too.
    let learned = "clean rows.csv --label y --group patient --trusted-rows 60 --method basic --steps 5 --outer-steps 2";
    succeed(here, &format!("{learned} --quiet --out learned"));
}

#[test]
fn what_no_column_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here);
    let clean = "clean rows.csv --label y";
    for (options, message) in [
        ("--annotator whom", "did you mean \"who\"?"),
        (
            "--group y",
            "expected one purpose, found two: the labels and groups of rows",
        ),
        ("--annotator who --keep who", "is no feature"),
        (
            "--annotator who --ignore who",
            "expected one purpose, found two: groups of rows and left out",
        ),
        (
            "--annotator whom --trusted trusted.csv",
            "did you mean \"who\"?",
        ),
    ] {
        refused(here, &format!("{clean} {options}"), message);
    }
    refused(here, "clean --annotator who", "--annotator");
    let two = fs::read_to_string(here.join("rows.csv")).unwrap();
    let two = two.replace(",ann,", ",bob,");
    fs::write(here.join("two.csv"), &two).unwrap();
    let command = "clean two.csv --label y --group who";
    refused(
        here,
        command,
        "the rows to check are in 2 groups, and at least 3 are needed",
    );
    fs::write(here.join("one.csv"), two.replace(",eve,", ",bob,")).unwrap();
    let command = "clean one.csv --label y --annotator who";
    refused(here, command, "all rows have the annotator \"bob\"");
    // One column can be both.
    let both = "clean rows.csv --label y --annotator who --group who --method loss";
    succeed(here, &format!("{both} --quiet --out both"));
}
