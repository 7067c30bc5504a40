//! Laws of tables; what is refused is tested with the command.
#![cfg(test)]

mod labels;
mod texts;

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::labels::{Classes, classes};
use super::preparation::{Missing, MissingFound, Policy, Preparation, Prepared};
use super::table::{FeatureColumns, Features, Table, TableColumns};
use super::*;

fn wanted(label: &str) -> TableColumns {
    TableColumns {
        label: Some(label.to_owned()),
        ..TableColumns::default()
    }
}

fn read(bytes: impl Into<Vec<u8>>, columns: &TableColumns) -> Result<Table, Error> {
    Table::from_bytes(bytes.into(), Path::new("t.csv"), columns)
}

fn table(text: &str) -> Table {
    read(text, &wanted("y")).unwrap()
}

fn fit(table: Table, missing: Missing) -> Result<(Preparation, Prepared), Error> {
    Preparation::fit(
        table,
        &Policy {
            missing,
            ..Policy::default()
        },
    )
}

/// The data set of a table alone.
fn set(prepared: &Prepared) -> (Dataset, Classes) {
    let found = classes(&[prepared.labels().unwrap()], false).unwrap();
    let labels = prepared
        .rows
        .iter()
        .map(|&row| found.of[0][row].unwrap_or_default());
    let data = Dataset::of_values(
        prepared.features.clone(),
        prepared.columns,
        labels.collect(),
        found.names.clone(),
    );
    (data.unwrap(), found)
}

fn prepared(text: &str, missing: Missing) -> Prepared {
    fit(table(text), missing).unwrap().1
}

fn message(text: impl Into<Vec<u8>>, columns: &TableColumns) -> String {
    let fitted = read(text, columns).and_then(|table| fit(table, Missing::Error));
    fitted.unwrap_err().to_string()
}

/// The cells of features, row by row.
fn values(table: Table) -> Vec<f64> {
    let Features::Columns(columns) = table.features else {
        panic!("no columns");
    };
    let columns: Vec<Vec<f64>> = columns
        .into_iter()
        .map(|column| match column.contents().unwrap() {
            column::Contents::Numbers(values) => values,
            other => panic!("{other:?}"),
        })
        .collect();
    (0..columns[0].len())
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect()
}

fn names(table: &Table) -> Vec<&str> {
    match &table.features {
        Features::Columns(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn features_are_standardised_and_classes_sorted() {
    let result = prepared("a,b,y\n1,7,10\n3,7,9\n2,7,10\n2,7,-1\n", Missing::Error);
    let (data, _) = set(&result);
    assert_eq!(data.class_names(), ["-1", "9", "10"]);
    assert_eq!(data.labels(), [2, 1, 2, 0]);
    let deviation = 0.5_f32.sqrt();
    let features = data.features();
    let column: Vec<f32> = features.iter().step_by(2).copied().collect();
    for (value, raw) in column.iter().zip([1.0, 3.0, 2.0, 2.0]) {
        assert!((value - (raw - 2.0) / deviation).abs() < 1e-6);
    }
    // All the same: nothing is divided by zero.
    assert!(features.iter().skip(1).step_by(2).all(|v| *v == 0.0));
    // Booleans are numbers, dates are days.
    let flags = table("a,y\nTrue,u\nfalse,v\n");
    assert_eq!(values(flags), [1.0, 0.0]);
    let dates = table("a,y\n1970-01-03,u\n1970-01-01T12:00:00Z,v\n");
    assert_eq!(values(dates), [2.0, 0.5]);
}

#[test]
fn texts_become_one_feature_each() {
    let text = "size,kind,y\n1,b,u\n2,a,v\n3,b,u\n4,c,v\n";
    let (preparation, first) = fit(table(text), Missing::Error).unwrap();
    let scaling = preparation.scaling().unwrap();
    let names: Vec<&str> = scaling.iter().map(|scale| scale.name.as_str()).collect();
    assert_eq!(names, ["size", "kind=a", "kind=b", "kind=c"]);
    assert_eq!(scaling[2].mean, 0.5);
    let (data, _) = set(&first);
    assert_eq!(data.features()[2], 1.0);
    assert_eq!(data.features()[6], -1.0);
    // Another table has the same features; what the first does not know is none of them.
    let columns = TableColumns {
        features: FeatureColumns::Same {
            table: "t.csv".to_owned(),
            columns: preparation.source_names(),
        },
        ..wanted("y")
    };
    let other = read("y,kind,size\nu,d,1\nv,c,2\n", &columns).unwrap();
    let other = preparation.apply(other).unwrap();
    assert!(
        other.notes[0].message.contains("\"d\""),
        "{:?}",
        other.notes
    );
    let FeatureValues::Dense(features) = &other.features else {
        panic!("dense");
    };
    assert!(features[1] < 0.0 && features[2] < 0.0 && features[3] < 0.0);
    assert!(features[7] > 0.0);
}

#[test]
fn columns_that_number_the_rows_are_left_out() {
    let rows = |cell: &dyn Fn(usize) -> String| -> String {
        let rows = (0..40).map(|row| format!("{},{},{}\n", cell(row), (row * 7919) % 13, row % 2));
        format!("c,a,y\n{}", rows.collect::<String>())
    };
    let left_out = |cell: &dyn Fn(usize) -> String| {
        let (preparation, _) = fit(table(&rows(cell)), Missing::Error).unwrap();
        preparation.left_out().to_vec()
    };
    assert_eq!(left_out(&|row| (3 * row).to_string()), ["c"]);
    assert_eq!(left_out(&|row| (100 - row).to_string()), ["c"]);
    assert_eq!(left_out(&|row| ((row * 11) % 40).to_string()), ["c"]);
    assert_eq!(left_out(&|row| format!("person {row}")), ["c"]);
    // Features all the same.
    assert!(left_out(&|row| format!("{row}.5")).is_empty());
    assert!(left_out(&|row| (row / 2).to_string()).is_empty());
    assert!(left_out(&|row| ((row * row * 7919) % 100_003).to_string()).is_empty());
    let keep = Policy {
        keep: vec!["c".to_owned()],
        ..Policy::default()
    };
    let (kept, _) = Preparation::fit(table(&rows(&|row| row.to_string())), &keep).unwrap();
    assert!(kept.left_out().is_empty());
    assert_eq!(kept.source_names(), ["c", "a"]);
}

#[test]
fn columns_that_look_like_something_else_are_named() {
    let rows = (0..60).map(|row| {
        let label = if row % 3 == 0 { "u" } else { "v" };
        let copy = if row == 7 { 1 } else { i32::from(row % 3 == 0) };
        let rare = i32::from(row == 30);
        let noise = if row % 2 == 0 {
            "1000000000"
        } else {
            "1000000000.0000001"
        };
        format!("{copy},{rare},{noise},{},{label}\n", (row * 7919) % 13)
    });
    let text = format!("copy,rare,noise,a,y\n{}", rows.collect::<String>());
    let (preparation, _) = fit(table(&text), Missing::Error).unwrap();
    let kinds: Vec<_> = preparation
        .notes()
        .iter()
        .map(|note| (note.kind, note.column.as_deref()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("label_copy", Some("copy")),
            ("near_constant", Some("rare"))
        ]
    );
    let noise = &preparation.scaling().unwrap()[2];
    assert!(noise.constant && noise.rounding, "{noise:?}");
}

#[test]
fn numbers_near_the_largest_do_not_overflow() {
    let result = prepared("a,y\n1.7e308,u\n-1.7e308,v\n", Missing::Error);
    assert_eq!(*set(&result).0.features(), [1.0, -1.0]);
    let tiny = prepared("a,y\n5e-324,u\n0,v\n", Missing::Error);
    assert_eq!(tiny.rows.len(), 2);
}

#[test]
fn missing_values_are_counted_filled_marked_or_dropped() {
    let text = "a,b,y\n1,4,u\n,5,v\n3,NA,u\n5,?,v\n2,6,\n7,8,v\n";
    let dropped = prepared(text, Missing::Drop);
    assert_eq!(dropped.rows, [0, 4, 5]);
    let found = MissingFound {
        cells: 3,
        rows: 3,
        columns: vec![("a".to_owned(), 1), ("b".to_owned(), 2)],
        labels: vec![(String::new(), 1)],
    };
    assert_eq!(dropped.missing, found);
    // The mean of what is there is zero once standardised.
    let text = "a,y\n1,u\n,v\n3,u\n";
    let filled = prepared(text, Missing::Mean);
    assert_eq!(*set(&filled).0.features(), [-1.0, 0.0, 1.0]);
    let marked = prepared(text, Missing::Indicator);
    let (data, _) = set(&marked);
    assert_eq!(data.columns(), 2);
    assert!(data.row(1)[1] > 0.0 && data.row(0)[1] < 0.0);
    let told = message(text, &wanted("y"));
    for part in [
        "row 1 (line 3), column \"a\"",
        "missing cells: 1,",
        "in 1 of 3 rows",
    ] {
        assert!(told.contains(part), "{told}");
    }
    // A word of the user's own.
    let columns = TableColumns {
        missing: vec!["unknown".to_owned()],
        ..wanted("y")
    };
    let own = read("a,y\n1,u\nunknown,v\n3,u\n", &columns).unwrap();
    assert_eq!(fit(own, Missing::Mean).unwrap().1.missing.cells, 1);
}

/// Also behind the last text.
#[test]
fn missing_texts_are_missing_wherever_they_are() {
    for text in ["a,y\n,u\nred,v\n,u\n", "a,y\nred,u\nblue,v\n,u\n"] {
        let filled = prepared(text, Missing::Indicator);
        assert_eq!(filled.rows.len(), 3, "{text}");
        assert_eq!(
            prepared(text, Missing::Drop).rows.len(),
            3 - filled.missing.cells
        );
    }
}

/// Scaling is learned from the rows that are trained on.
#[test]
fn rows_without_a_label_are_features_all_the_same() {
    let result = prepared("a,y\n1,u\n100,NaN\n3,v\n", Missing::Error);
    assert_eq!(result.rows, [0, 1, 2]);
    let (data, found) = set(&result);
    assert_eq!(found.of[0], [Some(0), None, Some(1)]);
    assert_eq!(*data.features(), [-1.0, 98.0, 1.0]);
}

#[test]
fn another_table_is_read_by_name_with_the_scaling_of_the_first() {
    let first = table("id,a,b,y\nr0,1,10,u\nr1,3,30,v\n");
    assert_eq!(first.ids().unwrap(), ["r0", "r1"]);
    let (preparation, _) = fit(first, Missing::Error).unwrap();
    let columns = TableColumns {
        features: FeatureColumns::Same {
            table: "t.csv".to_owned(),
            columns: preparation.source_names(),
        },
        ..wanted("y")
    };
    let other = read("y,b,a\nv,20,5\nu,10,1\n", &columns).unwrap();
    let data = set(&preparation.apply(other).unwrap()).0;
    assert_eq!(*data.features(), [3.0, 0.0, -1.0, -1.0]);
    assert_eq!(data.labels(), [1, 0]);
    // A table that was read without regard to the first is not taken for one that fits.
    let narrow = table("a,y\n1,u\n2,v\n");
    let told = preparation.apply(narrow).unwrap_err().to_string();
    assert!(told.contains("expected 2 columns of features"), "{told}");
}

#[test]
fn names_of_rows_are_found_where_they_are_natural() {
    let found = |text: &str| {
        let table = table(text);
        let names = names(&table)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        (table.id_column.clone(), names)
    };
    let some = |name: &str| Some(name.to_owned());
    let a = || vec!["a".to_owned()];
    assert_eq!(found("a,Id,y\n1,2,u\n"), (some("Id"), a()));
    assert_eq!(found(",a,y\n0,2,u\n"), (some(""), a()));
    assert_eq!(found(",id,a,y\n0,1,2,u\n"), (some("id"), a()));
    let columns = TableColumns {
        id: some("name"),
        ..wanted("y")
    };
    let named = read("id,name,y\n1,x,u\n", &columns).unwrap();
    assert_eq!(named.ids().unwrap(), ["x"]);
    assert_eq!(names(&named), ["id"]);
    // The second column of a name has another.
    assert_eq!(found("a,a,y\n1,2,u\n").1, ["a", "a.1"]);
    assert_eq!(found("a,,y\n1,2,u\n").1, ["a", "Unnamed: 1"]);
}

#[test]
fn a_table_without_names_is_read_by_number() {
    let found = read("-0.3,0.1,u\n1,2,v\n1,2,u\n", &wanted("2")).unwrap();
    assert_eq!((found.rows(), names(&found)), (3, vec!["0", "1"]));
    assert_eq!(found.notes[0].kind, "no_header");
    let told = message("-0.3,0.1,u\n1,2,v\n1,2,u\n", &wanted("y"));
    assert!(told.contains("seems to have no line of names"), "{told}");
}

proptest! {
    /// Whatever the bytes, an answer comes.
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(prop::sample::select(b"ay1,\"\n\r \xff?e;.:\t".to_vec()), 0..60)) {
        for start in [b"a,y\n".as_slice(), b""] {
            let bytes = [start, &bytes].concat();
            for missing in [Missing::Error, Missing::Mean, Missing::Drop, Missing::Indicator] {
                let fitted = read(bytes.clone(), &wanted("y")).and_then(|table| fit(table, missing));
                if let Ok((_, prepared)) = fitted {
                    let _ = classes(&prepared.labels().into_iter().collect::<Vec<_>>(), false);
                }
            }
        }
    }

    /// Standardised columns have mean 0 and deviation 1.
    #[test]
    fn scaling_standardises(values in prop::collection::vec(-1e6_f64..1e6, 3..30)) {
        let rows: String = values.iter().enumerate().map(|(i, v)| format!("{v},{}\n", i % 2)).collect();
        let data = set(&prepared(&format!("a,y\n{rows}"), Missing::Error)).0;
        let count = data.rows() as f64;
        let mean = data.features().iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let square = data.features().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
        prop_assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-4, "{mean} {square}");
    }

    /// Numbers that are written are read, whatever the separator.
    #[test]
    fn numbers_come_back(numbers in prop::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 2..20)) {
        let rows: String = numbers.iter().enumerate().map(|(i, v)| format!("{v:?}\t{}\n", i % 2)).collect();
        let found = values(table(&format!("a\ty\n{rows}")));
        prop_assert_eq!(found, numbers);
    }
}

/// Rows of bytes beside rows of numbers have one unit.
#[test]
fn pixels_are_in_the_unit_of_the_first_file() {
    let bytes = array::Array {
        shape: vec![2, 1, 2],
        values: array::Values::U8(vec![0, 255, 51, 102]),
    };
    let mut pixels = bytes.clone().into_matrix(true).unwrap();
    pixels.match_pixels(false);
    assert_eq!(
        pixels.values,
        table::Numbers::F32(vec![0.0, 255.0, 51.0, 102.0])
    );
    pixels.match_pixels(true);
    assert_eq!(pixels.values, bytes.into_matrix(true).unwrap().values);
    // Numbers up to 1 are pixels already.
    let shares = array::Array {
        shape: vec![1, 2],
        values: array::Values::F32(vec![0.5, 1.0]),
    };
    let mut shares = shares.into_matrix(false).unwrap();
    shares.match_pixels(true);
    assert_eq!(shares.values, table::Numbers::F32(vec![0.5, 1.0]));
}

/// Indices count from 1, unless the first file counts from 0 and no index shows otherwise.
#[test]
fn sparse_columns_of_several_files_are_the_same() {
    let columns = |first: usize| TableColumns {
        features: FeatureColumns::Same {
            table: "first".to_owned(),
            columns: (first..first + 3)
                .map(|column| column.to_string())
                .collect(),
        },
        ..TableColumns::default()
    };
    let row = |text: &str, first: usize| {
        let Features::Matrix(matrix) = read(text, &columns(first)).unwrap().features else {
            panic!("no matrix");
        };
        let table::Numbers::Sparse(sparse) = matrix.values else {
            panic!("not sparse");
        };
        sparse.row(0).0.to_vec()
    };
    assert_eq!(row("1 1:5 3:6\n", 1), [0, 2]);
    assert_eq!(row("1 1:5 2:6\n", 0), [1, 2]);
    assert_eq!(row("1 1:5 3:6\n", 0), [0, 2]);
}
