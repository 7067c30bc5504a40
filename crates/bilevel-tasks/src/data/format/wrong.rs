//! Files that are not what they should be: one message each, with what was expected and what was found; no panic.
#![cfg(test)]

mod arrays;

use std::io::Write;
use std::path::Path;

use crate::data::table::{LabelsWanted, Table, TableColumns};

fn stored(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/files/stored")
        .join(name);
    std::fs::read(path).unwrap()
}

fn read(bytes: Vec<u8>, wanted: &TableColumns) -> Result<Table, String> {
    Table::from_bytes(bytes, Path::new("f"), wanted).map_err(|error| error.to_string())
}

fn rows() -> TableColumns {
    TableColumns {
        label: Some("y".to_owned()),
        ..TableColumns::default()
    }
}

fn plain() -> TableColumns {
    TableColumns {
        labels: LabelsWanted::IfThere,
        ..TableColumns::default()
    }
}

/// Each file is refused with a message that has this part.
fn refused(format: &str, wanted: &TableColumns, cases: Vec<(&str, Vec<u8>, &str)>) {
    assert!(cases.len() >= 12, "{format}: {} cases", cases.len());
    for (what, bytes, part) in cases {
        let told = match read(bytes, wanted) {
            Ok(table) => panic!("{format}, {what}: read as {} rows", table.rows()),
            Err(told) => told,
        };
        let known = told.starts_with("f: ") && told.contains("expected") && told.contains("found");
        assert!(known && told.contains(part), "{format}, {what}: {told}");
        assert!(told.len() < 700, "{format}, {what}: {told}");
    }
}

fn with(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

fn cut(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes[..length].to_vec()
}

fn more(bytes: &[u8], new: &[u8]) -> Vec<u8> {
    [bytes, new].concat()
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let at = bytes
        .windows(old.len())
        .position(|window| window == old.as_bytes())
        .unwrap();
    with(bytes, at, new.as_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn text() {
    let text = |text: &str| text.as_bytes().to_vec();
    refused(
        "text",
        &rows(),
        vec![
            ("nothing", text(""), "names of the columns, found no text"),
            ("line ends", text("\n\n\r\n"), "found no text"),
            (
                "names alone",
                text("a,y\n"),
                "expected rows below the names",
            ),
            (
                "a row too long",
                text("a,y\n1,u\n1,2,v\n"),
                "row 1 (line 3): expected 2 cells",
            ),
            ("a row too short", text("a,b,y\n1,2,u\n1,v\n"), "found 2"),
            (
                "an open quote",
                text("a,y\n1,\"u\n2,v\n"),
                "line 2: expected the quote that opens here",
            ),
            (
                "text behind a quote",
                text("a,y\n1,\"u\"v\n"),
                "after the closing quote, found 'v'",
            ),
            (
                "no label",
                text("a,b\n1,2\n"),
                "expected a column \"y\" (the labels), found \"a\", \"b\"",
            ),
            ("two labels", text("a,y,y\n1,u,v\n"), "found several"),
            (
                "another encoding",
                b"a,y\n1,\xe9\n2,v\n".to_vec(),
                "expected text in UTF-8",
            ),
            (
                "names in it",
                b"\xe9,y\n1,u\n".to_vec(),
                "line 1, cell 1: expected a name in UTF-8",
            ),
            (
                "no features",
                text("y\nu\nv\n"),
                "expected at least one column of features",
            ),
            (
                "cut UTF-16",
                cut(&stored("pandas_utf16.csv"), 5),
                "expected a column",
            ),
        ],
    );
}

#[test]
fn packed() {
    let gz = stored("pandas.csv.gz");
    let zst = stored("rows.csv.zst");
    let deep = (0..5).fold(b"a,y\n1,u\n".to_vec(), |bytes, _| gzip(&bytes));
    let whole = "expected a whole file of gzip or zstd";
    refused(
        "gzip and zstd",
        &rows(),
        vec![
            ("gzip cut", cut(&gz, gz.len() / 2), whole),
            ("gzip cut at the end", cut(&gz, gz.len() - 1), whole),
            ("gzip cut in its header", cut(&gz, 5), whole),
            ("a wrong checksum", with(&gz, gz.len() - 8, &[1, 2]), whole),
            ("a wrong length", with(&gz, gz.len() - 4, &[9, 9]), whole),
            ("another method", with(&gz, 2, &[7]), whole),
            ("a wrong block", with(&gz, gz.len() / 2, &[0xff; 8]), whole),
            ("text behind", more(&gz, b"text"), whole),
            ("packed five times", deep, "packed more than 3 times"),
            ("zstd cut", cut(&zst, zst.len() / 2), whole),
            ("zstd cut in its header", cut(&zst, 5), whole),
            ("a wrong frame", with(&zst, 4, &[0xff; 4]), whole),
            ("a wrong end", with(&zst, zst.len() - 6, &[0xff; 6]), whole),
        ],
    );
}

#[test]
fn libsvm() {
    let file = |lines: &str| format!("1 1:0.5 3:2\n0 2:1\n{lines}").into_bytes();
    refused(
        "LIBSVM",
        &TableColumns::default(),
        vec![
            (
                "no value",
                file("1 2:\n"),
                "row 2 (line 3): expected a finite number behind the colon",
            ),
            ("a text for a value", file("1 2:x\n"), "found \"2:x\""),
            ("infinity", file("1 2:inf\n"), "a finite number"),
            ("too large", file("1 2:1e300\n"), "a finite number"),
            (
                "a negative index",
                file("1 -2:1\n"),
                "an index from 0 to 100000000",
            ),
            ("a fraction", file("1 2.5:1\n"), "an index from 0"),
            ("a huge index", file("1 4000000000:1\n"), "an index from 0"),
            (
                "no colon",
                file("1 2 3\n"),
                "expected index:value, found \"2\"",
            ),
            (
                "an index twice",
                file("1 2:1 2:3\n"),
                "each index once in a line",
            ),
            (
                "no label",
                file("2:1 3:1\n"),
                "expected a label before the first index:value",
            ),
            (
                "other bytes",
                more(&file(""), b"1 2:\xff\n"),
                "expected text in UTF-8",
            ),
            ("cut in a number", file("1 3:-"), "found \"3:-\""),
        ],
    );
}

#[cfg(feature = "columnar")]
#[test]
fn parquet() {
    let file = stored("groups.parquet");
    let end = file.len();
    let whole = "expected a whole Parquet file";
    refused(
        "Parquet",
        &rows(),
        vec![
            ("cut in half", cut(&file, end / 2), whole),
            ("cut at the end", cut(&file, end - 1), whole),
            ("cut behind the magic", cut(&file, 6), whole),
            ("a wrong end", with(&file, end - 4, b"PARX"), whole),
            (
                "a huge footer",
                with(&file, end - 8, &[0xff, 0xff, 0xff, 0x7f]),
                whole,
            ),
            ("a footer of nothing", with(&file, end - 8, &[0; 4]), whole),
            ("a wrong footer", with(&file, end - 200, &[0xff; 20]), whole),
            ("a wrong page", with(&file, 4, &[0xff; 12]), whole),
            ("a page of zeros", with(&file, 4, &[0; 40]), whole),
            (
                "zeros before the footer",
                more(
                    &cut(&file, 4),
                    &[&[0; 300][..], &file[end - 300..]].concat(),
                ),
                whole,
            ),
            ("bytes behind", more(&file, b"more"), whole),
            ("an encrypted footer", with(&file, end - 4, b"PARE"), whole),
        ],
    );
}

#[cfg(feature = "columnar")]
#[test]
fn arrow() {
    let file = stored("rows.arrow");
    let stream = stored("stream.arrows");
    let end = file.len();
    let whole = "expected a whole Arrow file";
    refused(
        "Arrow",
        &rows(),
        vec![
            ("cut in half", cut(&file, end / 2), whole),
            ("cut at the end", cut(&file, end - 1), whole),
            ("cut behind the magic", cut(&file, 8), whole),
            ("a wrong end", with(&file, end - 3, b"XXX"), whole),
            (
                "a huge footer",
                with(&file, end - 10, &[0xff, 0xff, 0xff, 0x7f]),
                whole,
            ),
            ("a footer of nothing", with(&file, end - 10, &[0; 4]), whole),
            ("a wrong footer", with(&file, end - 60, &[0xff; 30]), whole),
            (
                "an older format",
                b"FEA1\0\0\0\0".to_vec(),
                "the first Feather format; save it anew",
            ),
            ("a stream cut", cut(&stream, stream.len() / 2), whole),
            ("a stream cut in its schema", cut(&stream, 50), whole),
            (
                "a stream of nothing",
                b"\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
                whole,
            ),
            ("a wrong schema", with(&stream, 8, &[0xff; 24]), whole),
        ],
    );
}

/// Whatever happens to a file, an answer comes.
#[test]
fn no_damage_makes_a_reader_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored");
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=next() % 4 {
                let at = next() % damaged.len();
                match next() % 4 {
                    0 => damaged[at] = next() as u8,
                    1 => damaged[at] ^= 1 << (next() % 8),
                    2 => damaged.truncate(at.max(1)),
                    _ => {
                        let to = (at + 4).min(damaged.len());
                        damaged[at..to].fill(0xff);
                    }
                }
            }
            for wanted in [rows(), plain()] {
                let _ = read(damaged.clone(), &wanted);
            }
        }
    }
}
