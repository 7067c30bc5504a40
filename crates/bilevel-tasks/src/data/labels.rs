//! From labels as files have them to classes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::cell::{is_blank, is_missing, number_text};
use super::column::{Texts, means};
use super::problem::{TableProblem, listed};
use crate::Error;

/// More classes than this must be shared by many rows.
const FEW_CLASSES: usize = 20;

/// One label a row, as a file has it.
#[derive(Clone, PartialEq, Debug)]
pub struct Labels {
    path: PathBuf,
    column: Option<String>,
    texts: Texts,
    /// Texts that are labels, whatever they look like.
    kept: Vec<String>,
    /// Whether every text is a label, as the name of a folder is.
    literal: bool,
    /// Texts that stand for no label, beside the usual ones.
    more_missing: Vec<String>,
}

impl Labels {
    pub(crate) fn new(path: &Path, column: Option<String>) -> Self {
        Self {
            path: path.to_owned(),
            column,
            texts: Texts::default(),
            kept: Vec::new(),
            literal: false,
            more_missing: Vec::new(),
        }
    }

    /// Says which texts are labels, and which stand for none, beside the usual ones.
    pub(crate) fn say(&mut self, labels: &[String], missing: &[String]) {
        self.kept = labels.to_vec();
        self.more_missing = missing.to_vec();
    }

    /// Takes every text for a label.
    pub(crate) fn literal(mut self) -> Self {
        self.literal = true;
        self
    }

    pub(crate) fn push(&mut self, label: &str) {
        self.texts.push(label);
    }

    /// Several integers; each of them is looked up once.
    pub(crate) fn extend_integers(&mut self, labels: impl Iterator<Item = i64>) {
        let mut known: HashMap<i64, u32> = HashMap::new();
        for label in labels {
            let number = known
                .entry(label)
                .or_insert_with(|| self.texts.number(&label.to_string()));
            self.texts.rows.push(*number);
        }
    }

    /// NaN is a missing label.
    pub(crate) fn push_number(&mut self, label: f64) {
        if label.is_nan() {
            self.push("NaN");
        } else {
            self.push(&number_text(label));
        }
    }

    pub(crate) fn push_boolean(&mut self, label: bool) {
        self.push(if label { "true" } else { "false" });
    }

    pub(crate) fn append(&mut self, other: &Self) {
        let numbers: Vec<u32> = other
            .texts
            .names
            .iter()
            .map(|name| self.texts.number(name))
            .collect();
        let rows = other.texts.rows.iter();
        self.texts
            .rows
            .extend(rows.map(|&row| numbers[row as usize]));
    }

    /// Number of labels, with those that are missing.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.texts.rows.len()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The label of a row as the file has it.
    #[must_use]
    pub fn text(&self, row: usize) -> &str {
        &self.texts.names[self.texts.rows[row] as usize]
    }

    pub(crate) fn column_name(&self) -> String {
        self.column.clone().unwrap_or_else(|| "label".to_owned())
    }

    /// For each different text, whether it stands for no label.
    fn missing_texts(&self) -> Vec<bool> {
        // Where some labels are +, a − is a label too.
        let signs = self.texts.names.iter().any(|name| name == "+");
        let missing = |name: &String| {
            if self.literal || self.kept.contains(name) {
                false
            } else if self.more_missing.iter().any(|word| means(word, name)) {
                true
            } else {
                // Python's None is a missing value, `none` may be one of several degrees.
                is_missing(name) && !(signs && name == "-") && name != "none"
            }
        };
        self.texts.names.iter().map(missing).collect()
    }

    /// Whether each row has a label.
    #[must_use]
    pub fn present(&self) -> Vec<bool> {
        let missing = self.missing_texts();
        let rows = self.texts.rows.iter();
        rows.map(|&row| !missing[row as usize]).collect()
    }

    /// The label of each row as the file has it, where there is one.
    pub(crate) fn texts(&self) -> Vec<Option<String>> {
        let missing = self.missing_texts();
        let rows = self.texts.rows.iter().map(|&row| row as usize);
        rows.map(|text| (!missing[text]).then(|| self.texts.names[text].clone()))
            .collect()
    }

    /// The texts that stand for no label, and how many rows have each.
    pub(crate) fn missing(&self) -> Vec<(String, usize)> {
        let missing = self.missing_texts();
        let counts = self.counts();
        let names = self.texts.names.iter().zip(counts).zip(missing);
        names
            .filter(|&((_, count), missing)| missing && count > 0)
            .map(|((name, count), _)| (name.clone(), count))
            .collect()
    }

    /// How many rows have each text.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.texts.names.len()];
        for &row in &self.texts.rows {
            counts[row as usize] += 1;
        }
        counts
    }

    fn wrong(&self, problem: TableProblem) -> Error {
        problem.at(&self.path)
    }
}

/// The class among these names that a label is: the same number, or else the same text.
pub(crate) fn class_of(names: &[String], label: &str) -> Option<u32> {
    let same =
        |name: &String| name == label || number(name).is_some_and(|n| number(label) == Some(n));
    let place = names.iter().position(same);
    place.map(|place| place as u32)
}

/// The classes of all files of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Classes {
    /// Their names: sorted by value if all are numbers, else as texts.
    pub names: Vec<String>,
    /// The class of each row of each file; None where the label is missing.
    pub of: Vec<Vec<Option<u32>>>,
    /// Labels that are spelled differently and are one class, because they are one number or because it was asked for.
    pub merged: Vec<Alike>,
    /// Labels that look the same and are different classes.
    pub alike: Vec<Alike>,
    /// Classes that rows of the first file do not have, with the file that has each.
    pub only_elsewhere: Vec<(String, PathBuf)>,
}

/// Spellings of what may be one label, with the number of rows of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alike {
    /// The spellings, the most frequent first.
    pub spellings: Vec<(String, usize)>,
}

/// What two labels have in common if they are the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Same {
    Integer(i128),
    /// The bits of a number with a fraction, in the order of the numbers.
    Number(i64),
    Text(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meaning {
    Numbers,
    Booleans,
    Texts,
}

/// Makes classes of the labels of the files of one run. Labels that are all numbers are compared as numbers; the words
/// true and false as what they say, also beside 1 and 0 in another file; anything else as texts. With `merge`, labels
/// that look the same are one class.
///
/// # Errors
/// Labels of the first file that are all the same or nearly all different, or many numbers with fractions: they are
/// no classes.
pub fn classes(files: &[&Labels], merge: bool) -> Result<Classes, Error> {
    let meaning = meaning(files);
    let mut groups: BTreeMap<Same, Group> = BTreeMap::new();
    let mut keys: Vec<Vec<Option<Same>>> = Vec::with_capacity(files.len());
    for (file, labels) in files.iter().enumerate() {
        let (missing, counts) = (labels.missing_texts(), labels.counts());
        let names = labels.texts.names.iter().zip(missing).zip(counts);
        let of_names = names.map(|((name, missing), count)| {
            if missing || count == 0 {
                return None;
            }
            let key = match meaning {
                Meaning::Texts if merge => Same::Text(folded(name)),
                Meaning::Texts => Same::Text(name.clone()),
                Meaning::Numbers | Meaning::Booleans => value(name),
            };
            let group = groups.entry(key.clone()).or_default();
            group.add(name, count, file);
            Some(key)
        });
        keys.push(of_names.collect());
    }
    check(files[0], &groups, meaning)?;
    let mut order: Vec<(&Same, &Group)> = groups.iter().collect();
    if meaning == Meaning::Texts {
        order.sort_by(|a, b| a.1.name().cmp(b.1.name()));
    } else {
        order.sort_by(|a, b| by_value(a.0, b.0));
    }
    let numbers: HashMap<&Same, u32> = order
        .iter()
        .zip(0..)
        .map(|((key, _), i)| (*key, i))
        .collect();
    let of = files.iter().zip(&keys).map(|(labels, keys)| {
        let classes: Vec<Option<u32>> = keys
            .iter()
            .map(|key| key.as_ref().map(|key| numbers[key]))
            .collect();
        let rows = labels.texts.rows.iter();
        rows.map(|&row| classes[row as usize]).collect()
    });
    let of = of.collect();
    let names: Vec<String> = order.iter().map(|(_, g)| g.name().to_owned()).collect();
    let merged = order.iter().filter(|(_, group)| group.spellings.len() > 1);
    let merged = merged.map(|(_, group)| group.alike()).collect();
    let only_elsewhere = order
        .iter()
        .filter(|(_, group)| group.first_file > 0)
        .map(|(_, group)| {
            let path = files[group.first_file].path.clone();
            (group.name().to_owned(), path)
        })
        .collect();
    let alike = if meaning == Meaning::Texts && !merge {
        same_looks(&order)
    } else {
        Vec::new()
    };
    Ok(Classes {
        names,
        of,
        merged,
        alike,
        only_elsewhere,
    })
}

/// The spellings of a class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Group {
    /// With the rows of the first file, and of all files.
    spellings: Vec<(String, usize, usize)>,
    first_file: usize,
}

impl Group {
    fn add(&mut self, name: &str, count: usize, file: usize) {
        if self.spellings.is_empty() {
            self.first_file = file;
        }
        let of_first = if file == 0 { count } else { 0 };
        match self.spellings.iter_mut().find(|known| known.0 == name) {
            Some(known) => {
                known.1 += of_first;
                known.2 += count;
            }
            None => self.spellings.push((name.to_owned(), of_first, count)),
        }
    }

    /// The most frequent spelling in the first file, or else in all.
    fn name(&self) -> &str {
        let mut best = 0;
        for (index, spelling) in self.spellings.iter().enumerate() {
            let than = &self.spellings[best];
            if (spelling.1, spelling.2) > (than.1, than.2) {
                best = index;
            }
        }
        &self.spellings[best].0
    }

    fn alike(&self) -> Alike {
        let mut spellings: Vec<(String, usize)> = self
            .spellings
            .iter()
            .map(|(name, _, count)| (name.clone(), *count))
            .collect();
        spellings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Alike { spellings }
    }

    fn rows(&self) -> usize {
        self.spellings.iter().map(|(_, _, count)| count).sum()
    }
}

/// Groups of different classes that look the same.
fn same_looks(classes: &[(&Same, &Group)]) -> Vec<Alike> {
    let mut looks: BTreeMap<String, Vec<&Group>> = BTreeMap::new();
    for (_, group) in classes {
        looks.entry(folded(group.name())).or_default().push(group);
    }
    let several = looks.into_values().filter(|groups| groups.len() > 1);
    several
        .map(|groups| {
            let mut spellings: Vec<(String, usize)> = groups
                .iter()
                .map(|group| (group.name().to_owned(), group.rows()))
                .collect();
            spellings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            Alike { spellings }
        })
        .collect()
}

/// What two labels that look the same have in common: compatibility forms of Unicode, case, blanks and invisible
/// characters, quotes, and the spelling of numbers make no difference.
fn folded(label: &str) -> String {
    let mut text: String = label.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    text.retain(|c| {
        !is_blank(c)
            && !c.is_control()
            && !matches!(
                c,
                '\'' | '"' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{ad}'
            )
    });
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number_text(number),
        _ => text,
    }
}

fn number(text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    let numeric = first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.');
    let value = text.parse::<f64>().ok()?;
    (numeric && value.is_finite()).then_some(value)
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn meaning(files: &[&Labels]) -> Meaning {
    let mut numbers = false;
    let mut booleans = false;
    let mut binary = true;
    for labels in files {
        let missing = labels.missing_texts();
        let names = labels.texts.names.iter().zip(missing);
        let mut kinds = [false; 2];
        for (name, _) in names.filter(|(_, missing)| !missing) {
            if let Some(value) = number(name) {
                kinds[0] = true;
                binary &= value == 0.0 || value == 1.0;
            } else if boolean(name).is_some() {
                kinds[1] = true;
            } else {
                return Meaning::Texts;
            }
        }
        if kinds == [true; 2] {
            return Meaning::Texts;
        }
        numbers |= kinds[0];
        booleans |= kinds[1];
    }
    match (numbers, booleans) {
        (true, true) if !binary => Meaning::Texts,
        (true, _) => Meaning::Numbers,
        (false, true) => Meaning::Booleans,
        (false, false) => Meaning::Texts,
    }
}

/// The value of a label that is a number or a boolean.
fn value(name: &str) -> Same {
    if let Some(boolean) = boolean(name) {
        return Same::Integer(i128::from(boolean));
    }
    if let Ok(integer) = name.parse::<i128>() {
        return Same::Integer(integer);
    }
    match number(name) {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e30 => {
            Same::Integer(number as i128)
        }
        // Ordered like the numbers: negative ones have their other bits inverted.
        Some(number) => {
            let bits = number.to_bits() as i64;
            Same::Number(bits ^ ((bits >> 63) as u64 >> 1) as i64)
        }
        None => Same::Text(name.to_owned()),
    }
}

fn by_value(a: &Same, b: &Same) -> std::cmp::Ordering {
    let number = |same: &Same| match same {
        Same::Integer(integer) => *integer as f64,
        Same::Number(bits) => {
            let bits = bits ^ ((bits >> 63) as u64 >> 1) as i64;
            f64::from_bits(bits as u64)
        }
        Same::Text(_) => f64::INFINITY,
    };
    number(a).total_cmp(&number(b)).then_with(|| a.cmp(b))
}

fn check(first: &Labels, groups: &BTreeMap<Same, Group>, meaning: Meaning) -> Result<(), Error> {
    let rows = first
        .present()
        .into_iter()
        .filter(|&present| present)
        .count();
    let of_first: Vec<&Group> = groups.values().filter(|g| g.first_file == 0).collect();
    let column = first.column_name();
    if of_first.is_empty() {
        return Err(first.wrong(TableProblem::NoLabels { column }));
    }
    let fractions = groups.keys().filter(|key| matches!(key, Same::Number(_)));
    let different = of_first.len();
    if meaning == Meaning::Numbers && different > FEW_CLASSES && fractions.count() > 0 {
        return Err(first.wrong(TableProblem::Measurements { column, different }));
    }
    if different > FEW_CLASSES && 2 * different > rows {
        return Err(first.wrong(TableProblem::ManyClasses {
            column,
            classes: different,
            rows,
        }));
    }
    if let [only] = of_first[..] {
        return Err(first.wrong(TableProblem::OneClass {
            column,
            label: only.name().to_owned(),
            missing: first.missing(),
        }));
    }
    Ok(())
}

impl Alike {
    /// The spellings with their numbers of rows, for a message.
    #[must_use]
    pub fn text(&self) -> String {
        let shown: Vec<String> = self
            .spellings
            .iter()
            .take(4)
            .map(|(name, rows)| format!("{} ({rows})", listed(std::slice::from_ref(name))))
            .collect();
        let more = if self.spellings.len() > shown.len() {
            ", …"
        } else {
            ""
        };
        format!("{}{more}", shown.join(", "))
    }
}
