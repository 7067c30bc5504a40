//! Parsing values from text; the error says what was expected and suggests names.

#[cfg(feature = "serde")]
pub mod serial;

use crate::{Error, Result};

/// What a value is in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// Either.
    Any,
}

/// The error for `found`, which is none of what was expected.
#[must_use]
pub fn expected(what: impl Into<String>, found: &str) -> Error {
    Error::Expected {
        expected: what.into(),
        found: found.to_owned(),
        known: Vec::new(),
    }
}

/// The same, where one of some known names was expected.
#[must_use]
pub fn expected_one_of(what: impl Into<String>, found: &str, known: &[&'static str]) -> Error {
    Error::Expected {
        expected: what.into(),
        found: found.to_owned(),
        known: known.to_vec(),
    }
}

/// A whole number of at least 1.
///
/// # Errors
/// [`Error::Expected`].
pub fn positive_count(text: &str) -> Result<usize> {
    text.parse()
        .ok()
        .filter(|&count| count >= 1)
        .ok_or_else(|| expected("a whole number of at least 1", text))
}

/// A finite number that satisfies `holds`; `what` describes such numbers.
///
/// # Errors
/// [`Error::Expected`].
pub fn number(text: &str, what: &str, holds: impl Fn(f64) -> bool) -> Result<f64> {
    text.parse()
        .ok()
        .filter(|&value: &f64| value.is_finite() && holds(value))
        .ok_or_else(|| expected(what, text))
}

/// A number above 0.
///
/// # Errors
/// [`Error::Expected`].
pub fn positive(text: &str) -> Result<f64> {
    number(text, "a positive number", |value| value > 0.0)
}

/// A number of at least 0.
///
/// # Errors
/// [`Error::Expected`].
pub fn non_negative(text: &str) -> Result<f64> {
    number(text, "a number of at least 0", |value| value >= 0.0)
}
