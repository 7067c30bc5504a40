//! A named column of cells, and what its cells are.

use std::collections::HashMap;

use super::cell::{Cell, Decimal, cell, is_missing, number_text};
use super::problem::cut;

/// More different texts than this are not taken for categories unless the user says so.
pub(crate) const MOST_CATEGORIES: usize = 100;
/// Even then, no more than this.
pub(crate) const MOST_CATEGORIES_ASKED_FOR: usize = 10_000;

/// Fewer rows than this may each have a category of their own.
const FEWEST_NAMES: usize = 10;

/// The id of no text.
pub(crate) const NO_TEXT: u32 = u32::MAX;

/// Texts, each stored once.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Texts {
    pub(crate) names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// The text of each row, or [`NO_TEXT`].
    pub(crate) rows: Vec<u32>,
}

impl Texts {
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        // More than 2³² different texts do not fit into memory.
        let number = self.names.len() as u32;
        self.names.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(crate) fn push(&mut self, text: &str) {
        let number = self.number(text);
        self.rows.push(number);
    }

    fn append(&mut self, other: &Self) {
        let numbers: Vec<u32> = other.names.iter().map(|name| self.number(name)).collect();
        let renumbered = other.rows.iter().map(|&row| match row {
            NO_TEXT => NO_TEXT,
            row => numbers[row as usize],
        });
        self.rows.extend(renumbered);
    }
}

/// The kinds of cells that are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Missing,
    Number,
    Boolean,
    Date,
    /// A comma between thousands, without doubt.
    Thousands,
    /// A decimal comma, without doubt.
    DecimalComma,
    /// `1,234`: one or the other.
    Comma,
    Infinite,
    Text,
}

const KINDS: usize = 9;

/// How many cells there are of a kind, and the first of them.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Count {
    cells: usize,
    first: usize,
}

/// How a column is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Reading {
    /// As what its cells are.
    #[default]
    Found,
    /// Every cell is a text.
    Category,
}

/// A column, cell by cell.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    reading: Reading,
    /// NaN where there is no number.
    values: Vec<f64>,
    texts: Option<Box<Texts>>,
    counts: [Count; KINDS],
    /// Of cells such as `1,234`: the row, and the value with a decimal comma.
    commas: Vec<(usize, f64)>,
    /// An infinite number, as it is spelled.
    infinite: Option<String>,
    /// Numbers with a decimal comma that have a fraction.
    comma_fractions: usize,
}

/// What a column holds.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Contents {
    /// Numbers, NaN where missing.
    Numbers(Vec<f64>),
    /// Texts, [`NO_TEXT`] where missing.
    Categories {
        /// The texts.
        names: Vec<String>,
        /// By row.
        rows: Vec<u32>,
    },
    /// Only missing values.
    Nothing,
}

/// Why a column cannot be used as it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Trouble {
    /// Some cells are numbers, others are not.
    Mixed {
        /// The row of the first text among numbers, or of the first number among texts.
        row: usize,
        found: String,
        texts: usize,
        others: usize,
    },
    /// Too many different texts.
    ManyTexts { different: usize, rows: usize },
    /// Every row has a text of its own.
    Names,
    /// Some numbers have a decimal comma, others a decimal point or commas between thousands.
    Marks { row: usize },
    /// Numbers with a sign, such as `4.5%`, or dates that are not written as ISO 8601 says.
    Unread {
        row: usize,
        found: String,
        expected: &'static str,
    },
    /// `1,234` may be a thousand or a fraction.
    Comma { row: usize, found: f64 },
    /// A number that is not finite.
    Infinite { row: usize, found: String },
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, reading: Reading) -> Self {
        Self {
            name: name.into(),
            reading,
            values: Vec::new(),
            texts: None,
            counts: [Count::default(); KINDS],
            commas: Vec::new(),
            infinite: None,
            comma_fractions: 0,
        }
    }

    /// Number of cells.
    pub(crate) fn len(&self) -> usize {
        match self.reading {
            Reading::Found => self.values.len(),
            Reading::Category => self.texts.as_ref().map_or(0, |texts| texts.rows.len()),
        }
    }

    /// Adds the text of a cell. Blanks around it have been removed.
    pub(crate) fn push(&mut self, text: &str, decimal: Decimal, missing: &[String]) {
        if self.reading == Reading::Category {
            let texts = self.texts.get_or_insert_default();
            if is_missing(text) || missing.iter().any(|word| means(word, text)) {
                texts.rows.push(NO_TEXT);
                self.count(Kind::Missing);
            } else {
                texts.push(text);
                self.count(Kind::Text);
            }
            return;
        }
        match cell(text, decimal) {
            Cell::Number(value) if missing.is_empty() => {
                self.count(Kind::Number);
                self.values.push(value);
            }
            _ if missing.iter().any(|word| means(word, text)) => self.push_missing(),
            Cell::Number(value) => self.push_number(value),
            Cell::Missing => self.push_missing(),
            Cell::Boolean(value) => self.push_boolean(value),
            Cell::Date(days) => self.push_date(days),
            Cell::Thousands(value) => self.add(Kind::Thousands, value),
            Cell::DecimalComma(value) => {
                self.comma_fractions += usize::from(value.fract() != 0.0);
                self.add(Kind::DecimalComma, value);
            }
            Cell::Comma { thousands, decimal } => {
                self.commas.push((self.values.len(), decimal));
                self.add(Kind::Comma, thousands);
            }
            Cell::Infinite => {
                self.infinite.get_or_insert_with(|| text.to_owned());
                self.add(Kind::Infinite, f64::NAN);
            }
            Cell::Text => self.push_text(text),
        }
    }

    /// Adds a finite number, or NaN for a missing one, to a column that is read as what its cells are.
    #[inline]
    pub(crate) fn push_plain(&mut self, value: f64) {
        let kind = if value.is_nan() {
            Kind::Missing
        } else {
            Kind::Number
        };
        self.add(kind, value);
    }

    pub(crate) fn push_number(&mut self, value: f64) {
        if self.reading == Reading::Category {
            if value.is_nan() {
                self.push_missing();
            } else {
                self.push_category(&number_text(value));
            }
        } else if value.is_nan() {
            self.push_missing();
        } else if value.is_infinite() {
            self.infinite.get_or_insert_with(|| value.to_string());
            self.add(Kind::Infinite, f64::NAN);
        } else {
            self.add(Kind::Number, value);
        }
    }

    /// Several numbers at once.
    #[cfg(feature = "columnar")]
    pub(crate) fn extend_numbers<T: Copy + Into<f64>>(&mut self, numbers: &[T]) {
        let mut numbers = numbers.iter().map(|&number| number.into());
        if self.reading == Reading::Category || !numbers.clone().all(f64::is_finite) {
            numbers.for_each(|value| self.push_number(value));
            return;
        }
        let Some(first) = numbers.next() else {
            return;
        };
        self.add(Kind::Number, first);
        let rest = numbers;
        self.values.extend(rest.clone());
        self.counts[Kind::Number as usize].cells += rest.len();
    }

    /// Makes room for so many cells.
    #[cfg(feature = "columnar")]
    pub(crate) fn reserve(&mut self, cells: usize) {
        if self.reading == Reading::Found {
            self.values.reserve_exact(cells);
        }
    }

    pub(crate) fn push_boolean(&mut self, value: bool) {
        if self.reading == Reading::Category {
            self.push_category(if value { "true" } else { "false" });
        } else {
            self.add(Kind::Boolean, f64::from(value));
        }
    }

    /// Days since 1970-01-01.
    pub(crate) fn push_date(&mut self, days: f64) {
        if self.reading == Reading::Category {
            self.push_category(&number_text(days));
        } else {
            self.add(Kind::Date, days);
        }
    }

    pub(crate) fn push_missing(&mut self) {
        if self.reading == Reading::Category {
            self.texts.get_or_insert_default().rows.push(NO_TEXT);
            self.count(Kind::Missing);
        } else {
            self.add(Kind::Missing, f64::NAN);
        }
    }

    /// A text that is not read as anything else.
    pub(crate) fn push_text(&mut self, text: &str) {
        if self.reading == Reading::Category {
            return self.push_category(text);
        }
        let rows = self.values.len();
        let texts = self.texts.get_or_insert_default();
        texts.rows.resize(rows, NO_TEXT);
        texts.push(text);
        self.add(Kind::Text, f64::NAN);
    }

    fn push_category(&mut self, text: &str) {
        self.texts.get_or_insert_default().push(text);
        self.count(Kind::Text);
    }

    fn add(&mut self, kind: Kind, value: f64) {
        self.count(kind);
        self.values.push(value);
    }

    /// Before the cell is added.
    fn count(&mut self, kind: Kind) {
        let count = &mut self.counts[kind as usize];
        if count.cells == 0 {
            count.first = match self.reading {
                Reading::Found => self.values.len(),
                Reading::Category => 0,
            };
        }
        count.cells += 1;
    }

    /// Adds the cells of `other` behind these.
    pub(crate) fn append(&mut self, other: &Self) {
        let rows = self.len();
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            if mine.cells == 0 {
                mine.first = theirs.first + rows;
            }
            mine.cells += theirs.cells;
        }
        if let Some(theirs) = &other.texts {
            let mine = self.texts.get_or_insert_default();
            mine.rows.resize(rows, NO_TEXT);
            mine.append(theirs);
        }
        self.values.extend_from_slice(&other.values);
        let commas = other.commas.iter().map(|&(row, value)| (row + rows, value));
        self.commas.extend(commas);
        self.comma_fractions += other.comma_fractions;
        if self.infinite.is_none() {
            self.infinite.clone_from(&other.infinite);
        }
    }

    fn cells(&self, kind: Kind) -> usize {
        self.counts[kind as usize].cells
    }

    fn first(&self, kind: Kind) -> usize {
        self.counts[kind as usize].first
    }

    /// Whether every cell is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells(Kind::Missing) == self.len()
    }

    /// What the cells are.
    ///
    /// # Errors
    /// Cells of several kinds, or a number that can be read in two ways.
    pub(crate) fn contents(mut self) -> Result<Contents, Trouble> {
        if self.is_empty() {
            return Ok(Contents::Nothing);
        }
        let rows = self.len();
        if self.cells(Kind::DecimalComma) > 0 && self.has_other_marks() {
            return Err(Trouble::Marks {
                row: self.first(Kind::DecimalComma),
            });
        }
        let texts = self.cells(Kind::Text);
        let missing = self.cells(Kind::Missing);
        let others = rows - texts - missing;
        if texts > 0 {
            return self.categories(texts, others, rows - missing);
        }
        if self.cells(Kind::Infinite) > 0 {
            return Err(Trouble::Infinite {
                row: self.first(Kind::Infinite),
                found: self.infinite.unwrap_or_default(),
            });
        }
        let dates = self.cells(Kind::Date);
        if dates > 0 && dates < others {
            let kinds = [Kind::Number, Kind::Boolean, Kind::Thousands, Kind::Comma];
            let row = kinds.into_iter().filter(|&kind| self.cells(kind) > 0);
            return Err(Trouble::Mixed {
                row: row.map(|kind| self.first(kind)).min().unwrap_or_default(),
                found: "a number among dates".to_owned(),
                texts: dates,
                others: others - dates,
            });
        }
        if self.cells(Kind::Comma) > 0 {
            let thousands = self.cells(Kind::Thousands) > 0;
            let decimal = self.cells(Kind::DecimalComma) > 0;
            if thousands == decimal {
                let (row, _) = self.commas[0];
                return Err(Trouble::Comma {
                    row,
                    found: self.values[row],
                });
            }
            if decimal {
                for &(row, value) in &self.commas {
                    self.values[row] = value;
                }
            }
        }
        Ok(Contents::Numbers(self.values))
    }

    /// Whether some numbers have a fraction, or commas between thousands, where others have a decimal comma.
    fn has_other_marks(&self) -> bool {
        let fractions = self
            .values
            .iter()
            .filter(|value| value.fract() != 0.0 && !value.is_nan());
        self.cells(Kind::Thousands) > 0 || fractions.count() > self.comma_fractions
    }

    /// Whether the cells are dates.
    pub(crate) fn is_dates(&self) -> bool {
        self.cells(Kind::Date) > 0
    }

    fn categories(self, texts: usize, others: usize, there: usize) -> Result<Contents, Trouble> {
        let asked_for = self.reading == Reading::Category;
        let first = self.first(Kind::Text);
        let others_first = [
            Kind::Number,
            Kind::Boolean,
            Kind::Date,
            Kind::Thousands,
            Kind::DecimalComma,
            Kind::Comma,
            Kind::Infinite,
        ]
        .into_iter()
        .filter(|&kind| self.cells(kind) > 0)
        .map(|kind| self.first(kind))
        .min();
        let rows = self.len();
        let mut all = *self.texts.unwrap_or_default();
        // Cells behind the last text.
        all.rows.resize(rows, NO_TEXT);
        if others > 0 {
            // Which of them is the odd one?
            let (row, found) = match others_first {
                Some(row) if others < texts => {
                    (row, format!("the number {}", number_text(self.values[row])))
                }
                _ => (
                    first,
                    format!("{:?}", cut(&all.names[all.rows[first] as usize])),
                ),
            };
            return Err(Trouble::Mixed {
                row,
                found,
                texts,
                others,
            });
        }
        if !asked_for && let Some(expected) = unread(&all.names) {
            return Err(Trouble::Unread {
                row: first,
                found: all.names[all.rows[first] as usize].clone(),
                expected,
            });
        }
        let different = all.names.len();
        if !asked_for && different == there && there >= FEWEST_NAMES {
            return Err(Trouble::Names);
        }
        let most = if asked_for {
            MOST_CATEGORIES_ASKED_FOR
        } else {
            MOST_CATEGORIES
        };
        if different > most {
            return Err(Trouble::ManyTexts {
                different,
                rows: there,
            });
        }
        Ok(Contents::Categories {
            names: all.names,
            rows: all.rows,
        })
    }
}

/// Whether a cell is this text, or this number in another spelling.
pub(crate) fn means(word: &str, text: &str) -> bool {
    let word = word.trim();
    word == text
        || match (word.parse::<f64>(), text.parse::<f64>()) {
            (Ok(word), Ok(text)) => word == text,
            _ => false,
        }
}

/// What was expected instead, if all these texts are numbers with a sign, or dates of another kind.
fn unread(names: &[String]) -> Option<&'static str> {
    const SIGNS: [char; 8] = ['%', '‰', '$', '€', '£', '¥', '₹', '°'];
    let signed = |name: &String| {
        let number = name.trim_matches(|c: char| SIGNS.contains(&c) || c.is_whitespace());
        number.len() < name.len()
            && number.contains(|c: char| c.is_ascii_digit())
            && !number.contains(|c: char| !c.is_ascii_digit() && !"+-.,' ".contains(c))
    };
    let date = |name: &String| {
        let date = name.split([' ', 'T']).next().unwrap_or_default();
        let parts: Vec<&str> = date.split(['.', '/', '-']).collect();
        let digits =
            |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(digits)
    };
    if names.iter().all(signed) {
        Some("numbers without signs such as % or €")
    } else if names.iter().all(date) {
        Some("dates as ISO 8601 has them, such as 2024-02-29")
    } else {
        None
    }
}
