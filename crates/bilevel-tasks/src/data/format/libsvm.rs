//! LIBSVM text: a label, then `index:value` for each number that is not zero. Kept sparse.

use std::io::{BufRead, BufReader};

use super::file::{Format, Opened, Start};
use crate::Error;
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::problem::Place;
use crate::data::sparse::Sparse;
use crate::data::table::{FeatureColumns, Features, Matrix, Numbers, ReadNote, Table};

pub(super) const FORMAT: Format = Format {
    name: "LIBSVM text",
    is,
    read,
};

/// Lines that are looked at.
const SAMPLE: usize = 20;
/// Larger indices are taken for a mistake.
const MOST_COLUMNS: u32 = 100_000_000;

/// Whether lines are a number with pairs `index:value`, the first one at least.
fn is(start: &Start<'_>) -> bool {
    if !start.is_text() {
        return false;
    }
    let text = String::from_utf8_lossy(start.bytes);
    let mut lines: Vec<&str> = text.lines().take(SAMPLE + 1).collect();
    if !start.whole && lines.len() > 1 {
        // The last line may be cut.
        lines.pop();
    }
    let mut pairs = 0;
    for line in lines {
        let line = line.split('#').next().unwrap_or_default();
        let mut tokens = line.split_ascii_whitespace();
        let Some(label) = tokens.next() else {
            continue;
        };
        let fits =
            label.split(',').all(|part| part.parse::<f64>().is_ok()) && tokens.clone().all(is_pair);
        if !fits {
            // What is wrong behind good lines is told by the reader, with its place.
            return pairs > 0;
        }
        pairs += tokens.count();
    }
    pairs > 0
}

fn is_pair(token: &str) -> bool {
    token.split_once(':').is_some_and(|(index, value)| {
        (index == "qid" || index.parse::<u32>().is_ok()) && value.parse::<f64>().is_ok()
    })
}

fn read(opened: Opened<'_>) -> Result<Table, Error> {
    let (path, wanted) = (opened.path, opened.wanted);
    let mut reader = BufReader::with_capacity(1 << 16, opened.source.into_reader());
    let mut labels = Labels::new(path, None);
    let mut sparse = Sparse {
        starts: vec![0],
        ..Sparse::default()
    };
    let (mut lines, mut number) = (Vec::new(), 0_u64);
    let (mut smallest, mut largest) = (u32::MAX, 0);
    let mut line = String::new();
    loop {
        line.clear();
        let read = match reader.read_line(&mut line) {
            Ok(read) => read,
            Err(error)
                if error.kind() == std::io::ErrorKind::InvalidData
                    && error
                        .get_ref()
                        .is_none_or(|e| !e.is::<crate::data::source::Damaged>()) =>
            {
                let place = format!("line {}", number + 1);
                return Err(Malformed::new("text in UTF-8", "other bytes")
                    .in_place(place)
                    .at(path));
            }
            Err(error) => return Err(Error::reading(path, error)),
        };
        if read == 0 {
            break;
        }
        number += 1;
        let text = line.split('#').next().unwrap_or_default();
        let mut tokens = text.split_ascii_whitespace();
        let Some(label) = tokens.next() else {
            continue;
        };
        let wrong = |expected: &str, found: &str| {
            let place = Place {
                row: lines.len(),
                line: Some(number),
                column: None,
            };
            Malformed::new(expected, format!("{found:?}"))
                .in_place(place.to_string())
                .at(path)
        };
        if label.contains(':') {
            return Err(wrong("a label before the first index:value", label));
        }
        labels.push(label);
        let first = sparse.columns.len();
        for token in tokens {
            let Some((index, value)) = token.split_once(':') else {
                return Err(wrong("index:value", token));
            };
            if index == "qid" {
                continue;
            }
            let Some(index) = index.parse().ok().filter(|&index| index <= MOST_COLUMNS) else {
                return Err(wrong(
                    "an index from 0 to 100000000 before the colon",
                    token,
                ));
            };
            let value: Option<f64> = value.parse().ok();
            let Some(value) =
                value.filter(|value| !value.is_infinite() && (*value as f32).is_finite())
            else {
                return Err(wrong("a finite number behind the colon", token));
            };
            smallest = smallest.min(index);
            largest = largest.max(index);
            // An index that is written out although its value is zero counts as a column.
            if value != 0.0 {
                sparse.columns.push(index);
                sparse.values.push(value as f32);
            }
        }
        let row = &sparse.columns[first..];
        if !row.is_sorted() {
            let mut pairs: Vec<(u32, f32)> = row
                .iter()
                .copied()
                .zip(sparse.values[first..].iter().copied())
                .collect();
            pairs.sort_by_key(|&(column, _)| column);
            for (place, (column, value)) in (first..).zip(pairs) {
                sparse.columns[place] = column;
                sparse.values[place] = value;
            }
        }
        if let Some(pair) = sparse.columns[first..]
            .windows(2)
            .find(|pair| pair[0] == pair[1])
        {
            return Err(wrong(
                "each index once in a line",
                &format!("{} twice", pair[0]),
            ));
        }
        sparse.starts.push(sparse.columns.len());
        lines.push(number);
    }
    let rows = lines.len();
    // Indices count from 1, unless there is a 0.
    let mut base = u32::from(smallest != 0);
    if let FeatureColumns::Same { columns, .. } = &wanted.features
        && let Some(first) = columns.first().and_then(|first| first.parse().ok())
    {
        // As in the first file, unless the largest index shows that it counts from 1.
        if (largest as usize) < columns.len() {
            base = base.min(first);
        }
    }
    let width = if rows == 0 || smallest == u32::MAX {
        0
    } else {
        (largest + 1 - base) as usize
    };
    for column in &mut sparse.columns {
        *column -= base;
    }
    let mut notes = Vec::new();
    let mut width = width;
    if let FeatureColumns::Same { columns, .. } = &wanted.features {
        let known = columns.len();
        if width > known {
            let kept: Vec<bool> = sparse
                .columns
                .iter()
                .map(|&c| (c as usize) < known)
                .collect();
            let gone = kept.iter().filter(|kept| !**kept).count();
            sparse.keep(&kept);
            notes.push(ReadNote {
                kind: "unknown_index",
                column: None,
                count: gone,
                message: format!("{gone} numbers have an index above {known}, the largest of the first file, and are left out"),
            });
        }
        width = known;
    }
    let table = Table {
        features: Features::Matrix(Matrix {
            values: Numbers::Sparse(sparse),
            width,
            first: base as usize,
            image: None,
            pixels: false,
        }),
        labels: Some(labels),
        lines: Some(lines),
        notes,
        ..Table::new(path, "LIBSVM text", rows)
    };
    table.expect_content()?;
    Ok(table)
}

impl Sparse {
    /// Leaves out the numbers that are not marked.
    fn keep(&mut self, kept: &[bool]) {
        let mut starts = vec![0];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for row in self.starts.windows(2) {
            for place in (row[0]..row[1]).filter(|&place| kept[place]) {
                columns.push(self.columns[place]);
                values.push(self.values[place]);
            }
            starts.push(columns.len());
        }
        *self = Self {
            starts,
            columns,
            values,
        };
    }
}
