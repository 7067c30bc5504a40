//! Memories from files: parts of parts, but no deeper than methods are nested.
//!
//! Deriving would recurse as deep as the bytes say, so that a file of some kilobytes could
//! exhaust the stack.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Memory;

/// How deep parts may be nested: a task of a debiased estimate has 2 levels.
const DEEPEST: usize = 16;
const FIELDS: [&str; 3] = ["vectors", "numbers", "parts"];

/// A memory below so many others.
struct Below<T>(usize, PhantomData<T>);
/// Its parts.
struct Parts<T>(usize, PhantomData<T>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Vectors,
    Numbers,
    Parts,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Memory<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Below(0, PhantomData).deserialize(from)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Below<T> {
    type Value = Memory<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Memory<T>, D::Error> {
        from.deserialize_struct("Memory", &FIELDS, self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Below<T> {
    type Value = Memory<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("what a method remembers: vectors, numbers and parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Memory<T>, A::Error> {
        let missing = |position| A::Error::invalid_length(position, &"3 fields");
        Ok(Memory {
            vectors: from.next_element()?.ok_or_else(|| missing(0))?,
            numbers: from.next_element()?.ok_or_else(|| missing(1))?,
            parts: from
                .next_element_seed(Parts(self.0, PhantomData))?
                .ok_or_else(|| missing(2))?,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Memory<T>, A::Error> {
        let mut memory = Memory::default();
        while let Some(field) = from.next_key()? {
            match field {
                Field::Vectors => memory.vectors = from.next_value()?,
                Field::Numbers => memory.numbers = from.next_value()?,
                Field::Parts => {
                    memory.parts = from.next_value_seed(Parts(self.0, PhantomData))?;
                }
            }
        }
        Ok(memory)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Parts<T> {
    type Value = BTreeMap<String, Memory<T>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
    type Value = BTreeMap<String, Memory<T>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "parts of a method, nested at most {DEEPEST} deep")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut parts = BTreeMap::new();
        while let Some(name) = from.next_key::<String>()? {
            if self.0 == DEEPEST {
                return Err(A::Error::custom(format_args!(
                    "expected parts of a method nested at most {DEEPEST} deep, found deeper ones"
                )));
            }
            let part = from.next_value_seed(Below(self.0 + 1, PhantomData))?;
            parts.insert(name, part);
        }
        Ok(parts)
    }
}
