//! Rows of two features and two classes, as tables and as NPY files.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::write_npy;

/// A cell of column `a` tells the class; `b` tells nothing.
pub(crate) fn features(row: usize) -> (f64, f64) {
    let noise = ((row * 7919) % 101) as f64 / 100.0;
    let side = if row.is_multiple_of(2) {
        1000.0
    } else {
        -1000.0
    };
    (side + 100.0 * noise, noise * 1e-3)
}

pub(crate) fn class(row: usize) -> &'static str {
    if row.is_multiple_of(2) { "up" } else { "down" }
}

pub(crate) fn rows(range: std::ops::Range<usize>) -> String {
    let mut text = "name,a,b,y\n".to_owned();
    for row in range {
        let (a, b) = features(row);
        let _ = writeln!(text, "n{row},{a},{b},{}", class(row));
    }
    text
}

pub(crate) fn write_npy_features(here: &Path) {
    let bytes = |values: &[f64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|&value| (value as f32).to_le_bytes())
            .collect()
    };
    let flat = |rows: std::ops::Range<usize>| -> Vec<f64> {
        rows.flat_map(|row| [features(row).0, features(row).1])
            .collect()
    };
    let columns: Vec<f64> = (0..40)
        .map(|row| features(row).0)
        .chain((0..40).map(|row| features(row).1))
        .collect();
    write_npy(
        &here.join("x.npy"),
        "<f4",
        false,
        "(40, 2)",
        &bytes(&flat(0..40)),
    );
    write_npy(
        &here.join("fortran.npy"),
        "<f4",
        true,
        "(40, 2)",
        &bytes(&columns),
    );
    write_npy(
        &here.join("x2.npy"),
        "<f4",
        false,
        "(20, 2)",
        &bytes(&flat(40..60)),
    );
    let labels = |rows: std::ops::Range<usize>| -> Vec<u8> {
        rows.flat_map(|row| (5 + (row % 2) as i64).to_le_bytes())
            .collect()
    };
    write_npy(&here.join("y.npy"), "<i8", false, "(40,)", &labels(0..40));
    write_npy(&here.join("y2.npy"), "<i8", false, "(20,)", &labels(40..60));
    let mut single = "y\n".to_owned();
    let mut named = "id,note,kind,sure\n".to_owned();
    for row in 0..40 {
        let _ = writeln!(single, "{}", 5 + row % 2);
        let _ = writeln!(
            named,
            "r{row},free text,{},{}",
            class(row),
            u8::from(row % 4 > 1)
        );
    }
    fs::write(here.join("y.csv"), single).unwrap();
    fs::write(here.join("named.csv"), named).unwrap();
}
