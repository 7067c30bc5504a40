//! What is wrong with the contents of a file.

use std::fmt;

/// What is wrong with the contents of a file: where, what was expected, what was found, and what helps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Where, if not in the file as a whole.
    pub place: Option<String>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What helps, if anything is known to.
    pub remedy: Option<String>,
}

impl Malformed {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            place: None,
            expected: expected.into(),
            found: found.into(),
            remedy: None,
        }
    }

    /// The same in this place, which contains the known one.
    pub(crate) fn in_place(mut self, place: impl Into<String>) -> Self {
        let outer = place.into();
        self.place = Some(match self.place {
            Some(inner) => format!("{outer}, {inner}"),
            None => outer,
        });
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}
