//! Values of options; errors say what was expected and suggest the nearest known name.

use std::str::FromStr;

use bilevel::Error;
use bilevel::catalogue::MethodChoice;
use bilevel::text;
use bilevel_tasks::cleaning::{JudgeChoice, read_rate, read_seed, read_threads};

/// Names further than this from the input are not suggested.
const SIMILAR: f64 = 0.7;

/// "; did you mean \"…\"?", or nothing.
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

/// What is wrong with a value, with the nearest known name.
pub(crate) fn message(error: &Error) -> String {
    let nearest = match error {
        Error::Expected { found, known, .. } => suggestion(found, known),
        Error::Unknown { text, known, .. } => suggestion(text, known),
        _ => String::new(),
    };
    format!("{error}{nearest}")
}

/// A value in the library's own form.
pub(crate) fn value<V: FromStr<Err = Error>>(text: &str) -> Result<V, String> {
    text.parse().map_err(|error| message(&error))
}

/// The name of a method.
pub(crate) fn method(text: &str) -> Result<MethodChoice, String> {
    method_or(text, &[])
}

/// The name of a detector or a method.
pub(crate) fn judge(text: &str) -> Result<JudgeChoice, String> {
    text.parse().map_err(|error: Error| match &error {
        Error::Expected { known, .. } if !known.is_empty() => {
            format!("{}; bilevel methods lists them", message(&error))
        }
        _ => message(&error),
    })
}

/// The name of a method; the error also considers `others` as possible names.
pub(crate) fn method_or(text: &str, others: &[&'static str]) -> Result<MethodChoice, String> {
    text.parse().map_err(|mut error| match &mut error {
        Error::Expected { known, .. } if !known.is_empty() => {
            known.extend(others);
            format!("{}; bilevel methods lists them", message(&error))
        }
        _ => message(&error),
    })
}

/// A whole number of at least 1.
pub(crate) fn positive_count(text: &str) -> Result<usize, String> {
    text::positive_count(text).map_err(|error| message(&error))
}

/// A number of threads.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    read_threads(text).map_err(|error| message(&error))
}

/// A seed that `config.toml` can hold.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    read_seed(text).map_err(|error| message(&error))
}

fn number(text: &str, what: &str, holds: impl Fn(f64) -> bool) -> Result<f64, String> {
    text::number(text, what, holds).map_err(|error| message(&error))
}

/// A number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    text::positive(text).map_err(|error| message(&error))
}

/// A number of at least 0.
pub(crate) fn non_negative(text: &str) -> Result<f64, String> {
    text::non_negative(text).map_err(|error| message(&error))
}

/// A number from 0 to 1.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    read_rate(text).map_err(|error| message(&error))
}

/// Numbers separated by commas: `1,-2.5`.
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
    use bilevel::Schedule;
    use bilevel::catalogue::{AdjointChoice, OptimizerChoice};

    #[test]
    fn the_nearest_name_is_named() {
        let message = value::<Schedule>("contsant:0.5").unwrap_err();
        assert!(message.ends_with("did you mean \"constant\"?"), "{message}");
        let message = value::<AdjointChoice>("checkpoint:3").unwrap_err();
        assert!(
            message.ends_with("did you mean \"checkpointed\"?"),
            "{message}"
        );
        let message = value::<OptimizerChoice>("adm:0.1").unwrap_err();
        assert!(message.ends_with("did you mean \"adam\"?"), "{message}");
        let message = value::<Schedule>("constant:2").unwrap_err();
        assert!(!message.contains("did you mean"), "{message}");
    }
}
