//! Pictures in files of tables: IDX, CIFAR, NPZ and others.

use std::path::Path;

use super::PictureSet;
use crate::Error;
use crate::data::Dataset;
use crate::data::labels::classes;
use crate::data::malformed::Malformed;
use crate::data::preparation::{Policy, Preparation, Scale};
use crate::data::table::{FeatureColumns, LabelsWanted, Table, TableColumns};

/// Names of IDX files: of pictures, and of their labels.
const IDX: [(&str, &str); 2] = [
    ("images-idx3", "labels-idx1"),
    ("images.idx3", "labels.idx1"),
];

/// Reads the rows of a file as pictures; the labels of an IDX file are in the file of the usual name beside it.
pub(super) fn read(path: &Path, size: Option<(u32, u32)>) -> Result<PictureSet, Error> {
    let wanted = TableColumns {
        image_size: size,
        ..TableColumns::default()
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = IDX.iter().find(|(pictures, _)| name.contains(pictures));
    let table = match beside {
        Some((pictures, labels)) => {
            let of_labels = path.with_file_name(name.replace(pictures, labels));
            if !of_labels.is_file() {
                return Err(Malformed::new(
                    format!("the file of labels {} beside it", of_labels.display()),
                    "none",
                )
                .at(path));
            }
            let features = TableColumns {
                labels: LabelsWanted::No,
                ..wanted.clone()
            };
            let only = TableColumns {
                labels: LabelsWanted::Only,
                features: FeatureColumns::None,
                ..wanted
            };
            Table::read(path, &features)?.with_labels_of(Table::read(&of_labels, &only)?)?
        }
        None => Table::read(path, &wanted)?,
    };
    let policy = Policy {
        scale: Some(Scale::None),
        ..Policy::default()
    };
    let no_pictures = || {
        Malformed::new(
            "pictures with labels: a folder or archive of PNG or JPEG files, or rows of pixels",
            "rows that are none",
        )
        .at(path)
    };
    let (_, prepared) = Preparation::fit(table, &policy)?;
    let (Some(shape), Some(labels)) = (prepared.image, prepared.labels.as_ref()) else {
        return Err(no_pictures());
    };
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let own = (side(shape.height), side(shape.width));
    if let Some((height, width)) = size.filter(|&size| size != own) {
        return Err(Malformed::new(
            format!("pictures of {height}×{width}: rows of pixels are not resized"),
            format!("{}×{}", shape.height, shape.width),
        )
        .at(path));
    }
    let found = classes(&[labels], false)?;
    let of = found.of.first().map_or(&[][..], Vec::as_slice);
    let label = |&row: &usize| of.get(row).copied().flatten();
    let labels: Option<Vec<u32>> = prepared.rows.iter().map(label).collect();
    let labels = labels.ok_or_else(no_pictures)?;
    let data = Dataset::of_values(prepared.features, prepared.columns, labels, found.names)?
        .with_image_shape(shape)?;
    PictureSet::of_dataset(&data).ok_or_else(no_pictures)
}
