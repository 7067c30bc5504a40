//! How a text is separated into cells, found from its first lines.

use std::path::Path;

use super::records::{Form, Records};
use crate::data::cell::{Cell, Decimal, cell};
use crate::data::roles::{FeatureColumns, LabelsWanted, TableColumns};
use crate::data::table::NO_NAMES;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Records that are looked at.
const SAMPLE: usize = 100;

/// How a text is separated into cells, and its numbers into digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dialect {
    pub(super) form: Form,
    pub(super) decimal: Decimal,
    /// Whether the first record has the names of the columns.
    pub(super) header: bool,
    /// Bytes before the first record: a byte order mark, a line `sep=;`.
    pub(super) skip: usize,
    /// The line of the first record.
    pub(super) line: u64,
}

impl Dialect {
    /// The dialect of a text that starts with `start`; `whole` if that is all of it.
    pub(super) fn of(mut start: &[u8], whole: bool, path: &Path, wanted: &TableColumns) -> Self {
        let mut skip = 0;
        if start.starts_with(BYTE_ORDER_MARK) {
            skip = BYTE_ORDER_MARK.len();
            start = &start[skip..];
        }
        let newline = if start.contains(&b'\n') || !start.contains(&b'\r') {
            b'\n'
        } else {
            b'\r'
        };
        let mut said = wanted.text.separator;
        let mut line = 1;
        if let Some((separator, length)) = excel_line(start) {
            said = said.or(Some(separator));
            skip += length;
            start = &start[length..];
            line += 1;
        }
        let comments = comments(start);
        skip += comments.0;
        start = &start[comments.0..];
        line += comments.1;
        if !whole {
            // The last line may be cut.
            let end = start.iter().rposition(|&b| b == newline);
            start = &start[..end.map_or(start.len(), |end| end + 1)];
        }
        let separator = said.unwrap_or_else(|| separator(start, newline, path, wanted));
        let form = Form { separator, newline };
        let records = sample(start, form);
        Self {
            form,
            decimal: decimal(&records, separator, wanted.text.decimal),
            header: wanted
                .text
                .header
                .unwrap_or_else(|| header(&records, wanted)),
            skip,
            line,
        }
    }

    /// What it is, for a person.
    pub(super) fn words(self) -> String {
        let separator = match self.form.separator {
            b',' => "commas".to_owned(),
            b';' => "semicolons".to_owned(),
            b'\t' => "tabs".to_owned(),
            b'|' => "vertical bars".to_owned(),
            b' ' => "blanks".to_owned(),
            other => format!("{:?}", char::from(other)),
        };
        let mut words = format!("text separated by {separator}");
        if self.decimal == Decimal::Comma {
            words.push_str(", decimal commas");
        }
        if !self.header {
            words.push_str(", ");
            words.push_str(NO_NAMES);
        }
        words
    }
}

/// A first line `sep=;`, as Excel writes and reads it: the separator, and the length of the line.
fn excel_line(start: &[u8]) -> Option<(u8, usize)> {
    let rest = start
        .strip_prefix(b"sep=")
        .or_else(|| start.strip_prefix(b"\"sep="))?;
    let &separator = rest.first()?;
    let end = start.iter().position(|&b| b == b'\n' || b == b'\r')?;
    let crlf = start[end..].starts_with(b"\r\n");
    Some((separator, end + if crlf { 2 } else { 1 }))
}

/// The bytes and the number of the lines at the start that begin with `#` and have fewer separators than the next.
fn comments(start: &[u8]) -> (usize, u64) {
    let (mut bytes, mut lines) = (0, 0);
    loop {
        let rest = &start[bytes..];
        let Some(end) = rest.iter().position(|&b| b == b'\n') else {
            return (bytes, lines);
        };
        let separators = |line: &[u8]| {
            let all = line.split(|&b| b == b'\n').next().unwrap_or_default();
            all.iter()
                .filter(|b| matches!(b, b',' | b';' | b'\t' | b'|'))
                .count()
        };
        let (own, next) = rest.split_at(end + 1);
        if !own.starts_with(b"#")
            || (separators(own) >= separators(next) && !next.starts_with(b"#"))
        {
            return (bytes, lines);
        }
        bytes += end + 1;
        lines += 1;
    }
}

/// The first records, as far as their quotes are right.
fn sample(start: &[u8], form: Form) -> Vec<Vec<String>> {
    let mut records = Records::new(start, form, 1);
    let mut all = Vec::new();
    while all.len() < SAMPLE
        && let Ok(Some(_)) = records.next()
    {
        let cells = records.cells();
        all.push(
            cells
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect(),
        );
    }
    all
}

/// The names that some column should have. Numbers are no names: a table without names has them as cells.
fn names(wanted: &TableColumns) -> impl Iterator<Item = &String> {
    let features = match &wanted.features {
        FeatureColumns::Same { columns, .. } => columns.as_slice(),
        FeatureColumns::Others | FeatureColumns::None => &[],
    };
    wanted
        .label
        .iter()
        .chain(&wanted.id)
        .chain(&wanted.trusted)
        .chain(&wanted.groups)
        .chain(&wanted.ignore)
        .chain(features)
        .filter(|name| name.parse::<f64>().is_err())
}

fn is_number(text: &str) -> bool {
    matches!(
        cell(text, Decimal::Point),
        Cell::Number(_)
            | Cell::DecimalComma(_)
            | Cell::Thousands(_)
            | Cell::Comma { .. }
            | Cell::Date(_)
    )
}

fn separator(start: &[u8], newline: u8, path: &Path, wanted: &TableColumns) -> u8 {
    let name = path.to_string_lossy().to_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let tabs = name.ends_with(".tsv") || name.ends_with(".tab");
    let usual = if tabs { b'\t' } else { b',' };
    // The usual one first: it wins a tie.
    let mut candidates = vec![usual];
    candidates.extend(
        [b',', b';', b'\t', b'|']
            .into_iter()
            .filter(|&c| c != usual),
    );
    let mut best: Option<((bool, usize, usize, usize), u8)> = None;
    for separator in candidates {
        let records = sample(start, Form { separator, newline });
        let Some(first) = records.first() else {
            continue;
        };
        if first.len() < 2 {
            continue;
        }
        let named = names(wanted).any(|name| first.contains(name));
        let like = records.iter().filter(|r| r.len() == first.len()).count();
        // Where a separator stands inside cells, they are no numbers.
        let cells: usize = records.iter().map(Vec::len).sum();
        let numbers = records
            .iter()
            .flatten()
            .filter(|text| is_number(text))
            .count();
        // In percent of the records, and of the cells.
        let like = like * 100 / records.len();
        let score = (named, like, numbers * 100 / cells.max(1), first.len());
        if (named || score.1 >= 50) && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, separator));
        }
    }
    if let Some((_, separator)) = best {
        return separator;
    }
    let records = sample(
        start,
        Form {
            separator: b' ',
            newline,
        },
    );
    // R leaves out the name of the names of the rows.
    let alike = |record: &Vec<String>, first: &Vec<String>| {
        record.len() == first.len() || record.len() == first.len() + 1
    };
    let blanks = records.first().is_some_and(|first| {
        let one_column = sample(
            start,
            Form {
                separator: usual,
                newline,
            },
        );
        let whole = one_column.first().and_then(|r| r.first());
        let named = whole.is_some_and(|whole| names(wanted).any(|name| name == whole));
        let number = |text: &String| matches!(cell(text, Decimal::Point), Cell::Number(_));
        !named
            && first.len() > 1
            && records.iter().all(|record| alike(record, first))
            && records.iter().skip(1).any(|r| r.iter().any(number))
    });
    if blanks { b' ' } else { usual }
}

/// Whether numbers have decimal commas.
fn decimal(records: &[Vec<String>], separator: u8, said: Option<u8>) -> Decimal {
    match said {
        Some(b',') => return Decimal::Comma,
        Some(_) => return Decimal::OnlyPoint,
        None if separator == b',' => return Decimal::Point,
        None => {}
    }
    // 1.234 and 1,234 may be either.
    let grouped = |text: &str| cell(text, Decimal::Comma) != Cell::Text;
    let mut comma = false;
    for text in records.iter().skip(1).flatten() {
        match cell(text, Decimal::Point) {
            Cell::DecimalComma(_) => comma = true,
            Cell::Thousands(_) if text.contains(',') => return Decimal::Point,
            Cell::Number(_) if text.contains('.') && !grouped(text) => return Decimal::Point,
            _ => {}
        }
    }
    if comma {
        Decimal::Comma
    } else {
        Decimal::Point
    }
}

/// Whether the first record has names. Names are seldom numbers; texts that occur again below are values.
fn header(records: &[Vec<String>], wanted: &TableColumns) -> bool {
    let [first, rest @ ..] = records else {
        return true;
    };
    if rest.is_empty() || names(wanted).any(|name| first.contains(name)) {
        return true;
    }
    let number = |text: &String| match cell(text, Decimal::Point) {
        Cell::Number(value) | Cell::DecimalComma(value) => Some(value),
        _ => None,
    };
    if wanted.labels == LabelsWanted::Only && first.len() == 1 {
        // A list of labels: its name is neither one of them nor a number like all of them.
        let numbers = rest.iter().flatten().all(|text| number(text).is_some());
        return !(rest.contains(first) || numbers && number(&first[0]).is_some());
    }
    let numbers: Vec<f64> = first.iter().filter_map(number).collect();
    if numbers.is_empty() {
        return true;
    }
    let again = first.iter().enumerate().all(|(column, text)| {
        text.is_empty()
            || number(text).is_some()
            || rest.iter().any(|record| record.get(column) == Some(text))
    });
    if !again {
        return true;
    }
    // Columns that are called 0, 1, 2, … or 1, 2, 3, …
    let counted = |from: f64| {
        numbers.len() == first.len()
            && numbers
                .iter()
                .enumerate()
                .all(|(i, &n)| n == from + i as f64)
    };
    counted(0.0) || counted(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, label: &str) -> Dialect {
        let wanted = TableColumns {
            label: (!label.is_empty()).then(|| label.to_owned()),
            ..TableColumns::default()
        };
        Dialect::of(text.as_bytes(), true, Path::new("t.csv"), &wanted)
    }

    #[test]
    fn separators_are_found() {
        for (text, separator) in [
            ("a,b,y\n1,2,u\n", b','),
            ("a;b;y\n1;2;u\n", b';'),
            ("a;b;y\n1,5;2,5;u\n", b';'),
            ("a\tb\ty\n1\t2\tu\n", b'\t'),
            ("a|b|y\n1|2|u\n", b'|'),
            ("a b y\n1  2 u\n", b' '),
            ("sep=;\na;b;y\n1;2;u\n", b';'),
            ("y\nred apple\ngreen pear\n", b','),
            ("a,b,y\n1,x;y,u\n", b','),
        ] {
            for label in ["", "y"] {
                assert_eq!(of(text, label).form.separator, separator, "{text}");
            }
        }
    }

    #[test]
    fn decimal_commas_are_found() {
        assert_eq!(of("a;y\n1,5;u\n", "").decimal, Decimal::Comma);
        assert_eq!(of("a;b;y\n1,5;2.5;u\n", "").decimal, Decimal::Point);
        assert_eq!(of("a,y\n\"1,5\",u\n", "").decimal, Decimal::Point);
    }

    #[test]
    fn a_missing_line_of_names_is_seen() {
        for (text, header) in [
            ("a,b,y\n1,2,u\n", true),
            ("-0.3,0.1,u\n1,2,u\n1,2,v\n", false),
            ("5.1,3.5\n1,2\n", false),
            ("0,1,2\n5,6,7\n", true),
            ("1,2,3\n5,6,7\n", true),
            ("7,3,3\n5,6,7\n", false),
            ("39,private,u\n40,private,u\n", false),
            ("2019,2020,kind\n1,2,u\n", true),
            ("u,v\nu,v\n", true),
        ] {
            assert_eq!(of(text, "").header, header, "{text}");
        }
        // A number is no name.
        assert!(!of("0.5,u\n1,u\n", "0.5").header);
    }
}
