//! Values that the specifications of several jobs have.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bilevel::text::{self, expected, serial};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The time limit of a run: `10s`, `5m`, `1h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeLimit(
    /// The time.
    pub Duration,
);

impl FromStr for TimeLimit {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let wrong = || expected("a time such as 10s, 5m or 1h", text);
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            _ => return Err(wrong()),
        };
        let amount = text::positive(&text[..text.len() - 1]).map_err(|_| wrong())?;
        Duration::try_from_secs_f64(amount * seconds)
            .map(Self)
            .map_err(|_| wrong())
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

impl Serialize for TimeLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

/// The largest number of threads that is not rejected as a mistake.
const MAXIMUM_THREADS: usize = 1024;

/// Reads a number of threads.
///
/// # Errors
/// Anything except a whole number from 1 to 1024.
pub fn read_threads(text: &str) -> bilevel::Result<usize> {
    text::positive_count(text)
        .ok()
        .filter(|&threads| threads <= MAXIMUM_THREADS)
        .ok_or_else(|| expected("a whole number from 1 to 1024", text))
}

/// Reads a seed that fits into a TOML integer.
///
/// # Errors
/// Anything except a whole number from 0 to [`i64::MAX`].
pub fn read_seed(text: &str) -> bilevel::Result<u64> {
    text.parse::<i64>()
        .ok()
        .and_then(|seed| u64::try_from(seed).ok())
        .ok_or_else(|| expected("a whole number from 0 to 9223372036854775807", text))
}

/// Reads a share.
///
/// # Errors
/// Anything except a number from 0 to 1.
pub fn read_rate(text: &str) -> bilevel::Result<f64> {
    text::number(text, "a number from 0 to 1", |value| {
        (0.0..=1.0).contains(&value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let time = |text: &str| text.parse::<TimeLimit>().map(|limit| limit.0).ok();
        assert_eq!(time("10s"), Some(Duration::from_secs(10)));
        assert_eq!(time("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(time("1h"), Some(Duration::from_secs(3600)));
        for wrong in ["", "10", "s", "-1s", "0s", "nans", "1e300h", "10µ", "é"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
