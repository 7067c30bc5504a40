//! Decoded pictures in classes, as few-shot learning draws them.

mod archive;
mod cache;
mod gathered;
mod lists;
mod other;
mod own;
mod read;
pub(crate) mod split;
#[cfg(test)]
mod tests;

use super::{Dataset, ImageShape};
pub use own::OwnPictures;
pub use read::PictureOptions;
pub use split::Split;

/// Pictures of one size in classes, 8 bits a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PictureSet {
    /// The shape of every picture.
    pub shape: ImageShape,
    /// The classes, sorted by name.
    pub classes: Vec<PictureClass>,
    /// The pictures one after the other, row by row, the channels of a pixel together: 0 is black, 255 white or full
    /// colour.
    pub bytes: Vec<u8>,
}

/// A class of pictures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PictureClass {
    /// Its name: the folder, with the folders above it.
    pub name: String,
    /// The part of training that a list of the data set assigns it to.
    pub split: Option<Split>,
    /// Its pictures, sorted by the names of their files: the place of each among all pictures.
    pub pictures: Vec<u32>,
}

impl PictureSet {
    /// The rows of a data set of pictures; None if its rows are no pictures.
    #[must_use]
    pub fn of_dataset(data: &Dataset) -> Option<Self> {
        let shape = data.image_shape()?;
        let names = data.class_names().iter();
        let mut classes: Vec<PictureClass> = names
            .map(|name| PictureClass {
                name: name.clone(),
                split: None,
                pictures: Vec::new(),
            })
            .collect();
        for (row, &label) in (0..).zip(data.labels()) {
            classes[label as usize].pictures.push(row);
        }
        classes.retain(|class| !class.pictures.is_empty());
        let features = data.features();
        let byte = |&value: &f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        Some(Self {
            shape,
            classes,
            bytes: features.iter().map(byte).collect(),
        })
    }

    /// The pixels of a picture.
    #[must_use]
    pub fn pixels(&self, picture: u32) -> &[u8] {
        let length = self.shape.pixels();
        let start = picture as usize * length;
        &self.bytes[start..start + length]
    }
}
