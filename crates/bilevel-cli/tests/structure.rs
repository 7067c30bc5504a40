//! Laws of the source files of all crates.

mod source;
mod uses;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use uses::Crate;

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

/// The typed representation may be one circle, with what stands in its folders: its rules build and
/// check the nodes of graphs.
const ALLOWED: (&str, &[&str]) = ("bilevel-autodiff", &["error", "graph", "rule"]);

/// Files of one crate use each other in one direction, so that each can be read and moved with
/// nothing but what it rests on. What a file passes on with `pub use` it does not use by that.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut found = String::new();
    for folder in crates() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        for cycle in Crate::read(&folder.join("src")).cycles() {
            let is_allowed = |file: &String| {
                let within = |top: &&str| file.split('/').next() == Some(top);
                name == ALLOWED.0 && ALLOWED.1.iter().any(within)
            };
            if cycle.keys().all(is_allowed) {
                continue;
            }
            writeln!(found, "{name}:").unwrap();
            for (file, used) in cycle {
                writeln!(found, "    {file} uses {}", used.join(", ")).unwrap();
            }
        }
    }
    assert!(
        found.is_empty(),
        "files use each other in a circle\n{found}"
    );
}

/// The files in circles of a crate of these files.
fn circular(texts: &[(&str, &str)]) -> Vec<String> {
    let texts = texts
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()));
    let cycles = Crate::of(texts).cycles();
    cycles.into_iter().flat_map(BTreeMap::into_keys).collect()
}

#[test]
fn circles_are_found_by_the_file_that_defines_a_name() {
    let root = ("lib", "mod a; mod b; pub use a::{A, inner::C as D};");
    let inner = ("a/inner", "pub(crate) struct C;");
    let uses = |a: &'static str, b: &'static str| circular(&[root, inner, ("a", a), ("b", b)]);
    let a = "mod inner; pub(crate) struct A; pub(crate) use inner::C; use crate::b::B;";
    assert_eq!(uses(a, "pub struct B;"), [""; 0]);
    for b in [
        "use crate::A; pub struct B;",
        "use super::a::{self, A}; pub struct B;",
        "pub struct B(crate::a::A);",
        "use crate::a; pub struct B(a::A);",
        "use crate::a::*; pub struct B;",
        "pub struct B; mod inside { use super::super::a::A; }",
        "const QUOTE: char = '\"'; use crate::A; pub struct B; const END: char = '\"';",
    ] {
        assert_eq!(uses(a, b), ["a", "b"], "{b}");
    }
    for b in [
        "use crate::a::inner::C; pub struct B;",
        "use crate::D; pub struct B;",
        "use crate::a::C; pub struct B;",
        "pub struct B; #[cfg(test)] mod tests { use crate::A; }",
        "pub struct B; // use crate::A;",
        "pub struct B; const S: &str = \"\\\" use crate::A; \"; const R: &str = r#\"use crate::A;\"#;",
        "pub(in crate::a) struct B;",
        "use other::a::A; pub struct B;",
    ] {
        assert_eq!(uses(a, b), [""; 0], "{b}");
    }
}
