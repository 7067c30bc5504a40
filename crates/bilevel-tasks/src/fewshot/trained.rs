//! What the inner problem of a few-shot task trains.

use std::fmt;
use std::str::FromStr;

/// What the inner problem trains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trained {
    /// All parameters, from the start x: MAML (arXiv 1703.03400).
    All,
    /// The linear head alone, on features with parameters x: hyper-representation (arXiv 1806.04910).
    Head,
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Head => "head",
        })
    }
}

impl FromStr for Trained {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        match text {
            "all" => Ok(Self::All),
            "head" => Ok(Self::Head),
            _ => Err(bilevel::Error::Unknown {
                what: "part",
                text: text.to_owned(),
                expected: "all or head",
                known: &["all", "head"],
            }),
        }
    }
}
