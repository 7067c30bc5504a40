//! The README contains the example that runs as a test.
#![allow(clippy::print_stderr)]

#[test]
fn the_readme_shows_the_example() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let Ok(readme) = std::fs::read_to_string(path) else {
        eprintln!("skipped: the README is not beside the crates");
        return;
    };
    assert!(readme.contains(include_str!("../examples/own_problem.rs")));
}
