//! What the text of a cell means.

/// Which mark separates the whole part of a number from its fraction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Decimal {
    /// A point; commas are understood where they cannot mean anything else.
    #[default]
    Point,
    /// A point, said by the user: a comma separates thousands.
    OnlyPoint,
    /// A comma.
    Comma,
}

/// Words that stand for no value, in upper or lower case.
struct Words {
    words: &'static [&'static str],
    /// The length of the longest.
    longest: usize,
}

/// Those of R, NumPy, pandas, databases and spreadsheets.
const MISSING_WORDS: Words = Words {
    words: &[
        "na", "n/a", "nan", "-nan", "null", "none", "nil", "?", "-", "--", ".", "<na>", "#n/a",
        "#na", "#n/a n/a", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "1.#ind",
        "-1.#ind", "1.#qnan", "-1.#qnan", "nat",
    ],
    longest: 8,
};

/// Whether a text stands for no value.
pub(crate) fn is_missing(text: &str) -> bool {
    text.is_empty()
        || (text.len() <= MISSING_WORDS.longest
            && MISSING_WORDS
                .words
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word)))
}

/// What the text of a cell means.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Cell {
    Missing,
    Number(f64),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(f64),
    /// `1,234.5`
    Thousands(f64),
    /// `1,5`
    DecimalComma(f64),
    /// `1,234`
    Comma {
        thousands: f64,
        decimal: f64,
    },
    Infinite,
    Text,
}

/// What a cell means; blanks around it have been removed.
pub(crate) fn cell(text: &str, decimal: Decimal) -> Cell {
    // Nearly all cells of a large file.
    if decimal != Decimal::Comma
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_digit() || matches!(first, b'-' | b'.' | b'+'))
        && let Ok(value) = text.parse::<f64>()
        && value.is_finite()
    {
        return Cell::Number(value);
    }
    unusual(text, decimal)
}

fn unusual(text: &str, decimal: Decimal) -> Cell {
    if is_missing(text) {
        return Cell::Missing;
    }
    // Blanks of every width go, also between thousands; a minus sign of typesetting is one.
    let plain: String = text
        .trim_matches(is_blank)
        .chars()
        .map(|c| match c {
            '\u{2212}' | '\u{2012}' | '\u{2013}' | '\u{fe63}' | '\u{ff0d}' => '-',
            c if is_blank(c) => ' ',
            c => c,
        })
        .collect();
    if is_missing(&plain) {
        return Cell::Missing;
    }
    if plain.eq_ignore_ascii_case("true") {
        return Cell::Boolean(true);
    }
    if plain.eq_ignore_ascii_case("false") {
        return Cell::Boolean(false);
    }
    let parsed = |text: &str| match text.parse::<f64>() {
        // Words such as `infinity` are texts, unless they are written as one number.
        Ok(value) if value.is_finite() => Some(Cell::Number(value)),
        Ok(_) => Some(Cell::Infinite),
        Err(_) => None,
    };
    match decimal {
        Decimal::Point | Decimal::OnlyPoint => {
            if let Some(cell) = parsed(&plain) {
                return cell;
            }
            if let Some(days) = date(&plain) {
                return Cell::Date(days);
            }
            with_marks(&plain, decimal).unwrap_or(Cell::Text)
        }
        Decimal::Comma => {
            if let Some(days) = date(&plain) {
                return Cell::Date(days);
            }
            // Points between thousands, then a comma.
            let grouped = without_groups(&plain, &['.', ' ', '\''], ',');
            let candidate = grouped.as_deref().unwrap_or(&plain).replace(',', ".");
            // A point that is not between thousands is no part of such a number.
            if plain.matches(',').count() <= 1 && (grouped.is_some() || !plain.contains('.')) {
                parsed(&candidate).unwrap_or(Cell::Text)
            } else {
                Cell::Text
            }
        }
    }
}

/// Blanks, also those of typesetting, and characters that cannot be seen.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'
        )
}

/// Numbers with marks between thousands, or with a decimal comma.
fn with_marks(text: &str, decimal: Decimal) -> Option<Cell> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let commas = text.matches(',').count();
    if text.ends_with(',') {
        return None;
    }
    if commas == 0 {
        let plain = without_groups(text, &[' ', '\''], '.')?;
        return number(&plain).map(Cell::Thousands);
    }
    let thousands = without_groups(text, &[','], '.').and_then(|plain| number(&plain));
    if decimal == Decimal::OnlyPoint {
        return thousands.map(Cell::Thousands);
    }
    let fraction = (commas == 1)
        .then(|| without_groups(text, &['.', ' ', '\''], ','))
        .flatten()
        .or_else(|| (commas == 1 && !text.contains('.')).then(|| text.to_owned()))
        .and_then(|plain| number(&plain.replace(',', ".")));
    match (thousands, fraction) {
        (Some(thousands), Some(decimal)) => Some(Cell::Comma { thousands, decimal }),
        (Some(value), None) => Some(Cell::Thousands(value)),
        (None, Some(value)) => Some(Cell::DecimalComma(value)),
        (None, None) => None,
    }
}

/// The number without the marks between its groups of three digits; None if there is no such mark, or it stands
/// elsewhere.
fn without_groups(text: &str, marks: &[char], decimal: char) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let mark = whole.chars().find(|c| marks.contains(c))?;
    let mut groups = whole.split(mark);
    let digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next()?;
    if !(1..=3).contains(&first.len()) || !digits(first) || first.starts_with('0') {
        return None;
    }
    if !groups.all(|group| group.len() == 3 && digits(group)) {
        return None;
    }
    if fraction.is_some_and(|fraction| !digits(fraction)) {
        return None;
    }
    Some(text.replace(mark, ""))
}

/// Days since 1970-01-01 of a date as ISO 8601 has it, with or without a time: `2024-02-29`, `2024/02/29`,
/// `2024-02-29T12:30:00Z`, `2024-02-29 12:30`.
pub(crate) fn date(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        let all = part.bytes().all(|b| b.is_ascii_digit());
        all.then(|| part.parse().ok()).flatten()
    };
    let mark = *bytes.get(4)?;
    if !matches!(mark, b'-' | b'/') || *bytes.get(7)? != mark {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    let days = days(i64::from(year), i64::from(month), i64::from(day)) as f64;
    let Some(time) = text.get(10..).filter(|time| !time.is_empty()) else {
        return Some(days);
    };
    let time = time.strip_prefix(['T', ' '])?;
    seconds(time).map(|seconds| days + seconds / 86_400.0)
}

/// Seconds since midnight UTC.
fn seconds(time: &str) -> Option<f64> {
    let (time, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let two = |part: &str, most: u32| -> Option<f64> {
        let number: u32 = (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse().ok())
            .flatten()?;
        (number <= most).then_some(f64::from(number))
    };
    let mut parts = time.trim_end().split(':');
    let (hour, minute) = (two(parts.next()?, 24)?, two(parts.next()?, 59)?);
    let second = match parts.next() {
        None => 0.0,
        Some(part) => {
            let (whole, fraction) = part.split_once(['.', ',']).unwrap_or((part, "0"));
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            two(whole, 60)? + format!("0.{fraction}").parse::<f64>().ok()?
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let offset = match zone {
        "" | "Z" | "z" => 0.0,
        zone => {
            let (sign, zone) = zone.split_at(1);
            let zone = zone.replace(':', "");
            let (hours, minutes) = zone.split_at_checked(2)?;
            let minutes = if minutes.is_empty() { "00" } else { minutes };
            let offset = two(hours, 23)? * 3600.0 + two(minutes, 59)? * 60.0;
            if sign == "-" { -offset } else { offset }
        }
    };
    Some(hour * 3600.0 + minute * 60.0 + second - offset)
}

/// Days since 1970-01-01 of a day of the Gregorian calendar (Howard Hinnant, *chrono-compatible low-level date
/// algorithms*).
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A number as a person writes it: without a fraction if it has none.
pub(crate) fn number_text(value: f64) -> String {
    // −0 is 0.
    (value + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(text: &str) -> Cell {
        cell(text, Decimal::Point)
    }

    #[test]
    fn numbers_in_many_spellings() {
        for (text, value) in [
            ("1.5", 1.5),
            ("+1", 1.0),
            ("-3e2", -300.0),
            (".5", 0.5),
            ("\u{2212}5", -5.0),
            ("\u{a0}7\u{a0}", 7.0),
        ] {
            assert_eq!(point(text), Cell::Number(value), "{text}");
        }
        for text in ["1,234.5", "1 234.5", "1\u{202f}234.5", "1'234.5"] {
            assert_eq!(point(text), Cell::Thousands(1234.5), "{text}");
        }
        assert_eq!(point("-1,234,567"), Cell::Thousands(-1_234_567.0));
        assert_eq!(point("1,5"), Cell::DecimalComma(1.5));
        assert_eq!(point("0,234"), Cell::DecimalComma(0.234));
        assert_eq!(point("1.234,5"), Cell::DecimalComma(1234.5));
        let both = Cell::Comma {
            thousands: 1234.0,
            decimal: 1.234,
        };
        assert_eq!(point("1,234"), both);
        assert_eq!(cell("1,234", Decimal::OnlyPoint), Cell::Thousands(1234.0));
        for (text, value) in [
            ("1,234", 1.234),
            ("1.234,5", 1234.5),
            ("7", 7.0),
            ("-0,5", -0.5),
        ] {
            assert_eq!(cell(text, Decimal::Comma), Cell::Number(value), "{text}");
        }
        for text in ["1,2,3", "1,23,456", "12,", "a", "1.2.3", "1_000", "5%", ","] {
            assert_eq!(point(text), Cell::Text, "{text}");
        }
        for text in ["inf", "-1e999", "Infinity"] {
            assert_eq!(point(text), Cell::Infinite, "{text}");
        }
    }

    #[test]
    fn missing_values_of_many_programs() {
        for text in [
            "", "NA", "n/a", "NaN", "NULL", "<NA>", "#N/A", "-", ".", "#DIV/0!", "\u{a0}",
        ] {
            assert_eq!(point(text), Cell::Missing, "{text:?}");
        }
    }

    #[test]
    fn dates_are_days() {
        for (text, days) in [
            ("1970-01-01", 0.0),
            ("1969-12-31", -1.0),
            ("2024/02/29", 19_782.0),
            ("2000-03-01T12:00:00Z", 11_017.5),
            ("2000-03-01 12:00", 11_017.5),
            ("2000-03-01T12:00:00.5+12:00", 11_017.0 + 0.5 / 86_400.0),
        ] {
            assert_eq!(point(text), Cell::Date(days), "{text}");
        }
        for text in [
            "2023-02-29",
            "2023-13-01",
            "2023-1-1",
            "2023-01/01",
            "2023-01-01T9:00",
        ] {
            assert_eq!(point(text), Cell::Text, "{text}");
        }
    }
}
