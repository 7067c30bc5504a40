//! An amount of memory.

use std::fmt;
use std::str::FromStr;

use crate::text::{expected, positive};
use crate::{Error, Result};

/// An amount of memory: `200MB`, `1.5GiB`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Size {
    /// In bytes.
    pub bytes: usize,
    text: String,
}

impl Size {
    /// What the machine has to give.
    #[must_use]
    pub fn of_machine(bytes: usize) -> Self {
        Self {
            bytes,
            text: format!("of this machine ({:.1} GB)", bytes as f64 / 1e9),
        }
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || expected("a size such as 200MB, 1.5GB or 1GiB", text);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (amount, unit) = text.split_at(end);
        let unit = match unit {
            "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        let bytes = positive(amount).map_err(|_| wrong())? * unit;
        if !(1.0..=1e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self {
            bytes: bytes as usize,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.bytes).ok();
        assert_eq!(bytes("200MB"), Some(200_000_000));
        assert_eq!(bytes("1.5GiB"), Some(3 << 29));
        assert_eq!(bytes("7kB"), Some(7000));
        for wrong in [
            "",
            "200",
            "MB",
            "-1MB",
            "0MB",
            "1e3MB",
            "1mb",
            "0.1B",
            "9999999999TB",
        ] {
            assert!(bytes(wrong).is_none(), "{wrong}");
        }
    }
}
