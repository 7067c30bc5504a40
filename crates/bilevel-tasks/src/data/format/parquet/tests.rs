#![cfg(test)]

use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use ::parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    Int32Type, Int64Type,
};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use bytes::Bytes;

use super::chunks::{self, damaged};
use crate::data::changes::{Edit, Rewrite};
use crate::data::format::written::{
    ROWS, drop, flag, kept, labelled, relabel, stored, weight, written,
};
use crate::data::room::{Memory, Room};
use crate::data::source::Source;
use crate::data::table::{LabelsWanted, Table, TableColumns};

const FILES: [&str; 8] = [
    "groups.parquet",
    "old.parquet",
    "lists.parquet",
    "pandas_None.parquet",
    "pandas_gzip.parquet",
    "pandas_lz4.parquet",
    "pandas_snappy.parquet",
    "pandas_zstd.parquet",
];

fn open(bytes: Vec<u8>) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::from(bytes)).unwrap()
}

/// The cells of each row, with the names of their columns.
fn rows(reader: &SerializedFileReader<Bytes>) -> Vec<Vec<(String, String)>> {
    let rows = reader.get_row_iter(None).unwrap();
    let cells = |row: ::parquet::record::Row| {
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), format!("{field:?}")))
            .collect()
    };
    rows.map(|row| cells(row.unwrap())).collect()
}

fn packed(reader: &SerializedFileReader<Bytes>) -> Vec<Compression> {
    let group = reader.metadata().row_group(0);
    group
        .columns()
        .iter()
        .map(ColumnChunkMetaData::compression)
        .collect()
}

#[test]
fn nothing_else_changes() {
    for name in FILES {
        let from = stored(name);
        let before = open(std::fs::read(&from).unwrap());
        let (known, file) = (rows(&before), before.metadata().file_metadata().clone());
        let write = |changes| open(written(&from, &labelled("y"), &changes).unwrap());
        let check = |after: &SerializedFileReader<Bytes>, same: bool| {
            let now = after.metadata().file_metadata();
            assert_eq!(
                packed(after)[..packed(&before).len()],
                packed(&before),
                "{name}"
            );
            assert_eq!(now.created_by(), file.created_by());
            if same {
                assert_eq!(now.schema(), file.schema(), "{name}");
                assert_eq!(now.key_value_metadata(), file.key_value_metadata());
            }
        };
        let after = write(drop());
        check(&after, true);
        let left: Vec<_> = kept().into_iter().map(|row| known[row].clone()).collect();
        assert_eq!(rows(&after), left, "{name}");
        // A group without rows is none.
        let groups = if name == "groups.parquet" { 2 } else { 1 };
        assert_eq!(after.metadata().num_row_groups(), groups);
        let after = write(relabel(["dog", "ox"]));
        check(&after, true);
        let mut expected = known.clone();
        for (row, label) in [(2, "dog"), (7, "ox")] {
            let cell = expected[row].iter_mut().find(|(name, _)| name == "y");
            cell.unwrap().1 = format!("Str({label:?})");
        }
        assert_eq!(rows(&after), expected, "{name}");
        for changes in [weight(), flag(["dog", "ox"])] {
            let after = write(changes.clone());
            check(&after, false);
            let types = after
                .metadata()
                .file_metadata()
                .key_value_metadata()
                .unwrap();
            let longer = types.iter().zip(file.key_value_metadata().unwrap());
            for (now, then) in longer {
                assert_eq!((now == then), now.key != "ARROW:schema", "{name}");
            }
            for (row, (now, then)) in rows(&after).iter().zip(&known).enumerate() {
                assert_eq!(now[..then.len()], then[..]);
                let new: Vec<(&str, &str)> = now[then.len()..]
                    .iter()
                    .map(|(a, b)| (a.as_str(), b.as_str()))
                    .collect();
                if changes.columns.len() == 1 {
                    let text = if row == ROWS - 1 {
                        "Null".to_owned()
                    } else {
                        format!("Double({})", row as f64 / 100.0)
                    };
                    let text = text.replace("Double(0)", "Double(0.0)");
                    assert_eq!(new, [("label_weight", text.as_str())]);
                } else {
                    let (said, label) = match row {
                        2 => ("Bool(true)", "Str(\"dog\")"),
                        7 => ("Bool(true)", "Str(\"ox\")"),
                        11 => ("Null", "Null"),
                        _ => ("Bool(false)", "Null"),
                    };
                    assert_eq!(new, [("label_suspect", said), ("label_suggested", label)]);
                }
            }
        }
    }
}

/// A file of one column of labels in this type, and one of features.
fn file<T: DataType>(kind: &str, labels: &[T::T]) -> Vec<u8> {
    let schema = format!("message m {{ required {kind}; required int32 a; }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::default());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(labels, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int32Type>()
        .write_batch(&[1, 2, 3], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// The labels after row 0 has got this one.
fn relabelled<T: DataType>(kind: &str, labels: &[T::T], to: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    std::fs::write(&path, file::<T>(kind, labels)).unwrap();
    let changes = Rewrite {
        edits: vec![Edit::Label(to.to_owned())],
        columns: Vec::new(),
    };
    let after = open(written(&path, &labelled("y"), &changes)?);
    let known = SerializedFileReader::try_from(Path::new(&path)).unwrap();
    let schema = |metadata: &::parquet::file::metadata::ParquetMetaData| {
        metadata.file_metadata().schema().clone()
    };
    assert_eq!(schema(after.metadata()), schema(known.metadata()));
    Ok(rows(&after)
        .into_iter()
        .map(|row| row[0].1.clone())
        .collect())
}

#[test]
fn labels_have_the_type_of_the_column() {
    let tiny = "int32 y (INTEGER(8,true))";
    let found = relabelled::<Int32Type>(tiny, &[0, -128, 1], "-128").unwrap();
    assert_eq!(found, ["Byte(-128)", "Byte(-128)", "Byte(1)"]);
    assert_eq!(
        relabelled::<Int32Type>(tiny, &[0, 1, 0], "127").unwrap()[0],
        "Byte(127)"
    );
    for label in ["128", "-129", "1.5", "cat"] {
        let told = relabelled::<Int32Type>(tiny, &[0, 1, 0], label).unwrap_err();
        let part = "column \"y\": expected a label that a column of type INT32 can hold, found";
        assert!(told.contains(part), "{told}");
    }
    let large = "int64 y (INTEGER(64,false))";
    let found = relabelled::<Int64Type>(large, &[0, -1, 1], &u64::MAX.to_string()).unwrap();
    assert_eq!(found[0], format!("ULong({})", u64::MAX));
    let found = relabelled::<Int64Type>(large, &[0, 1, 1], "18446744073709551614").unwrap();
    assert_eq!(found[0], format!("ULong({})", u64::MAX - 1));
    let bytes = |texts: [&str; 3]| texts.map(ByteArray::from);
    let found = relabelled::<ByteArrayType>("binary y (UTF8)", &bytes(["a", "b", "a"]), "é");
    assert_eq!(found.unwrap(), ["Str(\"é\")", "Str(\"b\")", "Str(\"a\")"]);
    // Of other types, labels are those of other rows.
    let fixed = |numbers: [u8; 3]| {
        numbers.map(|number| FixedLenByteArray::from(ByteArray::from(vec![0, number])))
    };
    let decimal = "fixed_len_byte_array(2) y (DECIMAL(4,2))";
    let labels = fixed([100, 200, 100]);
    let found = relabelled::<FixedLenByteArrayType>(decimal, &labels, "2").unwrap();
    assert_eq!(found[0], found[1]);
    assert!(relabelled::<FixedLenByteArrayType>(decimal, &labels, "3").is_err());
}

/// Rows of a page.
const PAGE: usize = 1 << 18;

fn zeros(packing: Compression) -> Vec<u8> {
    let schema = parse_message_type("message m { required double a; }").unwrap();
    let properties = WriterProperties::builder()
        .set_compression(packing)
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE)
        .set_data_page_size_limit(8 * PAGE)
        .build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let written = column
        .typed::<DoubleType>()
        .write_batch(&vec![0.0; PAGE], None, None);
    assert_eq!(written.unwrap(), PAGE);
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn read(bytes: Vec<u8>) -> Result<Table, String> {
    let wanted = TableColumns {
        labels: LabelsWanted::IfThere,
        ..TableColumns::default()
    };
    Table::from_bytes(bytes, Path::new("x.parquet"), &wanted).map_err(|error| error.to_string())
}

/// The bytes of a number with a sign.
fn signed(number: u64) -> Vec<u8> {
    let mut left = number << 1;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

#[test]
fn zeros_unpack_and_what_no_page_unpacks_to_is_refused() {
    for packing in [
        Compression::SNAPPY,
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::GZIP(GzipLevel::try_new(9).unwrap()),
        Compression::ZSTD(ZstdLevel::try_new(19).unwrap()),
    ] {
        let mut bytes = zeros(packing);
        assert_eq!(read(bytes.clone()).unwrap().rows(), PAGE, "{packing}");
        let (known, larger) = (signed(8 * PAGE as u64), signed(120 << 20));
        assert_eq!(known.len(), larger.len());
        let at = bytes.windows(known.len()).position(|part| part == known);
        bytes[at.unwrap()..][..known.len()].copy_from_slice(&larger);
        let told = read(bytes).unwrap_err();
        assert!(told.contains("cannot unpack to 125829120"), "{told}");
    }
}

#[test]
fn pages_that_do_not_fit_into_memory_are_refused() {
    let bytes = zeros(Compression::ZSTD(ZstdLevel::default()));
    let small = || {
        Some(Memory {
            available: 3 << 20,
            resident: 0,
        })
    };
    let path = Path::new("x.parquet");
    let source = Source::of(std::io::Cursor::new(bytes))
        .unwrap()
        .within(Arc::new(Room::new(small, 1 << 20)));
    let columns = chunks::open(source, path).unwrap();
    let told = damaged(&columns.of_group(0, 0).err().unwrap())
        .at(path)
        .to_string();
    assert!(told.contains("leave as much memory free"), "{told}");
}
