//! Reads sets of pictures from folders, archives and files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::archive::{Kind, each, kind};
use super::gathered::Gathered;
use super::lists::{Found, List, of_folders, of_lists};
use super::split::Split;
use super::{PictureClass, PictureSet, cache, other};
use crate::Error;
use crate::count::count;
use crate::data::malformed::Malformed;
use crate::fewshot::problem::FewshotProblem;

/// How pictures are read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PictureOptions {
    /// Height and width to which all are resized. Otherwise small pictures stay as they are, and the first of large ones
    /// decides: drawings become 28×28, photographs 84×84.
    pub size: Option<(u32, u32)>,
    /// The folder in which decoded sets are kept; None: they are not.
    pub cache: Option<PathBuf>,
}

impl PictureSet {
    /// Reads folders, ZIP and TAR archives of PNG and JPEG files, and files of rows of pixels, as one set; also returns
    /// what the user should know.
    ///
    /// In a tree, each folder that holds pictures is a class; its name is its path without the folders that all share.
    /// The lists `train.csv`, `val.csv` and `test.csv` of Mini-ImageNet (columns filename and label), or folders of these
    /// names, say what classes are for.
    ///
    /// # Errors
    /// What is wrong with a file, by name; pictures of different sizes; a class in two paths.
    pub fn read(paths: &[PathBuf], options: &PictureOptions) -> Result<(Self, Vec<String>), Error> {
        let folder = options.cache.as_deref();
        let key = folder.and_then(|_| cache::key(paths, options.size));
        if let Some((folder, key)) = folder.zip(key)
            && let Some(found) = cache::read(folder, key)
        {
            return Ok(found);
        }
        let (set, mut notes) = decode(paths, options.size)?;
        if let Some((folder, key)) = folder.zip(key)
            && let Err(error) = cache::write(folder, key, &set, &notes)
        {
            notes.push(format!(
                "decoded pictures cannot be kept in {}: {error}",
                folder.display()
            ));
        }
        Ok((set, notes))
    }

    /// The same with the classes of another set, which are for the test alone.
    ///
    /// # Errors
    /// A class of the same name, or pictures of another shape.
    pub fn with_test(mut self, test: Self) -> Result<Self, Error> {
        if test.shape.channels < self.shape.channels {
            return self.with_test(test.in_colour());
        }
        if test.shape.channels > self.shape.channels {
            return self.in_colour().with_test(test);
        }
        let before = (self.bytes.len() / self.shape.pixels().max(1)) as u32;
        for class in test.classes {
            if self.classes.iter().any(|own| own.name == class.name) {
                return Err(FewshotProblem::TwoSplits { class: class.name }.into());
            }
            self.classes.push(PictureClass {
                split: Some(Split::Test),
                pictures: class.pictures.iter().map(|p| p + before).collect(),
                name: class.name,
            });
        }
        self.classes.sort_by(|a, b| a.name.cmp(&b.name));
        self.bytes.extend(test.bytes);
        Ok(self)
    }

    /// With three equal channels instead of one.
    fn in_colour(mut self) -> Self {
        self.bytes = self.bytes.iter().flat_map(|&grey| [grey; 3]).collect();
        self.shape.channels = 3;
        self
    }
}

fn decode(paths: &[PathBuf], size: Option<(u32, u32)>) -> Result<(PictureSet, Vec<String>), Error> {
    let mut gathered = Gathered::new(size);
    let mut classes: BTreeMap<String, PictureClass> = BTreeMap::new();
    let mut sets = Vec::new();
    for path in paths {
        let kind = kind(path)?;
        if kind == Kind::Other {
            sets.push((other::read(path, size)?, path));
            continue;
        }
        for (name, found) in tree(path, kind, &mut gathered)? {
            let before = gathered.before;
            let place = |number: &usize| (before + number) as u32;
            let class = PictureClass {
                name: name.clone(),
                split: found.split,
                pictures: found.pictures.iter().map(place).collect(),
            };
            if classes.insert(name.clone(), class).is_some() {
                return Err(Malformed::new(
                    "classes that are in one of the paths alone",
                    format!("{name}, which an earlier path has too"),
                )
                .at(path));
            }
        }
    }
    let notes = std::mem::take(&mut gathered.notes);
    let mut set = gathered.shape().map(|shape| PictureSet {
        shape,
        classes: classes.into_values().collect(),
        bytes: std::mem::take(&mut gathered.bytes),
    });
    for (more, path) in sets {
        set = Some(match set {
            None => more,
            Some(_) => {
                return Err(Malformed::new(
                    "folders and archives of pictures, or one file of rows of pixels",
                    "both, or several files",
                )
                .at(path));
            }
        });
    }
    let set = set.ok_or_else(|| {
        let first = paths.first().map_or(Path::new(""), PathBuf::as_path);
        Malformed::new(
            "PNG or JPEG pictures in a folder for each class",
            "no picture",
        )
        .at(first)
    })?;
    Ok((set, notes))
}

/// The classes of a tree, each with the numbers of its pictures in this tree, sorted by the names of the files.
fn tree(
    path: &Path,
    kind: Kind,
    gathered: &mut Gathered,
) -> Result<BTreeMap<String, Found>, Error> {
    gathered.begin(path);
    let mut lists: Vec<List> = Vec::new();
    let others = each(path, kind, &mut |name, bytes| {
        if name.ends_with(".csv") {
            lists.extend(List::named(&name, &bytes));
            return Ok(());
        }
        gathered.add(name, bytes)
    })?;
    gathered.flush()?;
    if others > 0 {
        gathered.notes.push(format!(
            "{}: {} passed over: no PNG or JPEG pictures",
            path.display(),
            count(others, "file")
        ));
    }
    if gathered.names.is_empty() {
        return Err(Malformed::new(
            "PNG or JPEG pictures in a folder for each class",
            "no picture",
        )
        .at(path));
    }
    let mut classes = if lists.is_empty() {
        of_folders(path, &gathered.names)?
    } else {
        let (classes, left_out) = of_lists(path, &gathered.names, &lists)?;
        if left_out > 0 {
            gathered.notes.push(format!(
                "{}: {} left out: no list names them",
                path.display(),
                count(left_out, "picture")
            ));
        }
        classes
    };
    for class in classes.values_mut() {
        class
            .pictures
            .sort_by(|&a, &b| gathered.names[a].cmp(&gathered.names[b]));
    }
    Ok(classes)
}
