//! Pictures as they are found, decoded in groups.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::Error;
use crate::data::image_shape::ImageShape;
use crate::data::malformed::Malformed;
use crate::data::picture::Pixels;
use crate::data::room::{NoRoom, Room};

/// Pictures that are decoded before their pixels are put together.
const GROUP: usize = 256;
/// Sides of pictures that are used as they are, unless a size is asked for.
const SMALL: u32 = 84;
/// The usual size of drawings.
const DRAWING: u32 = 28;

/// A picture file that was read.
struct Read {
    /// Its path from the root of its tree.
    name: String,
    bytes: Vec<u8>,
}

/// All pictures of some trees.
pub(super) struct Gathered {
    /// Height and width to which pictures are resized.
    size: Option<(u32, u32)>,
    /// The channels that all are to have, if that is asked for.
    channels: Option<usize>,
    /// The shape of all, with the name of the first.
    shape: Option<(ImageShape, String)>,
    pub(super) bytes: Vec<u8>,
    waiting: Vec<Read>,
    /// The tree that is read.
    root: PathBuf,
    /// The names of the pictures of this tree, in the order of `bytes`.
    pub(super) names: Vec<String>,
    /// How many pictures the trees before had.
    pub(super) before: usize,
    room: Room,
    pub(super) notes: Vec<String>,
}

impl Gathered {
    pub(super) fn new(size: Option<(u32, u32)>) -> Self {
        Self {
            size,
            channels: None,
            shape: None,
            bytes: Vec::new(),
            waiting: Vec::new(),
            root: PathBuf::new(),
            names: Vec::new(),
            before: 0,
            room: Room::default(),
            notes: Vec::new(),
        }
    }

    /// All of this size, with so many channels.
    pub(super) fn of_shape(shape: ImageShape) -> Self {
        let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Self {
            channels: Some(shape.channels),
            ..Self::new(Some((side(shape.height), side(shape.width))))
        }
    }

    /// From now on, pictures are of this tree.
    pub(super) fn begin(&mut self, root: &Path) {
        self.before += self.names.len();
        self.names.clear();
        root.clone_into(&mut self.root);
    }

    /// Adds a picture file.
    pub(super) fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), Error> {
        if self.size.is_none() && self.shape.is_none() {
            self.choose(&name, &bytes)?;
        }
        self.waiting.push(Read { name, bytes });
        match self.waiting.len() {
            GROUP => self.flush(),
            _ => Ok(()),
        }
    }

    /// The first picture chooses a size, if it is large.
    fn choose(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let first = Pixels::decode(bytes, None).map_err(|problem| self.at(name, problem))?;
        if first.width.max(first.height) > SMALL {
            let side = if first.channels == 1 { DRAWING } else { SMALL };
            self.size = Some((side, side));
            self.notes.push(format!(
                "pictures are resized to {side}×{side}; the first is {}×{}",
                first.height, first.width
            ));
        }
        let shape = ImageShape {
            height: self.size.map_or(first.height, |(height, _)| height) as usize,
            width: self.size.map_or(first.width, |(_, width)| width) as usize,
            channels: first.channels,
        };
        self.shape = Some((shape, name.to_owned()));
        Ok(())
    }

    fn at(&self, name: &str, problem: Malformed) -> Error {
        problem.in_place(name).at(&self.root)
    }

    /// Decodes what waits.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        let size = self.size;
        let decoded: Vec<Result<Pixels, Malformed>> = waiting
            .par_iter()
            .map(|read| Pixels::decode(&read.bytes, size))
            .collect();
        for (pixels, Read { name, .. }) in decoded.into_iter().zip(waiting) {
            let pixels = pixels.map_err(|problem| self.at(&name, problem))?;
            self.put(name, pixels)?;
        }
        Ok(())
    }

    fn put(&mut self, name: String, mut pixels: Pixels) -> Result<(), Error> {
        if let Some(channels) = self.channels {
            pixels = pixels.with_channels(channels);
        }
        let found = ImageShape {
            height: pixels.height as usize,
            width: pixels.width as usize,
            channels: pixels.channels,
        };
        let (known, first) = self.shape.get_or_insert_with(|| (found, name.clone()));
        if (known.height, known.width) != (found.height, found.width) {
            let problem = Malformed::new(
                format!(
                    "pictures of one size, such as {}×{} ({first})",
                    known.height, known.width
                ),
                format!("{}×{} ({name})", found.height, found.width),
            );
            let side = known.height.min(found.height);
            return Err(problem.at(&self.root).resizing(side));
        }
        if known.channels < found.channels {
            // The first picture in colour: those before it get three equal channels.
            self.bytes = self.bytes.iter().flat_map(|&grey| [grey; 3]).collect();
            known.channels = found.channels;
        } else if known.channels > found.channels {
            pixels = pixels.with_channels(known.channels);
        }
        let asked = self.room.count(pixels.bytes.len() as u64);
        asked.map_err(|found: NoRoom| Malformed::from(found).at(&self.root))?;
        self.bytes.extend(pixels.bytes);
        self.names.push(name);
        Ok(())
    }

    /// The shape of all pictures, if there are any.
    pub(super) fn shape(&self) -> Option<ImageShape> {
        self.shape.as_ref().map(|(shape, _)| *shape)
    }
}
