//! A method by its name.

use std::fmt;
use std::str::FromStr;

use super::catalogue::METHODS;
use super::entry::Entry;
use crate::parse;

/// What was typed: a name of the catalogue, with its parameter where it has one.
#[derive(Clone, Copy)]
pub(crate) struct MethodChoice {
    pub(crate) entry: &'static Entry,
    pub(crate) parameter: Option<usize>,
}

impl FromStr for MethodChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
                Some(parameter) => Err(format!(
                    "expected {} with {}, a whole number of at least 1, for {}, found {text:?}",
                    entry.form_of_name(),
                    parameter.letter,
                    parameter.meaning
                )),
            };
        }
        if let Some((name, number)) = text.split_once(':')
            && let Some(entry) = named(name)
            && entry.parameter.is_some()
        {
            return Ok(Self {
                entry,
                parameter: Some(parse::positive_count(number)?),
            });
        }
        let known: Vec<&str> = METHODS
            .iter()
            .flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases))
            .copied()
            .collect();
        Err(format!(
            "expected the name of a method, found {text:?}{}; bilevel methods lists them",
            parse::suggestion(text, &known)
        ))
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
