#![cfg(test)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int8Array, RecordBatch, StringArray,
    StringViewArray, UInt64Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;

use super::messages::Contents;
use super::opened::contents;
use crate::data::changes::{Edit, Rewrite};
use crate::data::format::written::{
    ROWS, drop, flag, kept, labelled, relabel, stored, weight, written,
};
use crate::data::source::Source;

const FILES: [&str; 4] = [
    "rows.arrow",
    "stream.arrows",
    "pandas.feather",
    "lists.arrow",
];

fn read(bytes: Vec<u8>) -> Contents {
    let source = Source::of(std::io::Cursor::new(bytes)).unwrap();
    contents(source, Path::new("f")).unwrap()
}

fn whole(contents: &Contents) -> RecordBatch {
    let schema = Arc::new(contents.schema.clone());
    concat_batches(&schema, &contents.batches).unwrap()
}

fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
    match array.as_string_opt::<i32>() {
        Some(texts) => texts.iter().collect(),
        None => array.as_string::<i64>().iter().collect(),
    }
}

#[test]
fn nothing_else_changes() {
    for name in FILES {
        let from = stored(name);
        let before = read(std::fs::read(&from).unwrap());
        let rows = whole(&before);
        let label = before.schema.index_of("y").unwrap();
        let write = |changes: Rewrite| {
            let after = read(written(&from, &labelled("y"), &changes).unwrap());
            assert_eq!(
                (after.packed, after.is_file),
                (before.packed, before.is_file),
                "{name}"
            );
            let empty = usize::from(changes == drop() && before.batches.len() == 3);
            assert_eq!(after.batches.len(), before.batches.len() - empty);
            assert_eq!(after.schema.metadata(), before.schema.metadata());
            after
        };
        let after = write(drop());
        assert_eq!(after.schema, before.schema);
        let mut expected = Vec::new();
        for row in kept() {
            expected.push(rows.slice(row, 1));
        }
        let expected = concat_batches(&rows.schema(), &expected).unwrap();
        assert_eq!(whole(&after), expected, "{name}");
        let after = write(relabel(["dog", "ox"]));
        assert_eq!(after.schema, before.schema);
        let changed = whole(&after);
        for (column, array) in rows.columns().iter().enumerate() {
            if column != label {
                assert_eq!(changed.column(column), array);
            }
        }
        let mut expected = texts(rows.column(label));
        (expected[2], expected[7]) = (Some("dog"), Some("ox"));
        assert_eq!(texts(changed.column(label)), expected);
        for (changes, more) in [(weight(), 1), (flag(["dog", "ox"]), 2)] {
            let after = write(changes);
            let changed = whole(&after);
            let columns = rows.num_columns();
            assert_eq!(&changed.columns()[..columns], rows.columns());
            assert_eq!(changed.num_columns(), columns + more);
            assert_eq!(
                &after.schema.fields()[..columns],
                &before.schema.fields()[..]
            );
            let names: Vec<&str> = after.schema.fields()[columns..]
                .iter()
                .map(|f| f.name().as_str())
                .collect();
            if more == 1 {
                assert_eq!(names, ["label_weight"]);
                let weights = changed
                    .column(columns)
                    .as_primitive::<arrow_array::types::Float64Type>();
                assert!(weights.value(3) == 0.03 && weights.is_null(ROWS - 1));
            } else {
                assert_eq!(names, ["label_suspect", "label_suggested"]);
                let said = changed.column(columns).as_boolean();
                assert!(said.value(2) && !said.value(3) && said.is_null(ROWS - 1));
                let suggested = texts(changed.column(columns + 1));
                assert_eq!(
                    (suggested[2], suggested[7], suggested[3]),
                    (Some("dog"), Some("ox"), None)
                );
            }
        }
    }
}

/// The column of texts with a dictionary.
#[test]
fn dictionaries_stay_and_grow() {
    for name in ["rows.arrow", "stream.arrows", "pandas.feather"] {
        let from = stored(name);
        let before = whole(&read(std::fs::read(&from).unwrap()));
        let label = before.schema().index_of("kind").unwrap();
        let cells = |batch: &RecordBatch, column: usize| -> Vec<Option<String>> {
            let array = batch.column(column).as_any_dictionary();
            let (keys, values) = (array.normalized_keys(), texts(array.values()));
            let text = |row: usize| values[keys[row]].map(str::to_owned);
            (0..array.len())
                .map(|row| array.is_valid(row).then(|| text(row)).flatten())
                .collect()
        };
        let write = |changes| read(written(&from, &labelled("kind"), &changes).unwrap());
        let after = whole(&write(relabel(["red", "purple"])));
        assert_eq!(after.schema(), before.schema());
        let mut expected = cells(&before, label);
        (expected[2], expected[7]) = (Some("red".to_owned()), Some("purple".to_owned()));
        assert_eq!(cells(&after, label), expected);
        let after = write(flag(["red", "purple"]));
        let field = after.schema.field_with_name("label_suggested").unwrap();
        assert_eq!(field.data_type(), before.column(label).data_type());
        let suggested = cells(&whole(&after), before.num_columns() + 1);
        assert_eq!(suggested[7].as_deref(), Some("purple"));
        assert_eq!(suggested.iter().flatten().count(), 2);
    }
}

fn file(labels: ArrayRef) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int8Array::from(vec![1, 2, 3]));
    let field = Field::new("y", labels.data_type().clone(), false);
    let other = Field::new("a", DataType::Int8, false)
        .with_metadata(HashMap::from([("k".to_owned(), "v".to_owned())]));
    let schema = Arc::new(Schema::new(vec![field, other]));
    let batch = RecordBatch::try_new(schema.clone(), vec![labels, numbers]).unwrap();
    let mut writer = FileWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write_metadata("note", "kept");
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn relabelled(labels: ArrayRef, to: &str) -> Result<Contents, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.arrow");
    std::fs::write(&path, file(labels)).unwrap();
    let changes = Rewrite {
        edits: vec![Edit::Label(to.to_owned())],
        columns: Vec::new(),
    };
    written(&path, &labelled("y"), &changes).map(read)
}

#[test]
fn labels_have_the_type_of_the_column() {
    let large = Arc::new(UInt64Array::from(vec![0, u64::MAX, 3]));
    let after = relabelled(large.clone(), &u64::MAX.to_string()).unwrap();
    assert_eq!(after.notes["note"], "kept");
    assert_eq!(after.schema.field(1).metadata()["k"], "v");
    let array = after.batches[0]
        .column(0)
        .as_primitive::<UInt64Type>()
        .clone();
    assert_eq!(array.values(), &[u64::MAX, u64::MAX, 3]);
    let after = relabelled(large, "18446744073709551614").unwrap();
    let array = after.batches[0]
        .column(0)
        .as_primitive::<UInt64Type>()
        .clone();
    assert_eq!(array.value(0), u64::MAX - 1);
    let told = relabelled(Arc::new(Int8Array::from(vec![0, 1, 0])), "128")
        .err()
        .unwrap();
    assert!(
        told.contains(
            "column \"y\": expected a label that a column of type Int8 can hold, found \"128\""
        ),
        "{told}"
    );
    let views = Arc::new(StringViewArray::from(vec![
        "a",
        "a label that is longer than a view",
        "b",
    ]));
    let after = relabelled(views, "a label that is longer than a view").unwrap();
    assert_eq!(
        after.batches[0].column(0).as_string_view().value(0),
        "a label that is longer than a view"
    );
    // Of other types, labels are those of other rows.
    let decimals = Decimal128Array::from(vec![100, 200, 100])
        .with_precision_and_scale(5, 2)
        .unwrap();
    let after = relabelled(Arc::new(decimals.clone()), "2").unwrap();
    let array = after.batches[0]
        .column(0)
        .as_primitive::<arrow_array::types::Decimal128Type>()
        .clone();
    assert_eq!(
        (array.value(0), array.data_type()),
        (200, decimals.data_type())
    );
    assert!(relabelled(Arc::new(decimals), "7").is_err());
}

#[test]
fn keys_of_a_dictionary_count_no_further() {
    let names: Vec<String> = (0..128).map(|place| format!("c{place}")).collect();
    let values: ArrayRef = Arc::new(StringArray::from(names));
    let dictionary = |keys: Vec<i8>| DictionaryArray::<Int8Type>::new(keys.into(), values.clone());
    let after = relabelled(Arc::new(dictionary(vec![0, 1, 0])), "c127").unwrap();
    let array = after.batches[0]
        .column(0)
        .as_dictionary::<Int8Type>()
        .clone();
    assert_eq!(array.keys().values(), &[127, 1, 0]);
    let told = relabelled(Arc::new(dictionary(vec![0, 1, 0])), "new")
        .err()
        .unwrap();
    assert!(
        told.contains("as many different labels as the keys"),
        "{told}"
    );
    let integers: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
    let after = relabelled(Arc::new(integers), "new").unwrap();
    let array = after.batches[0]
        .column(0)
        .as_dictionary::<Int32Type>()
        .clone();
    assert_eq!(array.keys().values(), &[2, 1, 0]);
}
