//! A method by its name.

use std::fmt;
use std::str::FromStr;

use super::entry::Entry;
use super::list::METHODS;
use crate::text::{expected, expected_one_of, positive_count};
use crate::{Error, Result};

/// What was typed: a name of the catalogue, with its parameter where it has one.
#[derive(Clone, Copy)]
pub struct MethodChoice {
    /// The method.
    pub entry: &'static Entry,
    /// Its parameter.
    pub parameter: Option<usize>,
}

impl FromStr for MethodChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = |name: &str| {
            let mut entries = METHODS.iter();
            entries.find(|entry| entry.name == name || entry.aliases.contains(&name))
        };
        if let Some(entry) = named(text) {
            return match entry.parameter {
                None => Ok(Self {
                    entry,
                    parameter: None,
                }),
                Some(parameter) => Err(expected(
                    format!(
                        "{} with {}, a whole number of at least 1, for {}",
                        entry.form_of_name(),
                        parameter.letter,
                        parameter.meaning
                    ),
                    text,
                )),
            };
        }
        if let Some((name, number)) = text.split_once(':')
            && let Some(entry) = named(name)
            && entry.parameter.is_some()
        {
            return Ok(Self {
                entry,
                parameter: Some(positive_count(number)?),
            });
        }
        let known: Vec<&str> = METHODS
            .iter()
            .flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases))
            .copied()
            .collect();
        Err(expected_one_of("the name of a method", text, &known))
    }
}

impl fmt::Display for MethodChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.entry.name)?;
        match self.parameter {
            Some(parameter) => write!(formatter, ":{parameter}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for MethodChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl PartialEq for MethodChoice {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.entry, other.entry) && self.parameter == other.parameter
    }
}
