//! Folders of pictures (PNG, JPEG), one folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::Error;
use crate::data::changes::{Edit, Rewrite};
use crate::data::image_shape::ImageShape;
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::picture::{FULL, Pixels, is_picture};
use crate::data::room::{NoRoom, Room};
use crate::data::table::{
    FeatureColumns, Features, LabelsWanted, Matrix, Numbers, ReadNote, Table, TableColumns,
};

/// Pictures that are decoded before their pixels are put together.
const GROUP: usize = 256;

/// A picture file, and its class: the name of the folder.
struct File {
    path: PathBuf,
    class: String,
    /// Its path in the folder of all.
    name: String,
}

/// Reads a folder that has a folder of pictures for each class.
pub(super) fn read(folder: &Path, wanted: &TableColumns) -> Result<Table, Error> {
    let (files, others) = files(folder)?;
    if files.is_empty() {
        return Err(Malformed::new(
            "a folder for each class, with PNG or JPEG pictures in it",
            "no such picture",
        )
        .at(folder));
    }
    // A later set has the channels of the first.
    let channels = match (&wanted.features, wanted.image_size) {
        (FeatureColumns::Same { columns, .. }, _) => Some(columns.len()),
        _ => None,
    };
    let room = Room::default();
    let no_room = |found: NoRoom| Malformed::from(found).at(folder);
    let mut bytes: Vec<u8> = Vec::new();
    let mut shape: Option<(ImageShape, &File)> = None;
    for group in files.chunks(GROUP) {
        let decoded: Vec<Result<Pixels, Error>> = group
            .par_iter()
            .map(|file| decode(&file.path, wanted))
            .collect();
        for (pixels, file) in decoded.into_iter().zip(group) {
            let mut pixels = pixels?;
            if let Some(columns) = channels {
                let area = pixels.width as usize * pixels.height as usize;
                pixels = pixels.with_channels(if columns == area { 1 } else { 3 });
            }
            let found = ImageShape {
                height: pixels.height as usize,
                width: pixels.width as usize,
                channels: pixels.channels,
            };
            let (known, first) = *shape.get_or_insert((found, file));
            if (known.height, known.width) != (found.height, found.width) {
                return Err(Malformed::new(
                    format!(
                        "pictures of one size, such as {}×{} ({})",
                        known.height, known.width, first.name
                    ),
                    format!("{}×{} ({})", found.height, found.width, file.name),
                )
                .at(folder)
                .resizing(known.height.min(found.height)));
            }
            if known.channels < found.channels {
                // The first picture in colour: those before it get three equal channels.
                bytes = bytes.iter().flat_map(|&grey| [grey; 3]).collect();
                shape = Some((found, first));
            } else if known.channels > found.channels {
                pixels = pixels.with_channels(known.channels);
            }
            room.count(pixels.bytes.len() as u64).map_err(no_room)?;
            bytes.extend(pixels.bytes);
        }
    }
    let Some((shape, _)) = shape else {
        return Err(Malformed::new("pictures", "none").at(folder));
    };
    // Of each byte a number is made.
    room.ask(4 * bytes.len() as u64).map_err(no_room)?;
    let rows = files.len();
    let mut labels = Labels::new(folder, Some("folder".to_owned())).literal();
    files.iter().for_each(|file| labels.push(&file.class));
    let only_labels = wanted.labels == LabelsWanted::Only;
    let features = Features::Matrix(Matrix {
        values: Numbers::F32(bytes.iter().map(|&byte| f32::from(byte) / FULL).collect()),
        width: shape.pixels(),
        numbers: None,
        image: Some(shape),
        pixels: true,
    });
    let mut table = Table {
        features: if only_labels {
            Features::None
        } else {
            features
        },
        labels: Some(labels),
        id_column: Some("file".to_owned()),
        ids: Some(files.into_iter().map(|file| file.name).collect()),
        ..Table::new(folder, "a folder of pictures", rows)
    };
    if others > 0 {
        table.notes.push(ReadNote {
            kind: "other_files",
            column: None,
            count: others,
            message: format!("files that are no PNG or JPEG pictures are passed over: {others}"),
        });
    }
    Ok(table)
}

/// The pictures in the folders of the classes, sorted by name, and the number of other files.
fn files(folder: &Path) -> Result<(Vec<File>, usize), Error> {
    let mut files = Vec::new();
    let mut others = 0;
    for (class, path) in entries(folder)? {
        if path.is_dir() {
            collect(&path, &class, &class, &mut files, &mut others)?;
        } else {
            others += 1;
        }
    }
    Ok((files, others))
}

fn collect(
    folder: &Path,
    class: &str,
    inside: &str,
    files: &mut Vec<File>,
    others: &mut usize,
) -> Result<(), Error> {
    for (name, path) in entries(folder)? {
        let inside = format!("{inside}/{name}");
        if path.is_dir() {
            // Classes are the folders that hold pictures, not those above them.
            if contains_picture(&path)? {
                return Err(Malformed::new(
                    "pictures in the folder of each class",
                    format!("the folder {inside} of pictures below it"),
                )
                .remedy("name the folder whose folders are the classes")
                .at(folder));
            }
            *others += 1;
        } else if is_picture(&name) {
            files.push(File {
                path,
                class: class.to_owned(),
                name: inside,
            });
        } else {
            *others += 1;
        }
    }
    Ok(())
}

/// Whether a folder holds a picture, or a folder of it does.
fn contains_picture(folder: &Path) -> Result<bool, Error> {
    for (name, path) in entries(folder)? {
        let link = path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_symlink());
        let found = if path.is_dir() && !link {
            contains_picture(&path)?
        } else {
            is_picture(&name)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names and paths, sorted by name, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let unreadable = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Copies the pictures to a new folder with changes: a label is the name of the folder of a picture.
pub(super) fn rewrite(folder: &Path, changes: &Rewrite, to: &Path) -> Result<(), Error> {
    let (files, _) = files(folder)?;
    for (row, file) in files.iter().enumerate() {
        let class = match changes.edit(row) {
            Edit::Keep => &file.class,
            Edit::Drop => continue,
            Edit::Label(label) => label,
        };
        let name = file.path.file_name().unwrap_or_default();
        let mut copy = to.join(class).join(name);
        if copy.exists() {
            // A picture of another class has this name.
            let mut renamed = std::ffi::OsString::from(format!("{}-", file.class));
            renamed.push(name);
            copy.set_file_name(renamed);
        }
        let copied = fs::create_dir_all(to.join(class)).and_then(|()| fs::copy(&file.path, &copy));
        copied.map_err(|source| Error::Write { path: copy, source })?;
    }
    Ok(())
}

fn decode(path: &Path, wanted: &TableColumns) -> Result<Pixels, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Pixels::decode(&bytes, wanted.image_size).map_err(|problem| problem.at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_no_more_pixels_than_its_bytes_can_hold() {
        let folder = tempfile::tempdir().unwrap();
        let stored =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored/pictures/cat/0.png");
        let mut bytes = fs::read(stored).unwrap();
        // Width and height, and the checksum of the header, which covers them.
        bytes[16..20].copy_from_slice(&20_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&20_000_u32.to_be_bytes());
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
        fs::create_dir(folder.path().join("cat")).unwrap();
        fs::write(folder.path().join("cat/0.png"), bytes).unwrap();
        let told = Table::read(folder.path(), &TableColumns::default());
        let told = told.unwrap_err().to_string();
        assert!(told.contains("20000×20000 pixels in"), "{told}");
    }
}
