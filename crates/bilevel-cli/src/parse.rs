//! Values of options: what is expected is said, and the nearest known name.

mod choices;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bilevel::{Schedule, Sequence};
use bilevel_tasks::model::Model;

pub(crate) use choices::{AdjointChoice, DynamicsChoice, OptimizerChoice, ProbabilityChoice};

/// Names further from what was typed than this are no help.
const SIMILAR: f64 = 0.7;

/// ", did you mean \"…\"?", or nothing.
pub(crate) fn suggestion(typed: &str, known: &[&str]) -> String {
    let (name, _) = typed.split_once(':').unwrap_or((typed, ""));
    known
        .iter()
        .map(|&known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(similar, known)| similar >= SIMILAR && known != name)
        .map_or_else(String::new, |(_, known)| {
            format!("; did you mean {known:?}?")
        })
}

fn expected(what: &str, typed: &str) -> String {
    format!("expected {what}, found {typed:?}")
}

/// A whole number of at least 1.
pub(crate) fn positive_count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&count| count >= 1)
        .ok_or_else(|| expected("a whole number of at least 1", text))
}

/// More threads than this are a mistake.
const MAXIMUM_THREADS: usize = 1024;

/// A number of threads.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    positive_count(text)
        .ok()
        .filter(|&threads| threads <= MAXIMUM_THREADS)
        .ok_or_else(|| expected("a whole number from 1 to 1024", text))
}

/// A number that `config.toml` can hold too.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse::<i64>()
        .ok()
        .and_then(|seed| u64::try_from(seed).ok())
        .ok_or_else(|| expected("a whole number from 0 to 9223372036854775807", text))
}

fn number(text: &str, what: &str, holds: impl Fn(f64) -> bool) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|&value: &f64| value.is_finite() && holds(value))
        .ok_or_else(|| expected(what, text))
}

/// A number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    number(text, "a positive number", |value| value > 0.0)
}

/// A number of at least 0.
pub(crate) fn non_negative(text: &str) -> Result<f64, String> {
    number(text, "a number of at least 0", |value| value >= 0.0)
}

/// A number from 0 to 1.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    number(text, "a number from 0 to 1", |value| {
        (0.0..=1.0).contains(&value)
    })
}

/// `off`, or a share of the trusted rows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct EarlyStopping(pub(crate) Option<f64>);

impl FromStr for EarlyStopping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let what = "off, or a share of the trusted rows above 0 and below 1";
        number(text, what, |share| share > 0.0 && share < 1.0).map(|share| Self(Some(share)))
    }
}

impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => write!(f, "{share}"),
            None => f.write_str("off"),
        }
    }
}

/// `10s`, `5m`, `1h`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || expected("a time such as 10s, 5m or 1h", text);
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        _ => return Err(wrong()),
    };
    let amount = positive(&text[..text.len() - 1]).map_err(|_| wrong())?;
    Duration::try_from_secs_f64(amount * seconds).map_err(|_| wrong())
}

/// An amount of memory: `200MB`, `1.5GiB`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    pub(crate) bytes: usize,
    text: String,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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

/// A schedule in the library's own form.
pub(crate) fn schedule(text: &str) -> Result<Schedule, String> {
    const NAMES: [&str; 7] = [
        "constant",
        "harmonic",
        "geometric",
        "bigsam",
        "per-outer",
        "learned",
        "every",
    ];
    text.parse()
        .map_err(|error| format!("{error}{}", suggestion(text, &NAMES)))
}

/// A number for each outer step in the library's own form.
pub(crate) fn sequence(text: &str) -> Result<Sequence, String> {
    text.parse().map_err(|error| {
        format!(
            "{error}{}",
            suggestion(text, &["constant", "linear", "power"])
        )
    })
}

/// A model in the library's own form.
pub(crate) fn model(text: &str) -> Result<Model, String> {
    text.parse()
        .map_err(|error| format!("{error}{}", suggestion(text, &["softmax", "mlp"])))
}

/// Numbers behind each other: `1,-2.5`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Numbers(pub(crate) Vec<f64>);

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |part: &str| {
            number(
                part.trim(),
                "finite numbers with commas between them",
                |_| true,
            )
        };
        text.split(',')
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(|_| expected("finite numbers with commas between them", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "10", "s", "-1s", "0s", "nans", "1e300h", "10µ", "é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        let bytes = |text: &str| text.parse::<Size>().map(|size| size.bytes);
        assert_eq!(bytes("200MB"), Ok(200_000_000));
        assert_eq!(bytes("1.5GiB"), Ok(3 << 29));
        assert_eq!(bytes("7kB"), Ok(7000));
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
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_nearest_name_is_named() {
        let message = schedule("contsant:0.5").unwrap_err();
        assert!(message.ends_with("did you mean \"constant\"?"), "{message}");
        let message = "checkpoint:3".parse::<AdjointChoice>().unwrap_err();
        assert!(
            message.ends_with("did you mean \"checkpointed\"?"),
            "{message}"
        );
        let message = "adm:0.1".parse::<OptimizerChoice>().unwrap_err();
        assert!(message.ends_with("did you mean \"adam\"?"), "{message}");
        let message = schedule("constant:2").unwrap_err();
        assert!(!message.contains("did you mean"), "{message}");
    }

    #[test]
    fn what_is_printed_is_what_is_read() {
        for text in [
            "reverse",
            "reverse:tape",
            "checkpointed:7",
            "truncated:3",
            "forward",
            "first-order",
        ] {
            assert_eq!(text.parse::<AdjointChoice>().unwrap().to_string(), text);
        }
        for text in ["sgd:0.5", "sgd:10,1", "adam:0.05", "adaptive:0.1"] {
            assert_eq!(text.parse::<OptimizerChoice>().unwrap().to_string(), text);
        }
        for text in ["gradient-descent", "momentum:0.9", "adam"] {
            assert_eq!(text.parse::<DynamicsChoice>().unwrap().to_string(), text);
        }
        for text in ["0.25", "adaptive"] {
            assert_eq!(text.parse::<ProbabilityChoice>().unwrap().to_string(), text);
        }
        for text in ["off", "0.2"] {
            assert_eq!(text.parse::<EarlyStopping>().unwrap().to_string(), text);
        }
    }
}
