//! Values that are stored as their text, or as a number where they are one.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

use super::Kind;

/// Stores a value as its text, or, unless `kind` says [`Kind::Text`], as a number where its text is one.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(
    value: &impl fmt::Display,
    kind: Kind,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = value.to_string();
    if kind != Kind::Text {
        if let Ok(number) = text.parse::<i64>() {
            return serializer.serialize_i64(number);
        }
        if let Ok(number) = text.parse::<f64>() {
            return serializer.serialize_f64(number);
        }
    }
    serializer.serialize_str(&text)
}

/// Reads a value with `read`, which is handed its text.
///
/// # Errors
/// A value of another kind, or what `read` says.
pub fn deserialize<'de, D: Deserializer<'de>, V>(
    deserializer: D,
    kind: Kind,
    read: impl FnOnce(&str) -> crate::Result<V>,
) -> Result<V, D::Error> {
    deserializer.deserialize_any(Reader {
        kind,
        read,
        value: PhantomData,
    })
}

/// Reads a value that is stored as its text.
///
/// # Errors
/// As [`deserialize`].
pub fn text<'de, D: Deserializer<'de>, V: FromStr<Err = crate::Error>>(
    deserializer: D,
) -> Result<V, D::Error> {
    deserialize(deserializer, Kind::Text, str::parse)
}

struct Reader<R, V> {
    kind: Kind,
    read: R,
    value: PhantomData<V>,
}

impl<V, R: FnOnce(&str) -> crate::Result<V>> Reader<R, V> {
    fn number<E: Error>(self, text: &str, found: serde::de::Unexpected<'_>) -> Result<V, E> {
        if self.kind == Kind::Text {
            return Err(E::invalid_type(found, &self));
        }
        (self.read)(text).map_err(E::custom)
    }
}

impl<V, R: FnOnce(&str) -> crate::Result<V>> Visitor<'_> for Reader<R, V> {
    type Value = V;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            Kind::Text => "a text",
            Kind::Number => "a number",
            Kind::Any => "a number or a text",
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V, E> {
        if self.kind == Kind::Number {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        (self.read)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V, E> {
        self.number(&number.to_string(), serde::de::Unexpected::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V, E> {
        self.number(&number.to_string(), serde::de::Unexpected::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V, E> {
        self.number(&number.to_string(), serde::de::Unexpected::Float(number))
    }
}
