//! The binary files of CIFAR-10 and CIFAR-100 (A. Krizhevsky, *Learning multiple layers of features from tiny images*,
//! 2009): for each picture one or two labels of a byte, then 32×32 bytes each of red, green and blue.

use super::file::{Format, Opened, Start};
use crate::Error;
use crate::data::array::{Array, Values};
use crate::data::changes::{Edit, Rewrite};
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::table::{Features, LabelsWanted, Table};

pub(super) const FORMAT: Format = Format {
    name: "a binary file of CIFAR-10 or CIFAR-100",
    is: |start| labels(start).is_some(),
    read,
    rewrite: Some(rewrite),
    columns: false,
};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const PIXELS: usize = SIDE * SIDE * CHANNELS;
/// The classes of each label of a picture.
const CIFAR_10: &[u8] = &[10];
const CIFAR_100: &[u8] = &[20, 100];
const NAMES: [&str; 2] = ["coarse", "fine"];

/// The labels of a picture: where they would be, every byte is one.
fn labels(start: &Start<'_>) -> Option<&'static [u8]> {
    let bytes = start.bytes;
    [CIFAR_10, CIFAR_100].into_iter().find(|labels| {
        let size = labels.len() + PIXELS;
        let whole = if start.whole {
            bytes.len().is_multiple_of(size)
        } else {
            true
        };
        let records = bytes.chunks_exact(size);
        let fits = |record: &[u8]| record.iter().zip(*labels).all(|(byte, &most)| *byte < most);
        whole && bytes.len() >= size && records.into_iter().all(fits)
    })
}

/// The pictures with changes.
fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let path = opened.path;
    let start = Start {
        bytes: opened.source.start(),
        whole: opened.source.is_short(),
    };
    let classes = labels(&start).unwrap_or(CIFAR_10);
    let coarse = opened.wanted.label.as_deref() == Some(NAMES[0]);
    let which = if coarse { 0 } else { classes.len() - 1 };
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    let mut out = Vec::with_capacity(bytes.len());
    for (row, record) in bytes.chunks_exact(classes.len() + PIXELS).enumerate() {
        match changes.edit(row) {
            Edit::Keep => out.extend_from_slice(record),
            Edit::Drop => {}
            Edit::Label(label) => {
                let known = label.parse().ok().filter(|byte| *byte < classes[which]);
                let expected = format!("a label below {}", classes[which]);
                let byte = known.ok_or_else(|| Malformed::new(expected, label.clone()).at(path))?;
                let at = out.len() + which;
                out.extend_from_slice(record);
                out[at] = byte;
            }
        }
    }
    Ok(out)
}

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let start = Start {
        bytes: opened.source.start(),
        whole: opened.source.is_short(),
    };
    let Some(classes) = labels(&start) else {
        return Err(Malformed::new("pictures of CIFAR", "other bytes").at(path));
    };
    let coarse = wanted.label.as_deref() == Some(NAMES[0]);
    // The only label, or the fine one.
    let which = if coarse { 0 } else { classes.len() - 1 };
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    let size = classes.len() + PIXELS;
    if !bytes.len().is_multiple_of(size) {
        return Err(Malformed::new(
            format!("pictures of {size} bytes each"),
            format!(
                "{} bytes, {} more than whole pictures",
                bytes.len(),
                bytes.len() % size
            ),
        )
        .at(path));
    }
    let rows = bytes.len() / size;
    let mut labels = Labels::new(path, None);
    let mut pixels = Vec::with_capacity(rows * PIXELS);
    for (row, record) in bytes.chunks_exact(size).enumerate() {
        let (own, picture) = record.split_at(classes.len());
        if let Some(at) = (0..classes.len()).find(|&at| own[at] >= classes[at]) {
            return Err(Malformed::new(
                format!("a label below {}", classes[at]),
                own[at].to_string(),
            )
            .in_place(format!("row {row}"))
            .at(path));
        }
        labels.extend_integers(std::iter::once(i64::from(own[which])));
        pixels.extend_from_slice(picture);
    }
    drop(bytes);
    let array = Array {
        shape: vec![rows, CHANNELS, SIDE, SIDE],
        values: Values::U8(pixels),
    };
    let features = if wanted.labels == LabelsWanted::Only {
        Features::None
    } else {
        Features::Matrix(
            array
                .into_matrix(true)
                .map_err(|problem| problem.at(path))?,
        )
    };
    let names: &[&str] = if classes.len() == 2 { &NAMES } else { &[] };
    let kind = if classes.len() == 2 {
        "CIFAR-100 pictures"
    } else {
        "CIFAR-10 pictures"
    };
    Ok(Table {
        features,
        labels: Some(labels),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        ..Table::new(path, kind, rows)
    })
}
