//! What can be wrong with a traced function or its arguments.

use std::fmt;
use std::panic::Location;

use crate::graph::DType;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wrong with one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The shapes of the operands do not fit.
    Shape {
        /// What was expected of them.
        expected: String,
    },
    /// An axis that the operand does not have, or that is named twice.
    Axis {
        /// The axis.
        axis: usize,
    },
    /// An operand is of the wrong kind.
    DType {
        /// What was expected.
        expected: DType,
        /// What was found.
        found: DType,
    },
    /// A variable belongs to another trace.
    Foreign,
    /// A name that the function's inputs do not have.
    Unknown {
        /// The kind of input.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { expected } => write!(f, "expected {expected}"),
            Self::Axis { axis } => write!(f, "there is no axis {axis} to be used here"),
            Self::DType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Foreign => f.write_str("an operand belongs to another trace"),
            Self::Unknown { what, name, known } => {
                write!(f, "there is no {what} called {name:?}, only {known}")
            }
        }
    }
}

/// What is wrong with a traced function, or with what it was called on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation that makes no sense: the first one of the trace.
    #[error("{operation} of {}{}: {fault}", shapes(.operands), place(.location))]
    Operation {
        /// The operation.
        operation: &'static str,
        /// The shapes of its operands.
        operands: Vec<Vec<usize>>,
        /// What is wrong.
        fault: Fault,
        /// The caller's line, where a caller wrote the operation.
        location: Option<&'static Location<'static>>,
    },
    /// An objective has to be one number.
    #[error("an objective has to be a scalar, found a result of shape {shape:?}")]
    NotScalar {
        /// The shape that was found.
        shape: Vec<usize>,
    },
    /// An argument has another length than its input.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// Which argument.
        what: String,
        /// The length that was needed.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// An argument of the wrong kind.
    #[error("argument {argument} holds no {expected}, which the function takes there")]
    Kind {
        /// Which argument.
        argument: usize,
        /// What was expected.
        expected: DType,
    },
    /// An index is not below the size of the axis that it selects from.
    #[error("index {index} at place {place} of {what} is out of range: expected less than {size}")]
    Index {
        /// Which argument.
        what: String,
        /// Where in it.
        place: usize,
        /// The index.
        index: u32,
        /// The size of the axis.
        size: usize,
    },
    /// A function of which only the shapes are known was asked for numbers.
    #[error("only the shapes of the data are known: bind the function to data first")]
    NotBound,
    /// A plan that reads what it has not computed: a mistake of this crate.
    #[error(
        "the result of node {node} ({operation}) is read before it is computed; please report this"
    )]
    Unplaced {
        /// The primitive that computes it.
        operation: &'static str,
        /// The number of its node.
        node: usize,
    },
    /// A setting is outside its range.
    #[error("{field} must be {range}, found {value}")]
    Setting {
        /// The name of the setting.
        field: &'static str,
        /// What is allowed.
        range: &'static str,
        /// What was given.
        value: String,
    },
}

impl From<Error> for bilevel::Error {
    fn from(error: Error) -> Self {
        Self::objective(error)
    }
}

fn shapes(operands: &[Vec<usize>]) -> String {
    match operands {
        [] => "nothing".to_owned(),
        _ => operands
            .iter()
            .map(|shape| format!("{shape:?}"))
            .collect::<Vec<_>>()
            .join(" and "),
    }
}

fn place(location: &Option<&'static Location<'static>>) -> String {
    location.map_or_else(String::new, |location| format!(" at {location}"))
}
