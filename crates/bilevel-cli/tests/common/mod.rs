//! Running the command in a folder of its own.

pub(crate) mod tables;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What came out.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `bilevel` with these words, separated by blanks, inside `folder`.
pub(crate) fn bilevel(folder: &Path, words: &str) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(words.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same, which must succeed.
pub(crate) fn succeed(folder: &Path, words: &str) -> Ran {
    let ran = bilevel(folder, words);
    assert_eq!(ran.code, 0, "bilevel {words}\n{}", ran.stderr);
    ran
}

/// The one document on standard output.
pub(crate) fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// `bilevel WORDS` must fail with this code, one message that has this part, nothing on standard
/// output, and nothing left in the folder.
pub(crate) fn refused(folder: &Path, words: &str, part: &str) {
    let before = entries(folder);
    let ran = bilevel(folder, words);
    let Ran {
        code,
        stdout,
        stderr,
    } = &ran;
    assert_eq!(*code, 2, "bilevel {words}\n{stderr}");
    assert!(stderr.contains(part), "bilevel {words}\n{stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(stderr.matches("os error").count() <= 1, "{stderr}");
    assert!(stdout.is_empty(), "bilevel {words}\n{stdout}");
    assert_eq!(entries(folder), before, "bilevel {words}");
}

pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An IDX file of unsigned bytes.
pub(crate) fn write_idx(path: &Path, dimensions: &[u32], bytes: &[u8]) {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|length| length.to_be_bytes()));
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

/// `images` and `labels`: the embedded digits as files, `rows` of them from `first` on.
pub(crate) fn write_digits(folder: &Path, images: &str, labels: &str, first: usize, rows: usize) {
    let digits = bilevel_tasks::data::digits::digits();
    let pixels: Vec<u8> = digits.features()[first * 64..(first + rows) * 64]
        .iter()
        .map(|pixel| (pixel * 255.0).round() as u8)
        .collect();
    let classes: Vec<u8> = digits.labels()[first..first + rows]
        .iter()
        .map(|&label| label as u8)
        .collect();
    write_idx(&folder.join(images), &[rows as u32, 8, 8], &pixels);
    write_idx(&folder.join(labels), &[rows as u32], &classes);
}

/// Starts `bilevel` with these words and returns at once; what it says is thrown away.
pub(crate) fn start(folder: &Path, words: &str) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(words.split_whitespace())
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// `scores.csv`, `history.jsonl` and `result.json` of a run, without what may differ between two
/// runs that do the same: times and memory.
pub(crate) fn outcome(run: &Path) -> (String, Vec<Value>, Value) {
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    let history = read("history.jsonl").lines().map(timeless).collect();
    (read("scores.csv"), history, timeless(&read("result.json")))
}

fn timeless(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    for name in ["seconds", "peak_memory_mb"] {
        assert!(value.as_object_mut().unwrap().remove(name).is_some() || name != "seconds");
    }
    if let Some(baselines) = value.get_mut("baselines").and_then(Value::as_object_mut) {
        for (_, baseline) in baselines {
            baseline.as_object_mut().unwrap().remove("seconds").unwrap();
        }
    }
    value
}

/// An NPY file of version 1.0 with this header and these bytes behind it.
pub(crate) fn write_npy(path: &Path, descr: &str, fortran: bool, shape: &str, bytes: &[u8]) {
    let fortran = if fortran { "True" } else { "False" };
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

/// The same bytes, gzipped.
pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
