//! Files that other programs wrote, read with the values that went in. The files are stored under `tests/files/stored`;
//! where Python has the libraries, they are written anew by `tests/files/make.py` and read again.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::data::cell::days;
use crate::data::column::Contents;
use crate::data::labels::{Labels, classes};
use crate::data::table::{Features, LabelsWanted, Matrix, Numbers, Table, TableColumns};
use crate::data::{FeatureValues, ImageShape};

const ROWS: usize = 12;

/// As in make.py.
fn row(i: usize) -> (f64, f64, &'static str, f64, f64, &'static str) {
    let day = if i < 9 {
        days(2024, 2, i as i64 + 20)
    } else {
        days(2024, 3, i as i64 - 8)
    };
    (
        i as f64 * 0.5 - 2.25,
        ((i * 7) % 5) as f64,
        ["red", "green", "blue"][i % 3],
        f64::from(i.is_multiple_of(4)),
        day as f64,
        ["cat", "dog"][i % 2],
    )
}

fn pixel(i: usize, y: usize, x: usize, channel: usize) -> f32 {
    ((i * 20 + y * 3 + x * 2 + channel * 5) % 256) as f32 / 255.0
}

fn read(path: &Path, wanted: &TableColumns) -> Table {
    match Table::read(path, wanted) {
        Ok(table) => table,
        Err(error) => panic!("{error}"),
    }
}

fn labelled(label: &str) -> TableColumns {
    TableColumns {
        label: Some(label.to_owned()),
        ..TableColumns::default()
    }
}

fn labels(name: &str, table: &Table, expected: &dyn Fn(usize) -> String) {
    let labels: &Labels = table
        .labels()
        .unwrap_or_else(|| panic!("{name}: no labels"));
    let found: Vec<&str> = (0..labels.rows()).map(|row| labels.text(row)).collect();
    let expected: Vec<String> = (0..found.len()).map(expected).collect();
    assert_eq!(found, expected, "{name}");
    assert_eq!(classes(&[labels], false).unwrap().names.len(), 2, "{name}");
}

fn whole(i: usize) -> String {
    (i % 2).to_string()
}

/// All columns of a table.
fn columns(path: &Path) {
    let name = path.display().to_string();
    let table = read(path, &labelled("y"));
    assert_eq!(table.rows(), ROWS, "{name}");
    labels(&name, &table, &|i| row(i).5.to_owned());
    let Features::Columns(columns) = table.features else {
        panic!("{name}: no columns");
    };
    let mut seen = 0;
    for column in columns {
        let column_name = column.name.clone();
        let contents = column.contents().unwrap();
        let expected: Vec<f64> = (0..ROWS)
            .map(|i| match column_name.as_str() {
                "a" => row(i).0,
                "b" => row(i).1,
                "flag" => row(i).3,
                "day" => row(i).4,
                "kind" => 0.0,
                other => panic!("{name}: {other}"),
            })
            .collect();
        match contents {
            Contents::Numbers(values) => assert_eq!(values, expected, "{name} {column_name}"),
            Contents::Categories { names, rows } => {
                assert_eq!(column_name, "kind", "{name}");
                let texts = rows.iter().map(|&text| names[text as usize].as_str());
                let expected = (0..ROWS).map(|i| row(i).2);
                assert!(texts.eq(expected), "{name}");
            }
            Contents::Nothing => panic!("{name}: {column_name} is empty"),
        }
        seen += 1;
    }
    assert_eq!(seen, 5, "{name}");
}

fn dense(name: &str, matrix: &Matrix) -> Vec<f64> {
    match &matrix.values {
        Numbers::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Numbers::F64(values) => values.clone(),
        Numbers::Sparse(sparse) => {
            let mut dense = Vec::new();
            for row in 0..sparse.starts.len() - 1 {
                let mut values = vec![0.0; matrix.width];
                sparse.write_row(row, &mut values);
                dense.extend(values.into_iter().map(f64::from));
            }
            assert!(!name.is_empty());
            dense
        }
    }
}

/// A matrix of the columns a and b.
fn matrix(path: &Path, wanted: &TableColumns) -> Table {
    let name = path.display().to_string();
    let table = read(path, wanted);
    assert_eq!(table.rows(), ROWS, "{name}");
    let found: Vec<f64> = match &table.features {
        Features::Matrix(matrix) => dense(&name, matrix),
        Features::Columns(columns) => {
            let columns: Vec<Vec<f64>> = columns
                .iter()
                .map(|column| match column.clone().contents().unwrap() {
                    Contents::Numbers(values) => values,
                    other => panic!("{name}: {other:?}"),
                })
                .collect();
            (0..ROWS)
                .flat_map(|row| columns.iter().map(move |c| c[row]))
                .collect()
        }
        Features::None => panic!("{name}: no features"),
    };
    let expected: Vec<f64> = (0..ROWS).flat_map(|i| [row(i).0, row(i).1]).collect();
    assert_eq!(found, expected, "{name}");
    table
}

fn picture(path: &Path, wanted: &TableColumns, rows: usize, shape: ImageShape) -> Table {
    let name = path.display().to_string();
    let table = read(path, wanted);
    assert_eq!(table.rows(), rows, "{name}");
    let Features::Matrix(matrix) = &table.features else {
        panic!("{name}: no matrix");
    };
    assert_eq!((matrix.image, matrix.pixels), (Some(shape), true), "{name}");
    let Numbers::F32(found) = &matrix.values else {
        panic!("{name}: no pixels");
    };
    let ids = table.ids();
    let mut expected = Vec::new();
    for place in 0..rows {
        // Pictures in folders are sorted by class.
        let i = ids.map_or(place, |ids| {
            let file = ids[place].rsplit('/').next().unwrap_or_default();
            file.split('.').next().unwrap_or_default().parse().unwrap()
        });
        for y in 0..shape.height {
            for x in 0..shape.width {
                expected.extend((0..shape.channels).map(|channel| pixel(i, y, x, channel)));
            }
        }
    }
    assert_eq!(*found, expected, "{name}");
    table
}

fn every_file(folder: &Path, all: bool) {
    let mut seen = 0;
    let mut file = |name: &str| -> Option<PathBuf> {
        let path = folder.join(name);
        assert!(!all || path.exists(), "{name} is not there");
        seen += 1;
        path.exists().then_some(path)
    };
    let unlabelled = TableColumns {
        labels: LabelsWanted::No,
        ..TableColumns::default()
    };
    let only = TableColumns {
        labels: LabelsWanted::Only,
        ..TableColumns::default()
    };
    let text = [
        "rows.csv",
        "rows.csv.zst",
        "pandas.csv",
        "pandas_index.csv",
        "pandas.csv.gz",
        "pandas_decimal.csv",
        "pandas.tsv",
        "pandas_utf16.csv",
    ];
    let columnar = [
        "pandas_snappy.parquet",
        "pandas_gzip.parquet",
        "pandas_zstd.parquet",
        "pandas_lz4.parquet",
        "pandas_None.parquet",
        "pandas.feather",
        "groups.parquet",
        "old.parquet",
        "rows.arrow",
        "stream.arrows",
    ];
    for name in text {
        file(name).iter().for_each(|path| columns(path));
    }
    if cfg!(feature = "columnar") {
        for name in columnar {
            file(name).iter().for_each(|path| columns(path));
        }
        for name in ["lists.parquet", "lists.arrow"] {
            if let Some(path) = file(name) {
                let table = matrix(&path, &labelled("y"));
                labels(name, &table, &|i| row(i).5.to_owned());
            }
        }
    }
    for name in [
        "x_f2.npy",
        "x_f4.npy",
        "x_f8.npy",
        "x_big_f4.npy",
        "x_big_f8.npy",
        "x_fortran.npy",
    ] {
        file(name).iter().for_each(|path| {
            matrix(path, &unlabelled);
        });
    }
    for name in ["y_U.npy", "y_S.npy", "y_column.npy"] {
        if let Some(path) = file(name) {
            labels(name, &read(&path, &only), &|i| row(i).5.to_owned());
        }
    }
    for name in [
        "y_i1.npy",
        "y_u2.npy",
        "y_i8.npy",
        "y_u8.npy",
        "y_f4.npy",
        "labels.idx.gz",
        "qmnist.idx",
    ] {
        if let Some(path) = file(name) {
            labels(name, &read(&path, &only), &whole);
        }
    }
    if let Some(path) = file("y_b1.npy") {
        labels("y_b1.npy", &read(&path, &only), &|i| {
            (i % 2 == 1).to_string()
        });
    }
    for name in ["named.npz", "packed.npz"] {
        if let Some(path) = file(name) {
            let table = matrix(&path, &TableColumns::default());
            labels(name, &table, &|i| row(i).5.to_owned());
        }
    }
    for name in ["rows.mat", "packed.mat", "rows.svm", "zero.svm"] {
        if let Some(path) = file(name) {
            let table = matrix(&path, &TableColumns::default());
            labels(name, &table, &whole);
        }
    }
    let grey = ImageShape::grey(3, 4);
    if let Some(path) = file("images.npz") {
        let table = picture(&path, &TableColumns::default(), ROWS, grey);
        labels("images.npz", &table, &whole);
    }
    if let Some(path) = file("images.idx") {
        picture(&path, &unlabelled, ROWS, grey);
    }
    let colour = |height, width| ImageShape {
        height,
        width,
        channels: 3,
    };
    if let Some(path) = file("svhn.mat") {
        let table = picture(&path, &TableColumns::default(), ROWS, colour(3, 4));
        labels("svhn.mat", &table, &|i| (i % 2 + 1).to_string());
    }
    if let Some(path) = file("cifar10.bin.gz") {
        let table = picture(&path, &TableColumns::default(), 2, colour(32, 32));
        labels("cifar10", &table, &whole);
    }
    if let Some(path) = file("cifar100.bin.gz") {
        let table = picture(&path, &TableColumns::default(), 2, colour(32, 32));
        labels("cifar100", &table, &|i| (50 + i % 2).to_string());
        labels("cifar100", &read(&path, &labelled("coarse")), &whole);
    }
    if let Some(path) = file("pictures") {
        let table = picture(&path, &TableColumns::default(), 4, grey);
        labels("pictures", &table, &|i| {
            ["cat", "cat", "dog", "dog"][i].to_owned()
        });
    }
    if let Some(path) = file("photographs") {
        let table = read(&path, &TableColumns::default());
        let Features::Matrix(Matrix {
            values: Numbers::F32(pixels),
            image,
            ..
        }) = &table.features
        else {
            panic!("no pictures");
        };
        assert_eq!(*image, Some(colour(8, 8)));
        // JPEG is nearly exact for one colour.
        for (found, expected) in pixels
            .iter()
            .zip([200.0, 40.0, 90.0].iter().cycle())
            .take(192)
        {
            assert!((found * 255.0 - expected).abs() < 4.0, "{found} {expected}");
        }
    }
    assert!(seen > 30);
}

#[test]
fn stored_files_have_the_values_that_went_in() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored");
    every_file(&stored, true);
}

#[test]
fn files_written_anew_have_the_values_that_went_in() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/make.py");
    let folder = tempfile::tempdir().unwrap();
    let python = std::env::var("BILEVEL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let ran = Command::new(python).arg(script).arg(folder.path()).output();
    let Ok(ran) = ran else {
        println!("skipped: there is no python3");
        return;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    every_file(folder.path(), false);
}

/// A matrix without its zeros is the same matrix.
#[test]
fn sparse_rows_are_selected_and_joined() {
    let wanted = TableColumns::default();
    let table = Table::from_bytes(b"1 1:2 3:4\n0 2:1\n1\n".to_vec(), Path::new("a"), &wanted);
    let Features::Matrix(matrix) = table.unwrap().features else {
        panic!("no matrix");
    };
    assert_eq!(
        dense("a", &matrix),
        [2.0, 0.0, 4.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    );
    let Numbers::Sparse(sparse) = matrix.values else {
        panic!("not sparse");
    };
    let mut some = sparse.select(&[2, 0]);
    some.append(&sparse.select(&[1]));
    let names = crate::data::numbered_classes(2);
    let data =
        crate::data::Dataset::of_values(FeatureValues::Sparse(some), 3, vec![0, 1, 0], names);
    assert_eq!(
        *data.unwrap().features(),
        [0.0, 0.0, 0.0, 2.0, 0.0, 4.0, 0.0, 1.0, 0.0]
    );
}
