//! What is wrong with a file of weights.

use std::fmt;

/// What is wrong with a file of weights.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// Not a safetensors file, or a damaged one.
    Format {
        /// What the reader found.
        found: String,
    },
    /// Numbers of a kind that networks do not have.
    Kind {
        /// The tensor.
        name: String,
        /// Its kind.
        found: String,
    },
    /// A parameter is missing.
    Missing {
        /// The parameter.
        name: String,
        /// The tensors of the file.
        known: Vec<String>,
    },
    /// A number that training cannot start from.
    NotFinite {
        /// The parameter.
        name: String,
        /// The number.
        found: String,
    },
    /// A parameter of another shape.
    Shape {
        /// The parameter.
        name: String,
        /// The shape that the network has.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
}

impl std::error::Error for WeightsProblem {}

impl fmt::Display for WeightsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { found } => write!(f, "expected weights as safetensors, found {found}"),
            Self::Kind { name, found } => write!(
                f,
                "{name}: expected numbers as F16, BF16, F32 or F64, found {found}"
            ),
            Self::Missing { name, known } => {
                const SHOWN: usize = 12;
                let shown = known.iter().take(SHOWN).cloned().collect::<Vec<_>>();
                let more = match known.len().saturating_sub(SHOWN) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "expected a tensor {name}, found {}{more}",
                    shown.join(", ")
                )
            }
            Self::NotFinite { name, found } => {
                write!(f, "{name}: expected finite numbers, found {found}")
            }
            Self::Shape {
                name,
                expected,
                found,
            } => write!(
                f,
                "{name}: expected the shape {expected:?}, found {found:?}"
            ),
        }
    }
}
