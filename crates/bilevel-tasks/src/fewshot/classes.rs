//! Which classes are for training, for validation and for test.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bilevel::Key;

use super::problem::FewshotProblem;
use crate::data::pictures::{PictureSet, Split};
use crate::shuffle::shuffled;
use crate::stream::SPLIT;

/// A class of tasks: a class of pictures, turned or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskClass {
    /// The class of pictures.
    pub class: usize,
    /// Quarter turns, from 0 to 3.
    pub turns: u8,
}

/// Whether pictures that are turned by quarters are classes of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rotations {
    /// Where pictures are grey and square, as drawings are.
    #[default]
    Auto,
    /// Each class gives four.
    On,
    /// Classes are as they are.
    Off,
}

impl FromStr for Rotations {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(bilevel::text::expected_one_of(
                "auto, on or off",
                text,
                &["auto", "on", "off"],
            )),
        }
    }
}

impl fmt::Display for Rotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// What is drawn together for training, validation or test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SplitBy {
    /// Single classes.
    #[default]
    Class,
    /// All classes of a folder, such as an alphabet.
    Group,
}

impl FromStr for SplitBy {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        match text {
            "class" => Ok(Self::Class),
            "group" | "alphabet" => Ok(Self::Group),
            _ => Err(bilevel::text::expected_one_of(
                "class or group",
                text,
                &["class", "group"],
            )),
        }
    }
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Class => "class",
            Self::Group => "group",
        })
    }
}

/// How many classes are for training, validation and test; None: a share of them.
pub type Counts = [Option<usize>; 3];

const SPLITS: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

/// The shares of the classes, as in Mini-ImageNet.
const SHARES: [f64; 3] = [0.64, 0.16, 0.2];

/// Pictures whose classes are for training, validation or test.
pub struct Classes {
    /// The pictures.
    pub set: Arc<PictureSet>,
    /// Whether light and dark are exchanged, so that the background is black.
    pub inverted: bool,
    /// Whether turned pictures are classes of their own.
    pub turned: bool,
    /// For training, validation and test.
    of: [Vec<TaskClass>; 3],
}

impl Classes {
    /// Splits the classes of a set: as the set itself says, else as many as asked for, drawn with `key`.
    ///
    /// # Errors
    /// More classes than there are, or pictures that cannot be turned.
    pub fn new(
        set: Arc<PictureSet>,
        counts: Counts,
        by: SplitBy,
        rotations: Rotations,
        key: Key,
    ) -> Result<Self, FewshotProblem> {
        let shape = set.shape;
        let square = shape.height == shape.width;
        let turned = match rotations {
            Rotations::Off => false,
            Rotations::Auto => square && shape.channels == 1,
            Rotations::On if !square => {
                return Err(FewshotProblem::NotSquare {
                    height: shape.height,
                    width: shape.width,
                });
            }
            Rotations::On => true,
        };
        let listed = SPLITS.map(|split| {
            let classes = set.classes.iter().enumerate();
            let of = classes.filter(|(_, class)| class.split == Some(split));
            of.map(|(number, _)| number).collect::<Vec<usize>>()
        });
        if (0..3).any(|i| counts[i].is_some() && !listed[i].is_empty()) {
            return Err(FewshotProblem::Listed);
        }
        // What is not listed is drawn for the purposes that no list has.
        let open = listed.each_ref().map(Vec::is_empty);
        let mut plain = drawn(&set, counts, open, by, key)?;
        for (plain, listed) in plain.iter_mut().zip(listed) {
            plain.extend(listed);
        }
        let turns = if turned { 4 } else { 1 };
        let of = plain.map(|classes: Vec<usize>| {
            let of = |&class| (0..turns).map(move |turns| TaskClass { class, turns });
            classes.iter().flat_map(of).collect()
        });
        let mut classes = Self {
            inverted: false,
            turned,
            of,
            set,
        };
        classes.expect_disjoint()?;
        let of_training = classes.of(Split::Train).iter();
        let plain = of_training.filter(|class| class.turns == 0);
        let pictures = plain.flat_map(|class| &classes.set.classes[class.class].pictures);
        classes.inverted = is_bright(&classes.set, pictures.copied());
        Ok(classes)
    }

    /// The classes for one purpose.
    #[must_use]
    pub fn of(&self, split: Split) -> &[TaskClass] {
        &self.of[place(split)]
    }

    /// Fails if a class is for two things.
    fn expect_disjoint(&self) -> Result<(), FewshotProblem> {
        let mut seen = BTreeMap::new();
        for (number, classes) in self.of.iter().enumerate() {
            for class in classes {
                let name = &self.set.classes[class.class].name;
                if *seen.entry(name).or_insert(number) != number {
                    return Err(FewshotProblem::TwoSplits {
                        class: name.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Whether the background of these pictures is white: they are grey, and more light than dark.
pub(super) fn is_bright(set: &PictureSet, pictures: impl Iterator<Item = u32>) -> bool {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for picture in pictures {
        let pixels = set.pixels(picture);
        sum += pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
        count += pixels.len() as u64;
    }
    set.shape.channels == 1 && 2 * sum > 255 * count
}

fn place(split: Split) -> usize {
    match split {
        Split::Train => 0,
        Split::Validation => 1,
        Split::Test => 2,
    }
}

/// The classes that are drawn for each open purpose, of those that are not listed.
fn drawn(
    set: &PictureSet,
    counts: Counts,
    open: [bool; 3],
    by: SplitBy,
    key: Key,
) -> Result<[Vec<usize>; 3], FewshotProblem> {
    let free = set.classes.iter().enumerate();
    let free = free.filter(|(_, class)| class.split.is_none());
    let free: Vec<usize> = free.map(|(number, _)| number).collect();
    let found = free.len();
    let given: usize = counts.iter().flatten().sum();
    // Of what is left, those without a number have their shares; the last of them has all that remains.
    let left = found.saturating_sub(given);
    let open: Vec<usize> = (0..3).filter(|&i| open[i] && counts[i].is_none()).collect();
    let shares: f64 = open.iter().map(|&i| SHARES[i]).sum();
    let mut asked = counts.map(Option::unwrap_or_default);
    for &i in &open {
        asked[i] = (left as f64 * SHARES[i] / shares).round() as usize;
    }
    if let Some(&last) = open.last() {
        let others: usize = open.iter().take(open.len() - 1).map(|&i| asked[i]).sum();
        asked[last] = left.saturating_sub(others);
    }
    if given > found {
        return Err(FewshotProblem::Classes { asked, found });
    }
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for number in free {
        let name = set.classes[number].name.as_str();
        let group = match by {
            SplitBy::Class => name,
            SplitBy::Group => name.rsplit_once('/').map_or("", |(group, _)| group),
        };
        groups.entry(group).or_default().push(number);
    }
    let groups: Vec<Vec<usize>> = groups.into_values().collect();
    let mut order = shuffled(groups.len(), key.stream(SPLIT)).into_iter();
    Ok(asked.map(|asked| {
        let mut classes = Vec::new();
        while classes.len() < asked {
            match order.next() {
                Some(group) => classes.extend(&groups[group]),
                None => break,
            }
        }
        classes.sort_unstable();
        classes
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;
    use crate::data::pictures::PictureClass;

    fn set(classes: usize, groups: usize) -> Arc<PictureSet> {
        let class = |number: usize| PictureClass {
            name: format!("{}/{number}", number % groups),
            split: None,
            pictures: vec![number as u32],
        };
        Arc::new(PictureSet {
            shape: ImageShape::grey(2, 2),
            classes: (0..classes).map(class).collect(),
            bytes: vec![200; classes * 4],
        })
    }

    fn sizes(classes: &Classes) -> [usize; 3] {
        [Split::Train, Split::Validation, Split::Test].map(|split| classes.of(split).len())
    }

    #[test]
    fn classes_are_for_one_thing_and_turn_with_it() {
        let key = Key::from_seed(1);
        let new = |counts, by, rotations| Classes::new(set(100, 10), counts, by, rotations, key);
        let off = Rotations::Off;
        let shares = new([None; 3], SplitBy::Class, off).unwrap();
        assert_eq!(sizes(&shares), [64, 16, 20]);
        assert!(shares.inverted, "white is the background");
        let some = new([Some(50), None, None], SplitBy::Class, Rotations::Auto).unwrap();
        assert_eq!(sizes(&some), [200, 4 * 22, 4 * 28]);
        let few = new([Some(10), Some(5), Some(7)], SplitBy::Class, off).unwrap();
        assert_eq!(sizes(&few), [10, 5, 7]);
        let grouped = new([Some(31), None, Some(20)], SplitBy::Group, off).unwrap();
        assert_eq!(sizes(&grouped)[0], 40, "whole groups");
        let group = |class: &TaskClass| grouped.set.classes[class.class].name[..1].to_owned();
        let train: Vec<_> = grouped.of(Split::Train).iter().map(group).collect();
        let test: Vec<_> = grouped.of(Split::Test).iter().map(group).collect();
        assert!(test.iter().all(|group| !train.contains(group)));
        let many = new([Some(90), Some(5), Some(7)], SplitBy::Class, off).err();
        assert!(matches!(
            many,
            Some(FewshotProblem::Classes { found: 100, .. })
        ));
    }
}
