//! Files of other programs, written again with changes: what tests of several formats have in common.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::changes::{AddedColumn, AddedKind, Edit, Rewrite};
use crate::data::rewrite::rewrite;
use crate::data::roles::TableColumns;

/// Rows of the stored files.
pub(super) const ROWS: usize = 12;
/// Rows that are left out: one group of five, and two others.
pub(super) const DROPPED: [usize; 7] = [1, 5, 6, 7, 8, 9, 11];

pub(super) fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/files/stored")
        .join(name)
}

pub(super) fn labelled(label: &str) -> TableColumns {
    TableColumns {
        label: Some(label.to_owned()),
        ..TableColumns::default()
    }
}

pub(super) fn kept() -> Vec<usize> {
    (0..ROWS).filter(|row| !DROPPED.contains(row)).collect()
}

pub(super) fn drop() -> Rewrite {
    let edit = |row| match DROPPED.contains(&row) {
        true => Edit::Drop,
        false => Edit::Keep,
    };
    Rewrite {
        edits: (0..ROWS).map(edit).collect(),
        columns: Vec::new(),
    }
}

/// Row 2 gets the first label, row 7 the second one.
pub(super) fn relabel(labels: [&str; 2]) -> Rewrite {
    let mut edits = vec![Edit::Keep; 8];
    edits[2] = Edit::Label(labels[0].to_owned());
    edits[7] = Edit::Label(labels[1].to_owned());
    Rewrite {
        edits,
        columns: Vec::new(),
    }
}

/// Weights of all rows but the last.
pub(super) fn weight() -> Rewrite {
    let text = |row: usize| format!("0.{row:02}0000");
    Rewrite {
        edits: Vec::new(),
        columns: vec![AddedColumn {
            name: "label_weight".to_owned(),
            kind: AddedKind::Number,
            texts: (0..ROWS - 1).map(text).collect(),
        }],
    }
}

/// Rows 2 and 7 are suspects; of the last nothing is said.
pub(super) fn flag(labels: [&str; 2]) -> Rewrite {
    let column = |name: &str, kind, texts: [&str; ROWS]| AddedColumn {
        name: name.to_owned(),
        kind,
        texts: texts.map(str::to_owned).to_vec(),
    };
    let mut suspect = ["false"; ROWS];
    (suspect[2], suspect[7], suspect[11]) = ("true", "true", "");
    let mut suggested = [""; ROWS];
    (suggested[2], suggested[7]) = (labels[0], labels[1]);
    Rewrite {
        edits: Vec::new(),
        columns: vec![
            column("label_suspect", AddedKind::Boolean, suspect),
            column("label_suggested", AddedKind::Label, suggested),
        ],
    }
}

/// The bytes of a file with changes, or the error, after which nothing is left.
pub(super) fn written(
    from: &Path,
    wanted: &TableColumns,
    changes: &Rewrite,
) -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    let done = rewrite(from, wanted, changes, &to);
    match done {
        Ok(()) => Ok(fs::read(&to).unwrap()),
        Err(error) => {
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
            Err(error.to_string())
        }
    }
}

/// Whatever happens to a file, it is written again or refused, and nothing is left then.
#[test]
fn no_damage_leaves_half_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let (words, numbers) = (["cat", "ox"], ["0", "3"]);
    let columnar = cfg!(feature = "columnar");
    for (name, labels, columns) in [
        ("groups.parquet", words, true),
        ("pandas_zstd.parquet", words, true),
        ("lists.parquet", words, true),
        ("rows.arrow", words, true),
        ("pandas.feather", words, true),
        ("stream.arrows", words, true),
        ("named.npz", words, false),
        ("rows.mat", numbers, false),
        ("packed.mat", numbers, false),
        ("svhn.mat", numbers, false),
    ] {
        if columns && !columnar {
            continue;
        }
        let whole = fs::read(stored(name)).unwrap();
        let all = [drop(), relabel(labels), weight(), flag(labels)];
        for changes in &all {
            written(&stored(name), &labelled("y"), changes).unwrap();
        }
        for _ in 0..40 {
            let mut damaged = whole.clone();
            for _ in 0..=next() % 3 {
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
            fs::write(&path, &damaged).unwrap();
            for changes in &all {
                let _ = written(&path, &labelled("y"), changes);
            }
        }
    }
}
