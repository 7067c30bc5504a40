//! The meaning of single cells.

use std::collections::HashMap;

use super::{Place, TableProblem};

/// Label texts, each stored once.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Labels {
    pub(super) names: Vec<String>,
    numbers: HashMap<String, usize>,
    /// The name of each row; None where missing.
    pub(super) rows: Vec<Option<usize>>,
}

impl Labels {
    pub(super) fn push(&mut self, label: &str) {
        if label.is_empty() {
            self.rows.push(None);
            return;
        }
        let number = self.numbers.get(label).copied().unwrap_or_else(|| {
            let number = self.names.len();
            self.names.push(label.to_owned());
            self.numbers.insert(label.to_owned(), number);
            number
        });
        self.rows.push(Some(number));
    }
}

impl FromIterator<String> for Labels {
    fn from_iter<I: IntoIterator<Item = String>>(labels: I) -> Self {
        let mut all = Self::default();
        labels.into_iter().for_each(|label| all.push(&label));
        all
    }
}

/// The text of a cell.
pub(super) fn utf8<'a>(cell: &'a [u8], place: &dyn Fn() -> Place) -> Result<&'a str, TableProblem> {
    std::str::from_utf8(cell).map_err(|_| TableProblem::Text {
        place: place(),
        found: String::from_utf8_lossy(cell).chars().take(40).collect(),
    })
}

fn is_missing(cell: &str) -> bool {
    const MISSING: [&str; 6] = ["na", "n/a", "nan", "null", "none", "?"];
    cell.is_empty() || MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// A feature; NaN where missing.
pub(super) fn number(cell: &[u8], place: &dyn Fn() -> Place) -> Result<f64, TableProblem> {
    let cell = utf8(cell, place)?;
    if is_missing(cell) {
        return Ok(f64::NAN);
    }
    match cell.parse::<f64>() {
        Ok(value) if !value.is_infinite() => Ok(value),
        Ok(_) => Err(TableProblem::Infinite {
            place: place(),
            found: format!("{cell:?}"),
        }),
        Err(_) if cell.eq_ignore_ascii_case("true") => Ok(1.0),
        Err(_) if cell.eq_ignore_ascii_case("false") => Ok(0.0),
        Err(_) => Err(TableProblem::NotNumber {
            place: place(),
            found: cell.chars().take(40).collect(),
        }),
    }
}

/// Whether a row is trusted.
pub(super) fn boolean(cell: &[u8], place: &dyn Fn() -> Place) -> Result<bool, TableProblem> {
    let cell = utf8(cell, place)?;
    match cell.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "1.0" => Ok(true),
        "false" | "no" | "0" | "0.0" => Ok(false),
        _ => Err(TableProblem::NotBoolean {
            place: place(),
            found: cell.chars().take(40).collect(),
        }),
    }
}
