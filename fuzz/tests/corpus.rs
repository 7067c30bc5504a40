//! Every seed, and every input that fuzzing has kept, without a fuzzer.

use std::fs;
use std::path::Path;

/// Prints the most memory for a byte, among inputs large enough for that to mean anything.
fn every_input(target: &str, read: fn(&[u8]) -> usize) {
    const LARGE: usize = 1024;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut inputs, mut most, mut ratio) = (0, 0, 0.0_f64);
    for kind in ["seeds", "corpus"] {
        let Ok(folder) = fs::read_dir(root.join(kind).join(target)) else {
            continue;
        };
        for file in folder {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let used = read(&bytes);
            inputs += 1;
            most = most.max(used);
            if bytes.len() >= LARGE {
                ratio = ratio.max(used as f64 / bytes.len() as f64);
            }
        }
    }
    println!("{target}: {inputs} inputs, at most {most} bytes of memory, {ratio:.1} for a byte");
    assert!(inputs > 0);
}

/// One test, since the memory that is counted is that of the whole process.
#[test]
fn seeds_and_corpus() {
    for target in [
        "text", "npy", "npz", "idx", "libsvm", "matlab", "cifar", "parquet", "arrow",
    ] {
        every_input(target, bilevel_fuzz::file);
    }
    every_input("pictures", bilevel_fuzz::picture);
    every_input("archive", bilevel_fuzz::archive);
    every_input("weights", bilevel_fuzz::weights);
    every_input("checkpoint", bilevel_fuzz::checkpoint);
}
