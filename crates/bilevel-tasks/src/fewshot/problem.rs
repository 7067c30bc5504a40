//! What can be wrong with the pictures and settings of few-shot learning.

use std::fmt;

use crate::data::pictures::split::Split;

/// Why tasks cannot be drawn, or a job makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FewshotProblem {
    /// A class with fewer pictures than a task takes of it.
    FewPictures {
        /// The class.
        class: String,
        /// The pictures that it has.
        found: usize,
        /// Pictures of a class in a support set.
        shot: usize,
        /// Pictures of a class in a query set.
        query: usize,
        /// How many classes have too few.
        classes: usize,
    },
    /// Fewer classes than a task has.
    FewClasses {
        /// What they are for.
        split: Split,
        /// How many there are, turned pictures as classes of their own included.
        found: usize,
        /// How many a task has.
        way: usize,
    },
    /// More classes are asked for than there are.
    Classes {
        /// For training, validation and test.
        asked: [usize; 3],
        /// How many there are.
        found: usize,
    },
    /// Numbers of classes are asked for, and the data set says what each class is for.
    Listed,
    /// A class that is for two things.
    TwoSplits {
        /// The class.
        class: String,
    },
    /// Turned pictures do not have the same shape.
    NotSquare {
        /// Their height.
        height: usize,
        /// Their width.
        width: usize,
    },
    /// A method that this algorithm does not use.
    Method {
        /// The algorithm.
        algorithm: String,
        /// The method.
        method: String,
    },
    /// A setting that this algorithm does not use.
    Setting {
        /// The algorithm.
        algorithm: String,
        /// The setting.
        setting: &'static str,
    },
    /// A method that remembers variables of a task, where each task is new.
    Remembers {
        /// The method.
        method: String,
    },
}

impl FewshotProblem {
    /// The message; `spell` turns a setting into the way the caller writes it.
    #[must_use]
    pub fn message(&self, spell: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::FewPictures {
                class,
                found,
                shot,
                query,
                classes,
            } => {
                let others = match classes {
                    0 | 1 => String::new(),
                    more => format!(", and {} more classes have too few", more - 1),
                };
                format!(
                    "class {class}: expected at least {} pictures, {shot} for the support set and {query} for the query set of a task; found {found}{others}; choose a smaller {} or {}",
                    shot + query,
                    spell("shot"),
                    spell("query")
                )
            }
            Self::FewClasses { split, found, way } => format!(
                "expected at least {way} classes for {split}, as many as a task has; found {found}; choose a smaller {}, or other numbers of classes: {}, {}, {}",
                spell("way"),
                spell("train_classes"),
                spell("validation_classes"),
                spell("test_classes")
            ),
            Self::Classes { asked, found } => format!(
                "expected {}, {} and {} to name at most the {found} classes that there are, found {} + {} + {}",
                spell("train_classes"),
                spell("validation_classes"),
                spell("test_classes"),
                asked[0],
                asked[1],
                asked[2]
            ),
            Self::Listed => format!(
                "the lists or folders of the data say what each class is for: {}, {} and {} have no meaning here",
                spell("train_classes"),
                spell("validation_classes"),
                spell("test_classes")
            ),
            Self::TwoSplits { class } => format!(
                "class {class}: expected classes that are for training, validation or test alone, found it in two of them"
            ),
            Self::NotSquare { height, width } => format!(
                "{} on: expected square pictures, which have the same shape when they are turned, found {height}×{width}",
                spell("rotations")
            ),
            Self::Method { algorithm, method } => format!(
                "{} {algorithm} cannot be used with {} {method}: {}",
                spell("algorithm"),
                spell("method"),
                match algorithm.as_str() {
                    "reptile" => "it differentiates nothing",
                    _ => "it is that method itself; maml and hyper-representation take any",
                }
            ),
            Self::Setting { algorithm, setting } => format!(
                "{} has no meaning with {} {algorithm}",
                spell(setting),
                spell("algorithm")
            ),
            Self::Remembers { method } => format!(
                "{} {method} starts where it ended on the same task, and here each task is new; expected a method that remembers nothing of a task, such as basic",
                spell("method")
            ),
        }
    }
}

impl fmt::Display for FewshotProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message(&|setting| format!("`{setting}`")))
    }
}
