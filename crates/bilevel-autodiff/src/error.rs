//! Errors of traced functions and their arguments.

use std::fmt;
use std::panic::Location;

use crate::graph::DType;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The shapes of the operands do not match.
    Shape {
        /// The expected shapes.
        expected: String,
    },
    /// An axis that the operand does not have, or that is given twice.
    Axis {
        /// The axis.
        axis: usize,
    },
    /// An operand has the wrong element type.
    DType {
        /// The expected type.
        expected: DType,
        /// The type found.
        found: DType,
    },
    /// A variable belongs to another trace.
    Foreign,
    /// The function has no input of this name.
    Unknown {
        /// The kind of input.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
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

/// Why a function cannot be traced, compiled or called.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An invalid operation: the first one of the trace.
    #[error("{operation} of {}{}: {fault}", shapes(.operands), place(.location))]
    Operation {
        /// The operation.
        operation: &'static str,
        /// The shapes of its operands.
        operands: Vec<Vec<usize>>,
        /// What is wrong.
        fault: Fault,
        /// The line of the caller, if the operation was written by a caller.
        location: Option<&'static Location<'static>>,
    },
    /// An objective whose result is not a scalar.
    #[error("an objective has to be a scalar, found a result of shape {shape:?}")]
    NotScalar {
        /// The shape found.
        shape: Vec<usize>,
    },
    /// An argument has the wrong length.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// Which argument.
        what: String,
        /// The expected length.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// An argument has the wrong element type.
    #[error("argument {argument} holds no {expected}, which the function takes there")]
    Kind {
        /// Which argument.
        argument: usize,
        /// The expected type.
        expected: DType,
    },
    /// An index is not below the size of the axis that it selects from.
    #[error("index {index} at place {place} of {what} is out of range: expected less than {size}")]
    Index {
        /// Which argument.
        what: String,
        /// The position of the index in it.
        place: usize,
        /// The index.
        index: u32,
        /// The size of the axis.
        size: usize,
    },
    /// A function with known shapes but no data was evaluated.
    #[error("only the shapes of the data are known: bind the function to data first")]
    NotBound,
    /// A plan reads a value before computing it: a bug in this crate.
    #[error(
        "the result of node {node} ({operation}) is read before it is computed; please report this"
    )]
    Unplaced {
        /// The primitive that computes the value.
        operation: &'static str,
        /// The number of its node.
        node: usize,
    },
    /// A program that makes no sense, or was run in a way that makes none: a mistake of this crate, found before
    /// anything is computed.
    #[error("a program cannot be compiled or run: {what}; please report this")]
    Plan {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A setting is outside its range.
    #[error("{field} must be {range}, found {value}")]
    Setting {
        /// The name of the setting.
        field: &'static str,
        /// The allowed range.
        range: &'static str,
        /// The value found.
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
