//! Laws of the source files of all crates.

use std::fs;
use std::path::{Path, PathBuf};

fn crates() -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut crates: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    crates.sort();
    assert_eq!(crates.len(), 4);
    crates
}

/// Cargo does not look for tests where `autotests` is off: a file that `all.rs` forgets never runs.
#[test]
fn every_test_file_is_part_of_the_binary() {
    for folder in crates() {
        let tests = folder.join("tests");
        let all = fs::read_to_string(tests.join("all.rs")).unwrap();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for entry in fs::read_dir(&tests).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_code = path.extension().is_some_and(|end| end == "rs");
            if name == "all" || !(is_code || path.join("mod.rs").exists()) {
                continue;
            }
            let module = all.lines().any(|line| line == format!("mod {name};"));
            let binary = manifest.contains(&format!("path = \"tests/{name}.rs\""));
            assert!(
                module || binary,
                "{} never runs: add `mod {name};` to all.rs",
                path.display()
            );
        }
    }
}
