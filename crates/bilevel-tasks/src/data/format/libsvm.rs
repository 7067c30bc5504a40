//! LIBSVM text: a label, then `index:value` for each number that is not zero. Kept sparse.

use std::io::{BufRead, BufReader};

use super::file::{Format, Opened, Start};
use crate::Error;
use crate::data::changes::{Edit, Rewrite};
use crate::data::labels::Labels;
use crate::data::malformed::Malformed;
use crate::data::problem::Place;
use crate::data::sparse::Sparse;
use crate::data::table::{FeatureColumns, Features, Matrix, Numbers, ReadNote, Table};

pub(super) const FORMAT: Format = Format {
    name: "LIBSVM text",
    is,
    read,
    rewrite: Some(rewrite),
    columns: false,
};

/// Lines that are looked at.
const SAMPLE: usize = 20;
/// Larger indices are taken for a mistake.
const MOST_COLUMNS: u32 = 100_000_000;

/// Where more than this many times the columns that occur could, as with indices that are hashes, only those that occur are
/// columns.
const MOST_UNUSED: usize = 4;

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

/// The lines with changes: a label is the first word of a line.
fn rewrite(opened: Opened<'_>, changes: &Rewrite) -> Result<Vec<u8>, Error> {
    let path = opened.path;
    let bytes = opened.source.into_bytes();
    let bytes = bytes.map_err(|error| Error::reading(path, error))?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut row = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let content = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let Some(start) = content.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            out.extend_from_slice(line);
            continue;
        };
        let blank = |byte: &u8| byte.is_ascii_whitespace();
        let end = content[start..].iter().position(blank);
        let end = end.map_or(content.len(), |end| start + end);
        match changes.edit(row) {
            Edit::Keep => out.extend_from_slice(line),
            Edit::Drop => {}
            Edit::Label(label) => {
                out.extend_from_slice(&line[..start]);
                out.extend_from_slice(label.as_bytes());
                out.extend_from_slice(&line[end..]);
            }
        }
        row += 1;
    }
    Ok(out)
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
    let mut notes = Vec::new();
    let numbers = match &wanted.features {
        FeatureColumns::Same { columns, .. } => {
            let known: Vec<u32> = columns
                .iter()
                .filter_map(|name| name.parse().ok())
                .collect();
            let gone = sparse.of_numbers(&known, (smallest, largest));
            if gone > 0 {
                notes.push(ReadNote {
                    kind: "unknown_index",
                    column: None,
                    count: gone,
                    message: format!("{gone} numbers have an index that the first file does not have, and are left out"),
                });
            }
            known
        }
        // Without any number there are no columns.
        _ if rows == 0 || smallest == u32::MAX => Vec::new(),
        _ => {
            // Indices count from 1, unless there is a 0.
            let all = smallest.min(1)..=largest;
            let used = sparse.used();
            let numbers = if used.len() * MOST_UNUSED < all.clone().count() {
                used
            } else {
                all.collect()
            };
            sparse.of_numbers(&numbers, (smallest, largest));
            numbers
        }
    };
    let table = Table {
        features: Features::Matrix(Matrix {
            values: Numbers::Sparse(sparse),
            width: numbers.len(),
            numbers: Some(numbers),
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
    /// The indices that occur, in order.
    fn used(&self) -> Vec<u32> {
        let mut used = self.columns.clone();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Puts the place among the known indices in place of each index as it is written; `ends` are the smallest and the
    /// largest index of this file, which may count from 0 where the known ones count from 1, or the other way round.
    /// Numbers whose index is not known are left out: how many.
    fn of_numbers(&mut self, known: &[u32], ends: (u32, u32)) -> usize {
        let mut places: Vec<(u32, u32)> = known.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let (first, last) = match (places.first(), places.last()) {
            (Some(first), Some(last)) => (first.0, last.0),
            _ => (0, 0),
        };
        let shift = match ends {
            (0, _) if first > 0 => 1,
            // Only the largest index shows it.
            (1.., largest) if first == 0 && largest.checked_sub(1) == Some(last) => -1,
            _ => 0,
        };
        let before = self.columns.len();
        let mut starts = vec![0];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for row in 0..self.starts.len() - 1 {
            let (indices, numbers) = self.row(row);
            for (&index, &value) in indices.iter().zip(numbers) {
                let index = index.saturating_add_signed(shift);
                if let Ok(at) = places.binary_search_by_key(&index, |place| place.0) {
                    columns.push(places[at].1);
                    values.push(value);
                }
            }
            starts.push(columns.len());
        }
        *self = Self {
            starts,
            columns,
            values,
        };
        before - self.columns.len()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::table::TableColumns;

    fn matrix(text: &str, wanted: &TableColumns) -> (Vec<u32>, Sparse, Vec<ReadNote>) {
        let table = Table::from_bytes(text.as_bytes().to_vec(), Path::new("t.svm"), wanted);
        let table = table.unwrap();
        let Features::Matrix(matrix) = table.features else {
            panic!("a matrix");
        };
        let Numbers::Sparse(sparse) = matrix.values else {
            panic!("sparse");
        };
        (matrix.numbers.unwrap(), sparse, table.notes)
    }

    #[test]
    fn of_hashes_only_those_that_occur_are_columns() {
        let wanted = TableColumns::default();
        let (numbers, sparse, _) = matrix("1 7:1 99000000:2\n0 500:3\n", &wanted);
        assert_eq!(numbers, [7, 500, 99_000_000]);
        assert_eq!(sparse.columns, [0, 2, 1]);
        // Another file has the same columns; what the first does not have is left out.
        let names = numbers.iter().map(u32::to_string).collect();
        let wanted = TableColumns {
            features: FeatureColumns::Same {
                table: "t.svm".to_owned(),
                columns: names,
            },
            ..TableColumns::default()
        };
        let (numbers, sparse, notes) = matrix("1 8:1 500:2\n0 99000000:4\n", &wanted);
        assert_eq!(numbers, [7, 500, 99_000_000]);
        assert_eq!(
            (sparse.columns, sparse.values),
            (vec![1, 2], vec![2.0, 4.0])
        );
        assert!(
            notes[0].message.starts_with("1 numbers have an index"),
            "{notes:?}"
        );
    }

    #[test]
    fn labels_of_another_file_are_told_to_replace_its_own() {
        let read = |text: &str, wanted: &TableColumns| {
            Table::from_bytes(text.as_bytes().to_vec(), Path::new("t.svm"), wanted).unwrap()
        };
        let only = TableColumns {
            labels: crate::data::table::LabelsWanted::Only,
            features: FeatureColumns::None,
            ..TableColumns::default()
        };
        let rows = read("1 1:1\n0 2:3\n", &TableColumns::default());
        let joined = rows.with_labels_of(read("5\n7\n", &only)).unwrap();
        assert_eq!(joined.labels().unwrap().text(0), "5");
        assert_eq!(joined.notes[0].kind, "labels_replaced");
    }

    #[test]
    fn most_indices_are_columns_whether_they_occur_or_not() {
        let wanted = TableColumns::default();
        assert_eq!(matrix("1 1:1 4:2\n0 2:3\n", &wanted).0, [1, 2, 3, 4]);
        assert_eq!(matrix("1 0:1 2:2\n0 2:3\n", &wanted).0, [0, 1, 2]);
    }
}
