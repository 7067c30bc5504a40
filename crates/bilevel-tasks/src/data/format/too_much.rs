//! Contents that do not fit into memory, in every format.
#![cfg(test)]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use super::read;
use crate::data::roles::{LabelsWanted, TableColumns};
use crate::data::room::tests::after;
use crate::data::source::Source;

/// The bytes after which the memory is full.
const FULL: u64 = 1;

fn told(source: Source, path: &Path, wanted: &TableColumns) -> String {
    match read(Ok(source.within(after(FULL))), path, wanted) {
        Ok(_) => format!("{}: read", path.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_format_is_refused_while_it_is_read() {
    let labels = |labels| TableColumns {
        labels,
        ..TableColumns::default()
    };
    let named = TableColumns {
        label: Some("label".to_owned()),
        ..TableColumns::default()
    };
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored");
    let mut seen = 0;
    for entry in fs::read_dir(stored).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy();
        let columnar = ["parquet", "feather", "arrow", "arrows"];
        let columnar = columnar.iter().any(|kind| name.ends_with(kind));
        if path.is_dir() || (columnar && !cfg!(feature = "columnar")) {
            continue;
        }
        seen += 1;
        // From a file, and from standard input.
        let sources: [&dyn Fn() -> Source; 2] = [&|| Source::open(&path).unwrap(), &|| {
            Source::of(Cursor::new(fs::read(&path).unwrap())).unwrap()
        }];
        for source in sources {
            let all = [
                named.clone(),
                labels(LabelsWanted::No),
                labels(LabelsWanted::Only),
                TableColumns::default(),
            ];
            let all: Vec<String> = all
                .iter()
                .map(|wanted| told(source(), &path, wanted))
                .collect();
            let full = |told: &String| told.contains("leave as much memory free as they take");
            assert!(all.iter().any(full), "{all:?}");
            assert!(!all.iter().any(|told| told.ends_with(": read")), "{all:?}");
        }
    }
    assert!(seen > 30);
}

/// One line of a million names takes far more memory than its bytes.
#[test]
fn a_line_of_many_names_is_refused_before_they_are_read() {
    let text = format!("{}label\n{}a\n", "a,".repeat(9), "1,".repeat(9));
    let source = Source::of(Cursor::new(text.into_bytes())).unwrap();
    let told = match read(
        Ok(source.within(after(4096))),
        Path::new("wide.csv"),
        &TableColumns::default(),
    ) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(
        told.starts_with("wide.csv: expected contents that leave"),
        "{told}"
    );
}
