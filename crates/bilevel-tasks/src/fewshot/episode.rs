//! Tasks drawn from classes: a pure function of a key and a number.

use std::sync::Arc;

use bilevel::Key;
use bilevel_autodiff::Real;
use rand::Rng;
use rand::seq::SliceRandom;

use super::classes::{Classes, TaskClass};
use super::objectives::Pictures;
use super::problem::FewshotProblem;
use crate::data::pictures::{PictureSet, Split};

/// A picture and its quarter turns.
type Drawn = (u32, u8);

/// So many different numbers below `len`, in random order.
fn sample(rng: &mut impl Rng, len: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..len).collect();
    let (chosen, _) = all.partial_shuffle(rng, count);
    chosen.to_vec()
}

/// An n-way k-shot task: no class twice, no picture twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// The class that each label stands for.
    pub classes: Vec<TaskClass>,
    /// The pictures of the support set, class by class.
    pub support: Vec<Drawn>,
    /// Those of the query set, class by class.
    pub query: Vec<Drawn>,
}

/// All tasks from the classes for one purpose.
#[derive(Clone)]
pub struct Episodes {
    /// The classes.
    pub classes: Arc<Classes>,
    /// What the classes are for.
    pub split: Split,
    /// Classes of a task.
    pub way: usize,
    /// Pictures of each class in the support set.
    pub shot: usize,
    /// Pictures of each class in the query set.
    pub query: usize,
}

impl Episodes {
    /// Checks that every task can be drawn.
    ///
    /// # Errors
    /// Too few classes, or a class with too few pictures.
    pub fn validate(&self) -> Result<(), FewshotProblem> {
        let (classes, least) = (self.classes.of(self.split), self.shot + self.query);
        if classes.len() < self.way {
            return Err(FewshotProblem::FewClasses {
                split: self.split,
                found: classes.len(),
                way: self.way,
            });
        }
        let all = classes.iter().filter(|class| class.turns == 0);
        let all = all.map(|class| &self.classes.set.classes[class.class]);
        let mut few = all.filter(|class| class.pictures.len() < least).peekable();
        match few.peek() {
            None => Ok(()),
            Some(&first) => Err(FewshotProblem::FewPictures {
                class: first.name.clone(),
                found: first.pictures.len(),
                shot: self.shot,
                query: self.query,
                classes: few.count(),
            }),
        }
    }

    /// Task `number`.
    #[must_use]
    pub fn draw(&self, key: Key, number: usize) -> Episode {
        let mut rng = key.fold_in(number as u64).rng();
        let all = self.classes.of(self.split);
        let way = self.way.min(all.len());
        let chosen = sample(&mut rng, all.len(), way);
        let classes: Vec<TaskClass> = chosen.into_iter().map(|number| all[number]).collect();
        let (mut support, mut query) = (Vec::new(), Vec::new());
        for class in &classes {
            let pictures = &self.classes.set.classes[class.class].pictures;
            let wanted = (self.shot + self.query).min(pictures.len());
            let drawn = sample(&mut rng, pictures.len(), wanted);
            for (place, number) in drawn.into_iter().enumerate() {
                let to = match place < self.shot {
                    true => &mut support,
                    false => &mut query,
                };
                to.push((pictures[number], class.turns));
            }
        }
        Episode {
            classes,
            support,
            query,
        }
    }

    /// The support set and the query set of a task, as numbers from 0 to 1.
    #[must_use]
    pub fn pictures<T: Real>(&self, episode: &Episode) -> [Pictures<T>; 2] {
        let of = |drawn: &[Drawn]| {
            let each = drawn.len() / episode.classes.len().max(1);
            Pictures {
                elements: self.classes.elements(drawn),
                labels: (0..drawn.len())
                    .map(|place| (place / each.max(1)) as u32)
                    .collect(),
            }
        };
        [of(&episode.support), of(&episode.query)]
    }
}

impl Classes {
    /// Pictures as numbers from 0 to 1, turned, with a black background.
    #[must_use]
    pub fn elements<T: Real>(&self, drawn: &[Drawn]) -> Arc<[T]> {
        elements(&self.set, self.inverted, drawn)
    }
}

/// Pictures as numbers from 0 to 1, turned; `inverted` exchanges light and dark.
pub(super) fn elements<T: Real>(set: &PictureSet, inverted: bool, drawn: &[Drawn]) -> Arc<[T]> {
    let shape = set.shape;
    let mut table = [T::zero(); 256];
    for (byte, number) in table.iter_mut().enumerate() {
        let byte = if inverted { 255 - byte } else { byte };
        *number = T::from_f64(byte as f64 / 255.0);
    }
    let mut all = Vec::with_capacity(drawn.len() * shape.pixels());
    for &(picture, turns) in drawn {
        let pixels = set.pixels(picture);
        for row in 0..shape.height {
            for column in 0..shape.width {
                // Only square pictures are turned.
                let last = shape.height - 1;
                let (from_row, from_column) = match turns % 4 {
                    0 => (row, column),
                    1 => (column, last - row),
                    2 => (last - row, last - column),
                    _ => (last - column, row),
                };
                let start = (from_row * shape.width + from_column) * shape.channels;
                let pixel = &pixels[start..start + shape.channels];
                all.extend(pixel.iter().map(|&byte| table[usize::from(byte)]));
            }
        }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::classes::{Rotations, SplitBy};
    use super::*;
    use crate::data::digits::digits;

    fn episodes(way: usize, shot: usize, query: usize) -> Episodes {
        let set = PictureSet::of_dataset(&digits()).unwrap();
        let key = Key::from_seed(0);
        let by = SplitBy::Class;
        let classes = Classes::new(Arc::new(set), [None; 3], by, Rotations::Auto, key).unwrap();
        Episodes {
            classes: Arc::new(classes),
            split: Split::Train,
            way,
            shot,
            query,
        }
    }

    #[test]
    fn no_class_and_no_picture_is_twice_in_a_task() {
        let episodes = episodes(5, 3, 7);
        episodes.validate().unwrap();
        let key = Key::from_seed(7);
        for number in 0..50 {
            let task = episodes.draw(key, number);
            assert_eq!(task, episodes.draw(key, number), "a pure function");
            assert_ne!(task, episodes.draw(key, number + 1));
            let classes: BTreeSet<_> = task.classes.iter().collect();
            let pictures: BTreeSet<_> = task.support.iter().chain(&task.query).collect();
            assert_eq!((classes.len(), pictures.len()), (5, 50));
            let [support, query] = episodes.pictures::<f32>(&task);
            assert_eq!(
                support.labels[..],
                [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
            );
            assert_eq!(query.elements.len(), 35 * 64);
            let set = &episodes.classes.set;
            for (place, (picture, _)) in task.query.iter().enumerate() {
                let class = task.classes[place / 7].class;
                assert!(set.classes[class].pictures.contains(picture));
            }
        }
    }

    #[test]
    fn four_turns_are_none() {
        let episodes = episodes(5, 1, 1);
        let classes = &episodes.classes;
        let plain = classes.elements::<f32>(&[(3, 0)]);
        let turned = classes.elements::<f32>(&[(3, 1)]);
        // The first row of the turned picture is the last column of the plain one.
        let column: Vec<f32> = (0..8).map(|row| plain[row * 8 + 7]).collect();
        assert_eq!(turned[..8], column);
        let back: Vec<f32> = classes
            .elements::<f32>(&[(3, 2)])
            .iter()
            .rev()
            .copied()
            .collect();
        assert_eq!(back, plain[..]);
        assert_ne!(classes.elements::<f32>(&[(3, 3)]), turned);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let few = episodes(5, 100, 90).validate().unwrap_err().to_string();
        assert!(
            few.contains("190 pictures, 100 for the support set"),
            "{few}"
        );
        let many = episodes(25, 1, 1).validate().unwrap_err().to_string();
        assert!(many.contains("at least 25 classes for training"), "{many}");
    }
}
