//! Cleaned rows in formats whose columns have types: what is written, read again.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use bilevel_tasks::data::table::{LabelsWanted, Table, TableColumns};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::writer::SerializedFileWriter;

use crate::common::tables::{class, features};
use crate::common::{refused, succeed};

const WRONG: [usize; 4] = [10, 31, 52, 73];

/// Rows: two features, and whether the label is `up`.
type Rows = Vec<(f64, f64, bool)>;

fn rows(range: std::ops::Range<usize>) -> Rows {
    let row = |row| (features(row).0, features(row).1, class(row) == "up");
    range.map(row).collect()
}

fn word(up: bool) -> &'static str {
    if up { "up" } else { "down" }
}

fn bytes(numbers: impl Iterator<Item = f64>) -> Vec<u8> {
    numbers.flat_map(f64::to_le_bytes).collect()
}

fn npy(kind: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), elements].concat()
}

fn archive(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn x_array(rows: &Rows) -> Vec<u8> {
    let numbers = rows.iter().flat_map(|row| [row.0, row.1]);
    npy("<f8", &format!("{}, 2", rows.len()), &bytes(numbers))
}

fn y_array(rows: &Rows) -> Vec<u8> {
    let texts = rows
        .iter()
        .flat_map(|row| format!("{:\0<4}", word(row.2)).into_bytes());
    npy(
        "|S4",
        &format!("{},", rows.len()),
        &texts.collect::<Vec<u8>>(),
    )
}

fn npz(rows: &Rows) -> Vec<u8> {
    archive(&[("x", x_array(rows)), ("y", y_array(rows))])
}

/// An element of a MATLAB file.
fn element(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = [kind.to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn mat(rows: &Rows) -> Vec<u8> {
    let array = |name: &str, columns: u32, numbers: Vec<u8>| {
        let shape = [rows.len() as u32, columns].map(u32::to_le_bytes).concat();
        let parts = [
            element(6, &[6, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &shape),
            element(1, name.as_bytes()),
            element(9, &numbers),
        ];
        element(14, &parts.concat())
    };
    let mut file = format!("{:<124}", "MATLAB 5.0 MAT-file").into_bytes();
    file.extend(b"\0\x01IM");
    let columns = rows
        .iter()
        .map(|row| row.0)
        .chain(rows.iter().map(|row| row.1));
    file.extend(array("x", 2, bytes(columns)));
    let labels = rows.iter().map(|row| f64::from(row.2));
    file.extend(array("y", 1, bytes(labels)));
    file
}

fn arrow(rows: &Rows) -> Vec<u8> {
    let a = rows.iter().map(|row| row.0).collect::<Float64Array>();
    let b = rows.iter().map(|row| row.1).collect::<Float64Array>();
    let y = rows
        .iter()
        .map(|row| Some(word(row.2)))
        .collect::<StringArray>();
    let columns: [(&str, ArrayRef); 3] =
        [("a", Arc::new(a)), ("b", Arc::new(b)), ("y", Arc::new(y))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquet(rows: &Rows) -> Vec<u8> {
    let schema = "message m { required double a; required double b; required binary y (UTF8); }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
    for group in rows.chunks(40) {
        let mut out = writer.next_row_group().unwrap();
        for number in [
            |row: &(f64, f64, bool)| row.0,
            |row: &(f64, f64, bool)| row.1,
        ] {
            let values: Vec<f64> = group.iter().map(number).collect();
            let mut column = out.next_column().unwrap().unwrap();
            column
                .typed::<DoubleType>()
                .write_batch(&values, None, None)
                .unwrap();
            column.close().unwrap();
        }
        let values: Vec<ByteArray> = group.iter().map(|row| word(row.2).into()).collect();
        let mut column = out.next_column().unwrap().unwrap();
        column
            .typed::<ByteArrayType>()
            .write_batch(&values, None, None)
            .unwrap();
        column.close().unwrap();
        out.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn read(bytes: Vec<u8>, label: &str, ignore: &[&str]) -> Table {
    let wanted = TableColumns {
        label: Some(label.to_owned()),
        ignore: ignore.iter().map(|&name| name.to_owned()).collect(),
        ..TableColumns::default()
    };
    Table::from_bytes(bytes, Path::new("f"), &wanted).unwrap()
}

fn labels(bytes: Vec<u8>, label: &str) -> Vec<String> {
    let wanted = TableColumns {
        label: Some(label.to_owned()),
        labels: LabelsWanted::Only,
        features: bilevel_tasks::data::table::FeatureColumns::None,
        ..TableColumns::default()
    };
    let table = Table::from_bytes(bytes, Path::new("f"), &wanted).unwrap();
    let labels = table.labels().unwrap();
    (0..labels.rows())
        .map(|row| labels.text(row).to_owned())
        .collect()
}

fn rights_and_wrongs() -> (Rows, Rows) {
    let right = rows(0..100);
    let mut wrong = right.clone();
    for row in WRONG {
        wrong[row].2 = !right[row].2;
    }
    (right, wrong)
}

const CLEAN: &str = "--label y --method noise-matrix --quiet";

#[test]
fn cleaned_rows_have_the_format_of_the_file() {
    let (right, wrong) = rights_and_wrongs();
    let mut left = wrong.clone();
    for row in WRONG.into_iter().rev() {
        left.remove(row);
    }
    for (name, file) in [
        ("npz", npz as fn(&Rows) -> Vec<u8>),
        ("mat", mat),
        ("arrow", arrow),
        ("parquet", parquet),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let write = |name: &str, rows: &Rows| fs::write(here.join(name), file(rows)).unwrap();
        write("rows", &wrong);
        write("trusted", &rows(100..140));
        let clean = |kind: &str, to: &str| {
            let options = format!("--write-cleaned {to} --cleaned-as {kind} --out {kind}");
            succeed(
                here,
                &format!("clean rows --trusted trusted {CLEAN} {options}"),
            );
            fs::read(here.join(to)).unwrap()
        };
        let same = |bytes: Vec<u8>, rows: &Rows| {
            assert_eq!(read(bytes, "y", &[]), read(file(rows), "y", &[]), "{name}");
        };
        same(clean("drop", "d"), &left);
        same(clean("relabel", "r"), &right);
        // A packed file is unpacked again.
        let packed = clean("weight", "w.gz");
        let mut weighted = Vec::new();
        let mut unpacking = flate2::read::GzDecoder::new(&packed[..]);
        unpacking.read_to_end(&mut weighted).unwrap();
        let weights = labels(weighted.clone(), "label_weight");
        let sure = |row: usize| weights[row].parse::<f64>().unwrap();
        assert!(
            WRONG.iter().all(|&row| sure(row) < 0.5) && sure(0) > 0.5,
            "{name}"
        );
        let flagged = clean("flag", "f");
        for (row, said) in labels(flagged.clone(), "label_suspect").iter().enumerate() {
            let expected = if WRONG.contains(&row) {
                ["true", "1"]
            } else {
                ["false", "0"]
            };
            assert!(expected.contains(&said.as_str()), "{name} {row} {said}");
        }
        let given = labels(file(&right), "y");
        for (row, suggested) in labels(flagged.clone(), "label_suggested")
            .iter()
            .enumerate()
        {
            let none = ["", "NaN"].contains(&suggested.as_str());
            let expected = if WRONG.contains(&row) {
                *suggested == given[row]
            } else {
                none
            };
            assert!(expected, "{name} {row} {suggested}");
        }
        // What was there is as it was.
        for (bytes, added) in [
            (weighted, &["label_weight"][..]),
            (flagged, &["label_suspect", "label_suggested"]),
        ] {
            let (now, then) = (read(bytes, "y", added), read(file(&wrong), "y", &[]));
            assert_eq!(now.names()[..then.names().len()], *then.names(), "{name}");
            assert_eq!(&now.names()[then.names().len()..], added);
            assert_eq!(
                (now.rows(), now.width(), now.labels()),
                (then.rows(), then.width(), then.labels())
            );
        }
        refused(
            here,
            &format!("clean rows --trusted trusted {CLEAN} --write-cleaned d --out again"),
            "expected a file that does not exist yet",
        );
    }
}

#[test]
fn labels_apart_have_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (_, wrong) = rights_and_wrongs();
    let write = |name: &str, rows: &Rows| {
        let file = |kind: &str| here.join(format!("{name}.{kind}.npz"));
        fs::write(
            file("x"),
            archive(&[("x", x_array(rows)), ("one", npy("|u1", "", &[7]))]),
        )
        .unwrap();
        fs::write(file("y"), archive(&[("y", y_array(rows))])).unwrap();
    };
    write("rows", &wrong);
    write("trusted", &rows(100..140));
    let clean = |kind: &str, to: &str| {
        let options = format!("--write-cleaned {to} --cleaned-as {kind} --out {kind}");
        let files =
            "rows.x.npz --labels rows.y.npz --trusted trusted.x.npz --trusted-labels trusted.y.npz";
        succeed(
            here,
            &format!("clean {files} --method noise-matrix --quiet {options}"),
        );
    };
    clean("drop", "d.npz");
    let left = |name: &str| fs::read(here.join(name)).unwrap();
    let kept: Rows = (0..100)
        .filter(|row| !WRONG.contains(row))
        .map(|row| wrong[row])
        .collect();
    let table = |bytes: Vec<u8>| {
        let wanted = TableColumns {
            labels: LabelsWanted::No,
            ..TableColumns::default()
        };
        Table::from_bytes(bytes, Path::new("f"), &wanted).unwrap()
    };
    assert_eq!(
        table(left("d.npz")),
        table(archive(&[
            ("x", x_array(&kept)),
            ("one", npy("|u1", "", &[7]))
        ]))
    );
    let texts: Vec<&str> = kept.iter().map(|row| word(row.2)).collect();
    assert_eq!(labels(left("d.labels.npz"), "y"), texts);
    clean("flag", "f.npz");
    assert!(!here.join("f.labels.npz").exists());
    let flagged = labels(left("f.npz"), "label_suspect");
    assert_eq!(
        flagged.iter().filter(|said| *said == "true").count(),
        WRONG.len()
    );
}
