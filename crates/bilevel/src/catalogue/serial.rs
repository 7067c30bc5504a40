//! Settings in a file: each under its name, a number or a text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use super::choice::OptimizerChoice;
use super::setting::Setting;
use super::settings::Settings;
use super::size::Size;
use crate::text::{Kind, serial};

const METHOD: &str = "method";

/// The names of all keys.
const FIELDS: [&str; 14] = [
    METHOD,
    "schedule",
    "field",
    "adjoint",
    "step_size",
    "aggregate_step_size",
    "steps",
    "dynamics",
    "probability",
    "damping",
    "linear_tolerance",
    "linear_products",
    "y_step_size",
    "penalty",
];

/// A text that is a number where the setting is one.
struct Value<'a>(&'a str, Kind);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serial::serialize(&self.0, self.1, serializer)
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(method) = &self.method {
            map.serialize_entry(METHOD, &method.to_string())?;
        }
        self.serialize_entries(&mut map)?;
        map.end()
    }
}

impl Settings {
    /// Writes the settings, without the method, into a map.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for setting in self.given() {
            let text = self.get(setting).unwrap_or_default();
            map.serialize_entry(setting.name(), &Value(&text, setting.kind()))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize_with(deserializer, |_| false)
    }
}

impl Settings {
    /// Reads settings whose method may have a name that the catalogue does not know: `takes` is asked first, and takes
    /// the name if it returns true. The settings then have no method.
    ///
    /// # Errors
    /// A value of the wrong type, or out of its range.
    pub fn deserialize_with<'de, D: Deserializer<'de>>(
        deserializer: D,
        takes: impl FnMut(&str) -> bool,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Settings", &FIELDS, All(takes))
    }
}

struct All<F>(F);

impl<'de, F: FnMut(&str) -> bool> Visitor<'de> for All<F> {
    type Value = Settings;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the settings of a method")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(key) = map.next_key::<String>()? {
            let mut all = Setting::ALL.into_iter();
            if key == METHOD {
                map.next_value_seed(Method(&mut settings, &mut self.0))?;
            } else if let Some(setting) = all.find(|setting| setting.name() == key) {
                map.next_value_seed(One(&mut settings, setting))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(settings)
    }
}

struct Method<'s, F>(&'s mut Settings, &'s mut F);

impl<'de, F: FnMut(&str) -> bool> DeserializeSeed<'de> for Method<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self(settings, takes) = self;
        settings.method = serial::deserialize(deserializer, Kind::Text, |text| {
            if takes(text) {
                Ok(None)
            } else {
                text.parse().map(Some)
            }
        })?;
        Ok(())
    }
}

struct One<'s>(&'s mut Settings, Setting);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self(settings, setting) = self;
        serial::deserialize(deserializer, setting.kind(), |text| {
            settings.set(setting, text)
        })
    }
}

impl Serialize for OptimizerChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OptimizerChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_key() {
        let names = Setting::ALL.map(Setting::name);
        assert_eq!(FIELDS[1..], names);
    }
}
