//! A person's own pictures: a few of each class, and others to be recognised.

use std::collections::BTreeMap;
use std::path::Path;

use super::archive::{each, kind};
use super::gathered::Gathered;
use super::{PictureClass, PictureSet};
use crate::Error;
use crate::data::image_shape::ImageShape;
use crate::data::malformed::Malformed;

/// Labelled pictures in classes, and others.
pub struct OwnPictures {
    /// The labelled pictures; the bytes of the others follow theirs.
    pub set: PictureSet,
    /// The file of each picture, from the root of the folder.
    pub names: Vec<String>,
    /// The pictures without a label, sorted by name.
    pub unlabelled: Vec<u32>,
}

/// Folders of pictures without a label.
const UNLABELLED: [&str; 2] = ["unlabelled", "unlabeled"];

impl OwnPictures {
    /// Reads a folder or an archive with a folder of labelled pictures for each class; pictures beside these folders, and
    /// those in a folder `unlabelled`, have no label. All get this shape.
    ///
    /// # Errors
    /// What is wrong with a file, by name; fewer than two classes.
    pub fn read(path: &Path, shape: ImageShape) -> Result<Self, Error> {
        let mut gathered = Gathered::of_shape(shape);
        gathered.begin(path);
        each(
            path,
            kind(path)?,
            &mut |name, bytes| match crate::data::picture::is_picture(&name) {
                true => gathered.add(name, bytes),
                false => Ok(()),
            },
        )?;
        gathered.flush()?;
        let names = std::mem::take(&mut gathered.names);
        let mut classes: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut unlabelled = Vec::new();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|&a, &b| names[a].cmp(&names[b]));
        for number in order {
            let picture = number as u32;
            match names[number].rsplit_once('/') {
                Some((class, _)) if !UNLABELLED.contains(&class) => {
                    classes.entry(class.to_owned()).or_default().push(picture);
                }
                _ => unlabelled.push(picture),
            }
        }
        if classes.len() < 2 {
            return Err(Malformed::new(
                "a folder of labelled pictures for each of at least two classes",
                match classes.len() {
                    0 => "no such folder with PNG or JPEG pictures".to_owned(),
                    _ => classes.into_keys().collect(),
                },
            )
            .at(path));
        }
        let class = |(name, pictures)| PictureClass {
            name,
            split: None,
            pictures,
        };
        Ok(Self {
            set: PictureSet {
                shape,
                classes: classes.into_iter().map(class).collect(),
                bytes: gathered.bytes,
            },
            names,
            unlabelled,
        })
    }
}
