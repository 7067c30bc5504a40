//! Job specifications as text: reading, with the line of each error, and writing.

mod values;

pub use values::{TimeLimit, read_rate, read_seed, read_threads};

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

/// What is wrong with a specification: the line, and what was expected there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecificationProblem {
    /// The text is not TOML, or a value has the wrong type or is out of range.
    #[error("line {line}, {text:?}: {found}{}", did_you_mean(nearest.as_deref()))]
    Value {
        /// The line, from 1.
        line: usize,
        /// The text of that line.
        text: String,
        /// What was expected, and what was found.
        found: String,
        /// The nearest known name, where a name was expected.
        nearest: Option<String>,
    },
    /// Unknown keys.
    #[error("{}", all(keys))]
    Keys {
        /// Each of them.
        keys: Vec<UnknownKey>,
    },
    /// The specification cannot be written.
    #[error("the specification cannot be written: {found}")]
    Write {
        /// Why.
        found: String,
    },
}

/// An unknown key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownKey {
    /// The line, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// The table that contains it; empty for the top level.
    pub table: String,
    /// The nearest known key, and its table.
    pub nearest: Option<(String, String)>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |table: &str| match table {
            "" => "at the top".to_owned(),
            table => format!("in [{table}]"),
        };
        let Self {
            line, key, table, ..
        } = self;
        write!(
            formatter,
            "line {line}: unknown key {key:?} {}",
            place(table)
        )?;
        match &self.nearest {
            None => Ok(()),
            Some((nearest, of)) if of == table => {
                write!(formatter, "; did you mean {nearest:?}?")
            }
            Some((nearest, of)) => {
                write!(formatter, "; did you mean {nearest:?} {}?", place(of))
            }
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean {nearest:?}?")
    })
}

fn all(keys: &[UnknownKey]) -> String {
    let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// A table of a specification: its name and its keys.
pub type Table = (&'static str, &'static [&'static str]);

/// The known names for the value of a key of a table, where this text should be one of them and is not.
pub type NamesOf = fn(table: &str, key: &str, found: &str) -> Vec<&'static str>;

/// Reads a specification with keys in `tables`; an error about a name suggests the nearest of `names_of`.
///
/// # Errors
/// [`SpecificationProblem`].
pub fn read<S: DeserializeOwned>(
    text: &str,
    tables: &[Table],
    names_of: NamesOf,
) -> Result<S, SpecificationProblem> {
    let wrong = |error: &toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = line_at(text, start);
        SpecificationProblem::Value {
            line,
            text: shown(text, line),
            found: error.message().trim().replace('\n', ", "),
            nearest: text_at(text, start).and_then(|(table, key, found)| {
                let known = names_of(&table, &key, &found);
                nearest_name(&found, &known).map(str::to_owned)
            }),
        }
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| wrong(&error))?;
    let mut paths = Vec::new();
    let specification =
        serde_ignored::deserialize(deserializer, |path| paths.push(path.to_string()))
            .map_err(|error| wrong(&error))?;
    if paths.is_empty() {
        return Ok(specification);
    }
    let keys = paths.iter().map(|path| unknown(text, path, tables));
    let mut keys: Vec<UnknownKey> = keys.collect();
    keys.sort_by_key(|key| key.line);
    Err(SpecificationProblem::Keys { keys })
}

/// The text of a specification.
///
/// # Errors
/// A path that is not valid text.
pub fn write(specification: &impl Serialize) -> Result<String, SpecificationProblem> {
    toml::to_string(specification).map_err(|error| SpecificationProblem::Write {
        found: error.to_string(),
    })
}

/// The name of the job that a specification describes: the value of `job`, if it is a text.
#[must_use]
pub fn job_of(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    table.get("job")?.as_str().map(str::to_owned)
}

/// The keys that a structure reads.
pub fn keys_of<S: DeserializeOwned>() -> &'static [&'static str] {
    let found = Cell::new(&[] as &[_]);
    // Deserialising always fails here, but only after it has recorded the names.
    let _ = S::deserialize(Names(&found));
    found.get()
}

fn line_at(text: &str, place: usize) -> usize {
    let before = text.as_bytes().iter().take(place);
    1 + before.filter(|&&byte| byte == b'\n').count()
}

fn shown(text: &str, line: usize) -> String {
    const LONGEST: usize = 80;
    let line = text.lines().nth(line - 1).unwrap_or_default().trim();
    line.chars().take(LONGEST).collect()
}

/// Names further than this from the input are not suggested.
const SIMILAR: f64 = 0.7;

fn unknown(text: &str, path: &str, tables: &[Table]) -> UnknownKey {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let known = tables
        .iter()
        .flat_map(|&(table, keys)| keys.iter().map(move |&key| (key, table)));
    let nearest = known
        .map(|(known, of)| {
            let similar = strsim::jaro_winkler(key, known);
            // On a tie, prefer the key of the same table.
            (similar + if of == table { 1e-6 } else { 0.0 }, known, of)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(similar, ..)| similar >= SIMILAR)
        .map(|(_, known, of)| (known.to_owned(), of.to_owned()));
    UnknownKey {
        line: line_of(text, table, key),
        key: key.to_owned(),
        table: table.to_owned(),
        nearest,
    }
}

/// The known name that is nearest to the text, if one is near.
fn nearest_name<'n>(found: &str, known: &[&'n str]) -> Option<&'n str> {
    known
        .iter()
        .map(|&known| (strsim::jaro_winkler(found, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(similar, _)| similar >= SIMILAR)
        .map(|(_, known)| known)
}

/// The table, the key and the text of the value that starts at this place, if it is a text at the top or in a table.
fn text_at(text: &str, place: usize) -> Option<(String, String, String)> {
    use toml::de::DeValue;
    let document = toml::de::DeTable::parse(text).ok()?;
    let here = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(found) if value.span().start == place => Some(found.to_string()),
        _ => None,
    };
    for (name, value) in document.get_ref() {
        if let Some(found) = here(value) {
            return Some((String::new(), name.get_ref().to_string(), found));
        }
        let DeValue::Table(table) = value.get_ref() else {
            continue;
        };
        for (key, value) in table {
            if let Some(found) = here(value) {
                let (table, key) = (name.get_ref().to_string(), key.get_ref().to_string());
                return Some((table, key, found));
            }
        }
    }
    None
}

/// The line on which a key stands.
fn line_of(text: &str, table: &str, key: &str) -> usize {
    let find = || {
        let document = toml::de::DeTable::parse(text).ok()?;
        let mut at = document.into_inner();
        for part in table.split('.').filter(|part| !part.is_empty()) {
            let (_, value) = at.into_iter().find(|(name, _)| name.get_ref() == part)?;
            at = match value.into_inner() {
                toml::de::DeValue::Table(table) => table,
                _ => return None,
            };
        }
        let (name, _) = at.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(line_at(text, name.span().start))
    };
    find().unwrap_or(1)
}

/// Records the field names of a structure.
struct Names<'c>(&'c Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("no value, only names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.set(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
