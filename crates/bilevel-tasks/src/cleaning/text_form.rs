//! How text and pictures are read, as a user writes it.

use std::fmt;
use std::str::FromStr;

use bilevel::text::{expected, serial};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What separates the cells of a line: a name, or the character itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Separator(
    /// The character; a blank stands for any number of blanks.
    pub u8,
);

const SEPARATORS: [(&str, u8); 5] = [
    ("comma", b','),
    ("semicolon", b';'),
    ("tab", b'\t'),
    ("bar", b'|'),
    ("blank", b' '),
];

impl FromStr for Separator {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let named = SEPARATORS.iter().find(|(name, _)| *name == text);
        if let Some(&(_, byte)) = named {
            return Ok(Self(byte));
        }
        match *text.as_bytes() {
            [byte]
                if byte.is_ascii_punctuation() && byte != b'"' || byte == b'\t' || byte == b' ' =>
            {
                Ok(Self(byte))
            }
            _ => Err(expected(
                "comma, semicolon, tab, bar, blank, or one sign such as :",
                text,
            )),
        }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SEPARATORS.iter().find(|(_, byte)| *byte == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", char::from(self.0)),
        }
    }
}

/// The mark before the fraction of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// 1.5
    Point,
    /// 1,5
    Comma,
}

impl DecimalMark {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Point => b'.',
            Self::Comma => b',',
        }
    }
}

/// Height and width of pictures: `28`, or `28x32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageSize {
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
}

/// Larger pictures are a mistake.
const LARGEST: u32 = 10_000;

impl FromStr for ImageSize {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let wrong = || {
            expected(
                "a size in pixels from 1 to 10000, such as 28 or 28x32",
                text,
            )
        };
        let side = |text: &str| {
            let side = text
                .parse()
                .ok()
                .filter(|side| (1..=LARGEST).contains(side));
            side.ok_or_else(wrong)
        };
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        Ok(Self {
            height: side(height)?,
            width: side(width)?,
        })
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl Serialize for Separator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Separator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

impl Serialize for ImageSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["comma", "semicolon", "tab", "bar", "blank", ":"] {
            assert_eq!(text.parse::<Separator>().unwrap().to_string(), text);
        }
        assert_eq!(";".parse::<Separator>().unwrap(), Separator(b';'));
        for wrong in ["", "ab", "a", "\"", "é"] {
            assert!(wrong.parse::<Separator>().is_err(), "{wrong}");
        }
        assert_eq!("28".parse::<ImageSize>().unwrap().to_string(), "28x28");
        for wrong in ["", "0", "28x", "x", "-1", "20000"] {
            assert!(wrong.parse::<ImageSize>().is_err(), "{wrong}");
        }
    }
}
