#![cfg(test)]

use std::sync::Arc;

use super::{Found, arrays};
use crate::data::array::Values;
use crate::data::format::written::{
    ROWS, drop, flag, kept, labelled, relabel, stored, weight, written,
};

const NUMBERS: [&str; 2] = ["0", "1"];

fn read(mut bytes: &[u8]) -> Vec<Found> {
    match arrays(&mut bytes, &Arc::default()) {
        Ok((found, _)) => found,
        Err(failure) => panic!("{}", failure.at(std::path::Path::new("f"))),
    }
}

/// Numbers of an array in its order, as texts.
fn texts(array: &Found) -> Vec<String> {
    fn all<T: std::fmt::Debug>(values: &[T]) -> Vec<String> {
        values.iter().map(|value| format!("{value:?}")).collect()
    }
    match &array.values {
        Values::F64(values) => all(values),
        Values::U8(values) => all(values),
        Values::I64(values) => all(values),
        Values::I32(values) => all(values),
        _ => panic!("other values"),
    }
}

#[test]
fn arrays_of_rows_are_changed() {
    for name in ["rows.mat", "packed.mat", "svhn.mat"] {
        let from = stored(name);
        let bytes = std::fs::read(&from).unwrap();
        let before = read(&bytes);
        let write = |changes| written(&from, &labelled("y"), &changes).unwrap();
        // The row is the first axis, the second of y in one file, and the last one of pictures.
        let after = read(&write(drop()));
        for (old, new) in before.iter().zip(&after) {
            let axis = old.shape.iter().position(|&length| length == ROWS).unwrap();
            assert_eq!(new.shape[axis], kept().len(), "{name}");
            let stride: usize = old.shape[..axis].iter().product();
            let texts_of = texts(old).into_iter().enumerate();
            let left = texts_of.filter(|(place, _)| kept().contains(&(place / stride % ROWS)));
            let left: Vec<String> = left.map(|(_, text)| text).collect();
            assert_eq!(texts(new), left, "{name} {}", old.name);
        }
        let after = read(&write(relabel(NUMBERS)));
        assert_eq!(texts(&after[0]), texts(&before[0]));
        let mut expected = texts(&before[1]);
        (expected[2], expected[7]) = ("0".to_owned(), "1".to_owned());
        assert_eq!(texts(&after[1]), expected, "{name}");
        for (changes, more) in [(weight(), 1), (flag(NUMBERS), 2)] {
            let whole = write(changes);
            // What was there is there as it was.
            assert_eq!(whole[..bytes.len()], bytes);
            let after = read(&whole);
            assert_eq!(after.len(), before.len() + more);
            assert!(
                after[2..]
                    .iter()
                    .all(|array| array.shape == before[1].shape)
            );
            let last = texts(&after[after.len() - 1]);
            if more == 1 {
                assert_eq!(after[2].name, "label_weight");
                assert_eq!((last[3].as_str(), last[11].as_str()), ("0.03", "NaN"));
            } else {
                let said = texts(&after[2]);
                assert_eq!(
                    (said[2].as_str(), said[3].as_str(), said[11].as_str()),
                    ("1", "0", "0")
                );
                assert_eq!(
                    (last[2].as_str(), last[7].as_str(), last[3].as_str()),
                    ("0.0", "1.0", "NaN")
                );
            }
        }
        let told = written(&from, &labelled("y"), &relabel(["0", "cat"])).unwrap_err();
        assert!(
            told.contains("a label that the elements of this array can hold, found cat"),
            "{told}"
        );
    }
}

/// An element of a file in this order of bytes.
fn element(kind: u32, bytes: &[u8], big: bool) -> Vec<u8> {
    let order = |number: u32| {
        if big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    };
    let mut out = [order(kind), order(bytes.len() as u32)].concat();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn array(class: u32, shape: [u32; 2], name: &str, content: &[u8], big: bool) -> Vec<u8> {
    let order = |number: u32| {
        if big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    };
    let parts = [
        element(6, &[order(class), order(0)].concat(), big),
        element(5, &shape.map(order).concat(), big),
        element(1, name.as_bytes(), big),
        content.to_vec(),
    ];
    element(14, &parts.concat(), big)
}

/// Three rows, with cells, texts, complex numbers and a struct.
fn file(big: bool, with_struct: bool) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend(if big { *b"\x01\0MI" } else { *b"\0\x01IM" });
    let shorts = |all: [i16; 6]| {
        let order = |number: i16| {
            if big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            }
        };
        all.map(order).concat()
    };
    // Doubles that are stored as shorter numbers.
    bytes.extend(array(
        6,
        [3, 2],
        "X",
        &element(3, &shorts([1, 2, 3, 4, 5, 6]), big),
        big,
    ));
    bytes.extend(array(6, [3, 1], "y", &element(2, &[0, 1, 0], big), big));
    let cells = [7, 8, 9].map(|byte| array(9, [1, 1], "", &element(2, &[byte], big), big));
    bytes.extend(array(1, [3, 1], "cells", &cells.concat(), big));
    bytes.extend(array(4, [3, 2], "texts", &element(16, b"acebdf", big), big));
    if with_struct {
        bytes.extend(array(2, [3, 1], "s", &[], big));
    }
    bytes.extend(array(2, [1, 1], "other", &[], big));
    bytes
}

#[test]
fn cells_and_texts_lose_rows_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.mat");
    for big in [false, true] {
        std::fs::write(&path, file(big, false)).unwrap();
        let changes = crate::data::changes::Rewrite {
            edits: vec![
                crate::data::changes::Edit::Keep,
                crate::data::changes::Edit::Drop,
            ],
            columns: Vec::new(),
        };
        let bytes = written(&path, &labelled("y"), &changes).unwrap();
        let found = read(&bytes);
        assert_eq!(texts(&found[0]), ["1", "3", "4", "6"]);
        assert_eq!(
            (texts(&found[1]), &found[1].shape[..]),
            (vec!["0".to_owned(); 2], &[2, 1][..])
        );
        let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(has(b"aebf") && !has(b"acebdf"));
        let cell = |byte| array(9, [1, 1], "", &element(2, &[byte], big), big);
        assert!(has(&[cell(7), cell(9)].concat()) && !has(&cell(8)));
        assert!(bytes.ends_with(&array(2, [1, 1], "other", &[], big)));
        std::fs::write(&path, file(big, true)).unwrap();
        let told = written(&path, &labelled("y"), &changes).unwrap_err();
        assert!(
            told.contains("array \"s\": expected arrays of numbers, texts or cells"),
            "{told}"
        );
        // Other changes do not touch it.
        written(&path, &labelled("y"), &relabel(["1", "0"])).unwrap();
        written(&path, &labelled("y"), &weight()).unwrap();
    }
}
