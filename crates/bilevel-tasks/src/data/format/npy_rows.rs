//! Single NumPy arrays: rows of features, or labels.

use super::file::{Format, Opened};
use super::row_bytes::{RowBytes, blocks};
use crate::Error;
use crate::data::array::Array;
use crate::data::changes::Rewrite;
use crate::data::labels::Labels;
use crate::data::npy;
use crate::data::problem::TableProblem;
use crate::data::table::{Features, LabelsWanted, Table};

pub(super) const FORMAT: Format = Format {
    name: "an NPY array",
    is: |start| npy::is(start.bytes),
    read,
    rewrite: Some(rewrite),
    columns: false,
};

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let array = npy::parse(&mut opened.source.into_reader()).map_err(|f| f.at(path))?;
    of_array(array, "an NPY array", false, &OpenedAs { path, wanted })
}

/// The array with changes: the first axis counts the rows, and of labels the second one if the first is 1.
fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    let raw = npy::raw(&bytes).map_err(|failure| failure.at(path))?;
    let lying = wanted.labels == LabelsWanted::Only && matches!(raw.shape[..], [1, _]);
    changed(&raw, usize::from(lying), true, changes, path)
}

/// An array with changes, whose rows this axis counts; `labels` says whether it has the labels.
pub(super) fn changed(
    raw: &npy::Raw<'_>,
    axis: usize,
    labels: bool,
    changes: &Rewrite,
    path: &std::path::Path,
) -> Result<Vec<u8>, Error> {
    let element = |label: &str| raw.element(label);
    let rows = RowBytes {
        path,
        rows: raw.shape.get(axis).copied().unwrap_or_default(),
        blocks: blocks(&raw.shape, axis, raw.fortran_order),
        bytes: raw.elements,
        element: labels.then_some(&element),
    };
    let (rows, left) = rows.changed(changes)?;
    let mut shape = raw.shape.clone();
    if let Some(length) = shape.get_mut(axis) {
        *length = left;
    }
    Ok(raw.with(&shape, &rows))
}

/// The file that an array comes from.
pub(super) struct OpenedAs<'a> {
    pub(super) path: &'a std::path::Path,
    pub(super) wanted: &'a crate::data::roles::TableColumns,
}

/// The table of a file that holds one array; bytes are pixels, and labels may be extended, if `pixels` says that it is
/// one of the MNIST family.
pub(super) fn of_array(
    array: Array,
    kind: &str,
    pixels: bool,
    file: &OpenedAs<'_>,
) -> Result<Table, Error> {
    let (path, wanted) = (file.path, file.wanted);
    let rows = array.shape.first().copied().unwrap_or_default();
    if wanted.labels == LabelsWanted::Only {
        let rows = if rows == 1 { array.values.len() } else { rows };
        let labels = array
            .into_labels(Labels::new(path, None), pixels)
            .map_err(|problem| problem.at(path))?;
        return Ok(Table {
            labels: Some(labels),
            ..Table::new(path, kind, rows)
        });
    }
    if array.shape.len() == 1 && wanted.labels != LabelsWanted::IfThere {
        return Err(TableProblem::OnlyLabels.at(path));
    }
    let mut array = array;
    if array.shape.len() == 1 {
        array.shape.push(1);
    }
    let matrix = array
        .into_matrix(pixels)
        .map_err(|problem| problem.at(path))?;
    let table = Table {
        features: Features::Matrix(matrix),
        ..Table::new(path, kind, rows)
    };
    table.expect_content()?;
    Ok(table)
}
