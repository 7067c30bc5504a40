//! Laws of tables; what is refused is tested with the command.
#![cfg(test)]

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::data::npy::{NpyValues, write_vector};

fn wanted(label: &str) -> TableColumns {
    TableColumns {
        label: Some(label.to_owned()),
        ..TableColumns::default()
    }
}

fn table(text: &str) -> Table {
    Table::from_bytes(text.into(), Path::new("t.csv"), &wanted("y")).unwrap()
}

fn prepared(text: &str, missing: Missing) -> Prepared {
    let table = table(text);
    let preparation = Preparation::fit(&table, missing).unwrap();
    preparation.apply(&table).unwrap()
}

fn message(text: impl Into<Vec<u8>>, columns: &TableColumns) -> String {
    let table = Table::from_bytes(text.into(), Path::new("t.csv"), columns);
    let preparation =
        table.and_then(|table| Preparation::fit(&table, Missing::Error)?.apply(&table));
    preparation.unwrap_err().to_string()
}

#[test]
fn the_same_table_in_many_forms() {
    let plain = "a,b,y\n1,2,u\n-3e2,0.5,v\n";
    let expected = table(plain);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(plain.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let mut twice = GzEncoder::new(Vec::new(), Compression::default());
    twice.write_all(&packed).unwrap();
    for (form, bytes) in [
        ("CRLF", plain.replace('\n', "\r\n").into_bytes()),
        ("CR", plain.replace('\n', "\r").into_bytes()),
        ("no last line end", plain.trim_end().into()),
        ("byte order mark", format!("\u{feff}{plain}").into_bytes()),
        (
            "quotes",
            b"\"a\",\"b\",\"y\"\n\"1\",\"2\",\"u\"\n\"-3e2\",0.5,v\n".to_vec(),
        ),
        (
            "mark and quotes",
            "\u{feff}\"a\",b,y\n1,2,u\n-3e2,0.5,v\n".into(),
        ),
        ("blanks", b" a ,b, y\n1 , 2,u \n-3e2,0.5,v\n".to_vec()),
        ("gzip", packed.clone()),
        ("gzip twice", twice.finish().unwrap()),
        ("padded gzip", [&packed[..], &[0; 512]].concat()),
    ] {
        let read = Table::from_bytes(bytes, Path::new("t.csv"), &wanted("y")).unwrap();
        assert_eq!(read.columns, ["a", "b"], "{form}");
        assert_eq!(read.values, expected.values, "{form}");
        assert_eq!(read.labels, expected.labels, "{form}");
    }
    let tabs = plain.replace(',', "\t");
    let read = Table::from_bytes(tabs.into(), Path::new("t.TSV"), &wanted("y")).unwrap();
    assert_eq!(read.values, expected.values);
}

#[test]
fn lines_are_those_of_the_file_whatever_lies_between() {
    let text = "a,y\r\n\r\n1,\"two\r\nlines\"\r\n\r\n\r\n2,v\r\nx,v\r\n";
    assert!(
        message(text, &wanted("y")).starts_with("t.csv: row 2 (line 8), column \"a\""),
        "{}",
        message(text, &wanted("y"))
    );
    let read = table("a,y\n\n1,u\n\n2,v\n");
    assert_eq!(read.lines, Some(vec![3, 5]));
}

#[test]
fn the_first_problem_is_told() {
    let text = "a,y\n1,u\nx,v\n\"1\"2,u\n\"3,u";
    assert!(message(text, &wanted("y")).contains("row 1 (line 3)"));
    let text = "a,y\n1,u\n\"1\"2,u\n";
    let told = message(text, &wanted("y"));
    assert!(told.contains("line 3: expected a separator") && told.contains("found '2'"));
    let told = message("a,y\n1,u\n2,\"v\n3,u\n4,v\n", &wanted("y"));
    assert!(
        told.contains("line 3: expected the quote that opens here"),
        "{told}"
    );
}

#[test]
fn features_are_standardised_and_classes_sorted() {
    let result = prepared("a,b,y\n1,7,10\n3,7,9\n2,7,10\n2,7,-1\n", Missing::Error);
    let data = result.data;
    assert_eq!(data.class_names(), ["-1", "9", "10"]);
    assert_eq!(data.labels(), [2, 1, 2, 0]);
    let deviation = 0.5_f32.sqrt();
    let column: Vec<f32> = data.features().iter().step_by(2).copied().collect();
    for (value, raw) in column.iter().zip([1.0, 3.0, 2.0, 2.0]) {
        assert!((value - (raw - 2.0) / deviation).abs() < 1e-6);
    }
    // All the same: nothing is divided by zero.
    assert!(data.features().iter().skip(1).step_by(2).all(|v| *v == 0.0));
    let names = prepared("a,y\n1,true\n2,b\n3,B\n", Missing::Error).data;
    assert_eq!(names.class_names(), ["B", "b", "true"]);
    // Booleans are numbers.
    let flags = table("a,y\nTrue,u\nfalse,v\n");
    assert_eq!(flags.values, [1.0, 0.0]);
}

#[test]
fn numbers_near_the_largest_do_not_overflow() {
    let result = prepared("a,y\n1.7e308,u\n-1.7e308,v\n", Missing::Error);
    assert_eq!(result.data.features(), [1.0, -1.0]);
    let tiny = prepared("a,y\n5e-324,u\n0,v\n", Missing::Error);
    assert_eq!(tiny.data.rows(), 2);
}

#[test]
fn missing_values_are_counted_filled_or_dropped() {
    let text = "a,b,y\n1,4,u\n,5,v\n3,NA,u\n5,?,v\n2,6,\n7,8,v\n";
    let read = table(text);
    let told = Preparation::fit(&read, Missing::Mean)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("row 4 (line 6), column \"y\": expected a label"),
        "{told}"
    );
    let dropped = prepared(text, Missing::Drop);
    assert_eq!(dropped.rows, [0, 5]);
    let found = MissingFound {
        cells: 3,
        labels: 1,
        rows: 4,
        columns: vec![("a".to_owned(), 1), ("b".to_owned(), 2)],
    };
    assert_eq!(dropped.missing, found);
    // The mean of what is there is zero once standardised.
    let filled = prepared("a,y\n1,u\n,v\n3,u\n", Missing::Mean);
    assert_eq!(filled.data.features(), [-1.0, 0.0, 1.0]);
    let told = message(text.replace(",\n", ",v\n"), &wanted("y"));
    for part in [
        "row 1 (line 3), column \"a\"",
        "missing cells: 3,",
        "in 3 of 6 rows",
        "\"a\", \"b\"",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn another_table_is_read_by_name_with_the_scaling_of_the_first() {
    let first = table("id,a,b,y\nr0,1,10,u\nr1,3,30,v\n");
    assert_eq!(first.ids().unwrap(), ["r0", "r1"]);
    let preparation = Preparation::fit(&first, Missing::Error).unwrap();
    let columns = TableColumns {
        features: FeatureColumns::Same {
            table: "t.csv".to_owned(),
            columns: first.columns().to_vec(),
        },
        ..wanted("y")
    };
    let other = "y,b,a\nv,20,5\n";
    let other = Table::from_bytes(other.into(), Path::new("o.csv"), &columns).unwrap();
    let data = preparation.apply(&other).unwrap().data;
    assert_eq!(
        (data.features(), data.labels()),
        ([3.0, 0.0].as_slice(), [1].as_slice())
    );
    // A table that was read without regard to the first is not taken for one that fits.
    let narrow = table("a,y\n1,u\n2,v\n");
    let told = preparation.apply(&narrow).unwrap_err().to_string();
    assert!(told.contains("expected 2 columns of features"), "{told}");
}

#[test]
fn names_of_rows_are_found_where_they_are_natural() {
    let read = |text: &str| {
        let table = table(text);
        (table.id_column.clone(), table.columns.clone())
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(read("a,Id,y\n1,2,u\n"), (some("Id"), vec!["a".to_owned()]));
    assert_eq!(read(",a,y\n0,2,u\n"), (some(""), vec!["a".to_owned()]));
    assert_eq!(
        read(",id,a,y\n0,1,2,u\n"),
        (some("id"), vec!["a".to_owned()])
    );
    let columns = TableColumns {
        id: some("name"),
        ..wanted("y")
    };
    let text = "id,name,y\n1,x,u\n";
    let named = Table::from_bytes(text.into(), Path::new("t.csv"), &columns).unwrap();
    assert_eq!(
        (named.ids().unwrap(), named.columns()),
        (["x".to_owned()].as_slice(), ["id".to_owned()].as_slice())
    );
}

#[test]
fn npy_labels_become_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_vector(&path("y.npy"), NpyValues::I64(vec![7, 3, 7])).unwrap();
    let mut features = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }\n";
    features.extend((header.len() as u16).to_le_bytes());
    features.extend(header.as_bytes());
    features.extend(
        [1.0_f32, f32::NAN, 2.0]
            .iter()
            .flat_map(|x| x.to_le_bytes()),
    );
    std::fs::write(path("x.npy"), features).unwrap();
    let read = Table::read_npy(&path("x.npy"), &path("y.npy"), &TableColumns::default()).unwrap();
    let told = Preparation::fit(&read, Missing::Error)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("x.npy: row 1, column \"0\": expected a number, found a missing"),
        "{told}"
    );
    let told = Preparation::fit(&read, Missing::Drop)
        .unwrap_err()
        .to_string();
    assert!(told.contains("found only \"7\""), "{told}");
    let filled = Preparation::fit(&read, Missing::Mean).unwrap();
    let data = filled.apply(&read).unwrap().data;
    assert_eq!(data.class_names(), ["3", "7"]);
    assert_eq!(data.labels(), [1, 0, 1]);
    assert_eq!(data.features()[1], 0.0);
}

proptest! {
    /// Whatever the bytes, an answer comes.
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(prop::sample::select(b"ay1,\"\n\r \xff?e".to_vec()), 0..60)) {
        let bytes = [b"a,y\n".as_slice(), &bytes].concat();
        if let Ok(table) = Table::from_bytes(bytes, Path::new("t.csv"), &wanted("y")) {
            for missing in [Missing::Error, Missing::Mean, Missing::Drop] {
                let _ = Preparation::fit(&table, missing).and_then(|p| p.apply(&table));
            }
        }
    }

    /// Standardised columns have mean 0 and deviation 1.
    #[test]
    fn scaling_standardises(values in prop::collection::vec(-1e6_f64..1e6, 3..30)) {
        let rows: String = values.iter().enumerate().map(|(i, v)| format!("{v},{}\n", i % 2)).collect();
        let data = prepared(&format!("a,y\n{rows}"), Missing::Error).data;
        let count = data.rows() as f64;
        let mean = data.features().iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let square = data.features().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
        prop_assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-4, "{mean} {square}");
    }
}
